"""The hand on the simulated telephone network: it makes the network's fax machine call us.

For the first-run demonstration and the tests. It speaks to the network's AMI over a socket of its own: what is under
test must not be the tool of the test.
"""

import base64
import csv
import json
import re
import secrets
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from dialplan import asterisk, network
from netfax import telephony as tel
from netfax.errors import NetFaxError
from netfax.settings import Settings

AMI_TIMEOUT = 10.0  # seconds
RING_TIMEOUT = 60  # seconds


class NetworkPhoneError(NetFaxError):
    """The simulated network did not do what it was told."""

    code = "network_phone"
    en = "The simulated telephone network: {why}. See its log in {log}."
    zh = "模拟电话网：{why}。请查看其日志 {log}。"


@dataclass(frozen=True)
class FaxResult:
    """What a fax machine of the network tells of a fax."""

    status: str  # SUCCESS | FAILED, empty when the call was not answered
    statusstr: str
    pages: int
    rate: int  # bit/s
    mode: str  # T38 | audio
    station: bytes  # the other side's station id


@dataclass(frozen=True)
class SentFax(FaxResult):
    """What came of a fax that the network sent us, as its own machine saw it."""

    call_id: str
    answered: bool
    cause: int  # Q.850, why the call ended; says something only when it was not answered


@dataclass(frozen=True)
class ReceivedFax(FaxResult):
    """A fax that a subscriber of the network received; `tiff` is absent when no page came."""

    tiff: Path
    called: str
    caller: str


class Ami:
    """A plain AMI connection to one Asterisk on this machine, for one question after the other.

    Made when Asterisk has booted: before that it acknowledges a call and then knows no extension. A user without
    `read = system` is not told of it, and passes `await_boot=False`.
    """

    def __init__(self, port: int, user: str, secret: str, *, await_boot: bool = True) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=AMI_TIMEOUT)
        self._lines = self._socket.makefile("rb")
        self._lines.readline()  # the greeting
        answer = self.ask({"Action": "Login", "Username": user, "Secret": secret})
        if answer.get("Response") != "Success":
            raise NetworkPhoneError(why=f"AMI refused {user}: {answer.get('Message')}", log="log/messages")
        while await_boot and self.read().get("Event") != "FullyBooted":
            pass

    def __enter__(self) -> "Ami":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, action: Mapping[str, str], variables: Sequence[tuple[str, str]] = ()) -> dict[str, str]:
        """Send an action and return its response; events that come between are dropped."""
        self.send(action, variables)
        while True:
            message = self.read()
            if "Response" in message:
                return message

    def send(self, action: Mapping[str, str], variables: Sequence[tuple[str, str]] = ()) -> None:
        lines = [f"{key}: {value}" for key, value in action.items()]
        lines += [f"Variable: {name}={value}" for name, value in variables]
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def read(self) -> dict[str, str]:
        """The next message, the lines of a repeated header (Output) joined; TimeoutError after `AMI_TIMEOUT`."""
        message: dict[str, str] = {}
        while line := self._lines.readline():
            text = line.decode(errors="replace").rstrip("\r\n")
            if not text:
                return message
            key, _, value = text.partition(": ")
            message[key] = f"{message[key]}\n{value}" if key in message else value
        raise ConnectionError("AMI closed the connection")

    def settimeout(self, seconds: float) -> None:
        self._socket.settimeout(seconds)


def send_fax(settings: Settings, tiff: Path, to: str, caller: str, station_id: bytes | str, t38: bool) -> str:
    """Let the network's machine call our number `to` and send the TIFF; returns the call's id for `wait`.

    `caller` is digits; the station id may be any bytes (T.30 allows 20). With `t38` the call comes over the trunk of
    `network.T38_ADDRESS`, otherwise over that of `network.G711_ADDRESS` by G.711 alone.
    """
    if not re.fullmatch(r"\+?[0-9]{3,20}", to) or not re.fullmatch(r"\+?[0-9]{0,20}", caller):
        raise NetworkPhoneError(why=f"cannot call “{to}” as “{caller}”, they are digits", log="-")
    call_id = secrets.token_hex(16)
    file = settings.network_dir / network.FAX_OUT / f"{call_id}.tif"
    shutil.copyfile(tiff, file)
    file.chmod(0o600)
    asterisk.give(file)
    station = station_id.encode() if isinstance(station_id, str) else station_id
    endpoint = network.ENDPOINT_T38 if t38 else network.ENDPOINT_G711
    action = {
        "Action": "Originate",
        "ActionID": call_id,
        "ChannelId": call_id,
        "Channel": f"PJSIP/{to}@{endpoint}",
        "Context": network.CONTEXT_CALL,
        "Exten": tel.START,
        "Priority": "1",
        "Timeout": str(RING_TIMEOUT * 1000),
        "CallerID": caller,
        "Async": "true",
    }
    variables = [
        (network.CALL_ID, call_id),
        (network.STATION, base64.b64encode(station).decode()),
        (network.MODE, "zf" if t38 else "F"),
    ]
    with Ami(settings.port("network_ami"), tel.AMI_USER_NETWORK, settings.secret("ami_network")) as ami:
        answer = ami.ask(action, variables)
    if answer.get("Response") != "Success":
        raise NetworkPhoneError(why=f"it refused to call: {answer.get('Message')}", log=settings.network_dir / "log")
    return call_id


def hang_up(settings: Settings, call_id: str) -> None:
    """Let the caller of `send_fax` hang up; nothing when the call is over."""
    with Ami(settings.port("network_ami"), tel.AMI_USER_NETWORK, settings.secret("ami_network")) as ami:
        ami.send({"Action": "CoreShowChannels"})
        while (event := ami.read()).get("Event") != "CoreShowChannelsComplete":
            if event.get("Uniqueid") == call_id:
                ami.ask({"Action": "Hangup", "Channel": event["Channel"]})
                return


def wait(settings: Settings, call_id: str, timeout: float = 180.0) -> SentFax:
    """Wait for the end of a call of `send_fax`; TimeoutError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        fields = read_result(settings.network_dir / network.FAX_OUT / f"{call_id}.txt")
        events = _cel_events(settings.network_dir / tel.CEL_CSV, call_id)
        answered = "ANSWER" in events
        if "HANGUP" in events and (fields or not answered):
            cause = int(json.loads(events["HANGUP"])["hangupcause"])
            return SentFax(*_result(fields), call_id=call_id, answered=answered, cause=cause)
        time.sleep(0.25)
    raise TimeoutError(f"call {call_id} of the simulated telephone network has not ended after {timeout:.0f} s")


def received(settings: Settings, called: str, caller: str | None = None) -> list[ReceivedFax]:
    """The faxes that a subscriber (by his local number) has received, oldest first; of one caller if given."""
    texts = (settings.network_dir / network.FAX_IN).glob(f"{called}-*.txt")
    found = []
    for path in sorted(texts, key=lambda text: text.stat().st_mtime_ns):
        fields = read_result(path)
        if fields and caller in (None, fields["caller"].decode()):
            tiff, caller_id = path.with_suffix(".tif"), fields["caller"].decode()
            found.append(ReceivedFax(*_result(fields), tiff=tiff, called=fields["called"].decode(), caller=caller_id))
    return found


def read_result(path: Path) -> dict[str, bytes]:
    """The decoded fields of a line that the `journal` macro wrote; empty while it is absent or not whole."""
    words = path.read_text().split() if path.exists() else []
    if not words or words[-1] != tel.JOURNAL_END:
        return {}
    encoded = {
        key for table in (network.RECEIVED_FIELDS, network.SENT_FIELDS) for key, (_, is_b64) in table.items() if is_b64
    }
    pairs = (word.partition("=") for word in words[:-1])
    return {key: base64.b64decode(value) if key in encoded else value.encode() for key, _, value in pairs}


def _result(fields: Mapping[str, bytes]) -> tuple[str, str, int, int, str, bytes]:
    """The fields of `FaxResult`, in its order."""
    text = {key: value.decode(errors="replace") for key, value in fields.items()}
    status, statusstr, mode = (text.get(key, "") for key in ("status", "statusstr", "mode"))
    return status, statusstr, int(text.get("pages") or 0), int(text.get("rate") or 0), mode, fields.get("station", b"")


def _cel_events(path: Path, call_id: str) -> dict[str, str]:
    """Event type -> extra of every channel event of a call."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = csv.DictReader(file, fieldnames=tel.CEL_FIELDS)
        return {row["eventtype"]: row["eventextra"] for row in rows if row["uniqueid"] == call_id}
