"""A fax to a number of ours is handed over without a call and a port (R3.7)."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import OperationalError

from jobs import dispatcher as dispatcher_job
from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.faxes import inside, listing
from netfax.faxes.cancel import cancel
from netfax.faxes.dispatch import Dispatcher
from netfax.faxes.inside import ACTOR, deliver_inside
from netfax.faxes.models import Attempt, Delivery, Direction, MailboxItem, Reception
from netfax.faxes.results import Cause
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.lines.models import Port, Trunk
from netfax.org.models import NumberRange, OwnedNumber, User
from netfax.settings import settings
from netfax.storage.disk import delete_blob, store_file
from netfax.storage.models import Blob
from netfax.storage.service import path_of
from tests.factories import World, delivery_of, item_of, make_delivery, make_world

S = DeliveryState
BOBS, NOBODYS = "867367804002", "867367804055"


@pytest.fixture
def world(database: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    return make_world()


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    path = tmp_path / "pages.tif"
    path.write_bytes(b"II*\0 three pages")
    return path


def fax_to(world: World, identity: str, pages: Path, **facts: object) -> str:
    """A queued fax of alice whose pages are on disk."""
    uuid = make_delivery(world.alice, identity, pages=3, **facts)
    stored = store_file(pages)
    with unit_of_work() as uow:
        blob = document_blob(uow, uuid)
        blob.key, blob.size, blob.sha256 = stored.key, stored.size, stored.sha256
    return uuid


def document_blob(uow: UnitOfWork, uuid: str) -> Blob:
    document = uow.session.query(Delivery).filter(Delivery.uuid == uuid).one().submission.document
    assert document is not None
    return document.blob


def deliver(uuid: str) -> bool:
    return deliver_inside(delivery_of(uuid).id)


def received() -> list[Reception]:
    with reading() as uow:
        found = list(uow.session.scalars(select(Reception).order_by(Reception.started_at)))
        for each in found:
            assert each.blob is not None
        return found


def files() -> list[Path]:
    return [path for path in settings().blobs_dir.rglob("*") if path.is_file()]


def test_the_owner_has_the_pages_in_his_inbox_and_the_sender_a_fax_that_is_sent(world: World, pages: Path) -> None:
    uuid = fax_to(world, BOBS, pages)
    assert deliver(uuid)
    delivery = delivery_of(uuid)
    assert (delivery.state, delivery.cause, delivery.pages_confirmed) == (S.SENT, Cause.OK, 3)
    assert (delivery.tries, delivery.attempts) == (0, [])
    with reading() as uow:
        (item,) = listing.mailbox(uow, world.bob, Direction.IN).rows
        assert item.reception is not None and item.reception.blob is not None
        assert (item.reception.state, item.reception.pages) == (ReceptionState.RECEIVED, 3)
        assert (item.reception.caller, item.reception.called) == ("", BOBS)
        assert item.reception.delivery_id == delivery.id
        assert path_of(item.reception.blob).read_bytes() == pages.read_bytes()
        assert listing.unread(uow, world.bob) == 1
        change = listing.history(uow, delivery)[-1]
        assert (change.before, change.after, change.actor) == (S.QUEUED, S.SENT, ACTOR)


def test_each_side_has_a_file_of_its_own_and_may_delete_it(world: World, pages: Path) -> None:
    uuid = fax_to(world, BOBS, pages)
    deliver(uuid)
    (reception,) = received()
    with reading() as uow:
        senders = document_blob(uow, uuid)
    assert reception.blob is not None
    assert senders.key != reception.blob.key
    assert reception.blob.tenant_id == world.bob.tenant_id
    delete_blob(senders.key)
    assert path_of(reception.blob).read_bytes() == pages.read_bytes()


def test_it_works_when_every_trunk_is_down_and_at_every_hour(world: World, pages: Path) -> None:
    with unit_of_work() as uow:
        uow.session.query(Port).delete()
        uow.session.query(Trunk).delete()
    uuid = fax_to(world, BOBS, pages)
    dispatcher_job.work(Dispatcher("test"))
    assert delivery_of(uuid).state is S.SENT
    with reading() as uow:
        assert uow.session.query(Attempt).count() == 0


def test_a_number_in_a_range_of_ours_that_nobody_owns_goes_to_its_operator(world: World, pages: Path) -> None:
    deliver(fax_to(world, NOBODYS, pages))
    assert [reception.user_id for reception in received()] == [world.alice.user_id]


def test_one_who_was_disabled_gets_nothing_and_the_operator_of_his_number_does(world: World, pages: Path) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(User).where(User.id == world.bob.user_id).values(enabled=False))
    deliver(fax_to(world, BOBS, pages))
    assert [reception.user_id for reception in received()] == [world.alice.user_id]


def test_a_number_of_ours_that_nobody_has_ends_the_fax_as_one_that_does_not_exist(world: World, pages: Path) -> None:
    with unit_of_work() as uow:
        uow.session.query(NumberRange).update({"operator_id": None})
    uuid = fax_to(world, NOBODYS, pages)
    assert not deliver(uuid)
    assert (delivery_of(uuid).state, delivery_of(uuid).cause) == (S.FAILED, Cause.UNALLOCATED)
    assert received() == []
    assert len(files()) == 1


def test_what_was_confirmed_before_stays_where_nobody_has_the_number_any_more(world: World, pages: Path) -> None:
    with unit_of_work() as uow:
        uow.session.query(NumberRange).update({"operator_id": None})
    uuid = fax_to(world, NOBODYS, pages, pages_confirmed=1)
    assert not deliver(uuid)
    assert delivery_of(uuid).state is S.PARTIAL


def test_a_fax_to_oneself_is_in_both_lists(world: World, pages: Path) -> None:
    deliver(fax_to(world, "867367804001", pages))
    with reading() as uow:
        assert listing.mailbox(uow, world.alice, Direction.IN).total == 1
        assert listing.mailbox(uow, world.alice, Direction.OUT).total == 1


@pytest.mark.parametrize("state", [S.CONVERTING, S.SCHEDULED, S.HELD, S.CANCELLED, S.FAILED])
def test_what_does_not_wait_in_the_queue_is_not_handed_over(world: World, state: DeliveryState) -> None:
    uuid = make_delivery(world.alice, BOBS, state=state)
    assert not deliver(uuid)
    assert delivery_of(uuid).state is state
    assert files() == []


def test_a_delivery_that_nobody_knows_is_no_error(world: World) -> None:
    assert not deliver_inside(999_999)


def test_many_who_hand_it_over_at_once_hand_it_over_once_and_leave_no_file(world: World, pages: Path) -> None:
    delivery_id = delivery_of(fax_to(world, BOBS, pages)).id
    done: list[bool] = []
    threads = [threading.Thread(target=lambda: done.append(deliver_inside(delivery_id))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == [False] * 7 + [True]
    assert len(received()) == 1
    assert len(files()) == 2


def test_who_cancels_in_the_last_moment_has_cancelled_it(
    world: World, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = fax_to(world, BOBS, pages)
    link_file = inside.link_file

    def cancelled_meanwhile(stored: inside.Stored) -> inside.Stored:
        with unit_of_work() as uow:
            cancel(uow, world.alice, item_of(uuid))
        return link_file(stored)

    monkeypatch.setattr(inside, "link_file", cancelled_meanwhile)
    assert not deliver(uuid)
    assert delivery_of(uuid).state is S.CANCELLED
    assert received() == []
    assert len(files()) == 1


def test_pages_that_cannot_be_stored_are_handed_over_a_little_later(
    world: World, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = fax_to(world, BOBS, pages)

    def full(_: inside.Stored) -> inside.Stored:
        raise OSError(28, "No space left on device")

    dispatcher = Dispatcher("test")
    with monkeypatch.context() as patch:
        patch.setattr(inside, "link_file", full)
        dispatcher_job.work(dispatcher)
    assert delivery_of(uuid).state is S.QUEUED
    with unit_of_work() as uow:
        uow.session.query(Delivery).update({"next_try_at": Delivery.created_at})
    dispatcher_job.work(dispatcher)
    assert delivery_of(uuid).state is S.SENT


def test_a_database_that_does_not_take_it_leaves_no_file(
    world: World, pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise OperationalError("update", {}, Exception("attempt to write a readonly database"))

    uuid = fax_to(world, BOBS, pages)
    with monkeypatch.context() as patch:
        patch.setattr(inside, "_hand_over", read_only)
        with pytest.raises(OperationalError):
            deliver(uuid)
    assert len(files()) == 1
    assert deliver(uuid)


def test_a_fax_that_is_sent_again_inside_brings_every_page(world: World, pages: Path) -> None:
    uuid = fax_to(world, BOBS, pages, pages_confirmed=1)
    deliver(uuid)
    assert [(each.pages, each.pages_confirmed) for each in received()] == [(3, 3)]


def test_the_owner_is_asked_for_at_the_moment_of_the_delivery(world: World, pages: Path) -> None:
    uuid = fax_to(world, BOBS, pages)
    with unit_of_work() as uow:
        uow.session.query(OwnedNumber).filter(OwnedNumber.identity == BOBS).update({"user_id": world.admin.user_id})
    deliver(uuid)
    with reading() as uow:
        items = uow.session.scalars(select(MailboxItem).where(MailboxItem.direction == Direction.IN)).all()
        assert [(item.user_id, item.tenant_id) for item in items] == [(world.admin.user_id, world.admin.tenant_id)]
