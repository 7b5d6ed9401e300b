"""What gunicorn is told beside its options: `--config python:webapp.serving`."""

import socket
import struct
from typing import Any

# A client that has begun a request and sends nothing, or takes nothing, for so long loses it: each holds a thread.
PATIENCE_SECONDS = 30


def when_ready(server: Any) -> None:
    """Connections inherit the patience of the socket that accepts them (Linux)."""
    patience = struct.pack("ll", PATIENCE_SECONDS, 0)
    for listener in server.LISTENERS:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, patience)
