"""A fax is looked at before it is sent (R3.6): its very pages, kept an hour, and not drawn a second time."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, func, select, update
from time_machine import TimeMachineFixture

from netfax.db import now, reading, unit_of_work
from netfax.documents.convert import FaxImage
from netfax.documents.headline import write_headlines
from netfax.documents.look import Look, Mode, Resolution
from netfax.documents.tiff import page_sizes
from netfax.errors import NotFound
from netfax.faxes import convert as convert_module
from netfax.faxes import preview as preview_module
from netfax.faxes.convert import convert_next
from netfax.faxes.dial import plan_calls
from netfax.faxes.errors import PreviewsBusy, PreviewUnderWay, RequestRefused
from netfax.faxes.models import Delivery, Document, Preview, Submission
from netfax.faxes.preview import KEPT, MOST_AT_ONCE, MOST_OF_A_USER, clear_previews, get_preview, make_preview
from netfax.faxes.results import FASTEST, OVERHEAD_SECONDS
from netfax.faxes.submit import FaxRequest, Upload, submit_fax
from netfax.monitor.verify.files import find_damaged_files, find_files_without_row
from netfax.monitor.verify.rules import Look as VerifyLook
from netfax.monitor.verify.tenants import find_foreign_files
from netfax.org.models import Role
from netfax.org.service import add_domain
from netfax.org.viewer import Viewer
from netfax.params.service import set_param
from netfax.settings import settings
from netfax.storage.disk import DiskReserveReached
from netfax.storage.models import Blob
from netfax.storage.service import path_of
from tests.factories import World, dispatch_now, make_user, make_world
from tests.fixtures.documents.build import encrypted_pdf, letter, saved

FAR = "07367721001"


@pytest.fixture
def world(database: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    return make_world()


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    return put(tmp_path, "page.png", saved(letter(600, 800), "PNG"))


def put(folder: Path, name: str, data: bytes) -> Upload:
    path = folder / name
    path.write_bytes(data)
    return Upload(name, path)


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


def shown(viewer: Viewer, uuid: str) -> Path:
    """The file of the pages as they are shown."""
    with reading() as uow:
        return path_of(get_preview(uow, viewer, uuid).shown_blob)


def stored() -> int:
    return sum(path.is_file() for path in settings().blobs_dir.rglob("*"))


def rows(model: type[Any]) -> int:
    with reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(model)) or 0


@pytest.mark.parametrize("resolution", Resolution)
def test_the_pages_shown_are_the_ones_that_a_call_sends_to_the_byte(
    world: World, upload: Upload, tmp_path: Path, time_machine: TimeMachineFixture, resolution: Resolution
) -> None:  # R3.6
    time_machine.move_to(datetime(2026, 11, 24, 8, 0, tzinfo=UTC), tick=False)
    request = FaxRequest(FAR, [upload], look=Look(resolution, Mode.AUTO))
    made = make_preview(world.alice, request)
    submit_fax(world.alice, request)
    assert convert_next()
    assert dispatch_now() == 1
    with unit_of_work() as uow:
        ((plan,), _) = plan_calls(uow, "gw1")
    assert plan.headline is not None
    write_headlines(plan.document, tmp_path / "sent.tif", plan.headline, first=1)
    assert shown(world.alice, made.uuid).read_bytes() == (tmp_path / "sent.tif").read_bytes()
    assert shown(world.alice, made.uuid).read_bytes() != plan.document.read_bytes()


def test_the_line_says_the_planned_time_the_first_number_and_his_own(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, int]] = []
    write = preview_module.write_headlines
    monkeypatch.setattr(
        preview_module,
        "write_headlines",
        lambda source, target, line, first: (
            said.append((line.left, line.pages)),
            write(source, target, line, first=first),
        ),
    )
    planned = (now() + timedelta(days=2)).replace(hour=4, minute=30)
    made = make_preview(world.alice, FaxRequest("0086 736 7721001E801, 02082313524", [upload], planned_at=planned))
    ((left, pages),) = said
    # Asia/Shanghai is eight hours ahead.
    assert left == f"{planned:%Y-%m-%d} 12:30   Demo +86 736 7804001 → 7721001E801"
    assert (pages, made.pages, made.to) == (1, 1, "7721001E801")


def test_the_time_on_the_line_is_that_of_the_bytes(world: World, upload: Upload) -> None:
    made = make_preview(world.alice, FaxRequest(FAR, [upload]))
    with reading() as uow:
        preview = get_preview(uow, world.alice, made.uuid)
    assert made.seconds == round(OVERHEAD_SECONDS + sum(preview.page_bytes) / (FASTEST / 8))
    assert made.seconds > OVERHEAD_SECONDS


def test_what_was_previewed_is_not_drawn_again_when_it_is_sent(
    world: World, upload: Upload, drawings: list[Path]
) -> None:
    request = FaxRequest(FAR, [upload])
    made = make_preview(world.alice, request)
    submit_fax(world.alice, request)
    # Nor for another user of the company.
    submit_fax(world.bob, request)
    assert convert_next() and convert_next()
    assert len(drawings) == 1
    with reading() as uow:
        preview = get_preview(uow, world.alice, made.uuid)
        documents = list(uow.session.scalars(select(Document)))
        assert {each.blob.sha256 for each in documents} == {preview.blob.sha256}
        assert {each.pages for each in documents} == {1}
        pages = [path_of(each.blob) for each in documents]
    # The fax keeps its pages when the preview goes.
    with unit_of_work() as uow:
        uow.session.execute(update(Preview).values(created_at=now() - KEPT - timedelta(seconds=1)))
    assert clear_previews() == 1
    assert all(path.exists() for path in pages)
    assert all(page_sizes(path) for path in pages)


def test_a_preview_of_what_was_sent_is_not_drawn_again(world: World, upload: Upload, drawings: list[Path]) -> None:
    submit_fax(world.alice, FaxRequest(FAR, [upload]))
    assert convert_next()
    make_preview(world.alice, FaxRequest("02082313524", [upload]))
    make_preview(world.alice, FaxRequest("02082313524", [upload], look=Look(Resolution.STANDARD, Mode.AUTO)))
    assert len(drawings) == 2


def test_another_tenants_preview_is_not_shared(world: World, upload: Upload, drawings: list[Path]) -> None:
    with unit_of_work() as uow:
        tenant = add_domain(uow, "elsewhere", "别处")
        stranger = Viewer.of(make_user(uow, tenant.id, "eve", Role.DOMAIN_ADMIN, "862082313599"))
    make_preview(stranger, FaxRequest(FAR, [upload]))
    submit_fax(world.alice, FaxRequest(FAR, [upload]))
    assert convert_next()
    assert len(drawings) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"numbers": ""}, "numbers"),
        ({"numbers": "abc"}, "numbers"),
        ({"numbers": f"110, {FAR}"}, "numbers"),
        ({"planned_at": datetime(2020, 1, 1, tzinfo=UTC)}, "planned_at"),
    ],
)
def test_refused_numbers_and_times_are_told_beside_the_pages(
    world: World, upload: Upload, changes: dict[str, Any], field: str
) -> None:
    made = make_preview(world.alice, FaxRequest(**({"numbers": FAR, "uploads": [upload]} | changes)))
    assert {name for name, _ in made.problems} == {field}
    assert made.pages == 1
    assert page_sizes(shown(world.alice, made.uuid))


def test_the_first_number_that_can_be_called_stands_in_the_line(world: World, upload: Upload) -> None:
    assert make_preview(world.alice, FaxRequest(f"110, {FAR}", [upload])).to == "7721001"
    assert make_preview(world.alice, FaxRequest("nobody", [upload])).to == "…"


def test_what_cannot_be_drawn_has_no_preview_and_leaves_nothing(world: World, upload: Upload, tmp_path: Path) -> None:
    blank = put(tmp_path, "blank.png", saved(Image.new("1", (200, 100), 1), "PNG"))
    for uploads in ([], [upload, put(tmp_path, "shut.pdf", encrypted_pdf())], [blank]):
        with pytest.raises(RequestRefused) as refused:
            make_preview(world.alice, FaxRequest("abc", uploads))
        assert {name for name, _ in refused.value.problems} == {"numbers", "attachments"}
    assert (rows(Preview), rows(Blob), stored()) == (0, 0, 0)


def test_without_the_line_the_pages_are_shown_as_they_are(world: World, upload: Upload) -> None:
    lined = make_preview(world.alice, FaxRequest(FAR, [upload]))
    with unit_of_work() as uow:
        set_param(uow, "page_header", "off", by="test")
    made = make_preview(world.alice, FaxRequest(FAR, [upload]))
    assert made.to == ""
    with reading() as uow:
        preview = get_preview(uow, world.alice, made.uuid)
        assert preview.shown_blob_id == preview.blob_id
        assert shown(world.alice, lined.uuid).read_bytes() != path_of(preview.blob).read_bytes()
    with unit_of_work() as uow:
        uow.session.execute(update(Preview).values(created_at=now() - 2 * KEPT))
    assert clear_previews() == 2
    assert (rows(Preview), rows(Blob), stored()) == (0, 0, 0)


def test_below_the_disk_reserve_nothing_is_drawn(
    world: World, upload: Upload, drawings: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netfax.storage.disk.free_megabytes", lambda: 0)
    with pytest.raises(DiskReserveReached):
        make_preview(world.alice, FaxRequest(FAR, [upload]))
    assert (drawings, rows(Preview)) == ([], 0)


def test_a_preview_is_its_users_alone(world: World, upload: Upload) -> None:
    made = make_preview(world.bob, FaxRequest(FAR, [upload]))
    with reading() as uow:
        assert get_preview(uow, world.bob, made.uuid).pages == 1
        for other in (world.alice, world.admin):
            with pytest.raises(NotFound):
                get_preview(uow, other, made.uuid)
    assert (rows(Submission), rows(Delivery)) == (0, 0)


def test_previews_go_after_an_hour_with_their_files(
    world: World, upload: Upload, time_machine: TimeMachineFixture
) -> None:
    at = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    time_machine.move_to(at, tick=False)
    make_preview(world.alice, FaxRequest(FAR, [upload]))
    assert stored() == rows(Blob) == 2
    time_machine.move_to(at + KEPT, tick=False)
    assert clear_previews() == 0
    time_machine.move_to(at + KEPT + timedelta(seconds=1), tick=False)
    assert clear_previews() == 1
    assert (rows(Preview), rows(Blob), stored()) == (0, 0, 0)
    # One that was made before the clock was set back would stay for ever.
    make_preview(world.alice, FaxRequest(FAR, [upload]))
    time_machine.move_to(at, tick=False)
    assert clear_previews() == 1
    assert stored() == 0


def test_one_whose_file_cannot_be_removed_is_tried_again(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_preview(world.alice, FaxRequest(FAR, [upload]))
    with unit_of_work() as uow:
        uow.session.execute(update(Preview).values(created_at=now() - 2 * KEPT))

    def refuse(_key: str) -> None:
        raise OSError("read-only")

    with monkeypatch.context() as broken:
        broken.setattr(preview_module, "delete_blob", refuse)
        assert clear_previews() == 0
    assert rows(Preview) == 1
    assert clear_previews() == 1


def test_a_user_keeps_his_last_few(world: World, upload: Upload) -> None:
    others = make_preview(world.bob, FaxRequest(FAR, [upload]))
    made = [make_preview(world.alice, FaxRequest(FAR, [upload])).uuid for _ in range(MOST_OF_A_USER + 2)]
    with reading() as uow:
        kept = set(uow.session.scalars(select(Preview.uuid)))
    assert kept == {others.uuid, *made[-MOST_OF_A_USER:]}
    assert stored() == rows(Blob) == 2 * len(kept)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set, no drawing ends."""
    ended = threading.Event()
    draw = preview_module.draw

    def wait(sources: Any) -> Any:
        assert ended.wait(30)
        return draw(sources)

    monkeypatch.setattr(preview_module, "draw", wait)
    yield ended
    ended.set()


def waiting(viewers: Sequence[Viewer], upload: Upload) -> list[threading.Thread]:
    """Threads in which these users have a preview drawn."""
    threads = [threading.Thread(target=make_preview, args=(each, FaxRequest(FAR, [upload]))) for each in viewers]
    for thread in threads:
        thread.start()
    while len(preview_module._desk._users) < len(viewers):
        threading.Event().wait(0.01)
    return threads


def test_a_user_has_one_drawn_at_a_time(world: World, upload: Upload, held: threading.Event) -> None:
    threads = waiting([world.alice], upload)
    with pytest.raises(PreviewUnderWay):
        make_preview(world.alice, FaxRequest(FAR, [upload]))
    held.set()
    for thread in threads:
        thread.join(30)
    assert make_preview(world.alice, FaxRequest(FAR, [upload])).pages == 1


def test_all_users_together_leave_the_portal_its_threads(world: World, upload: Upload, held: threading.Event) -> None:
    with unit_of_work() as uow:
        crowd = [
            Viewer.of(make_user(uow, world.tenant_id, f"u{number}", Role.USER, f"8673678040{number + 10}"))
            for number in range(MOST_AT_ONCE)
        ]
    threads = waiting(crowd, upload)
    with pytest.raises(PreviewsBusy):
        make_preview(world.alice, FaxRequest(FAR, [upload]))
    held.set()
    for thread in threads:
        thread.join(30)
    assert rows(Preview) == MOST_AT_ONCE
    make_preview(world.alice, FaxRequest(FAR, [upload]))


def test_nothing_that_verify_looks_for_is_wrong_with_previews(
    world: World, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_preview(world.alice, FaxRequest(FAR, [upload]))
    monkeypatch.setattr("netfax.monitor.verify.files.UNCLAIMED_SECONDS", -1)
    look = VerifyLook(now())
    for find in (find_damaged_files, find_files_without_row, find_foreign_files):
        assert not find(look).suspects, find
    assert find_files_without_row(look).looked_at == 2
    with unit_of_work() as uow:
        tenant = add_domain(uow, "elsewhere", "别处")
        uow.session.execute(update(Blob).values(tenant_id=tenant.id))
    assert len(find_foreign_files(look).suspects) == 2
