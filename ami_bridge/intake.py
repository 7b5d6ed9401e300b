"""The jobs of this gateway's queue: each hands its act to the bridge's loop and ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ami_bridge.bridge import Bridge
from ami_bridge.client import AmiClient, AmiError, ConnectionState
from dialplan.gateway import is_written, write_gateway
from netfax import telephony
from netfax.settings import settings

log = structlog.get_logger()

RELOADS = ("module reload res_pjsip.so", "iax2 reload", "dialplan reload")
APPLY_SECONDS = 20
LOOK_SECONDS = 10

_running: tuple[Bridge, asyncio.AbstractEventLoop] | None = None


def serve(bridge: Bridge, loop: asyncio.AbstractEventLoop) -> None:
    """From now on jobs reach this bridge."""
    global _running
    _running = (bridge, loop)


def place_calls(_gateway: str) -> None:
    """Job PLACE_CALLS: place every call that waits at this gateway."""
    bridge, loop = _bridge()
    loop.call_soon_threadsafe(bridge.calls_wait.set)


def hang_up(_gateway: str, attempt_id: str) -> None:
    """Job HANG_UP: end the call of an attempt; its journal then says what was confirmed."""
    bridge, loop = _bridge()
    _hand_over(bridge.hang_up(attempt_id), loop)


def reload_gateway(_gateway: str) -> None:
    """Job RELOAD_GATEWAY: render the trunks of the database and have Asterisk take them, without hurting calls."""
    bridge, loop = _bridge()
    _hand_over(_reload(bridge), loop)


def _bridge() -> tuple[Bridge, asyncio.AbstractEventLoop]:
    if _running is None:
        raise RuntimeError("the bridge's jobs run in the bridge alone")
    return _running


def _hand_over(act: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
    future = asyncio.run_coroutine_threadsafe(act, loop)
    future.add_done_callback(lambda done: done.exception() and log.error("act.failed", error=repr(done.exception())))


async def keep_trunks_taken(bridge: Bridge) -> None:
    """Have Asterisk take the trunks of the database whenever it has others: the job for it may be lost with Redis."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            if bridge.client.connected and (bridge.untaken or not await asyncio.to_thread(is_written, bridge.settings)):
                await _reload(bridge)
        except (AmiError, SQLAlchemyError, OSError) as error:
            log.warning("gateway.not_taken", error=str(error))


async def _reload(bridge: Bridge) -> None:
    """Reload as the user who may: the bridge's own connection has no class for commands.

    One at a time: Asterisk refuses a second reload while the first goes on, and files are not written over newer ones.
    """
    async with bridge.reloading:
        await _write_and_reload(bridge)


async def _write_and_reload(bridge: Bridge) -> None:
    bridge.untaken = True
    changed = await asyncio.to_thread(write_gateway, bridge.settings)
    log.info("gateway.written", files=changed)

    async def ignore(_event: object) -> None:
        return None

    connected = asyncio.Event()
    client = AmiClient(
        host="127.0.0.1",
        port=bridge.settings.port("gateway_ami"),
        username=telephony.AMI_USER_APPLY,
        secret=settings().secret("ami_apply"),
        on_event=ignore,
        on_state=lambda state: connected.set() if state is ConnectionState.CONNECTED else None,
        # This user reads no events, so FullyBooted does not come; and a reload may take its time.
        await_boot=False,
        ping_deadline=APPLY_SECONDS,
    )
    task = asyncio.create_task(client.run())
    try:
        async with asyncio.timeout(APPLY_SECONDS):
            await connected.wait()
            for command in RELOADS:
                output = await client.command(command)
                log.info("gateway.reload", command=command, output=output[-200:])
            bridge.untaken = False
    finally:
        await client.close()
        await task
