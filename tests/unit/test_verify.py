"""`netfax verify`: a healthy system passes, each broken promise is named, and what can be mended is."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree

import pytest
import time_machine
from PIL import Image
from sqlalchemy import Engine, delete, select, update

from cli import inspect_commands
from netfax import telephony
from netfax.alarms import Alarm, clear_alarm
from netfax.db import now, reading, unit_of_work
from netfax.documents.inspect import Inspection
from netfax.documents.kinds import Kind
from netfax.documents.tiffwrite import FaxTiffWriter
from netfax.faxes import acts, submit
from netfax.faxes.dial import claim_attempts
from netfax.faxes.finish import finish_attempt
from netfax.faxes.history import wait_until
from netfax.faxes.inside import deliver_inside
from netfax.faxes.journal import in_path, out_path
from netfax.faxes.models import Attachment, Attempt, Delivery, Document, MailboxItem, Reception, StateChange, Submission
from netfax.faxes.receive import InboundCall, InboundResult, decide, record_reception
from netfax.faxes.recording import raise_pages_lost
from netfax.faxes.results import CallOutcome, Cause
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.faxes.submit import FaxRequest, Upload, submit_fax
from netfax.lines.models import Port
from netfax.monitor.verify import run as verify_run
from netfax.monitor.verify.run import Checked, repair, verify
from netfax.org.service import add_domain
from netfax.org.viewer import Viewer
from netfax.settings import settings
from netfax.storage.disk import Stored, blob_path, link_file, store_file
from netfax.storage.models import Blob
from netfax.storage.service import FAX_TIFF, add_blob
from tests.factories import World, delivery_of, dispatch_now, make_world
from tests.fixtures.documents.build import saved
from tests.unit.command_line import run

PAGES = 3
BUILT = {"V1", "V2", "V3", "V4", "V5", "V6", "V11", "V12"}
NOT_BUILT = {"V7", "V8", "V9", "V10", "V13"}
INBOUND_UID = "gw1-1795492400.1"


@dataclass(frozen=True)
class Scene:
    """A system with a fax in each state; ids of deliveries, calls and receptions."""

    world: World
    sent: str
    sent_call: str
    partial: str
    queued: str
    scheduled: str
    held: str
    converting: str
    inside: str
    dialing: str
    dialing_call: str
    received: str
    lossy: str
    receiving: str
    live: frozenset[str]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_run, "PAUSE_SECONDS", 0)


@pytest.fixture
def scene(
    database: Engine,
    home: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    # Looking into a file takes a sandbox; these are good.
    monkeypatch.setattr(submit, "inspect", lambda _path, name: Inspection(Kind.PNG, 1))
    if database.dialect.name != "sqlite":
        return make_scene(tmp_path)
    if not _SCENES:
        made = make_scene(tmp_path)
        database.dispose()
        _SCENES.append((made, copytree(home, tmp_path_factory.mktemp("scene"), dirs_exist_ok=True)))
    made, files = _SCENES[0]
    copytree(files, home, dirs_exist_ok=True)
    return made


# The first one that was made on SQLite, with a copy of its home: it takes half a second to make.
_SCENES: list[tuple[Scene, Path]] = []


def make_scene(folder: Path) -> Scene:
    for name in (telephony.JOURNAL, telephony.SPOOL_IN, "cel"):
        (settings().gateway_dir / name).mkdir(parents=True)
    world = make_world(channels=4)
    sent, sent_call = called(world, folder, "07367721001", pages=PAGES)
    partial, _ = called(world, folder, "07367721002", pages=1)
    received = reception(1, world, folder, pages=2, confirmed=2)
    lossy = reception(2, world, folder, pages=1, confirmed=4)
    receiving = decided(3)
    inside = drawn(world.bob, folder, "07367804001")
    hand_over(inside)
    dialing, dialing_call = placed(world, folder, "07367721003")
    queued = drawn(world.bob, folder, "07367721003")
    scheduled, held = drawn(world.bob, folder, "07367721005"), drawn(world.bob, folder, "07367721006")
    with unit_of_work() as uow:
        acts.plan(uow, world.bob, item_of(scheduled), now() + timedelta(hours=1))
        acts.hold(uow, world.bob, item_of(held))
    converting = submitted(world.bob, folder, "07367721007")
    write_cel(*(event(kind, call) for call in (sent_call, dialing_call) for kind in ("CHAN_START", "ANSWER")))
    age_everything(timedelta(minutes=5))
    return Scene(
        world,
        sent,
        sent_call,
        partial,
        queued,
        scheduled,
        held,
        converting,
        inside,
        dialing,
        dialing_call,
        received,
        lossy,
        receiving,
        frozenset({dialing_call, INBOUND_UID}),
    )


# --- Making the scene ---


def submitted(viewer: Viewer, folder: Path, number: str) -> str:
    upload = folder / f"{number}.png"
    upload.write_bytes(saved(Image.new("1", (200, 100)), "PNG"))
    (uuid,) = submit_fax(viewer, FaxRequest(number, [Upload("page.png", upload)]))
    return uuid


def drawn(viewer: Viewer, folder: Path, number: str) -> str:
    uuid = submitted(viewer, folder, number)
    stored = store_file(fax_tiff(folder, PAGES))
    with unit_of_work() as uow:
        delivery = uow.session.scalars(select(Delivery).where(Delivery.uuid == uuid)).one()
        blob = add_blob(uow, stored, tenant_id=viewer.tenant_id, media_type=FAX_TIFF)
        uow.session.add(
            Document(submission_id=delivery.submission_id, blob_id=blob.id, pages=PAGES, page_bytes=[100] * PAGES)
        )
        delivery.pages = PAGES
        wait_until(uow, delivery, now(), actor="test")
    return uuid


def placed(world: World, folder: Path, number: str) -> tuple[str, str]:
    """A fax whose call is out: delivery and attempt."""
    uuid = drawn(world.bob, folder, number)
    assert dispatch_now() == 1
    attempt_id = delivery_of(uuid).attempts[0].id
    with unit_of_work() as uow:
        assert claim_attempts(uow, [attempt_id], "boot")
    return uuid, attempt_id


def called(world: World, folder: Path, number: str, *, pages: int) -> tuple[str, str]:
    """A fax that has ended with so many pages confirmed: delivery and attempt."""
    uuid, attempt_id = placed(world, folder, number)
    text = "OK" if pages == PAGES else "Far end is not able to receive"
    with unit_of_work() as uow:
        finish_attempt(
            uow,
            attempt_id,
            CallOutcome(answered=True, status_text=text, pages=pages, rate=14400, seconds=30, resolution="8031x7700"),
            actor="test",
        )
    return uuid, attempt_id


def decided(number: int) -> str:
    reception_id = f"6b1f6f3e-0000-4000-8000-{number:012}"
    call = InboundCall(
        reception_id, "gw1", "pstn", "PJSIP/pstn-1", INBOUND_UID, caller="07367721009", called="07367804002"
    )
    with unit_of_work() as uow:
        assert decide(uow, call) == telephony.DECISION_ACCEPT
    return reception_id


def reception(number: int, world: World, folder: Path, *, pages: int, confirmed: int) -> str:
    reception_id = decided(number)
    stored = store_file(fax_tiff(folder, pages))
    call = InboundCall(reception_id, "gw1", "pstn", "", "", caller="", called="07367804002")
    result = InboundResult(True, "OK", confirmed, 14400, "T38", "", 30, now())
    with unit_of_work() as uow:
        row = record_reception(uow, call, result, stored, pages)
        assert row is not None
        raise_pages_lost(uow, row)
    return reception_id


def hand_over(uuid: str) -> None:
    assert deliver_inside(delivery_of(uuid).id)


def fax_tiff(folder: Path, pages: int) -> Path:
    path = folder / "fax.tif"
    with path.open("w+b") as file:
        writer = FaxTiffWriter(file)
        for _ in range(pages):
            writer.add([b"\x00\x10\x01\x00\x10\x01"], width=1728, rows=100)
    return path


def item_of(uuid: str) -> str:
    with reading() as uow:
        query = select(MailboxItem.uuid).join(Delivery, Delivery.id == MailboxItem.delivery_id)
        return uow.session.scalars(query.where(Delivery.uuid == uuid)).one()


def event(kind: str, call: str, *, at: datetime | None = None) -> str:
    fields = [kind, f"{(at or now() - timedelta(minutes=5)).timestamp():.6f}", call, call, "PJSIP/pstn-1", ""]
    assert len(fields) == len(telephony.CEL_FIELDS)
    return ",".join(f'"{field}"' for field in fields) + "\n"


def write_cel(*lines: str, suffix: str = "") -> None:
    path = settings().gateway_dir / f"{telephony.CEL_CSV}{suffix}"
    with path.open("a") as file:
        file.write("".join(lines))


def age_everything(by: timedelta) -> None:
    """Let all of it have happened so long ago."""
    with unit_of_work() as uow:
        uow.session.execute(update(Delivery).values(created_at=now() - by))
        uow.session.execute(update(Reception).values(started_at=now() - by))
        uow.session.execute(update(Port).where(Port.claimed_by.is_not(None)).values(claimed_at=now() - by))
        uow.session.execute(update(Attempt).values(originated_at=now() - by))


def change(model: type[object], where: object, **values: object) -> None:
    with unit_of_work() as uow:
        changed = uow.session.execute(update(model).where(where).values(**values))  # type: ignore[arg-type]
        assert changed.rowcount  # type: ignore[attr-defined]


def remove(model: type[object], where: object) -> None:
    with unit_of_work() as uow:
        removed = uow.session.execute(delete(model).where(where))  # type: ignore[arg-type]
        assert removed.rowcount  # type: ignore[attr-defined]


def blob_of_reception(reception_id: str) -> str:
    with reading() as uow:
        query = select(Blob.key).join(Reception, Reception.blob_id == Blob.id)
        return uow.session.scalars(query.where(Reception.id == reception_id)).one()


def first_attachment(uuid: str) -> tuple[str, str]:
    """Submission and blob of a delivery's first attachment."""
    with reading() as uow:
        query = (
            select(Submission.uuid, Blob.key)
            .join(Attachment, Attachment.submission_id == Submission.id)
            .join(Blob, Blob.id == Attachment.blob_id)
            .join(Delivery, Delivery.submission_id == Submission.id)
        )
        row = uow.session.execute(query.where(Delivery.uuid == uuid)).one()
        return row[0], row[1]


def other_tenant() -> int:
    with unit_of_work() as uow:
        return add_domain(uow, "other", "Other").id


def breaches(checked: list[Checked]) -> set[tuple[str, str, str]]:
    return {(each.promise.code, breach.rule.code, breach.subject) for each in checked for breach in each.breaches}


def found(scene: Scene) -> set[tuple[str, str, str]]:
    return breaches(verify(scene.live))


# --- A healthy system ---


def test_a_healthy_system_keeps_every_promise_that_is_built(scene: Scene) -> None:
    checked = verify(scene.live)
    assert breaches(checked) == set()
    assert {each.promise.code for each in checked if each.built} == BUILT
    assert {each.promise.code for each in checked if not each.built} == NOT_BUILT
    assert [each.promise.code for each in checked if each.built and not each.looked_at] == []
    assert not any(each.unasked for each in checked)
    assert delivery_of(scene.partial).state is DeliveryState.PARTIAL
    assert delivery_of(scene.inside).state is DeliveryState.SENT


def test_an_empty_system_keeps_every_promise(database: Engine) -> None:
    assert breaches(verify(frozenset())) == set()


def test_a_gateway_that_can_not_be_asked_is_said_and_no_breach(scene: Scene) -> None:
    checked = {each.promise.code: each for each in verify(None)}
    assert breaches(list(checked.values())) == set()
    assert [rule.code for rule in checked["V6"].unasked] == ["attempt_without_channel", "reception_without_channel"]


# --- Each promise broken ---


def attachment_lost(scene: Scene) -> str:
    submission, key = first_attachment(scene.converting)
    blob_path(key).unlink()
    return submission


def submission_of_nobody(scene: Scene) -> str:
    with unit_of_work() as uow:
        submission = Submission(tenant_id=scene.world.tenant_id, user_id=scene.world.bob.user_id)
        uow.session.add(submission)
        uow.session.flush()
        return submission.uuid


def delivery_in_no_mailbox(scene: Scene) -> str:
    remove(MailboxItem, MailboxItem.uuid == item_of(scene.queued))
    return scene.queued


def drawn_and_left_converting(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.queued, state=DeliveryState.CONVERTING, pages=0, next_try_at=None)
    return scene.queued


def queued_without_time(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.queued, next_try_at=None)
    return scene.queued


def scheduled_without_time(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.scheduled, next_try_at=None)
    return scene.scheduled


def held_by_no_name(scene: Scene) -> str:
    change(StateChange, StateChange.after == DeliveryState.HELD, actor="")
    return scene.held


def held_without_history(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.queued, state=DeliveryState.HELD, next_try_at=None)
    return scene.queued


def dialing_without_call(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.queued, state=DeliveryState.DIALING)
    return scene.queued


def dialing_with_two_calls(scene: Scene) -> str:
    change(Attempt, Attempt.id == scene.sent_call, ended_at=None, delivery_id=delivery_of(scene.dialing).id)
    return scene.dialing


def ended_with_open_call(scene: Scene) -> str:
    change(Attempt, Attempt.id == scene.sent_call, ended_at=None, originated_at=now())
    return scene.sent_call


def loss_without_alarm(scene: Scene) -> str:
    remove(Alarm, Alarm.subject == scene.lossy)
    return scene.lossy


def alarm_of_another_kind(scene: Scene) -> str:
    change(Alarm, Alarm.subject == scene.lossy, code="journal_broken")
    return scene.lossy


def page_missing_in_file(scene: Scene) -> str:
    change(Reception, Reception.id == scene.received, pages=3)
    return scene.received


def page_too_many_in_file(scene: Scene) -> str:
    change(Reception, Reception.id == scene.received, pages=1, pages_confirmed=1)
    return scene.received


def reception_without_file(scene: Scene) -> str:
    change(Reception, Reception.id == scene.received, blob_id=None)
    return scene.received


def reception_in_no_mailbox(scene: Scene) -> str:
    remove(MailboxItem, MailboxItem.reception_id == scene.received)
    return scene.received


def partial_with_all_pages(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.partial, pages_confirmed=PAGES)
    return scene.partial


def partial_with_no_page(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.partial, pages_confirmed=0)
    return scene.partial


def failed_with_pages(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.partial, state=DeliveryState.FAILED)
    return scene.partial


def sent_without_every_page(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.sent, pages_confirmed=PAGES - 1)
    return scene.sent


def received_less_than_confirmed(scene: Scene) -> str:
    change(Reception, Reception.id == scene.lossy, state=ReceptionState.RECEIVED)
    return scene.lossy


def nothing_received_but_pages(scene: Scene) -> str:
    change(Reception, Reception.id == scene.received, state=ReceptionState.EMPTY)
    return scene.received


def out_of_turn(scene: Scene) -> str:
    change(Submission, Submission.draw_turn.is_not(None), draw_turn=None)
    return scene.converting


def never_drawn(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.converting, created_at=now() - timedelta(minutes=61))
    change(StateChange, StateChange.before == DeliveryState.CONVERTING, at=now() - timedelta(minutes=61))
    return scene.converting


def past_its_end(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.queued, expires_at=now() - timedelta(minutes=11))
    return scene.queued


def never_placed(scene: Scene) -> str:
    change(Attempt, Attempt.id == scene.dialing_call, originated_at=None, created_at=now() - timedelta(minutes=3))
    (settings().gateway_dir / telephony.CEL_CSV).unlink()
    return scene.dialing_call


def placed_twice(scene: Scene) -> str:
    write_cel(event("CHAN_START", scene.sent_call))
    return scene.sent_call


def placed_twice_in_two_files(scene: Scene) -> str:
    write_cel(event("CHAN_START", scene.dialing_call), suffix=".1")
    return scene.dialing_call


def placed_without_row(scene: Scene) -> str:
    call = telephony.new_attempt_id(settings().secret("attempt_prefix"))
    write_cel(event("CHAN_START", call))
    return call


def placed_before_the_commit(scene: Scene) -> str:
    change(Attempt, Attempt.id == scene.sent_call, originated_at=None)
    return scene.sent_call


def call_in_without_channel(scene: Scene) -> str:
    change(Reception, Reception.id == scene.receiving, channel_uid="gw1-1.1")
    return scene.receiving


def port_of_an_ended_call(scene: Scene) -> str:
    with unit_of_work() as uow:
        port = uow.session.scalars(select(Port).where(Port.claimed_by.is_(None))).first()
        assert port is not None
        port.claimed_by, port.claimed_at = scene.sent_call, now() - timedelta(minutes=2)
    return scene.sent_call


def port_of_an_unknown_call(scene: Scene) -> str:
    change(Port, Port.claimed_by.is_(None), claimed_by="f" * 32, claimed_at=now() - timedelta(minutes=2))
    return "f" * 32


def port_claimed_before_the_clock_was_set_back(scene: Scene) -> str:
    change(Port, Port.claimed_by.is_(None), claimed_by="f" * 32, claimed_at=now() + timedelta(days=1))
    return "f" * 32


def file_lost(scene: Scene) -> str:
    with reading() as uow:
        query = select(Blob.key).join(Document, Document.blob_id == Blob.id).limit(1)
        key = uow.session.scalars(query).one()
    blob_path(key).unlink()
    return key


def file_changed(scene: Scene) -> str:
    _, key = first_attachment(scene.sent)
    content = bytearray(blob_path(key).read_bytes())
    content[-1] ^= 1
    blob_path(key).write_bytes(content)
    return key


def file_cut(scene: Scene) -> str:
    _, key = first_attachment(scene.sent)
    blob_path(key).write_bytes(blob_path(key).read_bytes()[:-1])
    return key


def submission_elsewhere(scene: Scene) -> str:
    submission, _ = first_attachment(scene.sent)
    change(Submission, Submission.uuid == submission, tenant_id=other_tenant())
    return submission


def delivery_elsewhere(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.sent, tenant_id=other_tenant())
    return scene.sent


def delivery_of_another_user(scene: Scene) -> str:
    change(Delivery, Delivery.uuid == scene.sent, user_id=scene.world.alice.user_id)
    return scene.sent


def reception_elsewhere(scene: Scene) -> str:
    change(Reception, Reception.id == scene.received, tenant_id=other_tenant())
    return scene.received


def item_elsewhere(scene: Scene) -> str:
    change(MailboxItem, MailboxItem.reception_id == scene.received, tenant_id=other_tenant())
    with reading() as uow:
        return str(uow.session.scalars(select(MailboxItem.id).where(MailboxItem.reception_id == scene.received)).one())


def item_of_a_foreign_user(scene: Scene) -> str:
    change(MailboxItem, MailboxItem.reception_id == scene.received, user_id=scene.world.admin.user_id)
    with reading() as uow:
        return str(uow.session.scalars(select(MailboxItem.id).where(MailboxItem.reception_id == scene.received)).one())


def attachment_elsewhere(scene: Scene) -> str:
    _, key = first_attachment(scene.sent)
    change(Blob, Blob.key == key, tenant_id=other_tenant())
    return key


def received_file_elsewhere(scene: Scene) -> str:
    change(Blob, Blob.key == blob_of_reception(scene.received), tenant_id=other_tenant())
    return blob_of_reception(scene.received)


Break = Callable[[Scene], str]
BROKEN: list[tuple[Break, str, str]] = [
    (attachment_lost, "V1", "attachment_without_file"),
    (submission_of_nobody, "V1", "submission_without_delivery"),
    (delivery_in_no_mailbox, "V1", "delivery_without_item"),
    (drawn_and_left_converting, "V2", "converting_for_ever"),
    (queued_without_time, "V2", "waiting_without_time"),
    (scheduled_without_time, "V2", "waiting_without_time"),
    (held_by_no_name, "V2", "held_by_nobody"),
    (held_without_history, "V2", "held_by_nobody"),
    (out_of_turn, "V2", "out_of_turn"),
    (past_its_end, "V2", "past_its_end"),
    (never_drawn, "V2", "never_drawn"),
    (dialing_without_call, "V2", "line_without_call"),
    (dialing_with_two_calls, "V2", "line_without_call"),
    (ended_with_open_call, "V2", "call_without_line"),
    (loss_without_alarm, "V3", "loss_without_alarm"),
    (alarm_of_another_kind, "V3", "loss_without_alarm"),
    (page_missing_in_file, "V3", "other_page_count"),
    (page_too_many_in_file, "V3", "other_page_count"),
    (reception_without_file, "V4", "pages_without_file"),
    (reception_in_no_mailbox, "V4", "pages_without_item"),
    (partial_with_all_pages, "V4", "partial_that_is_not"),
    (partial_with_no_page, "V4", "partial_that_is_not"),
    (failed_with_pages, "V4", "failed_that_is_partial"),
    (sent_without_every_page, "V4", "sent_that_is_not"),
    (received_less_than_confirmed, "V4", "other_reception_state"),
    (nothing_received_but_pages, "V4", "other_reception_state"),
    (placed_twice, "V5", "placed_twice"),
    (placed_twice_in_two_files, "V5", "placed_twice"),
    (placed_without_row, "V5", "call_without_row"),
    (placed_before_the_commit, "V5", "call_without_row"),
    (call_in_without_channel, "V6", "reception_without_channel"),
    (never_placed, "V6", "call_that_nobody_places"),
    (port_of_an_ended_call, "V6", "port_of_no_call"),
    (port_of_an_unknown_call, "V6", "port_of_no_call"),
    (port_claimed_before_the_clock_was_set_back, "V6", "port_of_no_call"),
    (file_lost, "V11", "damaged_file"),
    (file_changed, "V11", "damaged_file"),
    (file_cut, "V11", "damaged_file"),
    (submission_elsewhere, "V12", "foreign_submission"),
    (delivery_elsewhere, "V12", "foreign_delivery"),
    (delivery_of_another_user, "V12", "foreign_delivery"),
    (reception_elsewhere, "V12", "foreign_reception"),
    (item_elsewhere, "V12", "foreign_item"),
    (item_of_a_foreign_user, "V12", "foreign_item"),
    (attachment_elsewhere, "V12", "foreign_file"),
    (received_file_elsewhere, "V12", "foreign_file"),
]
# A file that is lost breaks what promises files, and a call too many its own promise too.
ALSO = {"attachment_lost": {"V11"}, "dialing_with_two_calls": {"V6"}}


@pytest.mark.parametrize(("broken", "promise", "rule"), BROKEN, ids=[each[0].__name__ for each in BROKEN])
def test_a_broken_promise_is_named_with_the_id(scene: Scene, broken: Break, promise: str, rule: str) -> None:
    subject = broken(scene)
    named = found(scene)
    assert (promise, rule, subject) in {(code, each, str(id_)) for code, each, id_ in named}
    assert {code for code, _, _ in named} - ALSO.get(broken.__name__, set()) == {promise}


def test_an_open_call_is_a_breach_only_when_its_channel_is_gone_for_good(scene: Scene) -> None:
    gone = scene.live - {scene.dialing_call}
    breach = ("V6", "attempt_without_channel", scene.dialing_call)
    assert breach not in breaches(verify(scene.live))
    assert breach in breaches(verify(gone))
    # The bridge still settles it.
    write_cel(event("HANGUP", scene.dialing_call, at=now() - timedelta(seconds=20)))
    assert breach not in breaches(verify(gone))
    write_cel(event("HANGUP", scene.dialing_call, at=now() - timedelta(seconds=90)))
    assert breach in breaches(verify(gone))
    # Its journal waits for the sweep.
    journal = out_path(settings().gateway_dir / telephony.JOURNAL, scene.dialing_call)
    journal.touch()
    assert breach not in breaches(verify(gone))
    # Nobody takes it.
    os.utime(journal, (now().timestamp() - 90,) * 2)
    assert breach in breaches(verify(gone))


def test_an_inbound_call_whose_journal_waits_for_the_sweep_is_no_breach(scene: Scene) -> None:
    reception_id = call_in_without_channel(scene)
    in_path(settings().gateway_dir / telephony.JOURNAL, reception_id).touch()
    assert found(scene) == set()


def test_what_is_younger_than_the_grace_is_no_breach(scene: Scene) -> None:
    port_of_an_unknown_call(scene)
    change(Port, Port.claimed_by == "f" * 32, claimed_at=now() - timedelta(seconds=30))
    change(Attempt, Attempt.id == scene.dialing_call, originated_at=now() - timedelta(seconds=30))
    change(Reception, Reception.id == scene.receiving, started_at=now() - timedelta(seconds=30))
    drawn_and_left_converting(scene)
    change(Delivery, Delivery.uuid == scene.queued, created_at=now() - timedelta(seconds=30))
    assert breaches(verify(frozenset())) == set()


def test_calls_that_begin_while_a_long_check_runs_are_no_breach(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its turn comes two minutes after the channels were asked for."""
    queued_without_time(scene)
    change(Attempt, Attempt.id == scene.dialing_call, originated_at=now() + timedelta(seconds=5))
    change(Reception, Reception.id == scene.receiving, started_at=now() + timedelta(seconds=5))
    with time_machine.travel(now()) as clock:

        def look_first() -> datetime:
            at = now()
            clock.shift(timedelta(minutes=2))
            return at

        monkeypatch.setattr(verify_run, "now", look_first)
        assert breaches(verify(frozenset())) == {("V2", "waiting_without_time", scene.queued)}


def test_calls_of_another_gateway_are_not_looked_for_here(scene: Scene) -> None:
    change(Attempt, Attempt.id == scene.dialing_call, gateway="gw2")
    change(Reception, Reception.id == scene.receiving, gateway="gw2")
    assert breaches(verify(frozenset())) == set()


def test_a_cut_line_in_cel_costs_no_other_line(scene: Scene) -> None:
    other = telephony.new_attempt_id(settings().secret("attempt_prefix"))
    # The end of a line that a crash cut in a quote, one that is being written, and channels of others.
    write_cel(f'"CHAN_START","12","{other}\n', event("CHAN_START", "gw1-1.1"), event("CHAN_START", "gw1-1.1"))
    write_cel(event("CHAN_START", scene.sent_call), event("CHAN_START", scene.dialing_call)[:-1])
    assert found(scene) == {("V5", "placed_twice", scene.sent_call)}


def test_a_suspect_that_is_in_order_at_the_second_look_is_no_breach(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued_without_time(scene)
    placed_twice(scene)

    def another_worker_goes_on(_seconds: float) -> None:
        change(Delivery, Delivery.uuid == scene.queued, next_try_at=now())

    monkeypatch.setattr(verify_run.time, "sleep", another_worker_goes_on)
    assert found(scene) == {("V5", "placed_twice", scene.sent_call)}


# --- Files without a row ---


def test_a_file_without_a_row_is_put_aside_after_an_hour_and_never_deleted(scene: Scene) -> None:
    stored = store_file(fax_tiff(settings().home, 1))
    content = blob_path(stored.key).read_bytes()
    draft = blob_path(stored.key).with_suffix(".new")
    draft.write_bytes(b"half")
    assert found(scene) == set()
    with time_machine.travel(now() + timedelta(minutes=61)):
        age_everything(timedelta(seconds=0))
        checked = verify(scene.live)
        names = {f"{stored.key[:2]}/{stored.key}", f"{stored.key[:2]}/{draft.name}"}
        assert breaches(checked) == {("V11", "file_without_row", name) for name in names}
        assert len(repair(checked)) == 2
        assert found(scene) == set()
    orphans = settings().home / "orphans"
    assert (orphans / stored.key).read_bytes() == content
    assert (orphans / draft.name).read_bytes() == b"half"
    assert not blob_path(stored.key).exists()


def test_a_second_name_for_an_old_file_is_as_young_as_it_is(scene: Scene) -> None:
    with reading() as uow:
        blob = uow.session.scalars(select(Blob).limit(1)).one()
    old = (now() - timedelta(days=3)).timestamp()
    os.utime(blob_path(blob.key), (old, old))
    link_file(Stored(blob.key, blob.size, blob.sha256))
    assert found(scene) == set()


def test_an_orphan_is_not_written_over_another_one_of_its_name(scene: Scene) -> None:
    stray = settings().blobs_dir / "stray"
    with time_machine.travel(now() + timedelta(minutes=61)):
        age_everything(timedelta(seconds=0))
        for content in ("first", "second"):
            stray.write_text(content)
            with time_machine.travel(now() + timedelta(minutes=61)):
                change(Port, Port.claimed_by == scene.dialing_call, claimed_at=now())
                repair(verify(scene.live))
    kept = sorted(path.read_text() for path in (settings().home / "orphans").iterdir())
    assert kept == ["first", "second"]


# --- Mending ---

MENDED: list[Break] = [
    delivery_in_no_mailbox,
    drawn_and_left_converting,
    queued_without_time,
    scheduled_without_time,
    dialing_without_call,
    loss_without_alarm,
    reception_in_no_mailbox,
    port_of_an_ended_call,
    port_of_an_unknown_call,
]


@pytest.mark.parametrize("broken", MENDED, ids=[each.__name__ for each in MENDED])
def test_what_can_be_mended_is_mended_once(scene: Scene, broken: Break) -> None:
    subject = broken(scene)
    checked = verify(scene.live)
    (mended,) = repair(checked)
    assert mended.breach.subject == subject
    assert breaches(verify(scene.live)) == set()
    # Somebody else may have done it meanwhile.
    if broken is not loss_without_alarm:
        assert repair(checked) == []


def test_a_mended_fax_goes_on(scene: Scene) -> None:
    queued_without_time(scene)
    repair(verify(scene.live))
    delivery = delivery_of(scene.queued)
    assert delivery.state is DeliveryState.QUEUED
    assert delivery.next_try_at is not None
    assert abs(delivery.next_try_at - now()) < timedelta(seconds=30)


def test_a_planned_fax_keeps_its_plan_when_it_is_mended(scene: Scene) -> None:
    planned = delivery_of(scene.scheduled).planned_at
    scheduled_without_time(scene)
    repair(verify(scene.live))
    delivery = delivery_of(scene.scheduled)
    assert (delivery.state, delivery.next_try_at) == (DeliveryState.SCHEDULED, planned)


def test_a_fax_left_on_the_line_without_a_call_ends_unknown_and_is_not_redialled(scene: Scene) -> None:
    dialing_without_call(scene)
    repair(verify(scene.live))
    delivery = delivery_of(scene.queued)
    assert (delivery.state, delivery.cause) == (DeliveryState.UNKNOWN, Cause.CALL_LOST)
    assert delivery.next_try_at is None


def test_a_port_is_released_and_those_of_living_calls_are_not(scene: Scene) -> None:
    port_of_an_unknown_call(scene)
    repair(verify(scene.live))
    with reading() as uow:
        claimed = set(uow.session.scalars(select(Port.claimed_by).where(Port.claimed_by.is_not(None))))
    assert claimed == {scene.dialing_call, scene.receiving}


def test_what_would_lose_something_is_left_alone(scene: Scene) -> None:
    file_changed(scene)
    dialing_with_two_calls(scene)
    before = found(scene)
    assert before
    assert repair(verify(scene.live)) == []
    assert found(scene) == before


def test_a_cleared_alarm_still_names_its_pages(scene: Scene) -> None:
    with unit_of_work() as uow:
        assert clear_alarm(uow, "pages_lost", scene.lossy)
    assert found(scene) == set()


# --- The command ---


@pytest.fixture
def asked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(inspect_commands, "live_channels", lambda _settings: scene.live)
    return scene


one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@one_database
def test_the_command_says_of_each_promise_whether_it_holds(asked: Scene) -> None:
    result = run("verify")
    assert result.exit_code == 0, result.output
    states = {line.split()[0]: line for line in result.stdout.splitlines()[1:]}
    assert set(states) == BUILT | NOT_BUILT
    assert all("holds" in states[code] for code in BUILT)
    assert all("not built" in states[code] for code in NOT_BUILT)
    assert "Accepted means on disk and committed." in states["V1"]


@one_database
def test_the_command_names_the_first_few_breaches_and_exits_with_1(asked: Scene) -> None:
    with unit_of_work() as uow:
        uow.session.execute(delete(MailboxItem).where(MailboxItem.delivery_id.is_not(None)))
        lost = set(uow.session.scalars(select(Delivery.uuid)))
    result = run("verify")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("V1:")]
    assert len([uuid for uuid in lost if uuid in line]) == 5
    assert line.endswith(f" and {len(lost) - 5} more")
    assert "不在任何信箱中的传真" in run("verify", lang="zh_CN.UTF-8").stdout


@one_database
def test_json_has_every_breach(asked: Scene) -> None:
    with unit_of_work() as uow:
        uow.session.execute(delete(MailboxItem).where(MailboxItem.delivery_id.is_not(None)))
    result = run("verify", "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["holds"] is False
    checks = {each["promise"]: each for each in answer["checks"]}
    assert (checks["V1"]["state"], len(checks["V1"]["breaches"])) == ("breached", 8)
    assert (checks["V13"]["state"], checks["V2"]["state"]) == ("not built", "holds")


@one_database
def test_repair_says_what_it_did_and_exits_with_0_when_nothing_is_left(asked: Scene) -> None:
    port_of_an_unknown_call(asked)
    result = run("verify", "--repair")
    assert result.exit_code == 0, result.output
    assert f"{'f' * 32} → its port released" in result.stdout


@one_database
def test_repair_exits_with_1_when_a_breach_remains(asked: Scene) -> None:
    port_of_an_unknown_call(asked)
    placed_twice(asked)
    result = run("verify", "--repair", "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert [each["rule"] for each in answer["mended"]] == ["port_of_no_call"]
    assert [each["promise"] for each in answer["checks"] if each["breaches"]] == ["V5"]


@one_database
def test_a_gateway_that_does_not_answer_is_said(scene: Scene) -> None:
    # No Asterisk listens on this test's port.
    result = run("verify")
    assert result.exit_code == 2, result.output
    assert "V6: the gateway does not answer" in result.stdout
    told = json.loads(run("verify", "--json").stdout)
    assert [each["state"] for each in told["checks"] if each["promise"] == "V6"] == ["not asked"]
    assert not told["holds"]


def test_a_home_without_netfax_is_one_sentence_and_stays_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETFAX_HOME", str(tmp_path / "typo"))
    settings.cache_clear()
    try:
        for command in (("verify",), ("trace", "1"), ("alarm", "list"), ("alarm", "clear", "1")):
            result = run(*command)
            assert (result.exit_code, result.stdout) == (2, "")
            assert "There is no NetFax in" in result.stderr
        assert not (tmp_path / "typo").exists()
    finally:
        settings.cache_clear()
