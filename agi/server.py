"""The FastAGI server: one thread a conversation, on loopback, that no peer and no handler can bring down."""

import errno
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from agi.session import AgiProtocolError, AgiSession, AgiTimeout, CallerGone, shown
from netfax.telephony import AGI_PING, PONG

Handler = Callable[[AgiSession], None]

BACKLOG = 512
# How long a connection above the limit waits for another to end. Once one waited in vain, the next are closed at once:
# a call that is turned away goes on with its dialplan, a call that waits is mute.
GRACE_SECONDS = 0.5
# How long `serve_forever` lets the running conversations end after `close`.
DRAIN_SECONDS = 5.0
# Pause after an error of `accept` such as too many open files.
ACCEPT_PAUSE_SECONDS = 0.1

log = structlog.get_logger("agi")


class AgiServer:
    """Answers agi://host:port/<script> with the handler of that name, and `ping` by itself.

    Whoever asks for more than `ping` gives `secret` as his last argument, for any program of the machine reaches the
    port; handlers see the arguments before it. Empty, nobody is asked for one.

    Whatever goes wrong in a conversation ends it alone and is logged once: the connection is closed, and Asterisk goes
    on with its dialplan. `conversation_timeout` is how many seconds in all a peer may keep its conversation waiting.

    Raises ValueError for an address that is not loopback, OSError when the port is taken.
    """

    def __init__(
        self,
        address: tuple[str, int],
        handlers: Mapping[str, Handler],
        *,
        secret: str = "",
        conversation_timeout: float = 10.0,
        max_conversations: int = 200,
    ) -> None:
        self._handlers: dict[str, Handler] = {**handlers, AGI_PING: pong}
        self._secret = secret
        self._patience = conversation_timeout
        self._slots = threading.BoundedSemaphore(max_conversations)
        self._grace = GRACE_SECONDS
        self._running: dict[threading.Thread, socket.socket] = {}
        self._running_lock = threading.Lock()
        self._closing = False
        self._listener = listen(address)
        self.port: int = self._listener.getsockname()[1]

    def serve_forever(self) -> None:
        """Serve until `close`; returns when the running conversations have ended, 5 seconds later at most."""
        while not self._closing:
            connection = self._accept()
            if connection is not None:
                self._begin(connection)
        self._drain()

    def close(self) -> None:
        """Take no more connections and let `serve_forever` return; may be called in a signal handler, and twice."""
        if self._closing:
            return
        self._closing = True
        # On Linux the shutdown of a listening socket wakes the thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> socket.socket | None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            if not self._closing:
                log.error("agi_accept_failed", error=str(error))
                time.sleep(ACCEPT_PAUSE_SECONDS)
            return None
        return connection

    def _begin(self, connection: socket.socket) -> None:
        """Give the connection a thread of its own, or turn it away."""
        if not self._claim_slot():
            log.warning("agi_turned_away", reason="too many conversations at once")
            connection.close()
            return
        thread = threading.Thread(target=self._run, args=(connection,), name="agi", daemon=True)
        with self._running_lock:
            self._running[thread] = connection
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more threads
            log.error("agi_turned_away", reason=str(error))
            self._end(thread, connection)

    def _claim_slot(self) -> bool:
        claimed = self._slots.acquire(timeout=self._grace)
        self._grace = GRACE_SECONDS if claimed else 0
        return claimed

    def _run(self, connection: socket.socket) -> None:
        try:
            self._converse(connection)
        finally:
            self._end(threading.current_thread(), connection)

    def _end(self, thread: threading.Thread, connection: socket.socket) -> None:
        with self._running_lock:
            del self._running[thread]
            connection.close()
        self._slots.release()

    def _converse(self, connection: socket.socket) -> None:
        """Hold one conversation; every way that it can end badly is logged here, once."""
        logger = log.bind()
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = AgiSession(connection, self._patience)
            logger = log.bind(script=session.script, channel=shown(session.channel))
            handler = self._handlers.get(session.script)
            if handler is None:
                logger.warning("agi_unknown_script")
            elif self._secret and session.script != AGI_PING and not session.take_secret(self._secret):
                logger.warning("agi_stranger")
            else:
                handler(session)
        except CallerGone as error:
            logger.info("agi_caller_gone", reason=str(error))
        except (AgiTimeout, AgiProtocolError) as error:
            logger.warning("agi_conversation_failed", error=type(error).__name__, reason=str(error))
        except Exception as error:
            logger.exception("agi_handler_failed", error=type(error).__name__)

    def _drain(self) -> None:
        """Wait for the running conversations; those that take too long lose their connection."""
        deadline = time.monotonic() + DRAIN_SECONDS
        with self._running_lock:
            running = list(self._running)
        for thread in running:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._running_lock:
            for connection in self._running.values():
                with suppress(OSError):  # the peer may have gone first
                    connection.shutdown(socket.SHUT_RDWR)


def pong(session: AgiSession) -> None:
    """The `ping` script: a round trip that shows the caller that the service works."""
    session.set_variable(PONG, "1")


def listen(address: tuple[str, int]) -> socket.socket:
    """A listening socket on a loopback address (IPv4); nothing else may reach AGI."""
    host, port = address
    if not ipaddress.IPv4Address(host).is_loopback:
        raise ValueError(f"The AGI service listens on 127.0.0.1 only, not on {host}. AGI 服务只能监听本机地址。")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise OSError(
            errno.EADDRINUSE,
            f"Port {port} (AGI) is in use: stop the program that holds it, or set NETFAX_PORT_BASE. "
            f"端口 {port}(AGI)已被占用:请停止占用它的程序,或设置 NETFAX_PORT_BASE。",
        ) from error
    return listener
