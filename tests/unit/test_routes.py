"""Which trunks may carry a call, best first."""

import random

import pytest

from netfax.lines.models import TrunkKind
from netfax.lines.routes import TrunkFacts, routes
from netfax.lines.service import is_host

BEIJING = "861064802994"
CHANGDE = "867367721001"
ABROAD = "442071234567"


def trunk(name: str, *, prefix: str = "", number: str = "", position: int = 100, id_: int = 1) -> TrunkFacts:
    kind = TrunkKind.IAX2 if number else TrunkKind.SIP
    return TrunkFacts(id_, name, "gw1", kind, not number, number, prefix, position)


def names(identity: str, *trunks: TrunkFacts) -> list[str]:
    shuffled = list(trunks)
    random.Random(7).shuffle(shuffled)
    return [each.name for each in routes(identity, shuffled)]


def test_without_a_trunk_there_is_no_route() -> None:
    assert names(CHANGDE) == []


def test_a_trunk_without_a_prefix_serves_every_number() -> None:
    for identity in (BEIJING, CHANGDE, ABROAD):
        assert names(identity, trunk("pstn")) == ["pstn"]


def test_a_trunk_serves_the_numbers_of_its_prefix_alone() -> None:
    china = trunk("china", prefix="86")
    assert names(BEIJING, china) == ["china"]
    assert names(ABROAD, china) == []


def test_the_longest_prefix_wins_over_the_lower_position() -> None:
    trunks = (
        trunk("all", position=1),
        trunk("china", prefix="86", position=2),
        trunk("beijing", prefix="8610", position=300),
    )
    assert names(BEIJING, *trunks) == ["beijing", "china", "all"]
    assert names(CHANGDE, *trunks) == ["china", "all"]


def test_among_equal_prefixes_the_lower_position_is_first_and_then_the_older_trunk() -> None:
    trunks = (
        trunk("third", position=200, id_=1),
        trunk("second", position=100, id_=9),
        trunk("first", position=100, id_=3),
    )
    assert names(BEIJING, *trunks) == ["first", "second", "third"]


def test_a_soft_modem_comes_first_for_its_own_number_and_serves_no_other() -> None:
    trunks = (trunk("modem", number=CHANGDE, position=999), trunk("changde", prefix="867367721001", position=1))
    assert names(CHANGDE, *trunks) == ["modem", "changde"]
    assert names(BEIJING, *trunks) == []
    assert names(CHANGDE + "9", *trunks) == ["changde"]


@pytest.mark.parametrize("other", ["86736772100", "8673677210012", "86107721001"])
def test_a_number_that_only_begins_or_ends_like_a_soft_modems_is_not_its_own(other: str) -> None:
    assert names(other, trunk("modem", number=CHANGDE)) == []


@pytest.mark.parametrize("text", ["sip.example.net", "127.0.0.2", "10.0.0.255", "gateway-1", "3com.example"])
def test_a_trunk_goes_to_a_name_or_an_address(text: str) -> None:
    assert is_host(text)


@pytest.mark.parametrize(
    "text", ["", "999.999.999.999", "1.2.3", "1.2.3.4.5", "42", "127.0.0.2:5060", "-a", "a b", "2001:db8::1", "a/b"]
)
def test_what_is_neither_is_refused(text: str) -> None:
    assert not is_host(text)
