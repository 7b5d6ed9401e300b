"""A fax with a cover: accepted, drawn once, sent again, and what it says (R3.2, R3.4)."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine, select
from time_machine import TimeMachineFixture

from netfax.covers.administration import Edit, copy_template, delete_template, enable_template, save_template
from netfax.covers.errors import NoSuchCover
from netfax.db import now, reading, unit_of_work
from netfax.documents.convert import FaxImage
from netfax.documents.cover import CoverPage
from netfax.documents.look import Look, Resolution
from netfax.documents.tiff import whole_pages
from netfax.errors import UserError
from netfax.faxes import acts, errors
from netfax.faxes import convert as convert_module
from netfax.faxes.convert import convert
from netfax.faxes.cover import LONGEST_TEXT, MOST_LINES
from netfax.faxes.models import Delivery, Submission
from netfax.faxes.results import Cause
from netfax.faxes.states import DeliveryState
from netfax.faxes.submit import FaxRequest, Upload, fingerprint, submit_fax
from netfax.monitor.verify.accepted import find_attachments_without_file
from netfax.monitor.verify.rules import Look as VerifyLook
from netfax.monitor.verify.tenants import find_foreign_files
from netfax.org.models import User
from netfax.org.personal import set_personal
from netfax.storage.models import Blob
from netfax.storage.service import path_of
from tests.factories import World, item_of, make_world
from tests.fixtures.documents.build import saved

FAR = "07367721001"
PICTURE = saved(Image.new("1", (200, 100)), "PNG")
PAGE = "<!doctype html><meta charset=utf-8><title>x</title><h1>{$SUBJECT}</h1><p>{$PAGES}<div>{$TEXT}</div>"


@pytest.fixture
def world(database: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    return make_world()


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    path = tmp_path / "page.png"
    path.write_bytes(PICTURE)
    return Upload("page.png", path)


def submission(delivery: str) -> Submission:
    with reading() as uow:
        found = uow.session.scalars(select(Submission).join(Delivery).where(Delivery.uuid == delivery)).one()
        _ = found.cover and found.cover.blob, found.attachments, found.document and found.document.blob
        return found


def said(delivery: str) -> str:
    """The cover as it was stored."""
    cover = submission(delivery).cover
    assert cover is not None
    return path_of(cover.blob).read_text("utf-8")


def send(world: World, *uploads: Upload, **facts: object) -> str:
    return submit_fax(world.bob, FaxRequest(FAR, uploads, **({"cover": "standard"} | facts)))[0]  # type: ignore[arg-type]


def drawn(delivery: str) -> Submission:
    """The submission once its pages are drawn."""
    convert(submission(delivery).uuid)
    found = submission(delivery)
    assert found.document is not None
    return found


def problems(world: World, request: FaxRequest) -> dict[str, UserError]:
    with pytest.raises(errors.RequestRefused) as refusal:
        submit_fax(world.bob, request)
    with reading() as uow:
        assert uow.session.query(Submission).count() == uow.session.query(Blob).count() == 0
    return dict(refusal.value.problems)


@pytest.fixture
def no_drawing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The covers that would be drawn, filled for 3 pages; the attachments are not looked at."""
    covers: list[str] = []

    def draw(cover: CoverPage, target: Path, **_: object) -> tuple[FaxImage, int]:
        covers.append(cover.html(3))
        target.write_bytes(b"pages")
        return FaxImage(1, (5,), 5), 1

    monkeypatch.setattr(convert_module, "draw_cover", draw)
    return covers


# --- What is accepted ---


def test_a_cover_alone_is_a_fax(world: World, no_drawing: list[str]) -> None:  # R3.4
    uuid = send(world, title="报价", text="您好")
    kept = submission(uuid)
    assert kept.cover is not None
    assert (kept.cover.name, kept.cover.text, kept.attachments) == ("Standard (Chinese)", "您好", [])
    assert drawn(uuid).document is not None
    (cover,) = no_drawing
    assert "报价" in cover and "您好" in cover and ">3<" in cover


def test_without_attachment_and_cover_there_is_nothing_to_send(world: World) -> None:
    assert isinstance(problems(world, FaxRequest(FAR, []))["attachments"], errors.NoAttachment)


def test_a_cover_that_is_not_there_or_not_his_is_refused(world: World) -> None:
    with unit_of_work() as uow:
        switched_off = copy_template(uow, world.alice, "plain")
        enable_template(uow, world.alice, switched_off, False)
    for key in ("", "nothing", "../plain", switched_off, "00000000-0000-0000-0000-000000000000"):
        assert isinstance(problems(world, FaxRequest(FAR, [], cover=key))["cover"], NoSuchCover)


def test_text_beyond_its_length_or_lines_is_refused(world: World) -> None:
    long = FaxRequest(FAR, [], cover="plain", text="x" * (LONGEST_TEXT + 1))
    assert isinstance(problems(world, long)["text"], errors.TextTooLong)
    high = replace(long, text="\n" * (MOST_LINES + 1))
    assert isinstance(problems(world, high)["text"], errors.TooManyLines)
    assert send(world, text="x" * LONGEST_TEXT)


# --- What it says ---


def test_a_cover_says_what_its_sender_says_of_himself(world: World, time_machine: TimeMachineFixture) -> None:  # R6.1
    time_machine.move_to(datetime(2026, 11, 28, 6, 5, tzinfo=UTC))
    with unit_of_work() as uow:
        values = {
            "surname": "李",
            "given_name": "明",
            "company": "湘江贸易",
            "address": "人民路 88 号",
            "mobile": "138",
        }
        set_personal(uow, world.bob, values)
    text = said(send(world, recipient_name="陈静", text="<b>\x00一\r\n二"))
    for words in ("李明", "湘江贸易", "人民路 88 号", "陈静", "7721001", "2026-11-28 14:05", "&lt;b&gt;\ufffd一<br>二"):
        assert words in text
    # His own number stands for the fax number that he does not give; what he doesn't say has no label.
    assert "7804002" in text
    assert "<div hidden>电话：</div>" in text


def test_the_numbers_of_several_recipients_are_on_nobodys_cover(world: World) -> None:
    one, _ = submit_fax(world.bob, FaxRequest(f"{FAR}, 07367721002", [], cover="standard"))
    assert "7721001" not in said(one) and "7721002" not in said(one)


def test_neither_an_edit_nor_a_deletion_changes_what_was_submitted(world: World, no_drawing: list[str]) -> None:
    with unit_of_work() as uow:
        key = copy_template(uow, world.alice, "plain")
        save_template(uow, world.alice, key, Edit("Ours", PAGE, 1))
    uuid = send(world, cover=key, title="as it was", text="t")
    with unit_of_work() as uow:
        delete_template(uow, world.alice, key)
        uow.session.get_one(User, world.bob.user_id).company = "later"
    drawn(uuid)
    assert "<h1>as it was</h1><p>3<div>t</div>" in no_drawing[0]
    kept = submission(uuid).cover
    assert kept is not None and kept.name == "Ours"


# --- The same again ---


def test_a_request_without_a_cover_has_the_fingerprint_it_always_had() -> None:
    """Keys are known for 30 days: over an upgrade too."""
    asked = FaxRequest(FAR, [], recipient_name="张三", title="报价")
    assert fingerprint(asked) == "c42bdb0da0e0a1f52562268843d79cb0d44e1f1c0ac665d3875022dd20577c7b"
    marks = {
        fingerprint(replace(asked, cover=cover, text=text))
        for cover, text in ((None, ""), ("plain", ""), ("standard", ""), ("plain", "a"), ("plain", "b"))
    }
    assert len(marks) == 5


def test_a_repeated_request_is_one_fax_with_one_cover(world: World, time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(datetime(2026, 11, 28, 6, 5, tzinfo=UTC))
    asked = FaxRequest(FAR, [], cover="plain", text="您好", client_key="key")
    first = submit_fax(world.bob, asked)
    time_machine.move_to(datetime(2026, 11, 28, 7, 5, tzinfo=UTC))
    assert submit_fax(world.bob, asked) == first
    with pytest.raises(errors.KeyReused):
        submit_fax(world.bob, replace(asked, text="再见"))
    with reading() as uow:
        assert uow.session.query(Blob).count() == 1


# --- Drawn really ---


def test_a_cover_comes_first_and_counts_all_pages(world: World, upload: Upload) -> None:
    found = drawn(send(world, upload, upload, title="T"))
    document = found.document
    assert document is not None
    assert (document.pages, document.cover_pages, len(document.page_bytes)) == (3, 1, 3)
    first, *others = whole_pages(path_of(document.blob))
    assert first.rows == 2292 and [page.bytes for page in others] == document.page_bytes[1:]


def test_what_is_behind_a_cover_is_drawn_once_whatever_the_cover(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = drawn(send(world, upload, cover=None)).document
    with monkeypatch.context() as patch:
        patch.setattr(convert_module, "to_fax_tiff", None)
        one = drawn(send(world, upload, title="one")).document
        other = drawn(send(world, upload, cover="plain", title="other")).document
        again = drawn(send(world, upload, cover=None)).document
    assert bare is not None and one is not None and other is not None and again is not None
    assert one.page_bytes[1:] == other.page_bytes[1:] == bare.page_bytes == again.page_bytes
    assert path_of(again.blob).read_bytes() == path_of(bare.blob).read_bytes()
    assert (one.cover_pages, other.cover_pages, again.cover_pages) == (1, 1, 0)


def test_two_covers_alone_have_nothing_of_each_other(world: World) -> None:
    one, other = (drawn(send(world, title=title)).document for title in ("one", "another, which is longer"))
    assert one is not None and other is not None
    assert one.made_of is None is other.made_of
    assert path_of(one.blob).read_bytes() != path_of(other.blob).read_bytes()


def test_the_cover_is_as_fine_as_the_fax(world: World, upload: Upload) -> None:
    document = drawn(send(world, upload, look=Look(Resolution.STANDARD))).document
    assert document is not None
    assert {page.dpi for page in whole_pages(path_of(document.blob))} == {(204, 98)}


def test_a_fax_that_is_sent_again_has_the_cover_that_it_had(world: World) -> None:
    uuid = send(world, text="x")
    document = drawn(uuid).document
    with unit_of_work() as uow:
        delivery = uow.session.scalars(select(Delivery).where(Delivery.uuid == uuid)).one()
        delivery.state, delivery.cause = DeliveryState.FAILED, Cause.BUSY
    with unit_of_work() as uow:
        again = acts.send_again(uow, world.bob, item_of(uuid))
    assert document is not None and submission(again).document is not None
    assert submission(again).id == submission(uuid).id


# --- What must always hold ---


def test_a_cover_whose_file_is_gone_is_named(world: World) -> None:
    uuid = send(world)
    assert find_attachments_without_file(VerifyLook(now())).suspects == {}
    cover = submission(uuid).cover
    assert cover is not None
    path_of(cover.blob).unlink()
    assert find_attachments_without_file(VerifyLook(now())).suspects == {submission(uuid).uuid: "cover"}


def test_a_cover_of_another_tenant_is_named(world: World) -> None:
    send(world)
    assert not find_foreign_files(VerifyLook(now())).suspects
    with unit_of_work() as uow:
        uow.session.query(Blob).update({"tenant_id": world.admin.tenant_id})
    assert find_foreign_files(VerifyLook(now())).suspects
