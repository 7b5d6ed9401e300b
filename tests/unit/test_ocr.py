"""Which way up pages are shown, what is read on them, and in which order; nothing is lost or tried for ever."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select

from netfax import alarms
from netfax.db import now, reading, unit_of_work
from netfax.documents.errors import TooHeavy
from netfax.documents.limits import MAX_PAGES
from netfax.documents.tesseract import ReaderMissing
from netfax.documents.workshop import DocumentsClosed
from netfax.faxes.models import Delivery, Document, Reception
from netfax.faxes.old_pages import ReadingOff, ask_for_old, reading_state
from netfax.faxes.receive import InboundCall, InboundResult, record_reception
from netfax.ocr import look
from netfax.ocr.models import PageText, Reading
from netfax.ocr.service import look_at, turn_of, turns_of
from netfax.ocr.upright import with_neighbours
from netfax.ocr.words import MOST_WORDS, Piece, pieces, plain, words
from netfax.ocr.work import LEASE, MOST_TRIES, claim_next, let_go_pages, settle_text
from netfax.params.service import set_param
from netfax.storage.disk import Stored
from netfax.storage.models import Blob
from tests.factories import World, make_delivery, make_world

# --- Which way up ---


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ([], []),
        ([None, None], [0, 0]),
        ([180, None, 180], [180, 180, 180]),
        ([None, 180, None], [180, 180, 180]),
        ([0, None, 180], [0, 0, 180]),
        ([180, None, 0, None, None, 90], [180, 0, 0, 0, 0, 90]),
        ([90, None, None], [90, 90, 90]),
    ],
)
def test_an_unsure_page_follows_the_sure_ones_around_it_where_they_agree(
    found: list[int | None], shown: list[int]
) -> None:
    assert with_neighbours(found) == shown


def test_a_page_beyond_those_that_were_looked_at_stays_as_it_came() -> None:
    assert [turn_of((180, 90), page) for page in (1, 2, 3)] == [180, 90, 0]
    assert turn_of((), 1) == 0


# --- Words ---


@pytest.mark.parametrize(
    ("read", "stored"),
    [
        ("传 真 信 箱\n", "传真信箱"),
        ("合 同\n编 号 ： ABC 123", "合同编号:ABC 123"),
        ("Dear  Mr.\n\nThompson", "Dear Mr. Thompson"),
        ("ＡＢＣ １２３", "ABC 123"),
        ("a\0b\x0cc", "a b c"),
        (" \n\x0c", ""),
    ],
)
def test_text_is_stored_without_the_blanks_between_chinese(read: str, stored: str) -> None:
    assert plain(read) == stored


def test_a_search_has_a_bounded_number_of_words() -> None:
    assert words(" 传真\tfax \0x ") == ["传真", "fax", "x"]
    assert len(words("a " * 1000)) == MOST_WORDS
    assert len(words("a" * 1000)[0]) == 100


def test_a_piece_shows_the_words_in_what_stands_around_them() -> None:
    text = "x" * 50 + " The Invoice of pumps and PUMPS " + "y" * 80
    shown = pieces(text, ["pumps", "invoice"])
    assert [piece.text for piece in shown if piece.found] == ["Invoice", "pumps", "PUMPS"]
    assert shown[0] == shown[-1] == Piece("…", False)
    assert "".join(piece.text for piece in shown[1:-1]) in text
    assert pieces("传真信箱", ["传真", "信箱"]) == [Piece("传真", True), Piece("信箱", True)]
    assert pieces("nothing of it", ["fax"]) == pieces("text", ["\x07"]) == []


# --- What is looked at ---


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


def switch(value: str = "on") -> None:
    with unit_of_work() as uow:
        set_param(uow, "ocr", value, by="test")


def new_fax(world: World, pages: int = 2, *, from_line: bool = True) -> int:
    """A stored fax whose pages are to be looked at; the id of its blob."""
    with unit_of_work() as uow:
        blob = Blob(tenant_id=world.tenant_id, media_type="image/tiff", size=1, sha256="0" * 64)
        uow.session.add(blob)
        uow.session.flush()
        look_at(uow, blob, pages, from_line=from_line)
        return blob.id


def turns(blob_id: int) -> tuple[int, ...] | None:
    with reading() as uow:
        return turns_of(uow, uow.session.get_one(Blob, blob_id))


def texts(blob_id: int) -> dict[int, str]:
    with reading() as uow:
        found = uow.session.scalars(select(PageText).where(PageText.blob_id == blob_id))
        return {each.page: each.text for each in found}


def row(blob_id: int) -> Reading:
    with reading() as uow:
        return uow.session.get_one(Reading, blob_id)


Seen = list[tuple[str, int, int]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What the program was asked: what for, page, turn. Odd pages lie upside down; each says its number."""
    asked: Seen = []

    def find_turn(_path: Path, page: int) -> int | None:
        asked.append(("turn", page, 0))
        return 180 if page % 2 else None

    def read_text(_path: Path, page: int, *, turn: int) -> str:
        asked.append(("text", page, turn))
        return f"第 {page} 页\n"

    monkeypatch.setattr(look, "find_turn", find_turn)
    monkeypatch.setattr(look, "read_text", read_text)
    return asked


def look_at_all() -> int:
    count = 0
    while look.look_at_next():
        count += 1
        assert count < 50
    return count


def test_a_received_fax_is_turned_and_not_read_while_reading_is_off(world: World, seen: Seen) -> None:
    blob_id = new_fax(world)
    assert turns(blob_id) is None
    assert look_at_all() == 2
    assert turns(blob_id) == (180, 180)
    assert texts(blob_id) == {}
    assert seen == [("turn", 1, 0), ("turn", 2, 0)]


def test_what_we_have_drawn_is_not_looked_at_while_reading_is_off(world: World, seen: Seen) -> None:
    blob_id = new_fax(world, from_line=False)
    assert look_at_all() == 0
    assert turns(blob_id) == ()


def test_pages_are_read_turned_and_what_lies_wrongly_comes_first(world: World, seen: Seen) -> None:
    switch()
    older, newer = new_fax(world, from_line=False), new_fax(world, 1)
    assert look_at_all() == 4
    assert seen == [("turn", 1, 0), ("text", 1, 0), ("text", 2, 0), ("text", 1, 180)]
    assert texts(older) == {1: "第1页", 2: "第2页"}
    assert texts(newer) == {1: "第1页"}


def test_what_waits_is_not_read_after_reading_was_switched_off(world: World, seen: Seen) -> None:
    switch()
    blob_id = new_fax(world, from_line=False)
    switch("off")
    assert look_at_all() == 0
    switch()
    assert look_at_all() == 2
    assert len(texts(blob_id)) == 2


def test_no_more_pages_are_looked_at_than_a_fax_of_ours_may_have(world: World) -> None:
    assert row(new_fax(world, MAX_PAGES + 1)).pages == MAX_PAGES


def test_a_page_on_which_nothing_is_written_has_no_text(
    world: World, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch()
    blob_id = new_fax(world, from_line=False)
    monkeypatch.setattr(look, "read_text", lambda *_, **__: " \n\x0c")
    assert look_at_all() == 2
    assert texts(blob_id) == {}


def test_text_goes_with_its_file(world: World, seen: Seen) -> None:
    switch()
    blob_id = new_fax(world)
    look_at_all()
    with unit_of_work() as uow:
        uow.session.execute(delete(Blob).where(Blob.id == blob_id))
    with reading() as uow:
        assert uow.session.query(PageText).count() == uow.session.query(Reading).count() == 0


def test_a_fax_that_is_deleted_while_it_is_read_is_no_error(world: World, seen: Seen) -> None:
    switch()
    blob_id = new_fax(world, from_line=False)
    with unit_of_work() as uow:
        task = claim_next(uow)
    assert task is not None
    with unit_of_work() as uow:
        uow.session.execute(delete(Blob).where(Blob.id == blob_id))
    with unit_of_work() as uow:
        settle_text(uow, task, "text")
    assert texts(blob_id) == {}


# --- What goes wrong ---


def fails(fault: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise fault

    return fail


def test_a_page_that_is_beyond_the_program_stays_as_it_came_and_the_next_is_looked_at(
    world: World, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch()
    blob_id = new_fax(world)
    monkeypatch.setattr(look, "find_turn", fails(TooHeavy(name="x")))
    monkeypatch.setattr(look, "read_text", fails(TooHeavy(name="x")))
    assert look_at_all() == 4
    assert turns(blob_id) == (0, 0)
    assert texts(blob_id) == {}


@pytest.mark.parametrize("fault", [ReaderMissing(), DocumentsClosed(), OSError("no room")])
def test_a_fault_of_our_own_is_told_and_the_page_waits(
    world: World, seen: Seen, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    blob_id = new_fax(world, 1)
    for _ in range(MOST_TRIES + 2):
        with monkeypatch.context() as failing:
            failing.setattr(look, "find_turn", fails(fault))
            with pytest.raises(type(fault)):
                look.look_at_next()
    with reading() as uow:
        (alarm,) = alarms.open_alarms(uow)
        assert (alarm.code, alarm.subject) == (alarms.OUR_FAULT, look.SUBJECT)
        assert alarm.text and alarm.text_zh
    assert look_at_all() == 1
    assert turns(blob_id) == (180,)
    with reading() as uow:
        assert alarms.open_alarms(uow) == []


def take(blob_id: int) -> None:
    """A worker begins with a page and dies."""
    with unit_of_work() as uow:
        task = claim_next(uow)
    assert task is not None and task.blob_id == blob_id


def test_what_a_dead_worker_had_is_looked_at_when_its_time_is_over(world: World, seen: Seen) -> None:
    blob_id = new_fax(world, 1)
    take(blob_id)
    assert look_at_all() == 0
    with unit_of_work() as uow:
        uow.session.get_one(Reading, blob_id).held_until = now() - timedelta(seconds=1)
    assert look_at_all() == 1
    assert turns(blob_id) == (180,)


def test_what_was_taken_before_the_clock_was_set_back_is_not_lost(world: World, seen: Seen) -> None:
    blob_id = new_fax(world, 1)
    take(blob_id)
    with unit_of_work() as uow:
        uow.session.get_one(Reading, blob_id).held_until = now() + LEASE + timedelta(hours=1)
    assert look_at_all() == 1


def test_what_this_machine_had_waits_again_at_its_start(world: World, seen: Seen) -> None:
    take(new_fax(world, 1))
    with unit_of_work() as uow:
        let_go_pages(uow)
    assert look_at_all() == 1


def test_a_page_that_kills_the_worker_is_left_after_three_deaths(world: World, seen: Seen) -> None:
    blob_id = new_fax(world, 2)
    for _ in range(MOST_TRIES):
        take(blob_id)
        with unit_of_work() as uow:
            let_go_pages(uow)
    assert look_at_all() == 2
    assert seen == [("turn", 2, 0)]
    assert turns(blob_id) == (0, 0)


# --- Where faxes come from ---


def received(world: World, pages: int = 2, *, state: str = "SUCCESS") -> int:
    call = InboundCall("r" * 36, "gw1", "pstn", "", "", "862082313524", "867367804002")
    result = InboundResult(True, "OK", pages, 14400, "T38", "", 30, now())
    with unit_of_work() as uow:
        reception = record_reception(uow, call, result, Stored("k" * 36, 9, "0" * 64), pages)
        assert reception is not None and reception.blob_id is not None
        return reception.blob_id


def test_a_recorded_fax_waits_to_be_turned(world: World) -> None:
    found = row(received(world))
    assert (found.pages, found.turn_page, found.text_page) == (2, 1, None)


def test_a_recorded_fax_waits_to_be_read_too_where_that_is_on(world: World) -> None:
    switch()
    found = row(received(world))
    assert (found.turn_page, found.text_page) == (1, 1)


def test_old_faxes_are_read_on_request_alone(world: World, seen: Seen) -> None:
    blob_id = received(world)
    make_delivery(world.bob, pages=1)
    look_at_all()
    with unit_of_work() as uow, pytest.raises(ReadingOff):
        ask_for_old(uow)
    switch()
    assert look_at_all() == 0
    with reading() as uow:
        assert reading_state(uow).not_asked == 2
    with unit_of_work() as uow:
        assert ask_for_old(uow) == 2
    with unit_of_work() as uow:
        assert ask_for_old(uow) == 0
        assert reading_state(uow).waiting == 2
    look_at_all()
    with reading() as uow:
        state = reading_state(uow)
        document = uow.session.query(Document).one()
    assert (state.on, state.not_asked, state.waiting, state.read) == (True, 0, 0, 2)
    assert texts(blob_id) == {1: "第1页", 2: "第2页"}
    assert texts(document.blob_id) == {1: "第1页"}
    assert ("text", 1, 180) in seen and ("text", 1, 0) in seen


def test_a_fax_from_before_pages_were_turned_is_turned_before_it_is_read(world: World, seen: Seen) -> None:
    blob_id = received(world, 1)
    with unit_of_work() as uow:
        uow.session.execute(delete(Reading))
    switch()
    with unit_of_work() as uow:
        assert ask_for_old(uow) == 1
    look_at_all()
    assert seen == [("turn", 1, 0), ("text", 1, 180)]
    assert turns(blob_id) == (180,)


def test_what_was_handed_over_inside_is_never_turned(world: World, seen: Seen) -> None:
    blob_id = received(world, 1)
    delivery = make_delivery(world.bob)
    with unit_of_work() as uow:
        uow.session.execute(delete(Reading))
        sent = uow.session.query(Delivery).filter_by(uuid=delivery).one()
        uow.session.query(Reception).one().delivery_id = sent.id
    switch()
    with unit_of_work() as uow:
        ask_for_old(uow)
    assert row(blob_id).turn_page is None
