"""Trunks added to the running system."""

from pathlib import Path

from tests.e2e.helpers import BOB, assert_arrived
from tests.pages import assert_same_pages, make_tiff
from tests.soft_modem import soft_modem
from tests.system import System


def test_a_soft_modem_registers_and_gets_the_faxes_to_its_number(system: System, tmp_path: Path) -> None:
    added = system.cli(
        *("trunk", "add", "--kind", "iax2", "--name", "modem1", "--secret", "s3cret-Modem", "--number", "7730001")
    )
    assert "the running gateway has taken it" in added.stdout
    assert {"modem1": "not registered"}.items() <= _registered(system).items()
    with soft_modem(system, tmp_path, "modem1", "s3cret-Modem") as received:
        sent = make_tiff(tmp_path / "a.tif", "to a soft modem")
        (uuid,) = system.send(BOB, "0736 7730001", sent)
        row = system.ended(BOB, uuid)
        assert (row["state"], row["mode"]) == ("sent", "audio")
        assert_same_pages(sent, received)
    assert "the running gateway has taken it" in system.cli("trunk", "remove", "modem1").stdout
    assert "modem1" not in _registered(system)


def test_a_sip_trunk_carries_what_its_prefix_names(system: System, tmp_path: Path) -> None:
    added = system.cli(
        *("trunk", "add", "--kind", "sip", "--name", "second", "--host", "127.0.0.2"),
        *("--port", system.settings.port("network_sip"), "--prefix", "867367721019", "--channels", "1"),
    )
    assert "the running gateway has taken it" in added.stdout
    assert _registered(system)["second"] in ("reachable", "not asked yet")
    (uuid,) = system.send(BOB, "7721019", make_tiff(tmp_path / "a.tif", "second trunk"))
    row = system.ended(BOB, uuid)
    assert row["state"] == "sent"
    assert_arrived(system, BOB, row, "7721019", tmp_path)
    assert "the running gateway has taken it" in system.cli("trunk", "remove", "second").stdout
    assert "second" not in _registered(system)
    assert "second" not in (system.home / "gateway/etc/pjsip.conf").read_text()
    assert system.delivery(BOB, uuid) == row


def test_a_trunk_that_can_not_be_is_refused_with_a_sentence(system: System) -> None:
    for arguments, word in (
        (("--kind", "sip", "--name", "x y", "--host", "h"), "name"),
        (("--kind", "sip", "--name", "general", "--host", "h"), "name"),
        (("--kind", "sip", "--name", "nohost"), "--host"),
        (("--kind", "sip", "--name", "bad", "--host", "h\nsecret=1"), "--host"),
        (("--kind", "iax2", "--name", "bad", "--secret", "a;b\n[x]", "--number", "7730002"), "secret"),
        (("--kind", "iax2", "--name", "bad", "--number", "7730002"), "--secret"),
        (("--kind", "sip", "--name", "pstn", "--host", "h"), "already"),
        (("--kind", "sip", "--name", "bad", "--host", "h", "--channels", "0"), "channels"),
    ):
        done = system.cli("trunk", "add", *arguments, check=False)
        assert done.returncode == 2, arguments
        assert word in done.stderr
        assert done.stderr.count("\n") == 1
    # Others add and remove trunks of their own meanwhile.
    trunks = _registered(system)
    assert "pstn" in trunks and {"x y", "general", "nohost", "bad"}.isdisjoint(trunks)


def _registered(system: System) -> dict[str, str]:
    return {row["name"]: row["registered"] for row in system.json("trunk", "list")}


def test_a_system_at_work_keeps_its_promises(system: System) -> None:
    """Beside all that the other tests do to it at this moment."""
    system.assert_promises_hold()
