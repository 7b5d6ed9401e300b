"""What goes over Asterisk's Manager Interface (AMI): messages to read, fields that may be sent, and what can fail.

Bytes are cut into messages first and decoded after, so nothing that a caller or a fax machine puts into a value can end
the reading; panoramisk's own reading loses UTF-8 split between reads, drops headers and answers '' to a typo.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from netfax import telephony

Headers = tuple[tuple[str, str], ...]
Fields = Mapping[str, str] | Sequence[tuple[str, str]]

BANNER = b"Asterisk Call Manager/"
MAX_BANNER = 256  # bytes
MAX_FRAME = 1 << 20  # bytes of one message from Asterisk
# Asterisk reads a line into 1,024 bytes and takes what is left over for the next line; a message has at most 128 lines.
MAX_LINE = 1000  # bytes
MAX_LINES = 120

_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ILLEGAL = re.compile(r"[\r\n\0]")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Asterisk's own headers look like `Cause-txt: …`, `ChanVariable(SIP/1): …`; any other line continues the value before.
_RECEIVED = re.compile(r"([A-Za-z0-9_.()/~-]+): ?(.*)", re.DOTALL)


class AmiError(Exception):
    """The base of everything that can go wrong between us and Asterisk's manager."""


class NotConnected(AmiError):
    """There is no connection: nothing was sent, and nothing is kept to be sent later."""


class ConnectionLost(AmiError):
    """The connection went while an action waited: whether Asterisk took the action is unknown."""


class NoAnswer(ConnectionLost):
    """The connection stands but the answer did not come in time: whether Asterisk took the action is unknown."""


class ActionRefused(AmiError):
    """Asterisk refused the action, and did nothing; `message` is its reason."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class LoginRefused(AmiError):
    """Asterisk does not take our user name and secret."""


class IllegalField(AmiError):
    """A field that must not be sent, and was not; the text names the field and never its value."""

    def __init__(self, field: str, reason: str = "illegal character in AMI field") -> None:
        super().__init__(f"{reason}: {ascii(field)[:60]}")


@dataclass(frozen=True)
class AmiEvent:
    """One message of Asterisk: an event, or the response to an action (`name` is then "Success", "Error", …).

    `fields` has the headers by name, the last of a name winning, in the order of their arrival; names are exact. A
    value that holds a CR LF can add headers, so read what decides something with `one` or `all`.
    """

    name: str
    fields: Mapping[str, str]
    headers: Headers = ()

    @classmethod
    def received(cls, headers: Headers) -> "AmiEvent":
        """A message of these headers, of which the first (`Event` or `Response`) names it."""
        return cls(headers[0][1], MappingProxyType(dict(headers)), headers)

    def __post_init__(self) -> None:
        if not self.headers:
            object.__setattr__(self, "headers", tuple(self.fields.items()))

    def __getitem__(self, name: str) -> str:
        """The last value of a header; KeyError when the message has none of this name."""
        return self.fields[name]

    def get(self, name: str, default: str = "") -> str:
        """The last value of a header, or the default."""
        return self.fields.get(name, default)

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str | None:
        """The value of a header that occurs exactly once; None when it is absent, or repeated and so perhaps forged."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None


class FrameError(Exception):
    """The peer does not speak AMI, or sends a message without end."""


class FrameReader:
    """Cuts the bytes of a connection into messages: after the banner's line, each up to an empty line (CR LF CR LF)."""

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._max_frame = max_frame
        self._buffer = bytearray()
        self._searched = 0
        self._greeted = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that these bytes complete, without the empty line.

        Raises FrameError when the peer does not greet as Asterisk does, or when a message exceeds the limit.
        """
        self._buffer += data
        if not self._greeted and not self._take_banner():
            return
        while (end := self._buffer.find(b"\r\n\r\n", self._searched)) >= 0:
            if end > self._max_frame:
                break
            frame = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            self._searched = 0
            yield frame
        # The empty line itself may arrive in pieces.
        self._searched = max(0, len(self._buffer) - 3)
        if len(self._buffer) > self._max_frame + 4:
            raise FrameError(f"a message longer than {self._max_frame} bytes")

    def _take_banner(self) -> bool:
        end = self._buffer.find(b"\r\n")
        begins = self._buffer[: len(BANNER)]
        if not BANNER.startswith(begins) or max(end, 0) > MAX_BANNER or (end < 0 and len(self._buffer) > MAX_BANNER):
            raise FrameError("the peer is not an Asterisk manager")
        if end < 0:
            return False
        del self._buffer[: end + 2]
        self._greeted = True
        return True


def parse_frame(frame: bytes) -> Headers:
    """The headers of one message, in order.

    Decoded after it was cut out of the stream, wrong UTF-8 as U+FFFD. Only CR LF ends a line; a line that is no header
    is a part of the value before it, joined by a newline; what comes before the first header is dropped.
    """
    headers: list[tuple[str, str]] = []
    for line in frame.decode("utf-8", "replace").split("\r\n"):
        match = _RECEIVED.fullmatch(line)
        if match:
            headers.append((match[1], match[2]))
        elif headers:
            name, value = headers[-1]
            headers[-1] = (name, f"{value}\n{line}")
    return tuple(headers)


def check_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Raise IllegalField unless every field reaches Asterisk as the one header that it is meant to be."""
    if len(fields) > MAX_LINES:
        raise IllegalField(fields[MAX_LINES][0], "too many AMI fields")
    names = [name.lower() for name, _ in fields]
    reads = ("action", "getvar") in [(name.lower(), value.lower()) for name, value in fields]
    for unique in ("action", "actionid"):
        if names.count(unique) > 1:
            raise IllegalField(unique, "repeated AMI field")
    for name, value in fields:
        if not _FIELD_NAME.fullmatch(name) or _ILLEGAL.search(value):
            raise IllegalField(name)
        if name.lower() == "actionid" and not value.strip():
            raise IllegalField(name, "empty AMI field")
        if name.lower() == "variable" and not reads:
            _check_variable(value)
        try:
            line = f"{name}: {value}".encode()
        except UnicodeEncodeError:
            raise IllegalField(name) from None
        if len(line) > MAX_LINE:
            raise IllegalField(name, f"AMI field longer than {MAX_LINE} bytes")


def _check_variable(assignment: str) -> None:
    # A comma would set a second variable, and a name like FILE(…) would write a file.
    name, _, value = assignment.partition("=")
    if not _VARIABLE_NAME.fullmatch(name) or not telephony.AMI_VALUE.issuperset(value):
        raise IllegalField("Variable")
