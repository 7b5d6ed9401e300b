"""A client that plays Asterisk's side of FastAGI, as 22.10 does it; it can also be slow, mute, odd or gone.

It reads commands as Asterisk does (res_agi.c `parse_args`: quotes and backslashes), so a command that somebody injected
shows up in `commands`, and sets and expands variables, so a test sees what the dialplan would see.
"""

import random
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

# The fields in Asterisk's order, recorded; `test_agi_real.py` compares them with the real ones.
FIELDS = (
    "agi_network",
    "agi_network_script",
    "agi_request",
    "agi_channel",
    "agi_language",
    "agi_type",
    "agi_uniqueid",
    "agi_version",
    "agi_callerid",
    "agi_calleridname",
    "agi_callingpres",
    "agi_callingani2",
    "agi_callington",
    "agi_callingtns",
    "agi_dnid",
    "agi_rdnis",
    "agi_context",
    "agi_extension",
    "agi_priority",
    "agi_enhanced",
    "agi_accountcode",
    "agi_threadid",
)

# What callers may send as a number, an argument or a station id.
NAUGHTY = [
    "",
    " ",
    "undefined",
    "None",
    "-1",
    "1e309",
    "'; DROP TABLE faxes; --",
    '"',
    '""',
    '"\\"',
    "\\",
    "\\n",
    '" "SET VARIABLE" "X',
    '1"\nEXEC System "id',
    "1\nEXEC System id\n",
    "1\r\nSET VARIABLE NETFAX_FORGED accept\r\n",
    "1\n\n",
    "1\r\n\r\n200 result=1 (x)\r\n200 result=1\r\n",
    "1\n\n200 result=1\n200 result=1\n200 result=1\n",
    "1\nagi_arg_1: forged",
    "1\nagi_network_script: outcome",
    "1\nagi_threadid: 1\nagi_arg_1: forged",
    "1\nHANGUP\n",
    "1\n\nHANGUP\nHANGUP\n",
    "1\n511 dead\n",
    "1\n\n511 dead\n",
    "1\n\n520-usage\n",
    "1\n\n100 Trying\n",
    "hangup",
    "(hangup)",
    "200 result=1 (hangup)",
    "${SHELL(id)}",
    "${EXTEN}",
    "$[1+1]",
    "`id`",
    "$(id)",
    "|id",
    "&& id",
    "../../etc/passwd",
    "/dev/zero",
    "<svg onload=alert()>",
    "<script>alert(1)</s>",
    "\0",
    "1\x002",
    "\x1b[2J\x1b]0;x\x07",
    "\x7f\x80\x9f",
    "\u202e123\u2066",
    "\u200b\ufeff",
    "\u2028x\u2029",
    "张三传真",
    "Ω≈ç√∫",
    "👩‍👩‍👧",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞",
    "%s%n%x",
    "{{7*7}}",
    "\udcff\udcfe",
    "\udced\udca0\udc80",
    "a" * 300,
    "Ａ" * 2000,
    "a:b:c: d",
    "unknown",
]
STATION_BYTES = 20  # of a TSI or CSI, T.30 5.3.6.2.4

_REPLACE = re.compile(r"\$\{REPLACE\(([A-Za-z0-9_]+(?:\([^()]*\))?),\\\\r\\\\n, \):0:(\d+)\}")


def environment(
    script: str = "ping",
    arguments: Sequence[str] = (),
    *,
    caller: str = "unknown",
    called: str = "unknown",
    end: str = "\n",
) -> bytes:
    """What Asterisk sends first; values go out raw, as it does. `end=""` leaves the blank line out."""
    values = {
        "agi_network": "yes",
        "agi_network_script": script,
        "agi_request": f"agi://127.0.0.1/{script}",
        "agi_channel": "PJSIP/trunk-00000001",
        "agi_type": "PJSIP",
        "agi_uniqueid": "1795492453.1",
        "agi_version": "22.10.1",
        "agi_callerid": caller,
        "agi_calleridname": "unknown",
        "agi_dnid": called,
        "agi_rdnis": "unknown",
        "agi_threadid": "139728123729600",
    }
    lines = [f"{name}: {values.get(name, '')}\n" for name in FIELDS]
    lines += [f"agi_arg_{number}: {argument}\n" for number, argument in enumerate(arguments, 1)]
    return ("".join(lines) + end).encode("utf-8", "surrogateescape")


@dataclass
class FakeCall:
    """One call that asks an AGI service; `closed` says whether it was the service that ended the conversation."""

    connection: socket.socket
    variables: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds before each answer
    mute_after: int | None = None  # answer so many commands and no more, but stay
    hang_up_after: int | None = None  # answer so many commands and close
    raw_answers: dict[int, bytes] = field(default_factory=dict)  # instead of the answer to command number n (from 0)
    commands: list[list[str]] = field(default_factory=list)
    closed: bool = False  # the service ended the conversation

    def run(self, opening: bytes) -> "FakeCall":
        """Send the environment, answer commands until the service closes (or we do), and close."""
        try:
            self.connection.sendall(opening)
            self._answer_all()
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True
        finally:
            self.connection.close()
        return self

    def _answer_all(self) -> None:
        reader = self.connection.makefile("rb")
        for number, line in enumerate(reader):
            self.commands.append(parse_command(line))
            if self.hang_up_after is not None and number >= self.hang_up_after:
                reader.close()
                return
            if self.mute_after is not None and number >= self.mute_after:
                continue
            time.sleep(self.delay)
            self.connection.sendall(self.raw_answers.get(number) or self._answer(self.commands[-1]))
        reader.close()
        self.closed = True

    def _answer(self, command: list[str]) -> bytes:
        match command:
            case ["SET", "VARIABLE", name, value]:
                self.variables[name] = value
                return b"200 result=1\n"
            case ["GET", "FULL", "VARIABLE", expression]:
                return b"200 result=1 (%s)\n" % self._expand(expression).encode("utf-8", "surrogateescape")
            case _:
                return b"510 Invalid or unknown command\n"

    def _expand(self, expression: str) -> str:
        replace = _REPLACE.fullmatch(expression)
        if replace is None:
            return expression
        value = self.variables.get(replace[1], "")
        return value.replace("\r", " ").replace("\n", " ")[: int(replace[2])]


def parse_command(line: bytes) -> list[str]:
    """The words of a command: a quote toggles, a backslash takes the next character as it is."""
    words: list[str] = []
    word: str | None = None
    quoted = escaped = False
    for character in line.decode("utf-8", "surrogateescape").rstrip("\r\n"):
        if escaped:
            word, escaped = (word or "") + character, False
        elif character == "\\":
            escaped = True
        elif character == '"':
            word, quoted = word or "", not quoted
        elif character == " " and not quoted:
            words, word = (words, None) if word is None else ([*words, word], None)
        else:
            word = (word or "") + character
    return words if word is None else [*words, word]


def call(port: int, hang_up_after: int | None = None) -> FakeCall:
    """A call connected to the service on `port`."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    return FakeCall(connection, hang_up_after=hang_up_after)


def hostile_values() -> list[str]:
    """More than 500 values: naughty strings, and 20-byte station ids of any bytes as Asterisk would pass them on."""
    source = random.Random(20)
    stations = [source.randbytes(STATION_BYTES).decode("utf-8", "surrogateescape") for _ in range(250)]
    alphabet = '\r\n\0"\\ (){}$,=:agi_arg_1200result'
    lines = ["".join(source.choices(alphabet, k=STATION_BYTES)) for _ in range(250)]
    return NAUGHTY + stations + lines
