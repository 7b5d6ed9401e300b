"""The AGI service and a real Asterisk: the conversation as it is, hostile callers, dead channels, a service gone."""

import base64
import contextlib
import itertools
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agi.server import AgiServer
from agi.session import AgiSession
from dialplan import asterisk as private
from netfax.settings import settings
from netfax.telephony import AGI_PING, HOME, PONG
from tests.fakes.asterisk_agi import FIELDS, hostile_values

SECONDS_TO_START = 30

CONFIGURATION = {
    "asterisk.conf": """
[directories]
astetcdir => {home}/etc
astmoddir => /usr/lib/x86_64-linux-gnu/asterisk/modules
astvarlibdir => /var/lib/asterisk
astdatadir => /usr/share/asterisk
astdbdir => {home}/var
astkeydir => {home}/var
astagidir => {home}/var
astspooldir => {home}/var
astrundir => {home}/run
astlogdir => {home}/log
""",
    "modules.conf": """
[modules]
autoload=no
load=pbx_config.so
load=res_speech.so
load=res_agi.so
load=func_strings.so
load=func_callerid.so
load=func_base64.so
load=func_cdr.so
load=app_userevent.so
""",
    "logger.conf": "[logfiles]\nconsole => warning,error\n",
    "manager.conf": """
[general]
enabled=yes
bindaddr=127.0.0.1
port={ami}
[test]
secret=test
read=system,user
write=originate,call
""",
    "extensions.conf": """
[globals]
SERVICE=agi://127.0.0.1:{agi}

[test]
exten => {ping},1,Answer()
 same => n,AGI(${{SERVICE}}/{ping})
 same => n,Goto(report,s,1)

exten => hostile,1,Answer()
 same => n,Set(NETFAX_VALUE=${{BASE64_DECODE(${{HOSTILE}})}})
 same => n,Set(CALLERID(num)=${{NETFAX_VALUE}})
 same => n,AGI(${{SERVICE}}/hostile,${{ID}},${{NETFAX_VALUE}})
 same => n,Goto(report,s,1)

exten => unknown,1,Answer()
 same => n,AGI(${{SERVICE}}/nobody_knows)
 same => n,Goto(report,s,1)

exten => absent,1,Answer()
 same => n,AGI(agi://127.0.0.1:{nobody}/{ping})
 same => n,Goto(report,s,1)

[test-h]
exten => dead,1,Answer()
 same => n,Hangup()
exten => leaves,1,Answer()
 same => n,AGI(${{SERVICE}}/leaves)
exten => h,1,GotoIf($["${{NETFAX_DECISION}}"!=""]?report,s,1)
 same => n,AGI(${{SERVICE}}/dead,${{ID}})
 same => n,Goto(report,s,1)

[report]
exten => s,1,Set(DECIDED=Decision: ${{NETFAX_DECISION}},Forged: ${{NETFAX_FORGED}})
 same => n,UserEvent(Report,Id: ${{ID}},Status: ${{AGISTATUS}},Pong: ${{{pong}}},${{DECIDED}})
""",
}


class Asterisk:
    """A running Asterisk by its AMI: places Local calls and collects what their dialplan reports at the end."""

    def __init__(self, ami: socket.socket) -> None:
        self._ami = ami
        self._reader = ami.makefile("rb")
        self._ids = map(str, itertools.count(1))
        self._reports: dict[str, dict[str, str]] = {}

    def log_in(self) -> None:
        """Log in and wait until all modules are loaded: AMI listens before that."""
        self.act("Login", "Username: test", "Secret: test")
        while self._read_message().get("Event") != "FullyBooted":
            pass

    def call(self, extension: str, value: bytes = b"", context: str = "test") -> str:
        """Call an extension with `value` as NETFAX_VALUE; the id of the call's report."""
        call_id = next(self._ids)
        self.act(
            "Originate",
            f"Channel: Local/{extension}@{context}/n",
            "Application: Wait",
            "Data: 30",
            "Async: true",
            f"Variable: __ID={call_id}",
            f"Variable: __HOSTILE={base64.b64encode(value).decode()}",
        )
        return call_id

    def act(self, action: str, *headers: str) -> None:
        self._ami.sendall("\r\n".join((f"Action: {action}", *headers, "", "")).encode())

    def report(self, call_id: str) -> dict[str, str]:
        while call_id not in self._reports:
            message = self._read_message()
            if message.get("UserEvent") == "Report":
                self._reports[message["Id"]] = message
        return self._reports.pop(call_id)

    def _read_message(self) -> dict[str, str]:
        lines = iter(lambda: self._reader.readline().decode("utf-8", "replace").rstrip("\r\n"), "")
        return dict(line.split(": ", 1) for line in lines if ": " in line)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Service:
    """The AGI service under test with the handlers of these tests, and what they saw."""

    def __init__(self) -> None:
        self.sessions: dict[str, AgiSession] = {}
        self.read: dict[str, str | None] = {}
        self.conversing = threading.Event()
        self.hung_up_seen = False
        handlers = {"hostile": self._hostile, "dead": self._dead, "leaves": self._leaves}
        self.server = AgiServer(("127.0.0.1", 0), handlers)

    def _hostile(self, session: AgiSession) -> None:
        self.sessions[session.arguments[0]] = session
        self.read[session.arguments[0]] = session.get_variable("NETFAX_VALUE")
        assert session.get_variable("ID") == session.arguments[0]
        session.set_variable("NETFAX_DECISION", "accept")

    def _dead(self, session: AgiSession) -> None:
        self.read[session.arguments[0]] = session.get_variable("CDR(disposition)")
        session.set_variable("NETFAX_DECISION", "dead")

    def _leaves(self, session: AgiSession) -> None:
        self.sessions["leaves"] = session
        self.conversing.set()
        deadline = time.monotonic() + 5
        while not session.hung_up and time.monotonic() < deadline:
            session.get_variable("ID")
            time.sleep(0.02)
        self.hung_up_seen = session.hung_up
        session.set_variable("NETFAX_DECISION", "left")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service()
    serving = threading.Thread(target=service.server.serve_forever)
    serving.start()
    yield service
    assert serving.is_alive()
    service.server.close()
    serving.join(10)


@pytest.fixture(scope="module")
def asterisk(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    folder = tmp_path_factory.mktemp("asterisk")
    home, ami_port = folder / "home", free_port()
    write_configuration(home, ami=ami_port, agi=service.server.port)
    with (folder / "console").open("wb") as console, contextlib.ExitStack() as stack:
        process = subprocess.Popen(private.command(settings().asterisk, home), stdout=console, stderr=subprocess.STDOUT)
        stack.callback(process.wait)
        stack.callback(process.kill)
        ami = stack.enter_context(connect(ami_port, process, folder / "console"))
        running = Asterisk(ami)
        running.log_in()
        yield running


def write_configuration(home: Path, *, ami: int, agi: int) -> None:
    private.prepare(home)
    etc = home / "etc"
    etc.mkdir()
    for name, text in CONFIGURATION.items():
        values = {"home": HOME, "ami": ami, "agi": agi, "nobody": free_port(), "ping": AGI_PING, "pong": PONG}
        (etc / name).write_text(text.format(**values))


def connect(port: int, process: "subprocess.Popen[bytes]", console: Path) -> socket.socket:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        time.sleep(0.1)
    raise AssertionError(f"Asterisk did not start: {console.read_text(errors='replace')}")


def test_a_ping_goes_round(asterisk: Asterisk) -> None:
    report = asterisk.report(asterisk.call(AGI_PING))
    assert (report["Status"], report["Pong"]) == ("SUCCESS", "1")


def test_forty_pings_at_once_go_round(asterisk: Asterisk) -> None:
    calls = [asterisk.call(AGI_PING) for _ in range(40)]
    assert [asterisk.report(call_id)["Pong"] for call_id in calls] == ["1"] * 40


def test_the_fake_sends_the_fields_that_asterisk_sends(asterisk: Asterisk, service: Service) -> None:
    call_id = asterisk.call("hostile", b"01064802994")
    assert asterisk.report(call_id)["Decision"] == "accept"
    session = service.sessions[call_id]
    assert tuple(session.environment) == (*FIELDS, "agi_arg_1", "agi_arg_2")
    assert (session.caller, session.called, session.arguments) == ("01064802994", "", (call_id, "01064802994"))
    assert session.channel.startswith("Local/hostile@test-")


@pytest.mark.parametrize("value", ['say "hi" \\ there', "a) (b", "hangup", "x:1:2", "${EXTEN} $[1+1]", "张三,传真"])
def test_a_variable_is_read_as_it_is(asterisk: Asterisk, service: Service, value: str) -> None:
    call_id = asterisk.call("hostile", value.encode())
    assert asterisk.report(call_id)["Decision"] == "accept"
    assert service.read[call_id] == value


def test_line_breaks_of_a_variable_are_read_as_spaces(asterisk: Asterisk, service: Service) -> None:
    call_id = asterisk.call("hostile", b"SHOP\r\n200 result=1 (x)\nend\x1b[2J")
    assert asterisk.report(call_id)["Decision"] == "accept"
    assert service.read[call_id] == "SHOP  200 result=1 (x) end[2J"


def test_hostile_callers_forge_nothing(asterisk: Asterisk, service: Service) -> None:
    values = [value.encode("utf-8", "surrogateescape") for value in hostile_values() if value]
    # A NUL ends a value in Asterisk, and AMI takes lines of a kilobyte.
    values = [value for value in values if not value.startswith(b"\0") and len(value) < 600]
    assert len(values) >= 500
    accepted = 0
    for start in range(0, len(values), 50):
        calls = {asterisk.call("hostile", value): value for value in values[start : start + 50]}
        for call_id, value in calls.items():
            report = asterisk.report(call_id)
            assert report["Forged"] == ""
            if report["Decision"] == "accept":
                accepted += 1
                session = service.sessions[call_id]
                assert session.arguments[0] == call_id
                assert "\n" not in session.caller + "".join(session.arguments)
            else:
                assert b"\n" in value, "only a line break turns a call away"
    assert accepted > len(values) / 2
    assert asterisk.report(asterisk.call(AGI_PING))["Pong"] == "1"


def test_a_dead_channel_is_read_and_set_from_h(asterisk: Asterisk, service: Service) -> None:
    call_id = asterisk.call("dead", context="test-h")
    assert asterisk.report(call_id)["Decision"] == "dead"
    assert service.read[call_id] == "ANSWERED"


def test_a_call_that_hangs_up_in_the_middle_can_still_be_set(asterisk: Asterisk, service: Service) -> None:
    call_id = asterisk.call("leaves", context="test-h")
    assert service.conversing.wait(10)
    asterisk.act("Hangup", f"Channel: {service.sessions['leaves'].channel}")
    assert asterisk.report(call_id)["Decision"] == "left"
    assert service.hung_up_seen


@pytest.mark.parametrize("extension", ["unknown", "absent"])
def test_the_dialplan_goes_on_when_nobody_answers(asterisk: Asterisk, extension: str) -> None:
    report = asterisk.report(asterisk.call(extension))
    assert (report["Pong"], report["Decision"]) == ("", "")
