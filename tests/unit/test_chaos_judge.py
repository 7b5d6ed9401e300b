"""The harness that proves the promise sees each way in which it can be broken."""

import base64
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import Engine, Select

from dialplan import network
from netfax.alarms import PAGES_LOST, Alarm
from netfax.db import now, unit_of_work
from netfax.faxes.models import Attempt, Delivery, Reception, Submission
from netfax.faxes.results import Cause
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.settings import Settings, settings
from netfax.storage.disk import store_file
from netfax.storage.service import FAX_TIFF, add_blob
from tests.chaos.judge import Verdict, Window, judge
from tests.chaos.pages import code_of, is_same, make_coded, readable_pages
from tests.chaos.traffic import Accepted, CalledIn, Log
from tests.factories import World, make_delivery, make_world
from tests.pages import draw_page, read_pages, save_tiff

PAGES = 2
CALLER = "07367730001"


@dataclass
class Scene:
    """A client's log, and a system that is at rest, of which every part can be changed."""

    world: World
    log: Log
    tiff: Path
    codes: list[str]

    @property
    def settings(self) -> Settings:
        return settings()

    def read(self, query: Select[Any]) -> list[Any]:
        with unit_of_work() as uow:
            found = list(uow.session.scalars(query).unique())
            uow.session.expunge_all()
            return found

    def judged(self, *windows: Window) -> Verdict:
        return judge(self, self.log, windows)  # type: ignore[arg-type]  # of a System it takes these two alone

    def accept(self, title: str = "fax", **facts: Any) -> str:
        """A fax that a client sent and the portal took: one call has brought both of its pages."""
        self.log.accepted.append(Accepted(title, "alice@demo", "7721001", self.codes, str(self.tiff), time.time()))
        return self.deliver(title, **facts)

    def deliver(self, title: str, **facts: Any) -> str:
        values = {"state": DeliveryState.SENT, "pages_confirmed": PAGES, "ended_at": now(), "pages": PAGES} | facts
        uuid = make_delivery(self.world.alice)
        with unit_of_work() as uow:
            delivery = uow.session.query(Delivery).filter(Delivery.uuid == uuid).one()
            for name, value in values.items():
                setattr(delivery, name, value)
            uow.session.get_one(Submission, delivery.submission_id).title = title
            self.call(delivery, 1, first_page=1, pages_confirmed=values["pages_confirmed"])
        return uuid

    def call(self, delivery: Delivery, number: int, **facts: Any) -> None:
        at = now()
        times = {"originated_at": at - timedelta(seconds=30), "ended_at": at}
        delivery.attempts.append(
            Attempt(
                id=f"{delivery.id}-{number}",
                trunk_id=self.world.trunk_id,
                gateway="gw1",
                number=number,
                **(times | facts),
            )
        )

    def hear(self, name: str, pages: int = PAGES, told: int | None = PAGES) -> Path:
        """A call that the far end has received, of the first pages; `told` None when the machine was killed."""
        tiff = self.settings.network_dir / network.FAX_IN / f"{name}.tif"
        tiff.parent.mkdir(parents=True, exist_ok=True)
        cut_after(self.tiff, tiff, pages)
        if told is not None:
            tiff.with_suffix(".txt").write_text(f"status=SUCCESS pages={told} end")
        return tiff

    def call_in(self, told: int = PAGES, user: str = "alice@demo") -> None:
        """A call of the network to alice of which its own machine says that so many pages were confirmed."""
        folder = self.settings.network_dir / network.FAX_OUT
        folder.mkdir(parents=True, exist_ok=True)
        text = base64.b64encode(b"OK").decode()
        (folder / "call.txt").write_text(f"status=SUCCESS statusstr={text} pages={told} end")
        self.log.called_in.append(
            CalledIn(CALLER, "7804001", user, "call", self.codes, str(self.tiff), time.time() - 30)
        )

    def keep(self, tiff: Path | None, name: str = "r1") -> None:
        """What was recorded of that call."""
        with unit_of_work() as uow:
            blob = (
                None
                if tiff is None
                else add_blob(uow, store_file(tiff), tenant_id=self.world.tenant_id, media_type=FAX_TIFF)
            )
            uow.session.add(
                Reception(
                    id=name, gateway="gw1", tenant_id=self.world.tenant_id, user_id=self.world.alice.user_id,
                    caller=f"86{CALLER[1:]}", called="867367804001", state=ReceptionState.RECEIVED,
                    blob_id=blob and blob.id, ended_at=now(),
                )
            )  # fmt: skip


def cut_after(tiff: Path, target: Path, pages: int) -> Path:
    return save_tiff(target, [image_of(page) for page in read_pages(tiff)[:pages]])


def image_of(page: np.ndarray) -> Image.Image:
    return Image.fromarray(~page)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A fax, and the codes of its pages."""
    tiff = tmp_path_factory.mktemp("drawn") / "sent.tif"
    return tiff, make_coded(tiff, "fax", PAGES)


@pytest.fixture
def scene(sqlite: Engine, tmp_path: Path, drawn: tuple[Path, list[str]]) -> Scene:
    return Scene(make_world(), Log(tmp_path / "log.jsonl"), *drawn)


# --- Out ---


def test_a_fax_that_arrived_once_is_neither_lost_nor_doubled(scene: Scene) -> None:
    scene.accept()
    scene.hear("one")
    verdict = scene.judged()
    assert verdict.holds
    assert (verdict.accepted, verdict.sent) == (1, 1)


def test_an_accepted_fax_that_is_in_no_list_is_lost(scene: Scene) -> None:
    scene.accept()
    scene.log.accepted.append(Accepted("gone", "alice@demo", "7721001", [], "", 0.0))
    scene.hear("one")
    assert scene.judged().lost == ["gone was accepted and is in no list"]


def test_a_fax_that_is_there_twice_is_doubled(scene: Scene) -> None:
    scene.accept()
    scene.deliver("fax")
    scene.hear("one")
    assert len(scene.judged().doubled) == 1


def test_a_page_that_is_said_to_have_arrived_and_has_not_is_lost(scene: Scene) -> None:
    scene.accept()
    scene.hear("one", pages=1, told=1)
    assert len(scene.judged().lost) == 1


def test_a_page_that_arrived_otherwise_than_it_was_sent_is_lost(scene: Scene) -> None:
    scene.accept()
    tiff = scene.hear("one")
    pages = [draw_page("quite another"), *map(image_of, read_pages(tiff)[1:])]
    pages[0].paste(image_of(read_pages(tiff)[0]).crop((0, 900, 1728, 1900)), (0, 900))
    save_tiff(tiff, pages)
    assert code_of(read_pages(tiff)[0]) == scene.codes[0]
    assert len(scene.judged().lost) == 1


def test_a_page_that_two_calls_have_confirmed_is_doubled(scene: Scene) -> None:
    scene.accept()
    scene.hear("one")
    scene.hear("two", pages=1, told=1)
    assert len(scene.judged().doubled) == 1


@pytest.mark.parametrize(("told", "repeated"), [(1, 1), (PAGES, 0)])
def test_a_page_may_come_again_when_a_fault_has_swallowed_its_confirmation_but_no_fax(
    scene: Scene, told: int, repeated: int
) -> None:
    """`told`: the pages that the far end has confirmed in the call of which the sender heard nothing."""
    uuid = scene.accept()
    with unit_of_work() as uow:
        delivery = uow.session.query(Delivery).filter(Delivery.uuid == uuid).one()
        delivery.attempts[0].pages_confirmed = 0
        scene.call(delivery, 2, first_page=1, pages_confirmed=PAGES)
    scene.hear("one", pages=told, told=told)
    scene.hear("two")
    met = scene.judged(Window("network: stop", time.time() - 10, time.time() - 5))
    assert len(met.repeated) == 1 and "network: stop" in met.repeated[0]
    assert met.holds == bool(repeated)
    assert not scene.judged().holds


def test_a_call_that_repeats_a_confirmed_page_is_doubled_though_the_far_end_has_told_nothing(scene: Scene) -> None:
    uuid = scene.accept()
    with unit_of_work() as uow:
        scene.call(uow.session.query(Delivery).filter(Delivery.uuid == uuid).one(), 2, first_page=PAGES)
    scene.hear("one")
    assert len(scene.judged().doubled) == 1


def test_a_call_that_leaves_a_page_out_has_lost_it(scene: Scene) -> None:
    uuid = scene.accept()
    with unit_of_work() as uow:
        delivery = uow.session.query(Delivery).filter(Delivery.uuid == uuid).one()
        delivery.attempts[0].pages_confirmed = 0
        scene.call(delivery, 2, first_page=2, pages_confirmed=1)
    scene.hear("one")
    assert len(scene.judged().lost) == 1


def test_what_was_sent_with_fewer_pages_is_lost(scene: Scene) -> None:
    scene.accept(pages=1, pages_confirmed=1)
    scene.hear("one")
    assert len(scene.judged().lost) == 1


@pytest.mark.parametrize("day", [-1, 0, 1])
def test_an_unknown_end_is_justified_by_a_fault_that_met_its_call_and_by_nothing_else(scene: Scene, day: int) -> None:
    scene.accept(state=DeliveryState.UNKNOWN, pages_confirmed=0, cause=Cause.CALL_LOST)
    at = time.time() + day * 86_400
    met = Window("bridge: kill", at - 10, at - 5)
    after = Window("agi: kill", at + 20, at + 30)
    assert "bridge: kill" in scene.judged(met).unknown[0]
    assert scene.judged(met).holds
    assert len(scene.judged(after).lost) == 1
    assert len(scene.judged().lost) == 1


def test_a_good_page_that_failed_by_our_fault_is_lost(scene: Scene) -> None:
    scene.accept(state=DeliveryState.FAILED, pages_confirmed=0, cause=Cause.BAD_DOCUMENT)
    assert len(scene.judged().lost) == 1


def test_what_failed_at_the_far_end_is_told(scene: Scene) -> None:
    scene.accept(state=DeliveryState.FAILED, pages_confirmed=0, cause=Cause.BUSY)
    verdict = scene.judged()
    assert verdict.holds
    assert len(verdict.failed) == 1


def test_what_never_ends_is_lost(scene: Scene) -> None:
    scene.accept(state=DeliveryState.QUEUED, pages_confirmed=0, ended_at=None)
    assert len(scene.judged().lost) == 1


def test_a_fax_that_was_refused_and_is_there_is_doubled_by_whoever_sends_it_again(scene: Scene) -> None:
    scene.deliver("refused")
    scene.log.refused.append("refused")
    assert len(scene.judged().doubled) == 1


# --- In ---


def test_a_call_that_came_in_whole_is_received(scene: Scene) -> None:
    scene.call_in()
    scene.keep(scene.tiff)
    verdict = scene.judged()
    assert verdict.holds
    assert (verdict.came_in, verdict.received, verdict.cut_short) == (1, 1, [])


@pytest.mark.parametrize("kept", [0, 1])
def test_a_page_that_a_caller_was_told_of_and_nobody_has_is_lost_but_with_an_alarm(
    scene: Scene, tmp_path: Path, kept: int
) -> None:
    scene.call_in()
    scene.keep(cut_after(scene.tiff, tmp_path / "cut.tif", kept) if kept else None)
    assert len(scene.judged().lost) == 1
    with unit_of_work() as uow:
        uow.session.add(Alarm(code=PAGES_LOST, subject="r1", text="", text_zh=""))
    verdict = scene.judged()
    assert verdict.holds
    assert len(verdict.alarmed) == 1


def test_pages_in_another_order_are_lost(scene: Scene, tmp_path: Path) -> None:
    scene.call_in()
    scene.keep(save_tiff(tmp_path / "turned.tif", [image_of(page) for page in reversed(read_pages(scene.tiff))]))
    assert len(scene.judged().lost) == 1


def test_a_fax_with_another_user_is_lost(scene: Scene) -> None:
    scene.call_in(user="bob@demo")
    scene.keep(scene.tiff)
    assert len(scene.judged().lost) == 1


def test_a_call_that_is_recorded_twice_is_doubled(scene: Scene) -> None:
    scene.call_in()
    scene.keep(scene.tiff)
    scene.keep(scene.tiff, "r2")
    assert scene.judged().doubled


def test_a_caller_who_could_not_send_all_was_struck_by_a_fault(scene: Scene, tmp_path: Path) -> None:
    scene.call_in(told=1)
    scene.keep(cut_after(scene.tiff, tmp_path / "cut.tif", 1))
    at = time.time()
    verdict = scene.judged(Window("gateway: kill", at - 20, at - 20, at - 10))
    assert verdict.holds
    assert "gateway: kill" in verdict.cut_short[0]
    assert len(scene.judged(Window("gateway: kill", at - 90, at - 90, at - 80)).lost) == 1


# --- Pages ---


def test_a_page_says_which_it_is_though_rows_are_damaged_or_missing(scene: Scene) -> None:
    page = read_pages(scene.tiff)[0]
    assert code_of(page) == scene.codes[0] != scene.codes[1]
    hurt = np.delete(page, [1200, 1201, 1300], axis=0)
    hurt[1500:1510] = True
    assert code_of(hurt) == scene.codes[0]
    assert is_same(page, hurt)
    assert code_of(page[::2]) == scene.codes[0]
    assert not is_same(page, read_pages(scene.tiff)[1])
    assert code_of(page[:1000]) != scene.codes[0]


def test_a_half_written_file_has_its_first_pages(scene: Scene, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tif"
    broken.write_bytes(scene.tiff.read_bytes()[:-400])
    assert 1 <= len(readable_pages(broken)) <= PAGES
    broken.write_bytes(b"II")
    assert readable_pages(broken) == []
