"""A fax is accepted whole or not at all, and its documents are drawn once."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine, QueuePool, func, select
from sqlalchemy.exc import OperationalError

from netfax.db import reading, unit_of_work
from netfax.documents.convert import to_fax_tiff
from netfax.documents.errors import TooManyPages
from netfax.documents.inspect import Inspection, inspect
from netfax.documents.kinds import Kind
from netfax.errors import UserError
from netfax.faxes import convert as convert_module
from netfax.faxes import errors, submit
from netfax.faxes.convert import convert
from netfax.faxes.draw_queue import count_ready
from netfax.faxes.history import change_state
from netfax.faxes.models import Delivery, Document, MailboxItem, Priority, StateChange, Submission
from netfax.faxes.results import Cause, detail_text
from netfax.faxes.states import DeliveryState
from netfax.faxes.submit import FaxRequest, Upload, submit_fax
from netfax.org.models import OwnedNumber
from netfax.params.service import set_param
from netfax.queue import Job
from netfax.settings import settings
from netfax.storage.disk import DiskReserveReached
from netfax.storage.models import Blob
from netfax.storage.service import path_of
from tests.factories import World, make_world
from tests.fixtures.documents.build import encrypted_pdf, saved

FAR = "07367721001"
PICTURE = saved(Image.new("1", (200, 100)), "PNG")


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Job, str]]:
    """The jobs that were sent, instead of Redis."""
    jobs: list[tuple[Job, str]] = []
    monkeypatch.setattr("netfax.db.send", lambda job, *ids: jobs.append((job, ",".join(ids))))
    return jobs


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    return make_upload(tmp_path, PICTURE)


def make_upload(folder: Path, content: bytes, name: str = "page.png") -> Upload:
    path = folder / f"upload-{len(list(folder.iterdir()))}"
    path.write_bytes(content)
    return Upload(name, path)


def count(model: type[object]) -> int:
    with reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(model)) or 0


def stored_files() -> list[Path]:
    return [path for path in settings().blobs_dir.rglob("*") if path.is_file()]


def deliveries() -> list[Delivery]:
    with reading() as uow:
        found = list(uow.session.scalars(select(Delivery).order_by(Delivery.id)))
        for each in found:
            _ = each.submission.document
        return found


def refused(world: World, request: FaxRequest) -> dict[str, UserError]:
    """The problems by field, once it is sure that nothing at all was kept."""
    with pytest.raises(errors.RequestRefused) as refusal:
        submit_fax(world.bob, request)
    for model in (Submission, Delivery, MailboxItem, Blob, StateChange):
        assert count(model) == 0
    assert stored_files() == []
    return dict(refusal.value.problems)


# --- What is accepted ---


def test_an_accepted_fax_is_on_disk_and_committed_before_its_job_is_sent(
    world: World, upload: Upload, sent: list[tuple[Job, str]]
) -> None:
    (uuid,) = submit_fax(world.bob, FaxRequest(FAR, [upload], recipient_name="张三", title="报价"))
    (delivery,) = deliveries()
    assert (delivery.uuid, delivery.state, delivery.identity) == (uuid, DeliveryState.CONVERTING, "867367721001")
    assert (delivery.submission.recipient_name, delivery.submission.title) == ("张三", "报价")
    assert delivery.priority is Priority.MEDIUM
    assert [path.read_bytes() for path in stored_files()] == [PICTURE]
    assert delivery.expires_at is not None
    assert sent == [(Job.CONVERT, "")]
    with unit_of_work() as uow:
        assert count_ready(uow) == 1
        assert uow.session.scalars(select(MailboxItem.user_id)).all() == [world.bob.user_id]


def test_each_number_has_a_delivery_and_the_documents_are_stored_once(world: World, upload: Upload) -> None:
    uuids = submit_fax(world.bob, FaxRequest(f"{FAR}，07367721002；07367721003\n", [upload, upload]))
    found = deliveries()
    assert [each.uuid for each in found] == uuids
    assert [each.identity[-1] for each in found] == ["1", "2", "3"]
    assert len({each.submission_id for each in found}) == 1
    assert count(MailboxItem) == 3
    assert len(stored_files()) == 2


def test_one_number_in_many_spellings_is_one_delivery_and_an_extension_makes_another(
    world: World, upload: Upload
) -> None:
    typed = f"{FAR}, 7721001, +86 736 7721001, 0086-736-7721001, 7721001E801, {FAR}e801, 7721001E802"
    submit_fax(world.bob, FaxRequest(typed, [upload]))
    found = deliveries()
    assert [(each.identity, each.extension) for each in found] == [
        ("867367721001", ""),
        ("867367721001", "801"),
        ("867367721001", "802"),
    ]
    assert [each.number_text[-4:] for each in found[1:]] == ["E801", "E802"]


def test_the_job_that_redis_did_not_take_is_found_in_the_database(world: World, upload: Upload) -> None:
    assert len(submit_fax(world.bob, FaxRequest(FAR, [upload]))) == 1
    with unit_of_work() as uow:
        assert count_ready(uow) == 1


@pytest.mark.parametrize("name", ["a\0b.pdf", "\udcff\udcfe.pdf", "../../etc/passwd", "长" * 400 + ".pdf", ""])
def test_a_hostile_file_name_is_kept_as_harmless_text(world: World, tmp_path: Path, name: str) -> None:
    submit_fax(world.bob, FaxRequest(FAR, [make_upload(tmp_path, PICTURE, name)]))
    with reading() as uow:
        (kept,) = uow.session.scalars(select(Submission)).one().attachments
        assert len(kept.name) <= 255
        assert "\0" not in kept.name
    assert {path.parent.parent for path in stored_files()} == {settings().blobs_dir}


@pytest.mark.parametrize("field", ["title", "recipient_name"])
def test_text_that_no_database_takes_is_kept_without_what_it_refuses(world: World, upload: Upload, field: str) -> None:
    submit_fax(world.bob, FaxRequest(FAR, [upload], **{field: "a\0b\udcffc"}))  # type: ignore[arg-type]
    (delivery,) = deliveries()
    assert getattr(delivery.submission, field) == "a\ufffdb\ufffdc"


# --- What is refused ---


def test_each_problem_is_named_with_its_field_and_all_at_once(world: World, upload: Upload, tmp_path: Path) -> None:
    with unit_of_work() as uow:
        uow.session.query(OwnedNumber).delete()
    request = FaxRequest(f"12@34, {FAR}", [make_upload(tmp_path, b"")], recipient_name="名" * 129, title="x" * 257)
    with pytest.raises(errors.RequestRefused) as refusal:
        submit_fax(world.bob, request)
    assert [field for field, _ in refusal.value.problems] == [
        "numbers",
        "attachments",
        "recipient_name",
        "title",
        "sender",
    ]
    for language in ("en", "zh"):
        for _, problem in refusal.value.problems:
            assert problem.text(language) in refusal.value.text(language)


@pytest.mark.parametrize("numbers", ["", "  ", ",;，；\n"])
def test_a_fax_needs_a_number(world: World, upload: Upload, numbers: str) -> None:
    assert isinstance(refused(world, FaxRequest(numbers, [upload]))["numbers"], errors.NoNumbers)


@pytest.mark.parametrize(
    "number", ["64802994X801", "7721001@pstn", "7721001&7721002", "SIP/7721001", "110", "7721001E"]
)
def test_what_is_no_fax_number_is_refused(world: World, upload: Upload, number: str) -> None:
    problem = refused(world, FaxRequest(f"{FAR},{number}", [upload]))["numbers"]
    assert number.split("E")[0] in problem.text("en")
    assert number.split("E")[0] in problem.text("zh")


def test_more_numbers_than_the_parameter_allows_are_refused(world: World, upload: Upload) -> None:
    with unit_of_work() as uow:
        set_param(uow, "max_recipients", "2", by="admin")
    problem = refused(world, FaxRequest("7721001,7721002,7721003", [upload]))["numbers"]
    assert isinstance(problem, errors.TooManyNumbers)
    assert submit_fax(world.bob, FaxRequest("7721001,7721002,7721002", [upload]))


def test_a_fax_needs_an_attachment_and_takes_no_more_than_the_parameter_says(world: World, upload: Upload) -> None:
    assert isinstance(refused(world, FaxRequest(FAR, []))["attachments"], errors.NoAttachment)
    assert isinstance(refused(world, FaxRequest(FAR, [upload] * 4))["attachments"], errors.TooManyAttachments)


def test_an_attachment_over_the_limit_is_named_with_its_size(world: World, upload: Upload, tmp_path: Path) -> None:
    with unit_of_work() as uow:
        set_param(uow, "max_attachment", "1", by="admin")
    just = make_upload(tmp_path, PICTURE.ljust(1024, b"\0"), "just.png")
    over = make_upload(tmp_path, PICTURE.ljust(1025, b"\0"), "over.png")
    problem = refused(world, FaxRequest(FAR, [just, over]))["attachments"]
    assert isinstance(problem, errors.AttachmentTooLarge)
    assert problem.text("en") == "over.png has 2 KB; an attachment may have at most 1 KB."


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "document_empty"),
        (b"PK\3\4 anything", "document_damaged"),
        (encrypted_pdf(), "document_encrypted"),
        (PICTURE[:40], "document_damaged"),
    ],
)
def test_a_document_that_cannot_be_faxed_is_refused(world: World, tmp_path: Path, content: bytes, code: str) -> None:
    problem = refused(world, FaxRequest(FAR, [make_upload(tmp_path, content, "报价.pdf")]))["attachments"]
    assert problem.code == code
    assert "报价.pdf" in problem.text("zh")


def test_a_sender_without_a_fax_number_is_refused(world: World, upload: Upload) -> None:
    with unit_of_work() as uow:
        uow.session.query(OwnedNumber).filter_by(user_id=world.bob.user_id).delete()
    assert isinstance(refused(world, FaxRequest(FAR, [upload]))["sender"], errors.NoFaxNumber)


def test_below_the_disk_reserve_no_fax_is_accepted(world: World, upload: Upload) -> None:
    with unit_of_work() as uow:
        set_param(uow, "disk_reserve", "1000000", by="admin")
    with pytest.raises(DiskReserveReached):
        submit_fax(world.bob, FaxRequest(FAR, [upload]))
    assert stored_files() == []
    assert count(Submission) == 0


@pytest.mark.parametrize("step", ["store_file", "_record_submission"])
def test_what_cannot_be_stored_and_recorded_leaves_nothing(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    works, calls = getattr(submit, step), 0

    def fail_at_last(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if step == "store_file" and calls == 1:
            return works(*arguments)
        raise OperationalError("insert", {}, Exception("the disk is full"))

    monkeypatch.setattr(submit, step, fail_at_last)
    with pytest.raises(OperationalError):
        submit_fax(world.bob, FaxRequest(FAR, [upload, upload]))
    assert stored_files() == []
    assert count(Submission) == 0


def test_no_transaction_is_open_while_a_file_is_looked_into(
    world: World, upload: Upload, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_then: list[int] = []

    def look(path: Path, *, name: str) -> object:
        pool = database.pool
        assert isinstance(pool, QueuePool)
        open_then.append(pool.checkedout())
        return inspect(path, name=name)

    monkeypatch.setattr(submit, "inspect", look)
    submit_fax(world.bob, FaxRequest(FAR, [upload]))
    assert open_then == [0]


def test_files_that_together_have_too_many_pages_are_refused_before_they_are_accepted(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "inspect", lambda *_, **__: Inspection(Kind.PDF, 101))
    with pytest.raises(errors.RequestRefused) as refused:
        submit_fax(world.bob, FaxRequest(FAR, [upload, replace(upload, name="second.pdf")]))
    ((field, problem),) = refused.value.problems
    assert (field, problem.code) == ("attachments", TooManyPages.code)
    assert "second.pdf" in problem.text("en")
    assert deliveries() == []


# --- Drawing ---


def submitted(world: World, upload: Upload, numbers: str = FAR) -> str:
    submit_fax(world.bob, FaxRequest(numbers, [upload]))
    return deliveries()[0].submission.uuid


def test_a_drawn_fax_has_its_pages_and_waits_for_a_port(
    world: World, upload: Upload, sent: list[tuple[Job, str]]
) -> None:
    submission = submitted(world, upload, f"{FAR},7721002")
    convert(submission)
    for delivery in deliveries():
        assert (delivery.state, delivery.pages) == (DeliveryState.QUEUED, 1)
        assert delivery.next_try_at is not None
        document = delivery.submission.document
        assert document is not None
        assert len(document.page_bytes) == document.pages == 1
        with reading() as uow:
            assert path_of(uow.session.get_one(Blob, document.blob_id)).read_bytes()[:2] == b"II"
    assert sent[-1] == (Job.WAKE_DISPATCHER, "")
    with unit_of_work() as uow:
        assert count_ready(uow) == 0


def test_a_fax_that_is_drawn_again_keeps_its_first_image(world: World, upload: Upload) -> None:
    submission = submitted(world, upload)
    convert(submission)
    files = stored_files()
    convert(submission)
    assert count(Document) == 1
    assert sorted(stored_files()) == sorted(files)
    assert count(StateChange) == 2


def test_a_fax_that_two_workers_draw_at_once_has_one_image(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission = submitted(world, upload)
    draw = to_fax_tiff

    def draw_while_another_is_faster(*arguments: object, **options: object) -> object:
        monkeypatch.setattr(convert_module, "to_fax_tiff", draw)
        convert(submission)
        return draw(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(convert_module, "to_fax_tiff", draw_while_another_is_faster)
    convert(submission)
    assert count(Document) == 1
    assert len(stored_files()) == 2
    assert not list((settings().home / "tmp").iterdir())


def test_a_fax_that_was_cancelled_while_it_was_drawn_stays_cancelled(world: World, upload: Upload) -> None:
    submission = submitted(world, upload, f"{FAR},7721002")
    with unit_of_work() as uow:
        first = uow.session.scalars(select(Delivery).order_by(Delivery.id).limit(1)).one()
        change_state(uow, first, DeliveryState.CANCELLED, actor="test")
    convert(submission)
    assert [each.state for each in deliveries()] == [DeliveryState.CANCELLED, DeliveryState.QUEUED]


def test_a_document_that_proves_damaged_fails_every_delivery_and_says_why_in_either_language(
    world: World, upload: Upload
) -> None:
    submission = submitted(world, upload, f"{FAR},7721002")
    for path in stored_files():
        path.write_bytes(PICTURE[:40])
    convert(submission)
    for delivery in deliveries():
        assert (delivery.state, delivery.cause) == (DeliveryState.FAILED, Cause.BAD_DOCUMENT)
        for language, word in (("en", "is damaged"), ("zh", "已损坏")):
            assert word in detail_text(delivery.cause_detail, language)
            assert "page.png" in detail_text(delivery.cause_detail, language)
        assert delivery.ended_at is not None
    assert count(Document) == 0
    assert len(stored_files()) == 1


def test_a_submission_that_nobody_knows_is_no_error(database: Engine) -> None:
    convert("6b1f6f3e-0000-4000-8000-000000000001")


def test_a_list_that_is_much_too_long_is_refused_before_it_is_read(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netfax.faxes.submit.read_numbers", None)
    numbers = ",".join(str(22_000_000 + number) for number in range(40_000))
    with pytest.raises(errors.RequestRefused) as refusal:
        submit_fax(world.bob, FaxRequest(numbers, [upload]))
    assert [(field, error.code) for field, error in refusal.value.problems] == [("numbers", "too_many_numbers")]


def test_of_many_wrong_numbers_the_first_are_named(world: World, upload: Upload) -> None:
    with pytest.raises(errors.RequestRefused) as refusal:
        submit_fax(world.bob, FaxRequest(",".join("1" * 60), [upload]))
    *named, rest = [error.text("en") for _, error in refusal.value.problems]
    assert (len(named), rest) == (20, "40 more can't be read.")
