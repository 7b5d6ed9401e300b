"""Runs an AMI client beside a scripted peer, and keeps what it reports."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from ami_bridge.client import FULLY_BOOTED, AmiClient, AmiEvent, ConnectionState
from tests.fakes.ami_peer import AmiPeer

CALL_ID = "c0ffee00" + "0" * 24


class Bridge:
    """A client that runs, and all that it reports but FullyBooted."""

    def __init__(self, port: int, **options: Any) -> None:
        self.events: list[AmiEvent] = []
        self.states: list[ConnectionState] = []
        self.on_event: Callable[[AmiEvent], Awaitable[None]] | None = None
        given: dict[str, Any] = {
            "username": "bridge",
            "secret": "right",
            "ping_interval": 5.0,
            "action_timeout": 2.0,
            "backoff": (0.05,),
        }
        self.client = AmiClient(
            host="127.0.0.1", port=port, on_event=self._take, on_state=self.states.append, **(given | options)
        )

    async def _take(self, event: AmiEvent) -> None:
        if event.name != FULLY_BOOTED:
            self.events.append(event)
        if self.on_event is not None:
            await self.on_event(event)

    def names(self) -> list[str]:
        return [event.name for event in self.events]

    async def until(self, true: Callable[[], bool], seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110 (asked of everything that the bridge reports)
                await asyncio.sleep(0.005)

    def originate(self, **changes: Any) -> Coroutine[Any, Any, None]:
        call: dict[str, Any] = {
            "channel": "PJSIP/64802994@demo",
            "context": "netfax-out",
            "exten": "send",
            "priority": 1,
            "timeout_ms": 60_000,
            "call_id": CALL_ID,
            "variables": {"NETFAX_ATTEMPT": CALL_ID, "NETFAX_DIGITS": ""},
            "caller_id": None,
        }
        return self.client.originate(**(call | changes))


@asynccontextmanager
async def running(port: int, *, wait: bool = True, **options: Any) -> AsyncIterator[Bridge]:
    """A bridge that runs within the block, connected from the start if `wait`."""
    bridge = Bridge(port, **options)
    run = asyncio.create_task(bridge.client.run())
    try:
        if wait:
            await bridge.client.wait_connected(5)
        yield bridge
    finally:
        async with asyncio.timeout(5):
            await bridge.client.close()
            await run


Scenario = Callable[[AmiPeer, Bridge], Awaitable[None]]


def play(scenario: Scenario, peer: AmiPeer | None = None, **options: Any) -> None:
    """Run a scenario with a peer and a connected bridge."""

    async def main() -> None:
        async with peer or AmiPeer() as listening, running(listening.port, **options) as bridge:
            await scenario(listening, bridge)

    asyncio.run(main())
