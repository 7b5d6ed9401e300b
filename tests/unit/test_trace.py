"""`netfax trace`: the whole history of one fax, from any id that names it."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, select, update

from cli.main import main
from netfax.alarms import JOURNAL_BROKEN, PAGES_LOST, Said, clear_alarm, raise_alarm
from netfax.db import now, reading, unit_of_work
from netfax.faxes import acts
from netfax.faxes.dial import claim_attempts
from netfax.faxes.finish import finish_attempt, record_answers
from netfax.faxes.inside import deliver_inside
from netfax.faxes.models import Attachment, Attempt, Delivery, Document, MailboxItem, Reception, StateChange, Submission
from netfax.faxes.receive import InboundCall, InboundResult, decide, record_reception
from netfax.faxes.results import CallOutcome
from netfax.faxes.states import DeliveryState
from netfax.faxes.trace import LARGEST_NUMBER, NoSuchFax, trace
from netfax.storage.disk import blob_path, store_file
from netfax.storage.models import Blob
from netfax.storage.service import FAX_TIFF, add_blob
from tests.factories import World, delivery_of, dispatch_now, make_delivery, make_world, only_attempt

RECEPTION = "6b1f6f3e-0000-4000-8000-000000000001"
HOSTILE = "[bold red]x[/] \x1b[2J a\r\nb"
CUT = CallOutcome(
    answered=True,
    status_text="Disconnected after permitted retries",
    pages=1,
    rate=9600,
    mode="T38",
    remote_station_id="+86 736 7721001",
    seconds=41,
    resolution="8031x7700",
    hangup_cause=16,
)
BUSY = CallOutcome(answered=False, hangup_cause=17)


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


def sent(world: World, folder: Path, *outcomes: CallOutcome, pages: int = 2, title: str = "报价") -> str:
    """A fax with an attachment whose calls ended so; its delivery's id."""
    uuid = make_delivery(world.bob, pages=pages)
    source = folder / "page"
    source.write_bytes(b"page")
    stored = store_file(source)
    with unit_of_work() as uow:
        blob = add_blob(uow, stored, tenant_id=world.tenant_id, media_type=FAX_TIFF)
        submission = uow.session.scalars(
            select(Submission).join(Delivery, Delivery.submission_id == Submission.id).where(Delivery.uuid == uuid)
        ).one()
        submission.title, submission.recipient_name = title, "王"
        uow.session.add(Attachment(submission_id=submission.id, position=1, name="报价.pdf", blob_id=blob.id))
    for outcome in outcomes:
        call(outcome)
    return uuid


def call(outcome: CallOutcome) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Delivery).where(Delivery.ended_at.is_(None)).values(next_try_at=now()))
    assert dispatch_now() == 1
    attempt_id = only_attempt()
    with unit_of_work() as uow:
        assert claim_attempts(uow, [attempt_id], "boot")
        if outcome.answered:
            record_answers(uow, [attempt_id], actor="bridge")
    with unit_of_work() as uow:
        assert finish_attempt(uow, attempt_id, outcome, actor="gateway")


def received(*, pages: int = 1, confirmed: int = 1) -> str:
    inbound = InboundCall(RECEPTION, "gw1", "pstn", "PJSIP/pstn-1", "gw1-1.1", "07367721009", "07367804002")
    result = InboundResult(True, "OK", confirmed, 14400, "T38", "station", 30, now())
    with unit_of_work() as uow:
        assert decide(uow, inbound) == "accept"
    with unit_of_work() as uow:
        assert record_reception(uow, inbound, result, None, pages) is not None
        reception = uow.session.get_one(Reception, RECEPTION)
        uow.session.add(
            MailboxItem(
                tenant_id=reception.tenant_id, user_id=reception.user_id, direction="in", reception_id=RECEPTION
            )
        )
    return RECEPTION


def run(*arguments: str, lang: str = "C.UTF-8") -> Result:
    environment = {"LANG": lang, "LC_ALL": None, "LC_MESSAGES": None}
    result = CliRunner().invoke(main, ["trace", *arguments], env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def as_json(fax_id: str) -> dict[str, Any]:
    result = run(fax_id, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


# --- By any id ---


def ids_of_delivery(uuid: str) -> list[str]:
    with reading() as uow:
        delivery = uow.session.scalars(select(Delivery).where(Delivery.uuid == uuid)).one()
        item = uow.session.scalars(select(MailboxItem).where(MailboxItem.delivery_id == delivery.id)).one()
        return [str(item.id), item.uuid, uuid, uuid.upper(), f" {uuid}\n", *(each.id for each in delivery.attempts)]


def test_any_id_of_an_outgoing_fax_tells_its_history(world: World, tmp_path: Path) -> None:
    make_delivery(world.alice, state=DeliveryState.HELD)
    uuid = sent(world, tmp_path, BUSY, CUT)
    ids = ids_of_delivery(uuid)
    assert len(ids) == 7
    with reading() as uow:
        histories = [trace(uow, each) for each in ids]
    assert [each.delivery.id for each in histories if each.delivery] == [uuid] * 7
    assert all(each == histories[0] for each in histories)


def test_any_id_of_a_received_fax_tells_its_history(world: World) -> None:
    received()
    with reading() as uow:
        reception = uow.session.get_one(Reception, RECEPTION)
        item = uow.session.scalars(select(MailboxItem)).one()
        histories = [trace(uow, each) for each in (RECEPTION, reception.uuid, str(item.id), item.uuid)]
    assert [each.reception.id for each in histories if each.reception] == [RECEPTION] * 4
    assert all(each.delivery is None for each in histories)


NO_FAX = ["", "0", "77", "-1", "١", "zzz", "9" * 9, "9" * 32, "9" * 300, "f" * 32, RECEPTION, "\udcff", "' or 1=1", "%"]


@pytest.mark.parametrize("no_id", NO_FAX)
def test_what_names_no_fax_is_said(world: World, no_id: str) -> None:
    make_delivery(world.bob)
    with reading() as uow, pytest.raises(NoSuchFax):
        trace(uow, no_id)


def test_a_running_number_is_as_large_as_the_database_has_them(world: World) -> None:
    for number in (LARGEST_NUMBER, LARGEST_NUMBER + 1):
        with reading() as uow, pytest.raises(NoSuchFax):
            trace(uow, str(number))


def test_a_call_id_of_digits_alone_is_no_running_number(world: World, tmp_path: Path) -> None:
    uuid = sent(world, tmp_path, BUSY)
    digits = "1234567890" * 3 + "12"
    with unit_of_work() as uow:
        uow.session.execute(update(Attempt).values(id=digits))
    with reading() as uow:
        delivery = trace(uow, digits).delivery
    assert delivery is not None
    assert delivery.id == uuid


# --- What it tells ---


def test_every_try_is_told_with_its_cause_and_what_came_through(world: World, tmp_path: Path) -> None:
    uuid = sent(world, tmp_path, BUSY, CUT)
    with reading() as uow:
        delivery = trace(uow, uuid).delivery
    assert delivery is not None
    busy, cut = delivery.attempts
    assert (busy.trunk, busy.cause, busy.hangup_cause, busy.answered_at, busy.pages_confirmed) == (
        "pstn",
        "busy",
        17,
        None,
        0,
    )
    assert (cut.cause, cut.status_text, cut.hangup_cause) == ("line_trouble", CUT.status_text, 16)
    assert (cut.first_page, cut.pages_confirmed, cut.rate, cut.mode, cut.seconds) == (1, 1, 9600, "T38", 41)
    assert (cut.asked_mode, cut.modem, cut.ecm, cut.fine) == ("t38", "v17", True, True)
    assert cut.station_id == "+86 736 7721001"
    times = (cut.created_at, cut.originated_at, cut.answered_at, cut.ended_at)
    assert all(isinstance(each, datetime) for each in times)
    assert (delivery.tries, delivery.pages_confirmed, delivery.state) == (2, 1, "queued")


def test_every_change_of_state_has_its_time_actor_and_reason(world: World, tmp_path: Path) -> None:
    uuid = sent(world, tmp_path, CUT)
    with reading() as uow:
        delivery = trace(uow, uuid).delivery
    assert delivery is not None
    assert [(each.before, each.after, each.actor, each.reason) for each in delivery.changes] == [
        (None, "converting", "bob@demo", ""),
        ("converting", "queued", "test", ""),
        ("queued", "dialing", "dispatcher", "pstn"),
        ("dialing", "sending", "bridge", ""),
        ("sending", "queued", "gateway", "line_trouble"),
    ]
    assert sorted(each.at for each in delivery.changes) == [each.at for each in delivery.changes]


def test_files_are_told_with_their_sum_and_whether_they_are_there(world: World, tmp_path: Path) -> None:
    uuid = sent(world, tmp_path)
    with reading() as uow:
        delivery = trace(uow, uuid).delivery
        key = uow.session.scalars(select(Blob.key).join(Attachment, Attachment.blob_id == Blob.id)).one()
    assert delivery is not None
    submission = delivery.submission
    (attachment,) = submission.attachments
    assert (attachment.name, attachment.file.size, attachment.file.present) == ("报价.pdf", 4, True)
    assert len(attachment.file.sha256) == 64
    assert (submission.user, submission.title, submission.recipient_name) == ("bob@demo", "报价", "王")
    # The factory's document has a row and no file.
    assert submission.document is not None
    assert (submission.document.pages, len(submission.document.page_bytes)) == (2, 2)
    assert not submission.document.file.present
    blob_path(key).unlink()
    with reading() as uow:
        delivery = trace(uow, uuid).delivery
    assert delivery is not None
    assert not delivery.submission.attachments[0].file.present


def test_a_fax_that_is_sent_again_names_the_other_one_both_ways(world: World, tmp_path: Path) -> None:
    first = sent(world, tmp_path)
    with unit_of_work() as uow:
        uow.session.execute(update(Delivery).values(state="failed", ended_at=now()))
    with unit_of_work() as uow:
        item = uow.session.scalars(select(MailboxItem.uuid)).one()
        second = acts.send_again(uow, world.bob, item)
    with reading() as uow:
        old, new = trace(uow, first).delivery, trace(uow, second).delivery
    assert old is not None
    assert new is not None
    assert (old.again_of, list(old.sent_again_by)) == (None, [second])
    assert (new.again_of, list(new.sent_again_by)) == (first, [])


def test_a_fax_handed_over_inside_is_told_from_both_ends(world: World, tmp_path: Path) -> None:
    uuid = make_delivery(world.bob, "867367804001")
    source = tmp_path / "pages"
    source.write_bytes(b"pages")
    stored = store_file(source)
    with unit_of_work() as uow:
        blob = add_blob(uow, stored, tenant_id=world.tenant_id, media_type=FAX_TIFF)
        uow.session.execute(update(Document).values(blob_id=blob.id))
    assert deliver_inside(delivery_of(uuid).id)
    with reading() as uow:
        reception_id = uow.session.scalars(select(Reception.id)).one()
        from_sender, from_recipient = trace(uow, uuid), trace(uow, reception_id)
    assert from_sender == from_recipient
    assert from_sender.reception is not None
    assert (from_sender.reception.inside, from_sender.reception.user) == (True, "alice@demo")
    assert from_sender.reception.file is not None
    assert from_sender.reception.file.present


def test_alarms_about_a_fax_belong_to_its_history(world: World, tmp_path: Path) -> None:
    uuid = sent(world, tmp_path, BUSY)
    received(pages=1, confirmed=4)
    attempt_id = delivery_of(uuid).attempts[0].id
    with unit_of_work() as uow:
        raise_alarm(uow, PAGES_LOST, RECEPTION, Said("lost", "丢失"))
        raise_alarm(uow, JOURNAL_BROKEN, attempt_id, Said("cut", "不完整"))
        raise_alarm(uow, JOURNAL_BROKEN, "another call", Said("cut", "不完整"))
        assert clear_alarm(uow, PAGES_LOST, RECEPTION)
    with reading() as uow:
        out, come_in = trace(uow, uuid), trace(uow, RECEPTION)
    assert [(each.code, each.cleared_at) for each in out.alarms] == [(JOURNAL_BROKEN, None)]
    assert [(each.code, each.cleared_at is not None) for each in come_in.alarms] == [(PAGES_LOST, True)]


# --- The command ---

one_database = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@one_database
def test_json_has_the_whole_history(world: World, tmp_path: Path) -> None:
    uuid = sent(world, tmp_path, BUSY, CUT)
    told = as_json(uuid)
    assert set(told) == {"delivery", "reception", "alarms"}
    assert [each["cause"] for each in told["delivery"]["attempts"]] == ["busy", "line_trouble"]
    assert datetime.fromisoformat(told["delivery"]["changes"][0]["at"]).tzinfo is not None
    assert told["delivery"]["submission"]["attachments"][0]["name"] == "报价.pdf"
    assert told["reception"] is None


@one_database
def test_people_read_a_timeline_in_their_language(world: World, tmp_path: Path) -> None:
    uuid = sent(world, tmp_path, BUSY, CUT)
    english, chinese = run(uuid).stdout, run(uuid, lang="zh_CN.UTF-8").stdout
    for text in ("call 1 ended", "The line was busy.", "call 2 answered", "Waiting → Dialling", "NOT ON DISK"):
        assert text in english
    for text in ("第 1 次呼叫：已结束", "对方占线。", "等待发送 → 正在拨号", "不在磁盘上"):
        assert text in chinese
    assert in_order(english, *TOLD)


TOLD = (
    "submitted",
    "Converting",
    "pages drawn",
    "Converting → Waiting",
    "Waiting → Dialling",
    "call 1 decided on",
    "call 1 placed",
    "call 1 ended",
    "Dialling → Waiting",
    "call 2 decided on",
    "call 2 answered",
    "call 2 ended",
    "Sending → Waiting",
)


def in_order(text: str, *words: str) -> bool:
    """Whether each stands behind the one before."""
    at = 0
    for word in words:
        at = text.find(word, at)
        if at < 0:
            return False
    return True


@one_database
def test_a_clock_that_was_set_back_shuffles_no_timeline(world: World, tmp_path: Path) -> None:
    uuid = sent(world, tmp_path, BUSY, CUT)
    with unit_of_work() as uow:
        for number, attempt in enumerate(uow.session.scalars(select(Attempt).order_by(Attempt.number))):
            earlier = timedelta(hours=number)
            attempt.created_at -= earlier
            attempt.originated_at = attempt.created_at - earlier
            attempt.ended_at = attempt.created_at - 2 * earlier
        for change in uow.session.scalars(select(StateChange)):
            change.at -= timedelta(minutes=7 * change.id)
    assert in_order(run(uuid).stdout, *TOLD)


@one_database
def test_people_read_a_received_fax_with_its_alarm(world: World) -> None:
    received(pages=1, confirmed=4)
    with unit_of_work() as uow:
        raise_alarm(uow, PAGES_LOST, RECEPTION, Said("lost", "丢失"))
    said = run("1").stdout
    assert "Pages on disk: 1 (4 confirmed)" in said
    assert "alarm 1: Confirmed pages are not on disk" in said
    assert "867367721009 station" in said
    assert "丢失" in run("1", lang="zh_CN.UTF-8").stdout


@one_database
@pytest.mark.parametrize("tell", [lambda uuid: run(uuid), lambda uuid: run(uuid, lang="zh_CN.UTF-8")])
def test_what_comes_from_outside_can_not_command_the_terminal(
    world: World, tmp_path: Path, tell: Callable[[str], Result]
) -> None:
    uuid = sent(world, tmp_path, CUT, title=HOSTILE)
    with unit_of_work() as uow:
        uow.session.execute(update(Attempt).values(remote_station_id=HOSTILE, status_text=HOSTILE))
        uow.session.execute(update(Attachment).values(name=HOSTILE))
    said = tell(uuid).stdout
    assert "\x1b[2J" not in said
    assert "\r" not in said
    assert said.count("[bold red]x[/]") == 4


@one_database
def test_an_unknown_id_is_one_sentence(world: World) -> None:
    for lang, words in (("C.UTF-8", "names no fax"), ("zh_CN.UTF-8", "不对应任何传真")):
        result = run("zzz\x1b[2J", lang=lang)
        assert (result.exit_code, result.stdout) == (2, "")
        (sentence,) = result.stderr.splitlines()
        assert words in sentence
        assert "\x1b" not in sentence
