"""What the bridge's parts share: the connection, the database behind a thread, and what is known of live calls."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ami_bridge.client import ActionRefused, AmiClient
from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.lease import bridge_lease, hold_lease, holder_name, let_go
from netfax.settings import Settings
from netfax.together import Together, Within

log = structlog.get_logger()

T = TypeVar("T")

ACTOR = "bridge"
# What a call that is being placed needs, and less than the supervisor waits.
END_SECONDS = 2.0

StepForCalls = Callable[[UnitOfWork, "Bridge", Sequence[str]], Mapping[str, T]]


@dataclass
class LiveCall:
    """A channel of ours that Asterisk has now."""

    channel: str
    answered: bool = False


@dataclass
class Bridge:
    """One Asterisk's bridge. Its database work runs in threads; no step of it needs another to have gone before."""

    settings: Settings
    client: AmiClient
    database: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
    )
    # By attempt id; a hint that reconciliation corrects.
    calls: dict[str, LiveCall] = field(default_factory=dict)
    # By step.
    groups: dict[object, Together[None, Any]] = field(default_factory=dict)
    # Calls may wait to be placed.
    calls_wait: asyncio.Event = field(default_factory=asyncio.Event)
    # Attempts that this process is placing at this moment.
    placing: set[str] = field(default_factory=set)
    # Open attempts whose channel is gone, and since when that is known (monotonic seconds).
    gone_since: dict[str, float] = field(default_factory=dict)
    # Attempts that were dialled, whatever is on disk: a channel of theirs was seen, or the disk was full.
    seen: set[str] = field(default_factory=set)
    # Of each live inbound call how large its file was and when written, and since when it has been so (monotonic).
    grown: dict[str, tuple[tuple[int, int], float]] = field(default_factory=dict)
    # Asterisk may not have taken the configuration that lies on disk.
    untaken: bool = False
    reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    # What goes on beside the events, kept so that it is not collected.
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    # Which start of Asterisk this is; empty until it was asked.
    boot: str = ""
    # One bridge of a gateway places calls and settles them: its lease is held in the transaction that does so.
    holder: str = field(default_factory=holder_name)

    @property
    def lease(self) -> str:
        return bridge_lease(self.settings.gateway)

    def holds_lease(self, uow: UnitOfWork) -> bool:
        """Whether this bridge is the gateway's, from now till the transaction's end."""
        return hold_lease(uow, self.lease, self.holder) is not None

    async def work(self, step: Callable[[UnitOfWork], T]) -> T:
        """Run a step in one unit of work, off the event loop."""

        def in_one_unit() -> T:
            with unit_of_work() as uow:
                return step(uow)

        return await asyncio.get_running_loop().run_in_executor(self.database, in_one_unit)

    async def look(self, step: Callable[[UnitOfWork], T]) -> T:
        """Run a step that only reads, off the event loop."""

        def in_one_reading() -> T:
            with reading() as uow:
                return step(uow)

        return await asyncio.get_running_loop().run_in_executor(self.database, in_one_reading)

    async def for_call(self, step: StepForCalls[T], call_id: str, within: Within = unit_of_work) -> T | None:
        """What a step, a module's function, tells of a call; one unit of work is for all that wait for this step."""
        if step not in self.groups:
            self.groups[step] = Together(step.__name__, lambda uow, asked: step(uow, self, list(asked)), within)
        return await asyncio.wrap_future(self.groups[step].ask(call_id, None))

    def begin(self, step: Coroutine[object, object, None], call_id: str) -> asyncio.Task[None]:
        """Let a step for a call go on beside the events.

        Should it fail, `reconcile` and the next look at what waits do what it did not.
        """
        task = asyncio.get_running_loop().create_task(step, name=call_id)
        self.tasks.add(task)
        task.add_done_callback(self._has_ended)
        return task

    def _has_ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, SQLAlchemyError):
            log.warning("step.failed", attempt=task.get_name(), error=str(error))
        else:
            log.error("step.failed", attempt=task.get_name(), exc_info=error)

    async def end(self) -> None:
        """Let what has begun end, calls that are claimed above all, and the next bridge have the gateway."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=END_SECONDS)
        left = list(self.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for group in self.groups.values():
            await asyncio.to_thread(group.close)
        await self.work(lambda uow: let_go(uow, self.lease, self.holder))

    async def hang_up(self, call_id: str) -> None:
        """End a call; nothing when Asterisk has it no more. Its journal then says what was confirmed."""
        call = self.calls.get(call_id)
        if call is not None:
            await self.hang_up_channel(call.channel)

    async def hang_up_channel(self, channel: str) -> None:
        """End the call of a channel; nothing when Asterisk has it no more."""
        try:
            await self.client.action("Hangup", {"Channel": channel, "Cause": "16"})
        except ActionRefused as refusal:
            log.info("hang_up.refused", channel=channel, error=refusal.message)
