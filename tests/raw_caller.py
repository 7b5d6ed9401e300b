"""A SIP caller who writes his headers himself, for what no honest telephone would send."""

import socket

from dialplan import network
from netfax.settings import Settings


class RawCaller:
    """Calls from the address of the demo trunk `pstn`, or another."""

    def __init__(self, settings: Settings, address: str = network.T38_ADDRESS) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.settimeout(15)
        self._gateway = (settings.line_address, settings.port("gateway_sip"))

    def __enter__(self) -> "RawCaller":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def request(self, method: str, user: str, caller: str, call: str) -> None:
        me = ":".join(map(str, self._socket.getsockname()))
        address = self._address
        sdp = f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
        body = sdp if method == "INVITE" else ""
        lines = [
            f"{method} sip:{user}@{self._gateway[0]}:{self._gateway[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {me};branch=z9hG4bK{call}",
            f'From: "a%0d%0aagi_x: 1" <sip:{caller}@{me}>;tag={call}',
            f"To: <sip:{user}@{self._gateway[0]}>",
            f"Call-ID: {call}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:x@{me}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._socket.sendto("\r\n".join([*lines, "", body]).encode(), self._gateway)

    def final(self) -> int:
        """The status of the first final response to the INVITE."""
        while True:
            text = self._socket.recv(65535).decode()
            status = int(text.split(" ")[1])
            if status >= 200 and "CSeq: 1 INVITE" in text:
                return status
