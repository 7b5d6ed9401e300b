"""Who is drawn next, what a user does meanwhile, and what happens when it is our own fault."""

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.exc import OperationalError

from netfax import alarms
from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.documents import sandbox
from netfax.documents.convert import FaxImage
from netfax.documents.errors import NotDrawable
from netfax.documents.look import Look, Mode, Resolution
from netfax.documents.workshop import DocumentsClosed
from netfax.errors import UserError
from netfax.faxes import acts
from netfax.faxes import convert as convert_module
from netfax.faxes.cancel import cancel
from netfax.faxes.convert import DOCUMENTS, convert, convert_next
from netfax.faxes.draw_queue import (
    CLOCK_TOLERANCE,
    FAR_AWAY,
    LEASE,
    PAUSE,
    claim_next,
    count_ready,
    enter_queue,
    let_go_drawings,
)
from netfax.faxes.models import Delivery, Document, Priority, Submission
from netfax.faxes.states import DeliveryState
from netfax.faxes.submit import FaxRequest, Upload, submit_fax
from netfax.org.service import add_domain
from netfax.org.viewer import Viewer
from netfax.params.service import set_param
from netfax.queue import Job
from netfax.settings import settings
from netfax.storage.models import Blob
from netfax.storage.service import path_of
from tests.factories import World, delivery_of, item_of, make_delivery, make_world
from tests.fixtures.documents.build import encrypted_pdf, saved

FAR = "07367721001"
PICTURE = saved(Image.new("1", (200, 100)), "PNG")
S = DeliveryState
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def world(database: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    return make_world()


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    path = tmp_path / "page.png"
    path.write_bytes(PICTURE)
    return Upload("page.png", path)


def send(viewer: Viewer, upload: Upload, number: str = FAR, **facts: object) -> str:
    """The submission's public id."""
    (uuid,) = submit_fax(viewer, FaxRequest(number, [upload], **facts))  # type: ignore[arg-type]
    with reading() as uow:
        return uow.session.scalars(select(Submission.uuid).join(Delivery).where(Delivery.uuid == uuid)).one()


def delivery(submission: str) -> Delivery:
    with reading() as uow:
        found = select(Delivery.uuid).join(Submission).where(Submission.uuid == submission)
        return delivery_of(uow.session.scalars(found).one())


def state(submission: str) -> DeliveryState:
    return delivery(submission).state


def row(submission: str) -> Submission:
    with reading() as uow:
        return uow.session.scalars(select(Submission).where(Submission.uuid == submission)).one()


def change(submission: str, **values: object) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Submission).where(Submission.uuid == submission).values(**values))


def ready() -> int:
    with unit_of_work() as uow:
        return count_ready(uow)


def open_alarms() -> list[tuple[str, str]]:
    with reading() as uow:
        return [(alarm.code, alarm.subject) for alarm in alarms.open_alarms(uow)]


def files() -> list[Path]:
    return [path for path in settings().blobs_dir.rglob("*") if path.is_file()]


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The submissions in the order in which they are drawn; nothing is drawn really."""
    drawn: list[str] = []

    def draw(submission: str) -> None:
        drawn.append(submission)
        change(submission, draw_turn=None, draw_after=None)

    monkeypatch.setattr(convert_module, "convert", draw)
    return drawn


def draw_all() -> None:
    while convert_next():
        pass


# --- Whose turn it is ---


def test_all_that_one_user_sends_delays_anothers_fax_by_one(world: World, upload: Upload, order: list[str]) -> None:
    many = [send(world.alice, upload) for _ in range(6)]
    assert convert_next()
    one = send(world.bob, upload)
    draw_all()
    assert order == [many[0], many[1], one, *many[2:]]


def test_two_who_send_much_take_turns(world: World, upload: Upload, order: list[str]) -> None:
    hers = [send(world.alice, upload) for _ in range(4)]
    convert_next()
    his = [send(world.bob, upload) for _ in range(3)]
    draw_all()
    assert order == [hers[0], hers[1], his[0], hers[2], his[1], hers[3], his[2]]


def test_who_was_served_much_before_has_nothing_to_make_up_for(world: World, upload: Upload, order: list[str]) -> None:
    for _ in range(5):
        send(world.alice, upload)
    draw_all()
    his = [send(world.bob, upload) for _ in range(2)]
    hers = send(world.alice, upload)
    draw_all()
    assert order[5:] == [his[0], hers, his[1]]


def test_priority_comes_before_turns_and_what_is_far_away_last(world: World, upload: Upload, order: list[str]) -> None:
    far_away = send(world.bob, upload, priority=Priority.HIGH, planned_at=now() + FAR_AWAY + timedelta(hours=1))
    low = send(world.bob, upload, priority=Priority.LOW)
    medium = send(world.bob, upload)
    tonight = send(world.bob, upload, priority=Priority.HIGH, planned_at=now() + FAR_AWAY - timedelta(hours=1))
    high = send(world.alice, upload, priority=Priority.HIGH)
    draw_all()
    assert order == [tonight, high, medium, low, far_away]


def test_each_of_two_who_ask_at_once_gets_another(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions = {send(world.alice, upload) for _ in range(6)}
    drawn: list[str] = []
    monkeypatch.setattr(convert_module, "convert", drawn.append)
    begin = threading.Barrier(6)

    def work() -> None:
        begin.wait(30)
        convert_next()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # On PostgreSQL one may find the row of the other that was first, and nothing else: the sweep sends for it again.
    assert len(drawn) == len(set(drawn))
    while convert_next():
        pass
    assert len(drawn) == 6 and set(drawn) == submissions
    assert ready() == 0


def test_who_is_next_is_found_without_a_look_at_the_others(world: World, upload: Upload) -> None:
    first = send(world.alice, upload)
    user, tenant = world.alice.user_id, world.alice.tenant_id
    many = [{"tenant_id": tenant, "user_id": user, "draw_rank": 1, "draw_turn": turn} for turn in range(1, 10_001)]

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(20):
            with unit_of_work() as uow:
                assert claim_next(uow) == first
                uow.session.rollback()
        return time.perf_counter() - began

    alone = seconds()
    with unit_of_work() as uow:
        uow.session.execute(insert(Submission), many)
    # Ten thousand rows looked at would be a hundred times as long.
    assert min(seconds(), seconds()) < 5 * alone


# --- A worker that was killed ---


@pytest.fixture
def claimed(world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch) -> str:
    """A submission whose worker is gone."""
    submission = send(world.bob, upload)
    with monkeypatch.context() as patch:
        patch.setattr(convert_module, "convert", lambda _: None)
        assert convert_next()
    return submission


def test_what_is_being_drawn_is_drawn_by_nobody_else(claimed: str) -> None:
    assert ready() == 0
    assert not convert_next()


def test_the_worker_that_comes_after_a_killed_one_draws_it_at_once(claimed: str) -> None:
    with unit_of_work() as uow:
        let_go_drawings(uow)
    assert convert_next()
    assert state(claimed) is S.QUEUED


def test_after_the_second_death_others_come_first(claimed: str) -> None:
    """It may be what kills the worker."""
    change(claimed, draw_deaths=1)
    with unit_of_work() as uow:
        let_go_drawings(uow)
    assert ready() == 0
    change(claimed, draw_after=now() - timedelta(seconds=1))
    assert ready() == 1
    assert convert_next()
    assert state(claimed) is S.QUEUED


def test_what_was_planned_far_ahead_is_drawn_by_its_priority_once_its_time_comes_near(world: World) -> None:
    uuid = make_delivery(world.alice, state=S.CONVERTING, planned_at=now() + FAR_AWAY + timedelta(hours=1))
    with unit_of_work() as uow:
        submission = uow.session.query(Submission).one()
        enter_queue(uow, submission, Priority.HIGH, now() + FAR_AWAY + timedelta(hours=1))
    ready()
    assert rank(uuid) == 3
    with unit_of_work() as uow:
        uow.session.query(Delivery).update({"planned_at": now() + FAR_AWAY - timedelta(hours=1), "priority": "high"})
    ready()
    assert rank(uuid) == 0


def rank(uuid: str) -> int:
    with reading() as uow:
        return uow.session.scalars(select(Submission.draw_rank).join(Delivery).where(Delivery.uuid == uuid)).one()


def test_another_machine_leaves_it_until_the_lease_ends(claimed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    with unit_of_work() as uow:
        let_go_drawings(uow)
    assert ready() == 0
    change(claimed, draw_after=now() - timedelta(seconds=1))
    assert ready() == 1


def test_a_clock_that_was_set_back_does_not_prolong_a_lease(claimed: str) -> None:
    change(claimed, draw_after=now() + LEASE + CLOCK_TOLERANCE + timedelta(minutes=1))
    assert ready() == 1


# --- What a user does meanwhile ---


@on_postgresql
@pytest.mark.parametrize("content", [PICTURE, encrypted_pdf()], ids=["drawn", "no document"])
def test_a_fax_that_is_cancelled_at_the_moment_it_is_drawn_stays_cancelled(
    world: World, upload: Upload, database: Engine, content: bytes
) -> None:
    submission = send(world.bob, upload)
    for path in files():
        path.write_bytes(content)
    converter = threading.Thread(target=convert, args=[submission])
    with unit_of_work() as uow:
        cancel(uow, world.bob, item_of(delivery(submission).uuid))
        uow.session.flush()
        converter.start()
        wait_for_lock(database)
    converter.join(30)
    assert not converter.is_alive()
    assert state(submission) is S.CANCELLED
    assert delivery(submission).next_try_at is None


def wait_for_lock(database: Engine) -> None:
    """Until somebody waits for a lock."""
    waiting = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
    for _ in range(300):
        with database.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def test_one_that_was_cancelled_while_it_was_drawn_can_be_sent_again(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = send(world.bob, upload)
    item = item_of(delivery(submission).uuid)
    draw = convert_module.to_fax_tiff

    def cancelled_meanwhile(*arguments: object, **options: object) -> object:
        with unit_of_work() as uow:
            cancel(uow, world.bob, item)
        return draw(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(convert_module, "to_fax_tiff", cancelled_meanwhile)
    convert(submission)
    assert (state(submission), delivery(submission).pages) == (S.CANCELLED, 1)
    with unit_of_work() as uow:
        again = acts.send_again(uow, world.bob, item)
    assert (delivery_of(again).state, delivery_of(again).pages) == (S.QUEUED, 1)


def test_what_was_taken_back_before_is_not_drawn(world: World, upload: Upload) -> None:
    submission = send(world.bob, upload)
    with unit_of_work() as uow:
        cancel(uow, world.bob, item_of(delivery(submission).uuid))
    assert convert_next()
    assert ready() == 0
    assert len(files()) == 1
    assert not convert_next()


# --- Our own faults ---


def test_an_attachment_that_is_gone_is_an_alarm_and_stops_nobody_else(world: World, upload: Upload) -> None:
    stuck, other = send(world.bob, upload), send(world.bob, upload)
    (attachment,) = [path for path in files() if path == attachment_of(stuck)]
    attachment.unlink()
    draw_all()
    assert (state(stuck), state(other)) == (S.CONVERTING, S.QUEUED)
    assert open_alarms() == [(alarms.OUR_FAULT, stuck)]
    assert row(stuck).draw_after is not None
    assert ready() == 0
    # It is tried again after its pause, and the alarm goes when that succeeds.
    attachment.write_bytes(PICTURE)
    change(stuck, draw_after=now() - timedelta(seconds=1))
    assert ready() == 1
    assert convert_next()
    assert state(stuck) is S.QUEUED
    assert open_alarms() == []


def attachment_of(submission: str) -> Path:
    with reading() as uow:
        found = uow.session.scalars(select(Submission).where(Submission.uuid == submission)).one()
        return path_of(found.attachments[0].blob)


def test_an_alarm_goes_when_the_sender_takes_the_fax_back(world: World, upload: Upload) -> None:
    stuck = send(world.bob, upload)
    attachment_of(stuck).unlink()
    draw_all()
    with unit_of_work() as uow:
        cancel(uow, world.bob, item_of(delivery(stuck).uuid))
    change(stuck, draw_after=None)
    draw_all()
    assert open_alarms() == []
    assert row(stuck).draw_turn is None


def test_what_fails_by_our_fault_goes_behind_the_others_of_its_user(world: World, upload: Upload) -> None:
    stuck, others = send(world.bob, upload), [send(world.bob, upload) for _ in range(2)]
    attachment_of(stuck).unlink()
    convert_next()
    turns = [row(submission).draw_turn or 0 for submission in (*others, stuck)]
    assert turns == sorted(set(turns))
    pause_ends = row(stuck).draw_after
    assert pause_ends is not None
    assert timedelta(0) < pause_ends - now() <= PAUSE


def test_without_a_sandbox_no_document_is_blamed_and_one_alarm_tells_of_it(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    submissions = [send(world.bob, upload) for _ in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "run", no_sandbox)
        draw_all()
    assert {state(submission) for submission in submissions} == {S.CONVERTING}
    assert open_alarms() == [(alarms.OUR_FAULT, DOCUMENTS)]
    for submission in submissions:
        change(submission, draw_after=None)
    draw_all()
    assert {state(submission) for submission in submissions} == {S.QUEUED}
    assert open_alarms() == []


def no_sandbox(*_: object, **__: object) -> sandbox.Completed:
    raise sandbox.SandboxUnavailable("bwrap is not installed")


def test_a_fax_that_comes_without_a_sandbox_is_refused_in_words_and_the_operator_is_told(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "run", no_sandbox)
    with pytest.raises(DocumentsClosed) as closed:
        send(world.bob, upload)
    assert isinstance(closed.value, UserError)
    assert "try again later" in closed.value.text("en")
    assert "稍后再试" in closed.value.text("zh")
    assert open_alarms() == [(alarms.OUR_FAULT, DOCUMENTS)]
    with reading() as uow:
        assert "bwrap is not installed" in alarms.open_alarms(uow)[0].text
        assert uow.session.scalars(select(Submission)).all() == []
    assert files() == []


@pytest.mark.parametrize("step", ["to_fax_tiff", "store_file"])
def test_pages_that_cannot_be_written_are_our_fault(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    submission = send(world.bob, upload)
    monkeypatch.setattr(convert_module, step, full)
    assert convert_next()
    assert state(submission) is S.CONVERTING
    assert open_alarms() == [(alarms.OUR_FAULT, submission)]
    assert len(files()) == 1


def full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_defect_is_an_alarm_too_and_its_traceback_goes_on(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    submission = send(world.bob, upload)
    monkeypatch.setattr(convert_module, "to_fax_tiff", defect)
    with pytest.raises(ZeroDivisionError):
        convert_next()
    assert open_alarms() == [(alarms.OUR_FAULT, submission)]
    assert ready() == 0


def test_below_the_disk_reserve_nothing_is_drawn_and_no_document_blamed(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = send(world.bob, upload)

    def cannot_write(*_: object, **__: object) -> None:
        fill_disk()
        raise NotDrawable(name="page.png")

    monkeypatch.setattr(convert_module, "to_fax_tiff", cannot_write)
    assert convert_next()
    assert state(submission) is S.CONVERTING
    change(submission, draw_after=None)
    assert not convert_next()


def fill_disk() -> None:
    with unit_of_work() as uow:
        set_param(uow, "disk_reserve", "1000000", by="admin")


def test_a_database_that_takes_no_document_leaves_no_file(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = send(world.bob, upload)

    def read_only(uow: UnitOfWork, *_: object) -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    with monkeypatch.context() as patch:
        patch.setattr(convert_module, "_record_document", read_only)
        with pytest.raises(OperationalError):
            convert(submission)
    assert len(files()) == 1
    convert(submission)
    assert len(files()) == 2


def test_the_documents_row_names_the_file_that_is_there(world: World, upload: Upload) -> None:
    convert(send(world.bob, upload))
    with reading() as uow:
        blob = uow.session.scalars(select(Blob).join(Document, Document.blob_id == Blob.id)).one()
        assert path_of(blob).stat().st_size == blob.size


def test_a_wake_up_names_no_fax(world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[tuple[object, ...]] = []
    monkeypatch.setattr("netfax.db.send", lambda *job: jobs.append(job))
    send(world.bob, upload)
    assert jobs == [(Job.CONVERT,)]


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were drawn, not those that were there already."""
    drawn: list[Path] = []
    draw = convert_module.to_fax_tiff

    def counted(sources: Sequence[Path], target: Path, **how: Any) -> FaxImage:
        drawn.extend(sources)
        return draw(sources, target, **how)

    monkeypatch.setattr(convert_module, "to_fax_tiff", counted)
    return drawn


def test_the_same_file_sent_again_is_not_drawn_again(world: World, upload: Upload, drawings: list[Path]) -> None:
    first, second = send(world.alice, upload), send(world.bob, upload, "07367721003")
    assert convert_next() and convert_next()
    assert len(drawings) == 1
    assert {state(first), state(second)} == {S.QUEUED}
    with reading() as uow:
        documents = list(uow.session.scalars(select(Document)))
        # Each has its own name for it on the disk, so that either may go.
        assert len({document.blob.key for document in documents}) == 2
        assert len({(document.blob.sha256, document.pages) for document in documents}) == 1
        assert all(path_of(document.blob).exists() for document in documents)


@pytest.mark.parametrize(
    "changed", [{"look": Look(Resolution.STANDARD, Mode.AUTO)}, {"look": Look(Resolution.FINE, Mode.PHOTO)}]
)
def test_another_look_is_drawn(world: World, upload: Upload, drawings: list[Path], changed: dict[str, object]) -> None:
    send(world.alice, upload)
    send(world.alice, upload, **changed)
    assert convert_next() and convert_next()
    assert len(drawings) == 2


def test_another_tenants_pages_are_not_shared(world: World, upload: Upload, drawings: list[Path]) -> None:
    send(world.alice, upload)
    other = send(world.alice, upload)
    with unit_of_work() as uow:
        tenant = add_domain(uow, "elsewhere", "别处")
        uow.session.execute(update(Submission).where(Submission.uuid == other).values(tenant_id=tenant.id))
    assert convert_next() and convert_next()
    assert len(drawings) == 2


def test_what_may_be_otherwise_tomorrow_is_drawn_anew_tomorrow(
    world: World, upload: Upload, drawings: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter whose date is that of the day."""
    monkeypatch.setattr(FaxImage, "lasting", False)
    send(world.alice, upload)
    send(world.alice, upload)
    assert convert_next() and convert_next()
    assert len(drawings) == 1
    with unit_of_work() as uow:
        uow.session.execute(update(Document).values(created_at=now() - timedelta(days=1)))
    send(world.alice, upload)
    assert convert_next()
    assert len(drawings) == 2


def test_a_drawing_whose_file_has_gone_is_made_again(world: World, upload: Upload, drawings: list[Path]) -> None:
    send(world.alice, upload)
    assert convert_next()
    with reading() as uow:
        path_of(uow.session.scalars(select(Document)).one().blob).unlink()
    again = send(world.alice, upload)
    assert convert_next()
    assert (len(drawings), state(again)) == (2, S.QUEUED)
