"""The same request once more is no second fax: a repeated or doubled one is answered as the first was."""

import dataclasses
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine, func, select, update

from netfax.db import now, reading, unit_of_work
from netfax.errors import UserError
from netfax.faxes import errors
from netfax.faxes.models import Delivery, MailboxItem, Priority, Submission
from netfax.faxes.submit import KEEP_CLIENT_KEYS, LONGEST_CLIENT_KEY, FaxRequest, Upload, forget_client_keys, submit_fax
from netfax.queue import Job
from netfax.settings import settings
from netfax.storage.models import Blob
from tests.factories import World, make_world
from tests.fixtures.documents.build import saved

FAR = "07367721001"
PICTURE = saved(Image.new("1", (200, 100)), "PNG")
OTHER_PICTURE = saved(Image.new("1", (200, 101)), "PNG")


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that were sent, instead of Redis."""
    jobs: list[Job] = []
    monkeypatch.setattr("netfax.db.send", lambda job, *_: jobs.append(job))
    return jobs


@pytest.fixture
def request_(tmp_path: Path) -> FaxRequest:
    return FaxRequest(f"{FAR}, 07367721002", [upload(tmp_path)], title="报价", client_key="key-1")


def upload(folder: Path, content: bytes = PICTURE, name: str = "page.png") -> Upload:
    path = folder / f"upload-{len(list(folder.iterdir()))}"
    path.write_bytes(content)
    return Upload(name, path)


def count(model: type[object]) -> int:
    with reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(model)) or 0


def files_and_rows() -> tuple[int, int]:
    return sum(path.is_file() for path in settings().blobs_dir.rglob("*")), count(Blob)


def grow_old(age: timedelta) -> None:
    with unit_of_work() as uow:
        uow.session.execute(update(Submission).values(created_at=now() - age))
        forget_client_keys(uow)


def test_the_same_request_again_is_the_same_fax(world: World, request_: FaxRequest, sent: list[Job]) -> None:
    first = submit_fax(world.bob, request_)
    assert submit_fax(world.bob, request_) == first
    assert (count(Submission), count(Delivery), count(MailboxItem)) == (1, 2, 2)
    assert files_and_rows() == (1, 1)
    assert sent == [Job.CONVERT]


def test_the_same_file_uploaded_anew_is_the_same_request(world: World, request_: FaxRequest, tmp_path: Path) -> None:
    first = submit_fax(world.bob, request_)
    assert submit_fax(world.bob, dataclasses.replace(request_, uploads=[upload(tmp_path)])) == first
    assert files_and_rows() == (1, 1)


def test_eight_at_once_are_one_fax_and_leave_no_file_without_a_row(
    world: World, request_: FaxRequest, sent: list[Job]
) -> None:
    answers: list[list[str]] = []
    ready = threading.Barrier(8)

    def send() -> None:
        ready.wait(30)
        answers.append(submit_fax(world.bob, request_))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 8
    assert all(answer == answers[0] for answer in answers)
    assert (count(Submission), count(Delivery)) == (1, 2)
    assert files_and_rows() == (1, 1)
    assert sent == [Job.CONVERT]


def test_a_key_that_was_used_for_another_fax_is_refused_and_nothing_is_kept(
    world: World, request_: FaxRequest, tmp_path: Path
) -> None:
    submit_fax(world.bob, request_)
    others: list[dict[str, object]] = [
        {"numbers": FAR},
        {"recipient_name": "张三"},
        {"title": "另一份"},
        {"priority": Priority.HIGH},
        {"planned_at": now() + timedelta(hours=1)},
        {"uploads": [upload(tmp_path, OTHER_PICTURE)]},
        {"uploads": [upload(tmp_path, name="other.png")]},
        {"uploads": [*request_.uploads, upload(tmp_path)]},
    ]
    for other in others:
        with pytest.raises(errors.KeyReused):
            submit_fax(world.bob, dataclasses.replace(request_, **other))  # type: ignore[arg-type]
    assert (count(Submission), files_and_rows()) == (1, (1, 1))


def test_a_key_is_its_users_own(world: World, request_: FaxRequest) -> None:
    assert submit_fax(world.bob, request_) != submit_fax(world.alice, request_)
    assert count(Submission) == 2


def test_without_a_key_every_request_is_a_fax(world: World, request_: FaxRequest) -> None:
    without = dataclasses.replace(request_, client_key=None)
    assert submit_fax(world.bob, without) != submit_fax(world.bob, without)
    assert count(Submission) == 2


def test_a_request_that_was_refused_leaves_its_key_free(world: World, request_: FaxRequest) -> None:
    with pytest.raises(errors.RequestRefused):
        submit_fax(world.bob, dataclasses.replace(request_, numbers="not a number"))
    assert len(submit_fax(world.bob, request_)) == 2


def test_a_fax_sent_again_from_the_first_is_none_of_its_answer(world: World, request_: FaxRequest) -> None:
    first = submit_fax(world.bob, request_)
    with unit_of_work() as uow:
        ended = uow.session.query(Delivery).filter(Delivery.uuid == first[0]).one()
        uow.session.add(
            Delivery(
                submission_id=ended.submission_id,
                tenant_id=ended.tenant_id,
                user_id=ended.user_id,
                identity=ended.identity,
                number_text=ended.number_text,
                again_of=ended.id,
            )
        )
    assert submit_fax(world.bob, request_) == first


def test_a_key_is_kept_for_thirty_days(world: World, request_: FaxRequest) -> None:
    first = submit_fax(world.bob, request_)
    grow_old(timedelta(days=29, hours=23))
    assert submit_fax(world.bob, request_) == first


def test_a_key_is_forgotten_after_thirty_days_and_may_name_another_fax(world: World, request_: FaxRequest) -> None:
    first = submit_fax(world.bob, request_)
    grow_old(KEEP_CLIENT_KEYS + timedelta(minutes=1))
    second = submit_fax(world.bob, dataclasses.replace(request_, title="另一份"))
    assert not set(first) & set(second)
    assert count(Submission) == 2
    assert timedelta(days=30) == KEEP_CLIENT_KEYS


@pytest.mark.parametrize("key", ["k", "键" * LONGEST_CLIENT_KEY])
def test_a_key_of_up_to_its_longest_is_taken(world: World, request_: FaxRequest, key: str) -> None:
    request_ = dataclasses.replace(request_, client_key=key)
    assert submit_fax(world.bob, request_) == submit_fax(world.bob, request_)


@pytest.mark.parametrize("key", ["", "k" * (LONGEST_CLIENT_KEY + 1), "a\0b", "a\ud800b"])
def test_a_key_that_cannot_be_kept_is_refused_by_its_field(world: World, request_: FaxRequest, key: str) -> None:
    with pytest.raises(errors.RequestRefused) as refusal:
        submit_fax(world.bob, dataclasses.replace(request_, client_key=key))
    problems: dict[str, UserError] = dict(refusal.value.problems)
    assert isinstance(problems["client_key"], errors.BadKey)
    assert (count(Submission), files_and_rows()) == (0, (0, 0))
