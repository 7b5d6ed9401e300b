"""One connection to Asterisk's Manager Interface (AMI), and the actions that wait on it.

Built on panoramisk 1.4. Of it remain `Action` (serialisation, one future an action) and of `AMIProtocol` the start of a
connection, the register of waiting actions and the sending. Replaced, because each was seen to fail: its reading (see
`ami_bridge.messages`), its idea of a complete answer (an Originate raises KeyError) and its end of a connection
(unanswered actions are sent again). Its `Manager` is not used: `ami_bridge.client` stands in its place.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol

from ami_bridge.messages import (
    ActionRefused,
    AmiError,
    AmiEvent,
    ConnectionLost,
    FrameError,
    FrameReader,
    NotConnected,
    check_fields,
    parse_frame,
)

log = structlog.get_logger(__name__)

# Any other response ("Error", "Failure") refuses the action.
ACCEPTED = frozenset({"Success", "Follows", "Goodbye"})


@dataclass(frozen=True)
class Answer:
    """What Asterisk answered: the response, and for a list the events after it and the one that completes it."""

    response: AmiEvent
    entries: tuple[AmiEvent, ...] = ()
    completing: AmiEvent | None = None


class AmiAction(Action):  # type: ignore[misc]  # panoramisk has no types
    """An action, checked, with the future of its Answer.

    `complete` is the event that ends a list. `on_accepted` is called within the reading of the response, before
    anything that Asterisk sent after it is handed on. Raises IllegalField.
    """

    future: asyncio.Future[Answer]

    def __init__(
        self,
        fields: Sequence[tuple[str, str]],
        *,
        complete: str | None = None,
        on_accepted: Callable[[], None] | None = None,
    ) -> None:
        check_fields(fields)
        merged: dict[str, list[str]] = {}
        for name, value in fields:
            merged.setdefault(name.lower(), []).append(value)
        # panoramisk writes the values of a list as one header each, in their order.
        super().__init__({name: merged[name.lower()] for name, _ in fields})
        self._complete = complete
        self._on_accepted = on_accepted
        self._response: AmiEvent | None = None
        self._entries: list[AmiEvent] = []

    def __repr__(self) -> str:
        # panoramisk logs actions by their repr, and the fields of a Login hold the secret.
        return f"<AmiAction {self.name} {self.id}>"

    @property
    def name(self) -> str:
        return str(self["Action"][0])

    @property
    def id(self) -> str:
        return str(self["ActionID"][0])

    action_id = id

    def respond(self, response: AmiEvent) -> None:
        """Take the response to this action."""
        if self.future.done():
            return
        if response.name not in ACCEPTED:
            self.future.set_exception(ActionRefused("\n".join([response.get("Message"), *response.all("Output")])))
            return
        self._response = response
        if self._on_accepted:
            self._on_accepted()
        if self._complete is None:
            self.future.set_result(Answer(response))

    def collect(self, event: AmiEvent) -> bool:
        """Take an event that carries this action's id; False when it is no part of a list that we asked for."""
        if self._response is None or self.future.done():
            return False
        if event.name == self._complete:
            self.future.set_result(Answer(self._response, tuple(self._entries), event))
        else:
            self._entries.append(event)
        return True

    def fail(self, error: AmiError) -> None:
        """End the wait with an error."""
        if not self.future.done():
            self.future.set_exception(error)


class AmiProtocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """One connection, from its start to its only end.

    `on_event` gets each event that is no part of a list's answer, with its size in bytes, in order. `on_lost` is called
    once with the reason. At the end every waiting action fails with ConnectionLost; nothing is sent again.
    """

    transport: asyncio.Transport
    responses: dict[str, AmiAction]

    def __init__(
        self, on_event: Callable[["AmiProtocol", AmiEvent, int], None], on_lost: Callable[[str], None]
    ) -> None:
        self._on_event = on_event
        self._on_lost = on_lost
        self._reader = FrameReader()
        self.closed = False
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.encoding = "utf-8"

    def submit(self, action: AmiAction) -> None:
        """Write an action and wait for its messages, until `forget`.

        Raises NotConnected, and ActionRefused when an action with this id waits already: both would be answered as one.
        """
        if self.closed:
            raise NotConnected("no connection to Asterisk")
        if action.id in self.responses:
            raise ActionRefused("an action with this ActionID is still waiting")
        self.send(action)

    def forget(self, action: AmiAction) -> None:
        """Wait for an action no longer; events that come for it later are ordinary events."""
        if self.responses.get(action.id) is action:
            del self.responses[action.id]

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._route(frame)
                if self.closed:
                    return
        except FrameError as error:
            self.end(str(error))

    def _route(self, frame: bytes) -> None:
        headers = parse_frame(frame)
        kind = headers[0][0] if headers else ""
        if kind not in ("Event", "Response"):
            if frame:
                # The rest of a message that an empty line in a value has cut: the message before may be forged.
                log.warning("ami.fragment_dropped", size=len(frame), first_header=kind)
            return
        message = AmiEvent.received(headers)
        # Asterisk writes the ActionID before any value from outside, so a forged one is never the first.
        action_id = next(iter(message.all("ActionID")), None)
        action = None if action_id is None else self.responses.get(action_id)
        if kind == "Event":
            if action is None or not action.collect(message):
                self._on_event(self, message, len(frame))
        elif action is not None:
            action.respond(message)
        else:
            log.warning("ami.late_response_dropped", response=message.name)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(f"connection lost: {exc}" if exc else "closed by Asterisk")

    def close(self) -> None:
        self.end("closed")

    def end(self, reason: str) -> None:
        """End the connection now, whatever is unsent or unanswered; the first reason counts."""
        if self.closed:
            return
        self.closed = True
        self.transport.abort()
        self._on_lost(reason)
        self.lost.set_result(reason)
        waiting, self.responses = self.responses, {}
        for action in waiting.values():
            action.fail(ConnectionLost(reason))
