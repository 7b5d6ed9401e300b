"""What the bridge's parts share: the connection, the database behind a thread, and what is known of live calls."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from ami_bridge.client import ActionRefused, AmiClient
from netfax.db import UnitOfWork, unit_of_work
from netfax.lease import bridge_lease, hold_lease, holder_name
from netfax.settings import Settings

log = structlog.get_logger()

T = TypeVar("T")

ACTOR = "bridge"


@dataclass
class LiveCall:
    """A channel of ours that Asterisk has now."""

    channel: str
    answered: bool = False


@dataclass
class Bridge:
    """One Asterisk's bridge. Database work runs in one thread, so that it keeps the order of events."""

    settings: Settings
    client: AmiClient
    database: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
    )
    # By attempt id; a hint that reconciliation corrects.
    calls: dict[str, LiveCall] = field(default_factory=dict)
    # Attempts that this process is placing at this moment.
    placing: set[str] = field(default_factory=set)
    # Open attempts whose channel is gone, and since when that is known (monotonic seconds).
    gone_since: dict[str, float] = field(default_factory=dict)
    # Attempts of which a channel was seen: whatever is on disk, they were dialled.
    seen: set[str] = field(default_factory=set)
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

    def begin(self, step: Coroutine[object, object, None]) -> None:
        """Let a step go on beside the events."""
        task = asyncio.get_running_loop().create_task(step)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def hang_up(self, call_id: str) -> None:
        """End a call; nothing when Asterisk has it no more. Its journal then says what was confirmed."""
        call = self.calls.get(call_id)
        if call is None:
            return
        try:
            await self.client.action("Hangup", {"Channel": call.channel, "Cause": "16"})
        except ActionRefused as refusal:
            log.info("hang_up.refused", call=call_id, error=refusal.message)
