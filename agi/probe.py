"""Ask the AGI service whether it works, the way Asterisk would: one `ping` conversation."""

import re
import socket
import time

from netfax.telephony import AGI_PING, PONG

MAX_COMMANDS = 10
MAX_COMMAND_BYTES = 2_048

ENVIRONMENT = (
    "agi_network: yes",
    f"agi_network_script: {AGI_PING}",
    "agi_channel: Probe/ping",
    "agi_uniqueid: probe",
    "agi_callerid: unknown",
    "agi_dnid: unknown",
    "agi_threadid: 0",
    "",
    "",
)

_ECHO = re.compile(rb'GET FULL VARIABLE "([0-9a-f]+)"')
_PONG = re.compile(rb'SET VARIABLE "%s" "1"' % PONG.encode())


def answers(port: int, timeout: float = 1.5) -> bool:
    """Whether the service on 127.0.0.1:`port` holds a whole `ping` conversation within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
            connection.sendall("\n".join(ENVIRONMENT).encode())
            return _converse(connection, deadline)
    except OSError:  # refused, reset, or out of time: no
        return False


def _converse(connection: socket.socket, deadline: float) -> bool:
    """Answer commands until the service closes; true when PONG was set by then."""
    ponged = False
    for _ in range(MAX_COMMANDS):
        command = _read_command(connection, deadline)
        if not command:
            return ponged
        echo = _ECHO.fullmatch(command)
        ponged = ponged or _PONG.fullmatch(command) is not None
        connection.sendall(b"200 result=1 (%s)\n" % echo[1] if echo else b"200 result=1\n")
    return False


def _read_command(connection: socket.socket, deadline: float) -> bytes:
    """The next command without its line feed; empty at the end of input. The service waits for each answer."""
    received = b""
    while not received.endswith(b"\n") and len(received) < MAX_COMMAND_BYTES:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        connection.settimeout(remaining)
        chunk = connection.recv(MAX_COMMAND_BYTES)
        if not chunk:
            return b""
        received += chunk
    return received.removesuffix(b"\n")
