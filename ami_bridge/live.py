"""Live progress: FAXSession polled every 2 s, only for calls that somebody watches."""

import asyncio

import structlog
from sqlalchemy import select

from ami_bridge.bridge import Bridge
from ami_bridge.client import AmiError, AmiEvent
from netfax.db import UnitOfWork
from netfax.faxes.live import Progress, publish, watched
from netfax.faxes.models import Reception
from netfax.faxes.states import ReceptionState

log = structlog.get_logger()

POLL_SECONDS = 2


async def keep_following(bridge: Bridge) -> None:
    """Publish where the watched calls are, every 2 s."""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        wanted = await asyncio.to_thread(watched)
        if wanted and bridge.client.connected:
            try:
                await _follow(bridge, wanted)
            except AmiError as error:
                log.warning("live.failed", error=str(error))


async def _follow(bridge: Bridge, wanted: set[str]) -> None:
    channels = {call.channel: call_id for call_id, call in bridge.calls.items() if call_id in wanted}
    channels |= await bridge.work(lambda uow: _receiving(uow, wanted))
    if not channels:
        return
    for entry in await bridge.client.list_action("FAXSessions", complete="FAXSessionsComplete"):
        call_id = channels.get(entry["Channel"])
        if call_id is not None:
            session = await bridge.client.event_action(
                "FAXSession", {"SessionNumber": entry["SessionNumber"]}, answer="FAXSession"
            )
            await asyncio.to_thread(publish, call_id, progress_of(entry, session))


def progress_of(entry: AmiEvent, session: AmiEvent) -> Progress:
    """The progress of one session; a page counts from 1 while it is on the line."""
    return Progress(
        mode="T38" if "T.38" in (entry.get("SessionType") or entry.get("Technology") or "") else "audio",
        rate=_number(session, "DataRate"),
        page=_number(session, "PageNumber"),
        state=entry.get("State") or "",
    )


def _number(event: AmiEvent, name: str) -> int:
    text = event.get(name) or ""
    return int(text) if text.isdecimal() else 0


def _receiving(uow: UnitOfWork, wanted: set[str]) -> dict[str, str]:
    query = select(Reception.channel, Reception.id).where(
        Reception.state == ReceptionState.RECEIVING, Reception.id.in_(wanted)
    )
    # Not dict(…): a Result has keys(), and dict would take it for a mapping.
    return {channel: reception_id for channel, reception_id in uow.session.execute(query)}  # noqa: C416
