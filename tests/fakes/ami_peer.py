"""A manager (AMI) peer by script: it plays Asterisk, well or badly, and remembers every byte that it was sent."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

Action = dict[str, str]
# Gets an action; what it returns is sent back (None: no answer).
Handler = Callable[["AmiPeer", Action], Awaitable[bytes | None] | bytes | None]

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def message(**headers: str) -> bytes:
    """One message; `Cause_txt` is written `Cause-txt`."""
    return b"".join(f"{name.replace('_', '-')}: {value}\r\n".encode() for name, value in headers.items()) + b"\r\n"


def success(action: Action, **headers: str) -> bytes:
    """The response that accepts an action."""
    return message(Response="Success", ActionID=action["ActionID"], **headers)


def refusal(action: Action, reason: str) -> bytes:
    """The response that refuses an action."""
    return message(Response="Error", ActionID=action["ActionID"], Message=reason)


BOOTED = message(Event="FullyBooted", Privilege="system,all", Status="Fully Booted")


class AmiPeer:
    """Listens on a free port of 127.0.0.1 while its `async with` block runs.

    Accepts the secret "right" and answers Ping and Login; `on` scripts the other actions. Every connection's received
    bytes are in `wires`, in the order of the connections; the actions of all of them in `actions`.
    """

    def __init__(self, *, split: int = 0, banner: bytes = BANNER, after_login: bytes = BOOTED) -> None:
        self.split = split  # bytes a packet; 0 for whole messages
        self.banner = banner
        self.after_login = after_login  # sent in one packet with the response to a login
        self.wires: list[bytearray] = []
        self.actions: list[Action] = []
        self.mute = False  # reads, and answers nothing
        self.hearing = asyncio.Event()  # clear it, and nothing is read
        self.hearing.set()
        self.ended = 0  # connections that are over, with all that they sent
        self.port = 0
        self._handlers: dict[str, Handler] = {"Login": _login, "Ping": lambda _, action: success(action, Ping="Pong")}
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()

    def on(self, name: str, handler: Handler) -> None:
        """Script the answer to an action."""
        self._handlers[name] = handler

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.vanish()

    async def listen(self) -> None:
        """Listen, on the port of the last time if there was one."""
        # A small buffer, so that a peer that reads nothing soon stops what is sent to it.
        listening = socket.create_server(("127.0.0.1", self.port))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self._server = await asyncio.start_server(self._serve, sock=listening)
        self.port = self._server.sockets[0].getsockname()[1]

    async def vanish(self) -> None:
        """Listen no longer and reset every connection, as a killed Asterisk does."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()
        # Let the servers of the connections see their end.
        await asyncio.sleep(0)

    @property
    def wire(self) -> bytes:
        """What the newest connection has sent."""
        return bytes(self.wires[-1])

    def named(self, name: str) -> list[Action]:
        """The actions of this name, of all connections."""
        return [action for action in self.actions if action.get("Action") == name]

    async def until(self, true: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until something is true of what was received; TimeoutError when it does not become so."""
        async with asyncio.timeout(seconds):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    async def send(self, data: bytes) -> None:
        """Send bytes on the newest connection, in packets of `split` bytes."""
        await self._write(self._writers[-1], data)

    def half_close(self) -> None:
        """End our direction only."""
        self._writers[-1].write_eof()

    def drop(self) -> None:
        """Close the newest connection in good order."""
        self._writers[-1].close()

    def reset(self) -> None:
        """Reset every connection (RST)."""
        for writer in self._writers:
            raw: socket.socket | None = writer.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        wire = bytearray()
        self.wires.append(wire)
        unread = b""
        try:
            await self._write(writer, self.banner)
            while await self.hearing.wait() and (data := await reader.read(65536)):
                wire += data
                unread += data
                while b"\r\n\r\n" in unread:
                    frame, unread = unread.split(b"\r\n\r\n", 1)
                    await self._take(writer, frame)
                self._changed.set()
        except ConnectionError:
            return
        finally:
            writer.close()
            self.ended += 1
            self._changed.set()

    async def _take(self, writer: asyncio.StreamWriter, frame: bytes) -> None:
        lines = [line.partition(": ") for line in frame.decode().split("\r\n")]
        action = {name: value for name, _, value in lines}
        self.actions.append(action)
        self._changed.set()
        handler = self._handlers.get(action.get("Action", ""))
        if self.mute or handler is None:
            return
        answer = handler(self, action)
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            await self._write(writer, answer)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        size = self.split or len(data) or 1
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
            if self.split:
                await asyncio.sleep(0.0005)  # let each piece arrive alone


def _login(peer: AmiPeer, action: Action) -> bytes:
    if action.get("Secret") != "right":
        return refusal(action, "Authentication failed")
    return success(action, Message="Authentication accepted") + peer.after_login
