"""What the services ask again and again costs the same however long the history is: SQLite's plan tells."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from ami_bridge import reconcile
from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.faxes.again import sent_again
from netfax.faxes.convert import convert_next
from netfax.faxes.dial import cancelled_attempts, plan_calls
from netfax.faxes.draw_queue import count_ready, enter_queue, let_go_drawings
from netfax.faxes.listing import unread
from netfax.faxes.models import Priority, Submission
from netfax.faxes.receive import open_receptions
from netfax.faxes.states import DeliveryState
from netfax.faxes.submit import forget_client_keys
from netfax.faxes.sweep import mend_waits, take_back_unplaced
from netfax.ocr.work import anything_waits, claim_next
from netfax.org.models import Role
from netfax.org.viewer import Viewer
from netfax.params.service import set_param
from tests.factories import World, make_delivery, make_world

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

GROWS = "submission|delivery|attempt|state_change|reception|mailbox_item|document|attachment|blob|alarm|reading"
# Every row of a table, by itself or by an index whose condition is not that of few rows; or every row of a state.
SCAN = re.compile(
    rf"^SCAN ({GROWS})\b(?! USING (COVERING )?INDEX"
    r" ix_(attempt_open|submission_(ready|turns|drawn_later)|reading_(turn|text)))"
    r"|^SEARCH delivery USING (COVERING )?INDEX \w+ \(state=\?\)$"
)


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


@contextmanager
def plans(engine: Engine) -> Iterator[dict[str, list[str]]]:
    """The steps of SQLite's plan for every statement that runs meanwhile."""
    seen: dict[str, list[str]] = {}

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        if statement not in seen and statement.startswith(("SELECT", "UPDATE", "DELETE")):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            seen[statement] = [row[3] for row in rows]

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def in_unit(work: Callable[[UnitOfWork], object]) -> Callable[[], object]:
    def run() -> object:
        with unit_of_work() as uow:
            return work(uow)

    return run


def in_reading(work: Callable[[UnitOfWork], object]) -> Callable[[], object]:
    def run() -> object:
        with reading() as uow:
            return work(uow)

    return run


ASKED: dict[str, Callable[[], object]] = {
    "the sweep's mending": in_unit(mend_waits),
    "the sweep's calls": in_unit(take_back_unplaced),
    "the sweep's keys": in_unit(forget_client_keys),
    "the sweep's drawings": in_unit(count_ready),
    "the worker's start": in_unit(let_go_drawings),
    "a submission's place": in_unit(lambda uow: enter_queue(uow, Submission(user_id=1), Priority.HIGH, None)),
    "a drawing": convert_next,
    "a page that waits to be read": in_reading(anything_waits),
    "a page to read": in_unit(claim_next),
    "the bridge's calls": in_reading(lambda uow: plan_calls(uow, "gw1")),
    "the bridge's cancelled calls": in_reading(lambda uow: cancelled_attempts(uow, "gw1")),
    "the bridge's open calls": in_reading(lambda uow: reconcile._open_attempts(uow, "gw1")),
    "the bridge's receptions": in_reading(lambda uow: open_receptions(uow, "gw1", timedelta(seconds=5))),
    "the portal's head": in_reading(lambda uow: unread(uow, Viewer(1, 1, Role.USER, "", "en", "UTC", "10"))),
    "who sends again": in_reading(lambda uow: sent_again(uow, [1, 2])),
}


@pytest.mark.parametrize("asked", ASKED)
def test_no_table_that_grows_is_read_whole(database: Engine, world: World, asked: str) -> None:
    for state in (DeliveryState.QUEUED, DeliveryState.SCHEDULED, DeliveryState.CONVERTING):
        make_delivery(world.alice, state=state)
    with unit_of_work() as uow:
        set_param(uow, "ocr", "on", by="test")
    with plans(database) as seen:
        ASKED[asked]()
    assert seen
    assert {statement: plan for statement, plan in seen.items() if any(map(SCAN.match, plan))} == {}
