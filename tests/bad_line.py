"""A telephone line so narrow that no modem can train on it, between the gateway and the simulated network.

It is a SIP trunk of the gateway that hands every call on to the network's G.711 face, and lets through of what the
gateway sends only the band in which V.21 says what will come (T.30's commands): DIS and DCS arrive, training does not.
"""

import re
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy

ADDRESS = "127.0.0.6"
RTP_HEADER = 12
SAMPLES = 8000  # a second
# V.21's second channel: 1650 and 1850 Hz, 300 bit/s.
BAND = (1500, 2000)
TAPS = 127

Address = tuple[str, int]


@contextmanager
def bad_line(network: Address, *, calls: int) -> Iterator[Address]:
    """Run the line to a SIP peer that speaks A-law; the address that a trunk of the gateway calls.

    Only its first `calls` calls meet the narrow band; the line is good for later ones.
    """
    with ExitStack() as stack:
        line = _Line(network, calls, stack)
        stop = threading.Event()
        thread = threading.Thread(target=line.run, args=(stop,), name="bad line")
        thread.start()
        try:
            yield line.gateway_side.getsockname()
        finally:
            stop.set()
            thread.join()


def _bound(stack: ExitStack) -> socket.socket:
    made = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    made.bind((ADDRESS, 0))
    return made


@dataclass
class _Media:
    """The two sockets of a call's audio and who is at their ends."""

    gateway_side: socket.socket
    network_side: socket.socket
    filter: "_Filter | None"
    gateway: Address | None = None
    network: Address | None = None


class _Line:
    def __init__(self, network: Address, bad_calls: int, stack: ExitStack) -> None:
        self.network, self._bad_calls, self._stack = network, bad_calls, stack
        self.gateway_side, self.network_side = _bound(stack), _bound(stack)
        self.gateway: Address | None = None
        self._calls: dict[bytes, _Media] = {}
        self._selector = stack.enter_context(selectors.DefaultSelector())
        self._selector.register(self.gateway_side, selectors.EVENT_READ, self._from_gateway)
        self._selector.register(self.network_side, selectors.EVENT_READ, self._from_network)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            for key, _ in self._selector.select(0.1):
                key.data()

    # --- SIP: each side sees the line in the other's place ---

    def _from_gateway(self) -> None:
        message, self.gateway = self.gateway_side.recvfrom(65535)
        self._pass_on(message, self.network_side, self.network, mine=self.gateway_side, theirs=self.gateway)

    def _from_network(self) -> None:
        message, _ = self.network_side.recvfrom(65535)
        if self.gateway is not None:
            self._pass_on(message, self.gateway_side, self.gateway, mine=self.network_side, theirs=self.network)

    def _pass_on(
        self, message: bytes, side: socket.socket, peer: Address, *, mine: socket.socket, theirs: Address
    ) -> None:
        head, _, body = message.partition(b"\r\n\r\n")
        names = {_text(mine.getsockname()): _text(peer), _text(theirs): _text(side.getsockname())}
        head = re.sub(b"|".join(map(re.escape, names)), lambda found: names[found[0]], head)
        if b"m=audio" in body:
            call = re.search(rb"(?im)^call-id:\s*(\S+)", head)
            assert call
            body = self._with_our_audio(call[1], body, from_gateway=mine is self.gateway_side)
        head = re.sub(rb"(?im)^(content-length:)[^\r\n]*", rb"\1 %d" % len(body), head)
        side.sendto(head + b"\r\n\r\n" + body, peer)

    def _with_our_audio(self, call: bytes, sdp: bytes, *, from_gateway: bool) -> bytes:
        if call not in self._calls:
            narrow = _Filter() if len(self._calls) < self._bad_calls else None
            self._calls[call] = media = _Media(_bound(self._stack), _bound(self._stack), narrow)
            self._selector.register(media.gateway_side, selectors.EVENT_READ, lambda: self._audio_out(media))
            self._selector.register(media.network_side, selectors.EVENT_READ, lambda: self._audio_in(media))
        media = self._calls[call]
        host, port = re.search(rb"c=IN IP4 (\S+)", sdp), re.search(rb"m=audio (\d+)", sdp)
        assert host and port
        sender = (host[1].decode(), int(port[1]))
        if from_gateway:
            media.gateway, ours = sender, media.network_side
        else:
            media.network, ours = sender, media.gateway_side
        sdp = sdp.replace(b"c=IN IP4 " + host[1], b"c=IN IP4 " + ADDRESS.encode())
        return sdp.replace(b"m=audio " + port[1], b"m=audio %d" % ours.getsockname()[1])

    # --- Audio ---

    def _audio_out(self, media: _Media) -> None:
        packet = media.gateway_side.recv(65535)
        if media.filter is not None:
            packet = packet[:RTP_HEADER] + media.filter.narrowed(packet[RTP_HEADER:])
        if media.network is not None:
            media.network_side.sendto(packet, media.network)

    def _audio_in(self, media: _Media) -> None:
        packet = media.network_side.recv(65535)
        if media.gateway is not None:
            media.gateway_side.sendto(packet, media.gateway)


def _text(address: Address) -> bytes:
    return f"{address[0]}:{address[1]}".encode()


class _Filter:
    """A band-pass of A-law audio, packet after packet."""

    def __init__(self) -> None:
        self._before = numpy.zeros(TAPS - 1)

    def narrowed(self, alaw: bytes) -> bytes:
        """As many samples, with what lies outside of `BAND` taken away."""
        samples = numpy.concatenate([self._before, _LINEAR[numpy.frombuffer(alaw, numpy.uint8)]])
        self._before = samples[-(TAPS - 1) :]
        passed = numpy.convolve(samples, _KERNEL, "valid")
        return _CODES[numpy.searchsorted(_BETWEEN, passed)].tobytes()


def _linear(code: int) -> float:
    """G.711: the sample (13 bits and a sign) of an A-law octet."""
    code ^= 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    value = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return float(value if code & 0x80 else -value)


def _kernel() -> numpy.typing.NDArray[numpy.float64]:
    """A windowed sinc of the band."""
    times = numpy.arange(TAPS) - (TAPS - 1) / 2
    low, high = (2 * edge / SAMPLES for edge in BAND)
    return (high * numpy.sinc(high * times) - low * numpy.sinc(low * times)) * numpy.hamming(TAPS)


_LINEAR = numpy.array([_linear(code) for code in range(256)])
_KERNEL = _kernel()
_CODES = numpy.argsort(_LINEAR).astype(numpy.uint8)
_BETWEEN = (_LINEAR[_CODES][1:] + _LINEAR[_CODES][:-1]) / 2
