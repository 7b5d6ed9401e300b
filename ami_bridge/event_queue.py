"""The one way of Asterisk's events to the callback that handles them: in order, and bounded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Never

import structlog

from ami_bridge.messages import AmiEvent

OnEvent = Callable[[AmiEvent], Awaitable[None]]


class EventQueue:
    """Events on their way to the callback, in order and never more than the limits."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._queue: asyncio.Queue[tuple[AmiEvent, int]] = asyncio.Queue(max_events)
        self._bytes_left = max_bytes

    def put(self, event: AmiEvent, size: int) -> bool:
        """Queue an event; False when it does not fit."""
        if self._queue.full() or size > self._bytes_left:
            return False
        self._bytes_left -= size
        self._queue.put_nowait((event, size))
        return True

    async def deliver(self, on_event: OnEvent, log: structlog.stdlib.BoundLogger) -> Never:
        """Hand each event to the callback when the one before is done with; an error of the callback is logged."""
        while True:
            event, size = await self._queue.get()
            self._bytes_left += size
            try:
                await on_event(event)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                log.warning("ami.callback_cancelled", ami_event=event.name)
            except Exception:
                log.exception("ami.callback_failed", ami_event=event.name)
