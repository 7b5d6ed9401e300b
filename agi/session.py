"""One FastAGI conversation: pyst2's `AGI` on a socket, made safe against the caller and against the peer.

What a caller can reach is hostile: caller ids, called numbers and arguments arrive from Asterisk as raw bytes, and a
line break in one of them writes lines of its own into the conversation. What pyst2 leaves open is closed here: it
quotes nothing, has no deadline, takes the end of input for an answer, prints the environment and installs a signal
handler.
"""

import re
import secrets
import socket
import time
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from asterisk.agi import AGI

# Limits of one conversation. Asterisk's environment is about 1 KB; it reads commands into a buffer of 2,048 bytes
# (AGI_BUF_LEN), and what is beyond could be taken for a command of its own.
MAX_LINE_BYTES = 8_192
MAX_ENVIRONMENT_BYTES = 65_536
MAX_FIELD_CHARACTERS = 256
MAX_VALUE_BYTES = 1_024
MAX_COMMAND_BYTES = 2_000
MAX_LINES_OF_A_REPLY = 20

# All of AGI that is spoken here; the rest of pyst2 (EXEC above all) is closed.
COMMANDS = frozenset({"SET VARIABLE", "GET FULL VARIABLE"})

# What Asterisk always sends, in its order; arguments come last, so none may stand before `agi_threadid`.
REQUIRED_FIELDS = ("agi_network_script", "agi_channel", "agi_uniqueid", "agi_callerid", "agi_dnid", "agi_threadid")
LAST_FIELD_BEFORE_ARGUMENTS = "agi_threadid"
# What Asterisk writes for a number that it does not have.
NO_NUMBER = "unknown"

_FIELD = re.compile(r"(agi_[a-z0-9_]+):(.*)", re.DOTALL)
_SCRIPT = re.compile(r"[a-z_]+")
_REPLY = re.compile(r"200 result=(-?\d+)(?: \((.*)\))?", re.DOTALL)
_NAME = re.compile(r"[A-Z0-9_]+")
_READABLE = re.compile(r"[A-Z0-9_]+(?:\([a-z0-9_,]*\))?")
# No quote, backslash or control (they end the field or the line), no comma, $, braces, & | ; or parentheses (they mean
# something to the dialplan that expands the variable).
_VALUE = re.compile(r"[A-Za-z0-9 _+*#./:@=-]*")

_T = TypeVar("_T")

_CONTROLS = frozenset({"Cc", "Cf", "Zl", "Zp"})


class AgiError(Exception):
    """The conversation is over; what was set before stays set."""


class CallerGone(AgiError):
    """The call hung up: end of input, a broken connection, or 511 from a dead channel."""


class AgiTimeout(AgiError):
    """The peer kept us waiting longer than the conversation's patience."""


class AgiProtocolError(AgiError):
    """The peer does not speak as Asterisk does, or somebody forged lines in the conversation."""


class IllegalAgiValue(ValueError):
    """A name or value that must not be sent; nothing was sent and the conversation goes on."""


def scrub(text: str, limit: int = MAX_FIELD_CHARACTERS) -> str:
    """The text without control, format (bidi) and line-separating characters, surrogates as U+FFFD, cut to `limit`."""
    if not (text.isascii() and text.isprintable()):
        kept = (character for character in text if unicodedata.category(character) not in _CONTROLS)
        text = "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= c <= "\udfff" else c for c in kept)
    return text.strip()[:limit].rstrip()


def shown(text: str) -> str:
    """The text for a log or an error: ASCII, controls escaped, at most 80 characters of it."""
    return ascii(text[:80])


class AgiSession(AGI):  # type: ignore[misc]  # pyst2 has no types
    """One conversation with Asterisk about one call.

    Made from a connected socket: reads the environment, refuses a forged one, and proves that the next line on the wire
    is the answer to our own question. `patience` is how many seconds in all the peer may keep us waiting; the time that
    a handler takes for itself does not count.

    Raises CallerGone, AgiTimeout or AgiProtocolError, here and from every command.
    """

    script: str  # the path of agi://host:port/<script>, [a-z_]+ only
    arguments: tuple[str, ...]  # agi_arg_1 and on, scrubbed; check how many and what they are
    environment: Mapping[str, str]  # all fields, scrubbed
    hung_up: bool  # Asterisk said HANGUP; variables can still be set and read

    def __init__(self, connection: socket.socket, patience: float = 10.0) -> None:
        # pyst2's own __init__ is not called: it installs a signal handler and prints to stderr.
        wire = _Wire(connection, patience)
        self.stdin = wire
        self.stdout = wire
        self.stderr = _Nowhere()
        self.env: dict[str, str] = {}
        self.hung_up = False
        self._got_sighup = False
        self._broken: AgiError | None = None
        self._get_agi_env()
        self.environment = MappingProxyType(self.env)
        self.script = self._parse_script()
        self.arguments = self._parse_arguments()
        self._prove_in_step()

    @property
    def channel(self) -> str:
        return self.env["agi_channel"]

    @property
    def unique_id(self) -> str:
        return self.env["agi_uniqueid"]

    @property
    def caller(self) -> str:
        """The caller id number, scrubbed; empty when Asterisk has none."""
        return self._number("agi_callerid")

    @property
    def called(self) -> str:
        """The number that was dialled (DNID), scrubbed; empty when Asterisk has none."""
        return self._number("agi_dnid")

    def take_secret(self, secret: str) -> bool:
        """Whether the last argument is this secret; then it is no argument any more."""
        if not self.arguments or not secrets.compare_digest(self.arguments[-1].encode(), secret.encode()):
            return False
        self.arguments = self.arguments[:-1]
        return True

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable of the call's channel, also of one that has hung up.

        Raises IllegalAgiValue for a name that is not [A-Z0-9_]+ and for a value that the dialplan could take for more
        than a value (see `_VALUE`) or that is longer than 1,024 bytes.
        """
        if not _NAME.fullmatch(name):
            raise IllegalAgiValue(f"illegal name of a channel variable: {shown(name)}")
        answer = self.execute("SET VARIABLE", self._quote(name), self._quote(value))
        if answer["result"][0] != "1":
            raise CallerGone(f"the channel took no value for {name}")

    def get_variable(self, name: str) -> str | None:
        """A variable of the channel, or a function such as CDR(billsec); None when it is unset or empty.

        Line breaks are replaced by spaces in Asterisk, before they reach the wire; the rest is scrubbed, and cut to
        1,024 bytes.
        """
        if not _READABLE.fullmatch(name):
            raise IllegalAgiValue(f"illegal name of a channel variable: {shown(name)}")
        # Four backslashes on the wire: Asterisk's AGI parser, its argument parser and REPLACE each take their share.
        expression = rf'"${{REPLACE({name},\\\\r\\\\n, ):0:{MAX_VALUE_BYTES}}}"'
        value = self.execute("GET FULL VARIABLE", expression)["result"][1]
        return scrub(value, MAX_VALUE_BYTES) or None

    # --- What pyst2 calls, made safe ---

    def _get_agi_env(self) -> None:
        """Read the environment up to its blank line into `env`.

        A value with a line break writes lines of its own: a line that is no field is ignored, a field that comes twice,
        or an argument before its place, was forged.
        """
        remaining = MAX_ENVIRONMENT_BYTES
        while line := self.stdin.readline():
            remaining -= len(line)
            if remaining < 0:
                raise AgiProtocolError(f"the environment is longer than {MAX_ENVIRONMENT_BYTES} bytes")
            field = _FIELD.fullmatch(line)
            if field:
                self._take_field(field[1], scrub(field[2]))
        missing = [name for name in REQUIRED_FIELDS if name not in self.env]
        if missing:
            raise AgiProtocolError(f"the environment lacks {', '.join(missing)}")

    def _take_field(self, name: str, value: str) -> None:
        is_argument = name.startswith("agi_arg_")
        if name in self.env or is_argument != (LAST_FIELD_BEFORE_ARGUMENTS in self.env):
            raise AgiProtocolError(f"a forged line in the environment: {shown(name)} {shown(value)}")
        self.env[name] = value

    def _parse_script(self) -> str:
        script = self.env["agi_network_script"]
        if not _SCRIPT.fullmatch(script):
            raise AgiProtocolError(f"illegal name of an AGI script: {shown(script)}")
        return script

    def _parse_arguments(self) -> tuple[str, ...]:
        given = [name for name in self.env if name.startswith("agi_arg_")]
        if given != [f"agi_arg_{number}" for number in range(1, len(given) + 1)]:
            raise AgiProtocolError("the arguments are not numbered from 1")
        return tuple(self.env[name] for name in given)

    def _prove_in_step(self) -> None:
        """Ask for the value of a random word: whoever ended the environment early to forge answers cannot know it."""
        word = secrets.token_hex(8)
        if self.execute("GET FULL VARIABLE", self._quote(word))["result"] != ("1", word):
            raise AgiProtocolError("forged answers in the conversation")

    def _number(self, field: str) -> str:
        value = self.env[field]
        return "" if value == NO_NUMBER else value

    def _quote(self, value: object) -> str:
        text = str(value)
        if not _VALUE.fullmatch(text) or len(text) > MAX_VALUE_BYTES:
            raise IllegalAgiValue(f"illegal value for a channel variable: {shown(text)}")
        return f'"{text}"'

    def execute(self, command: str, *args: object) -> dict[str, tuple[str, str]]:
        """Send one command and read its answer; once out of step, a conversation takes no further command."""
        if self._broken is not None:
            raise self._broken
        try:
            answer: dict[str, tuple[str, str]] = super().execute(command, *args)
        except AgiError as error:
            self._broken = error
            raise
        return answer

    def send_command(self, command: str, *args: object) -> None:
        line = " ".join(map(str, (command, *args)))
        if command not in COMMANDS or not line.isprintable() or len(line.encode()) > MAX_COMMAND_BYTES:
            raise IllegalAgiValue(f"illegal AGI command: {shown(line)}")
        super().send_command(command, *args)

    def get_result(self, stdin: object = None) -> dict[str, tuple[str, str]]:
        """The answer to the last command: `{"result": (value, text in parentheses)}`; -1 is a value like others.

        Reads over 100 (a real answer follows) and HANGUP. Everything but 200 and 511 is a refusal of what we never send
        wrongly, so the rest of a 520 (a usage text of many lines) is not waited for.
        """
        for _ in range(MAX_LINES_OF_A_REPLY):
            line = self.stdin.readline()
            if line == "HANGUP":  # sent between answers; the answer still comes
                self.hung_up = True
            elif not line.startswith("100 "):
                return _parse_reply(line)
        raise AgiProtocolError("an answer without an end")


def _parse_reply(line: str) -> dict[str, tuple[str, str]]:
    reply = _REPLY.fullmatch(line)
    if reply:
        return {"result": (reply[1], reply[2] or "")}
    if line.startswith("511 "):
        raise CallerGone("the channel is dead")
    raise AgiProtocolError(f"Asterisk answered {shown(line)}")


class _Wire:
    """The socket as pyst2 wants it (`readline`, `write`, `flush`), in bounded lines and with a deadline."""

    def __init__(self, connection: socket.socket, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self._received = bytearray()
        self._unsent = ""

    def readline(self) -> str:
        """The next line without its line feed; bytes that are no UTF-8 as U+FFFD."""
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > MAX_LINE_BYTES:
                raise AgiProtocolError(f"a line is longer than {MAX_LINE_BYTES} bytes")
            self._receive()
        if end > MAX_LINE_BYTES:
            raise AgiProtocolError(f"a line is longer than {MAX_LINE_BYTES} bytes")
        line = self._received[:end].decode("utf-8", "replace")
        del self._received[: end + 1]
        return line

    def write(self, text: str) -> None:
        self._unsent += text

    def flush(self) -> None:
        text, self._unsent = self._unsent, ""
        self._wait(lambda: self._connection.sendall(text.encode()))

    def _receive(self) -> None:
        received = self._wait(lambda: self._connection.recv(4_096))
        if not received:
            raise CallerGone("end of input")
        self._received += received

    def _wait(self, step: Callable[[], _T]) -> _T:
        """Do one step on the socket; the time it takes is taken from the patience."""
        if self._patience <= 0:
            raise AgiTimeout("no answer in time")
        self._connection.settimeout(self._patience)
        started = time.monotonic()
        try:
            return step()
        except TimeoutError as error:
            raise AgiTimeout("no answer in time") from error
        except OSError as error:
            raise CallerGone("the connection broke") from error
        finally:
            self._patience -= time.monotonic() - started


class _Nowhere:
    """Takes what pyst2 prints for debugging: it holds numbers of callers."""

    def write(self, text: str) -> None:
        pass
