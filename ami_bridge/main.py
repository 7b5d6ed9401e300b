"""The AMI bridge of a gateway: `python -m ami_bridge.main`."""

import asyncio
import signal

import netfax.models  # noqa: F401 - relationships between rooms need every model
from ami_bridge import intake
from ami_bridge.bridge import Bridge
from ami_bridge.client import AmiClient, AmiEvent, ConnectionState
from ami_bridge.events import handle_event
from ami_bridge.live import keep_following
from ami_bridge.originate import keep_placing
from ami_bridge.reconcile import keep_reconciling
from ami_bridge.worker import start_worker
from netfax import telephony
from netfax.log import set_up_log
from netfax.monitor.beating import keep_beating
from netfax.settings import settings


async def run() -> None:
    """Serve until SIGTERM; a part that fails ends the process, and the supervisor starts it anew."""
    bridge = _make_bridge()
    stop_beating = keep_beating("bridge", lambda: _health(bridge))
    intake.serve(bridge, asyncio.get_running_loop())
    start_worker()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    parts = [
        asyncio.create_task(part)
        for part in (
            bridge.client.run(),
            keep_placing(bridge),
            keep_reconciling(bridge),
            keep_following(bridge),
            intake.keep_trunks_taken(bridge),
            stopped.wait(),
        )
    ]
    done, pending = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
    stop_beating.set()
    # First all that might take the lease back; the connection is there to its end.
    working = [part for part in pending if part is not parts[0]]
    for part in working:
        part.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    await bridge.end()
    await bridge.client.close()
    parts[0].cancel()
    await asyncio.gather(parts[0], return_exceptions=True)
    for part in done:
        part.result()


def _make_bridge() -> Bridge:
    async def on_event(event: AmiEvent) -> None:
        handle_event(bridge, event)

    def on_state(state: ConnectionState) -> None:
        if state is not ConnectionState.CONNECTED:
            # The next connection may be to another start of Asterisk.
            bridge.boot = ""

    bridge = Bridge(
        settings=settings(),
        client=AmiClient(
            host="127.0.0.1",
            port=settings().port("gateway_ami"),
            username=telephony.AMI_USER_BRIDGE,
            secret=settings().secret("ami_bridge"),
            on_event=on_event,
            on_state=on_state,
        ),
    )
    return bridge


def _health(bridge: Bridge) -> tuple[bool, str]:
    return bridge.client.connected, bridge.client.state.value


if __name__ == "__main__":
    set_up_log("bridge")
    asyncio.run(run())
