"""What a search finds, in whose faxes, and that no sign in it commands the database."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from netfax.db import now, reading, unit_of_work
from netfax.faxes import listing
from netfax.faxes.models import Delivery, Direction, MailboxItem, Reception
from netfax.faxes.search import found_in_text
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.ocr.models import PageText
from netfax.org.models import new_uuid
from netfax.org.viewer import Viewer
from netfax.storage.models import Blob
from tests.factories import World, make_delivery, make_world


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


def receive(viewer: Viewer, *texts: str, caller: str = "862082313524", station_id: str = "") -> int:
    """A fax in an inbox, with what was read on its pages; its running number."""
    with unit_of_work() as uow:
        blob = Blob(tenant_id=viewer.tenant_id, media_type="image/tiff", size=1, sha256="0" * 64)
        uow.session.add(blob)
        uow.session.flush()
        uow.session.add_all(PageText(blob_id=blob.id, page=page, text=text) for page, text in enumerate(texts, 1))
        reception = Reception(
            id=new_uuid(),
            gateway="gw1",
            tenant_id=viewer.tenant_id,
            user_id=viewer.user_id,
            caller=caller,
            remote_station_id=station_id,
            state=ReceptionState.RECEIVED,
            pages=1,
            blob_id=blob.id,
            ended_at=now(),
        )
        uow.session.add(reception)
        uow.session.flush()
        item = MailboxItem(
            tenant_id=viewer.tenant_id, user_id=viewer.user_id, direction=Direction.IN, reception_id=reception.id
        )
        uow.session.add(item)
        uow.session.flush()
        return item.id


def send(viewer: Viewer, text: str = "", *, name: str = "", title: str = "", number: str = "010-64802994") -> int:
    """A sent fax; its running number."""
    uuid = make_delivery(viewer, "861064802994", state=DeliveryState.QUEUED, number_text=number)
    with unit_of_work() as uow:
        delivery = uow.session.query(Delivery).filter_by(uuid=uuid).one()
        delivery.submission.recipient_name, delivery.submission.title = name, title
        assert delivery.submission.document is not None
        if text:
            uow.session.add(PageText(blob_id=delivery.submission.document.blob_id, page=1, text=text))
        delivery.state, delivery.ended_at = DeliveryState.SENT, now()
        return uow.session.query(MailboxItem).filter_by(delivery_id=delivery.id).one().id


def inbox(viewer: Viewer, search: str) -> list[int]:
    with reading() as uow:
        page = listing.mailbox(uow, viewer, Direction.IN, search=search)
        assert page.total == len(page.rows)
        return [item.id for item in page.rows]


def sent(viewer: Viewer, search: str) -> list[int]:
    with reading() as uow:
        return [item.id for item in listing.sent_list(uow, viewer, search=search).rows]


@pytest.mark.parametrize(
    "search",
    ["020-82313524", "02082313524", "+86 20 8231 3524", "82313524", "（020）8231", "TELECOM", "guangzhou telecom", ""],
)
def test_a_received_fax_is_found_by_number_and_station_id(world: World, search: str) -> None:
    wanted = receive(world.bob, station_id="Guangzhou Telecom")
    receive(world.bob, caller="867362100000", station_id="another")
    assert wanted in inbox(world.bob, search)
    assert len(inbox(world.bob, search)) == (1 if search else 2)


@pytest.mark.parametrize("search", ["010 6480-2994", "64802994e801", "王小明", "小明 报价", "offer", "OFFER 王"])
def test_a_sent_fax_is_found_by_number_name_and_title(world: World, search: str) -> None:
    wanted = send(world.bob, name="王小明", title="报价 Offer 7", number="010-64802994E801")
    send(world.bob, number="02082313524", title="other")
    with unit_of_work() as uow:
        other = uow.session.query(Delivery).filter_by(number_text="02082313524").one()
        other.identity = "862082313524"
    assert sent(world.bob, search) == [wanted]


def test_a_fax_is_found_by_its_running_number_whole(world: World) -> None:
    numbers = [receive(world.bob, caller="8673699", station_id="") for _ in range(12)]
    assert inbox(world.bob, str(numbers[9])) == [numbers[9]]
    assert inbox(world.bob, str(2**40)) == []


@pytest.mark.parametrize("search", ["传真信箱", "传 真 信 箱", "信箱 fax", "MAILBOX", "ｆａｘ"])
def test_a_fax_is_found_by_its_text(world: World, search: str) -> None:
    wanted = receive(world.bob, "nothing here", "网络传真信箱 Fax Mailbox")
    receive(world.bob, "传真")
    outgoing = send(world.bob, "网络传真信箱 Fax Mailbox")
    assert inbox(world.bob, search) == [wanted]
    assert sent(world.bob, search) == [outgoing]


@pytest.mark.parametrize("sign", ["%", "_", "\\", "/", "'", '"', "*", "?", "%%", "_ax", "f%x"])
def test_signs_of_the_database_stand_for_themselves(world: World, sign: str) -> None:
    receive(world.bob, "fax")
    wanted = receive(world.bob, f"50{sign}x")
    assert inbox(world.bob, sign) == [wanted]


def test_a_search_for_what_no_text_can_have_finds_nothing(world: World) -> None:
    receive(world.bob, "fax")
    assert inbox(world.bob, "fa\0y") == inbox(world.bob, "\x07") == []


def test_nothing_of_another_is_found(world: World) -> None:
    receive(world.alice, "秘密 secret", station_id="secret")
    send(world.alice, "secret", title="secret")
    assert inbox(world.bob, "secret") == sent(world.bob, "secret") == []
    assert inbox(world.admin, "secret") == []
    # The administrator of the domain sees what its users send.
    send(world.bob, "secret")
    assert len(sent(world.alice, "secret")) == 2


@pytest.mark.parametrize("of", [listing.sent_list, listing.send_queue])
def test_each_list_of_deliveries_can_be_searched(world: World, of: Callable[..., listing.Page[MailboxItem]]) -> None:
    send(world.bob, title="one")
    uuid = make_delivery(world.bob)
    with unit_of_work() as uow:
        uow.session.query(Delivery).filter_by(uuid=uuid).one().submission.title = "one"
    with reading() as uow:
        assert of(uow, world.bob, search="one").total == 1
        assert of(uow, world.bob, search="two").total == 0


def test_just_ended_faxes_are_those_of_the_search(world: World) -> None:
    wanted = send(world.bob, title="one")
    send(world.bob, title="two")
    with reading() as uow:
        since = now().replace(year=2020)
        assert [item.id for item in listing.just_ended(uow, world.bob, since, search="one", most=9)] == [wanted]


def test_the_piece_of_text_is_of_the_first_page_that_has_a_word(world: World) -> None:
    number = receive(world.bob, "nothing", "the Pump is here", "pump again")
    other = receive(world.bob, "no such word", station_id="pump")
    with reading() as uow:
        items = listing.mailbox(uow, world.bob, Direction.IN, search="pump").rows
        found = found_in_text(uow, items, "pump")
    assert {item.id for item in items} == {number, other}
    assert set(found) == {number}
    assert found[number].page == 2
    assert [piece.text for piece in found[number].pieces if piece.found] == ["Pump"]
    assert found[number].text == "the Pump is here"


def test_without_a_search_no_text_is_looked_at(world: World) -> None:
    receive(world.bob, "text")
    with reading() as uow:
        assert found_in_text(uow, listing.mailbox(uow, world.bob, Direction.IN).rows, "") == {}
