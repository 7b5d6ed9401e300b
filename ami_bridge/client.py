"""The bridge's connection to Asterisk's manager (AMI): kept up for ever, honest about what is unknown.

What panoramisk's `Manager` leaves open is closed here: nothing is sent later or twice, a refused login is no
connection, a peer that falls silent is left, events reach one callback in order and its errors end nothing, and memory
is bounded.
"""

import asyncio
import enum
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Never

import structlog

from ami_bridge.event_queue import EventQueue, OnEvent
from ami_bridge.messages import (
    ActionRefused,
    AmiError,
    AmiEvent,
    ConnectionLost,
    Fields,
    IllegalField,
    LoginRefused,
    NoAnswer,
    NotConnected,
    check_fields,
)
from ami_bridge.protocol import AmiAction, AmiProtocol, Answer
from netfax import telephony

__all__ = [
    "ActionRefused",
    "AmiClient",
    "AmiError",
    "AmiEvent",
    "ConnectionLost",
    "ConnectionState",
    "IllegalField",
    "LoginRefused",
    "NoAnswer",
    "NotConnected",
]

FULLY_BOOTED = "FullyBooted"
BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before each next try to connect; the last one for ever
LOGIN_RETRY = 10.0  # seconds; a wrong secret needs a person
MAX_EVENTS = 20_000
MAX_EVENT_BYTES = 16 << 20  # as they came over the wire


class ConnectionState(enum.Enum):
    DISCONNECTED = "disconnected"
    LOGIN_REFUSED = "login refused"
    CONNECTED = "connected"
    CLOSED = "closed"


class AmiClient:
    """A manager session with one Asterisk.

    `on_event` is awaited for one event at a time, in the order of arrival, also while actions wait; events that answer
    `list_action` go there only. When it is too slow (20,000 events or 16 MiB wait) the connection is ended with a
    warning and made anew: what was missed is for the caller's reconciliation, which every connection needs anyway.
    `on_state` is called, not awaited, at each change of the state. Durations are seconds.
    Connected is when Asterisk says FullyBooted after the login: before that it acknowledges an Originate and then fails
    it, for it knows no extension yet. The manager user needs `read = system` to hear it; a user who only runs commands
    sets `await_boot=False`.
    A peer that answers no Ping is left after `ping_interval + ping_deadline`. Asterisk works on one action after the
    other, so a client that runs slow commands needs a longer `ping_deadline`.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str,
        secret: str,
        on_event: OnEvent,
        on_state: Callable[[ConnectionState], None] | None = None,
        ping_interval: float = 5.0,
        ping_deadline: float = 5.0,
        action_timeout: float = 10.0,
        backoff: Sequence[float] = BACKOFF,
        await_boot: bool = True,
        login_retry: float = LOGIN_RETRY,
        max_events: int = MAX_EVENTS,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        self._login_fields = [("Username", username), ("Secret", secret), ("Events", "on")]
        check_fields(self._login_fields)
        self._address = (host, port)
        self._on_event = on_event
        self._on_state = on_state
        self._ping_interval = ping_interval
        self._ping_deadline = ping_deadline
        self._action_timeout = action_timeout
        self._backoff = tuple(backoff)
        self._login_retry = login_retry
        self._await_boot = await_boot
        self._events = EventQueue(max_events, max_event_bytes)
        self._log = structlog.get_logger(__name__).bind(ami=f"{host}:{port}")
        self._state = ConnectionState.DISCONNECTED
        self._logged_in: AmiProtocol | None = None
        self._protocol: AmiProtocol | None = None  # logged in, and Asterisk has booted
        self._stands = asyncio.Event()
        self._keeper: asyncio.Task[Never] | None = None
        self._ended = asyncio.Event()
        self._closing = False

    # --- The connection ---

    @property
    def connected(self) -> bool:
        """Whether a connection stands on which a booted Asterisk has accepted our login."""
        return self._protocol is not None

    @property
    def state(self) -> ConnectionState:
        return self._state

    async def wait_connected(self, timeout: float) -> None:  # noqa: ASYNC109 (the caller's word for it)
        """Return as soon as the connection stands; NotConnected when it does not within the timeout."""
        try:
            async with asyncio.timeout(timeout):
                await self._stands.wait()
        except TimeoutError:
            raise NotConnected(f"no connection to Asterisk within {timeout} s: {self._state.value}") from None

    async def run(self) -> None:
        """Connect, log in and stay connected, for ever and whatever fails, until `close` (or cancellation).

        Runs once in the life of a client. Events that are not handed over when it ends are dropped.
        """
        if self._keeper is not None:
            raise RuntimeError("this client runs already, or has run")
        self._keeper = asyncio.create_task(self._keep_connected())
        delivery = asyncio.create_task(self._events.deliver(self._on_event, self._log))
        try:
            if not self._closing:
                await asyncio.wait({self._keeper, delivery}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (self._keeper, delivery):
                task.cancel()
            ends = await asyncio.gather(self._keeper, delivery, return_exceptions=True)
            self._set_state(ConnectionState.CLOSED)
            self._ended.set()
        for end in ends:
            if not isinstance(end, asyncio.CancelledError):
                raise end

    async def close(self) -> None:
        """End the connection and every attempt at one; actions that wait fail with ConnectionLost."""
        self._closing = True
        if self._keeper is None:
            return
        self._keeper.cancel()
        await self._ended.wait()

    async def _keep_connected(self) -> Never:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                await self._connect_once()
            except LoginRefused as error:
                self._log.error("ami.login_refused", reason=str(error), retry_in=self._login_retry)
                self._set_state(ConnectionState.LOGIN_REFUSED)
                pause = self._login_retry
            except (OSError, AmiError) as error:
                # Only a connection that stood for a while makes the next try a quick one.
                failures = 0 if loop.time() - began > self._backoff[-1] else failures
                pause = self._backoff[min(failures, len(self._backoff) - 1)]
                failures += 1
                self._log.warning("ami.not_connected", reason=str(error) or "no connection in time", retry_in=pause)
                self._set_state(ConnectionState.DISCONNECTED)
            await asyncio.sleep(pause)

    async def _connect_once(self) -> Never:
        """One connection from first to last; raises what ended it: OSError, LoginRefused or ConnectionLost."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._action_timeout):
            _, protocol = await loop.create_connection(lambda: AmiProtocol(self._received, self._lost), *self._address)
        try:
            await self._login(protocol)
            await self._wait_booted(protocol)
            await self._ping_until_lost(protocol)
        finally:
            protocol.end("closed by us")

    async def _login(self, protocol: AmiProtocol) -> None:
        def accepted() -> None:
            self._logged_in = protocol
            if not self._await_boot:
                self._stand(protocol)

        # FullyBooted may come in one packet with the response.
        action = AmiAction(
            [("Action", "Login"), ("ActionID", _new_action_id()), *self._login_fields], on_accepted=accepted
        )
        try:
            await self._ask(protocol, action, self._action_timeout)
        except ActionRefused as refusal:
            raise LoginRefused(refusal.message) from None

    async def _wait_booted(self, protocol: AmiProtocol) -> None:
        # An event filter may hide the end of a boot, but not the FullyBooted that follows a login: so log in again.
        boot = asyncio.ensure_future(self._stands.wait())
        ends: tuple[asyncio.Future[Any], ...] = (boot, protocol.lost)
        try:
            await asyncio.wait(ends, timeout=self._action_timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            boot.cancel()
        if self._protocol is None and not protocol.closed:
            raise ConnectionLost("Asterisk is still starting, or its manager user lacks `read = system`")

    async def _ping_until_lost(self, protocol: AmiProtocol) -> Never:
        while True:
            done, _ = await asyncio.wait({protocol.lost}, timeout=self._ping_interval)
            if done:
                raise ConnectionLost(protocol.lost.result())
            ping = AmiAction([("Action", "Ping"), ("ActionID", _new_action_id())])
            try:
                await self._ask(protocol, ping, self._ping_deadline)
            except NoAnswer as silence:
                protocol.end(str(silence))
                raise

    def _stand(self, protocol: AmiProtocol) -> None:
        self._protocol = protocol
        self._stands.set()
        self._log.info("ami.connected")
        self._set_state(ConnectionState.CONNECTED)

    def _lost(self, reason: str) -> None:
        self._logged_in = None
        if self._protocol is None:
            return
        self._protocol = None
        self._stands.clear()
        self._log.info("ami.connection_ended", reason=reason)
        self._set_state(ConnectionState.DISCONNECTED)

    def _received(self, protocol: AmiProtocol, event: AmiEvent, size: int) -> None:
        if event.name == FULLY_BOOTED and self._protocol is None and protocol is self._logged_in:
            # Before the event is handed on: the callback may send an action at once.
            self._stand(protocol)
        if not self._events.put(event, size):
            self._log.warning("ami.event_queue_full", ami_event=event.name)
            protocol.end("event queue full: events come faster than they are handled")

    def _set_state(self, state: ConnectionState) -> None:
        if state is self._state:
            return
        self._state = state
        if self._on_state is None:
            return
        try:
            self._on_state(state)
        except Exception:  # noqa: BLE001 (logged; the connection outlives whatever the callback does)
            self._log.exception("ami.state_callback_failed", state=state.value)

    # --- Actions ---

    async def action(
        self,
        name: str,
        fields: Fields = (),
        *,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> AmiEvent:
        """Send an action and return its response.

        Raises IllegalField or NotConnected (nothing was sent), ActionRefused, ConnectionLost or its kind NoAnswer
        (whether it was taken is unknown). An `ActionID` among the fields is kept, otherwise a random one is added.
        """
        return (await self._act(name, fields, None, timeout)).response

    async def list_action(
        self,
        name: str,
        fields: Fields = (),
        *,
        complete: str,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> list[AmiEvent]:
        """Send an action that answers with a list, and return its entries without the event `complete` that ends it.

        Raises as `action` does; some lists are refused when they are empty (PJSIPShowContacts: "No Contacts found").
        """
        return list((await self._act(name, fields, complete, timeout)).entries)

    async def event_action(self, name: str, fields: Fields, *, answer: str) -> AmiEvent:
        """Send an action whose answer is one event after the response, and return that; raises as `action` does."""
        completing = (await self._act(name, fields, answer, None)).completing
        if completing is None:
            raise AssertionError("an action that waits for an event ends with it")
        return completing

    async def originate(
        self,
        *,
        channel: str,
        context: str,
        exten: str,
        priority: int,
        timeout_ms: int,
        call_id: str,
        variables: Mapping[str, str],
        caller_id: str | None,
    ) -> None:
        """Have Asterisk place a call whose ActionID, ChannelId and so Uniqueid is `call_id`.

        Returns when Asterisk has queued it; the OriginateResponse comes as an ordinary event. Raises as `action` does.
        """
        if not call_id or not telephony.AMI_VALUE.issuperset(call_id):
            raise IllegalField("ChannelId")
        fields = [
            ("ActionID", call_id),
            ("ChannelId", call_id),
            ("Channel", channel),
            ("Context", context),
            ("Exten", exten),
            ("Priority", str(priority)),
            ("Timeout", str(timeout_ms)),
            ("Async", "true"),
        ]
        if caller_id is not None:
            fields.append(("CallerID", caller_id))
        fields += [("Variable", f"{name}={value}") for name, value in variables.items()]
        await self.action("Originate", fields)

    async def command(self, line: str, *, timeout: float | None = None) -> str:  # noqa: ASYNC109
        """Run a command of Asterisk's console and return its output; raises as `action` does."""
        response = await self.action("Command", [("Command", line)], timeout=timeout)
        return "\n".join(response.all("Output"))

    async def _act(self, name: str, fields: Fields, complete: str | None, seconds: float | None) -> Answer:
        given = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
        if not any(field.lower() == "actionid" for field, _ in given):
            given.append(("ActionID", _new_action_id()))
        action = AmiAction([("Action", name), *given], complete=complete)
        if self._protocol is None:
            raise NotConnected(f"no connection to Asterisk: {self._state.value}")
        return await self._ask(self._protocol, action, self._action_timeout if seconds is None else seconds)

    async def _ask(self, protocol: AmiProtocol, action: AmiAction, seconds: float) -> Answer:
        protocol.submit(action)
        try:
            async with asyncio.timeout(seconds):
                return await action.future
        except TimeoutError:
            raise NoAnswer(f"no answer to {action.name} within {seconds} s") from None
        finally:
            protocol.forget(action)


def _new_action_id() -> str:
    """Random, so that no text from outside can forge a response."""
    return secrets.token_hex(16)
