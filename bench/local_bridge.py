"""The bridge, but for its lines: `python -m bench.local_bridge` calls a place in the gateway's own dialplan."""

import asyncio

from ami_bridge import intake
from ami_bridge import main as bridge
from ami_bridge.bridge import Bridge
from netfax.faxes import dial
from netfax.lines.models import Trunk
from netfax.log import set_up_log

FAR_CONTEXT = "bench-far"


def _channel(trunk: Trunk, number: str) -> str:
    return f"Local/{number}@{FAR_CONTEXT}/n" if trunk.name else ""


async def _leave_trunks(_bridge: Bridge) -> None:
    """The gateway's dialplan is one without faxes, and stays so."""
    await asyncio.Event().wait()


if __name__ == "__main__":
    dial._channel = _channel
    intake.keep_trunks_taken = _leave_trunks
    set_up_log("bridge")
    asyncio.run(bridge.run())
