"""The rendered dialplan on two real Asterisks: the gateway and the simulated telephone network.

All calls start together when the module's first test asks for them, and each test waits for its own.
"""

import base64
import contextlib
import csv
import json
import os
import random
import re
import socket
import socketserver
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy
import pytest
from PIL import Image, ImageSequence

from cli.probes import sip_probe
from cli.services import ASTERISK_LOG
from dialplan import asterisk, network, network_phone, render
from dialplan.network_phone import Ami, NetworkPhoneError, ReceivedFax, SentFax
from netfax import telephony as tel
from netfax.settings import MEDIA_OFFSETS, PORT_OFFSETS, Settings, make_secrets
from tests.raw_caller import RawCaller

# One rig, for it is two Asterisks and their calls.
pytestmark = [pytest.mark.timeout(400), pytest.mark.xdist_group("dialplan")]

T38, G711 = "net-t38", "net-g711"
Changes = dict[str, str] | None  # channel variables of a call
HOSTILE_STATION = b"\r\nEvent: X\r\n<svg>):3"
# Called numbers of ours and what the fake AGI service says of them.
ACCEPTED, UNALLOCATED, CONGESTED = "7720001", "7720002", "7720034"
DECISIONS = {UNALLOCATED: tel.DECISION_UNALLOCATED, CONGESTED: tel.DECISION_CONGESTION}
DIES = "7720098"  # the AGI service hangs up without a decision
SLOW = "7720097"  # it takes 3 seconds, in which the caller gives up


@dataclass
class OutCall:
    """What a raw Originate brought: the events that carry our id, the journal's fields and the TIFF sent."""

    id: str
    tiff: Path
    events: list[dict[str, str]]
    journal: dict[str, bytes]

    def hangup(self) -> tuple[str, str | None]:
        event = next(event for event in self.events if event.get("Event") == "Hangup")
        return event["Cause"], event.get("TechCause")


def journal(path: Path) -> dict[str, bytes]:
    """The decoded fields of a whole journal line; empty when there is no file."""
    if not path.exists():
        return {}
    lines = path.read_text().splitlines()
    assert len(lines) == 1
    *words, last = lines[0].split(" ")
    assert last == tel.JOURNAL_END
    table = tel.JOURNAL_FIELDS_IN if path.name.startswith(tel.JOURNAL_IN_PREFIX) else tel.JOURNAL_FIELDS_OUT
    pairs = dict(word.split("=", 1) for word in words)
    assert list(pairs) == list(table)
    return {key: base64.b64decode(pairs[key], validate=True) if table[key][1] else pairs[key].encode() for key in pairs}


def draw_fax(path: Path, pages: int, seed: int) -> Path:
    """A fax TIFF of noisy blocks, 1728 wide, G4, different for every seed and page."""
    drawn = []
    for page in range(pages):
        blocks = numpy.random.default_rng([seed, page]).random((70, 54)) < 0.2
        drawn.append(Image.fromarray(~numpy.kron(blocks, numpy.ones((16, 32), dtype=bool))))
    options = {"compression": "group4", "dpi": (204, 196), "strip_size": 1 << 22}
    drawn[0].save(path, format="TIFF", save_all=True, append_images=drawn[1:], **options)
    path.chmod(0o644)
    return path


def pages_of(path: Path) -> list[numpy.ndarray]:
    with Image.open(path) as image:
        return [numpy.asarray(page.convert("1")) for page in ImageSequence.Iterator(image)]


def same_pages(one: Path, other: Path) -> bool:
    first, second = pages_of(one), pages_of(other)
    return len(first) == len(second) and all(numpy.array_equal(a, b) for a, b in zip(first, second, strict=True))


class FakeAgi(socketserver.ThreadingTCPServer):
    """A FastAGI service that decides by the called number and keeps every environment that it was given, raw."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        self.requests: list[list[bytes]] = []
        super().__init__(("127.0.0.1", port), FakeAgiCall, bind_and_activate=False)

    def start(self) -> None:
        """Listen from now on; until then Asterisk finds nobody there."""
        self.server_bind()
        self.server_activate()

    def of(self, script: str, caller: str) -> list[list[bytes]]:
        wanted = {f"agi_network_script: {script}\n".encode(), f"agi_callerid: {caller}\n".encode()}
        return [lines for lines in self.requests if wanted <= set(lines)]


class FakeAgiCall(socketserver.StreamRequestHandler):
    server: FakeAgi

    def handle(self) -> None:
        lines = list(iter(self.rfile.readline, b"\n"))
        self.server.requests.append(lines)
        if f"agi_network_script: {tel.AGI_INBOUND_START}\n".encode() not in lines:
            return
        called = self._ask(f"GET VARIABLE {tel.CALLED}").partition("(")[2].rstrip(")\n")
        if called == SLOW:
            time.sleep(3)
        if called != DIES:
            self._ask(f'SET VARIABLE {tel.DECISION} "{DECISIONS.get(called, tel.DECISION_ACCEPT)}"')

    def _ask(self, command: str) -> str:
        self.wfile.write(command.encode() + b"\n")
        return self.rfile.readline().decode()


@dataclass
class Rig:
    """Two running Asterisks, a fake AGI service and the calls under way."""

    settings: Settings
    agi: FakeAgi
    folder: Path
    pool: ThreadPoolExecutor
    calls: dict[str, Future[OutCall]] = field(default_factory=dict)
    incoming: dict[str, Future[tuple[SentFax, Path]]] = field(default_factory=dict)

    def bridge(self) -> Ami:
        return Ami(self.settings.port("gateway_ami"), tel.AMI_USER_BRIDGE, self.settings.secret("ami_bridge"))

    def start(
        self, name: str, number: str, trunk: str = T38, pages: int = 1, timeout: int = 40, changes: Changes = None
    ) -> None:
        seed = len(self.calls)
        self.calls[name] = self.pool.submit(self.call, number, trunk, seed, pages, timeout, changes)

    def call(
        self, number: str, trunk: str, seed: int, pages: int = 1, timeout: int = 40, changes: Changes = None
    ) -> OutCall:
        attempt = tel.new_attempt_id(self.settings.secret("attempt_prefix"))
        tiff = draw_fax(self.settings.gateway_dir / tel.SPOOL_OUT / f"{attempt}.tif", pages, seed)
        values = {
            tel.ATTEMPT_ID: attempt,
            tel.DIGITS_WAIT: "1",
            tel.SEND_MODE: tel.MODE_T38,
            tel.SEND_ECM: "yes",
            tel.SEND_MODEM: "v17",
            tel.STATION_ID: "7720009",
        } | (changes or {})
        events: list[dict[str, str]] = []
        with self.bridge() as ami:
            ami.settimeout(120)
            ami.send(originate(attempt, f"PJSIP/{number}@{trunk}", timeout), list(values.items()))
            while not events or events[-1].get("Event") != "Hangup":
                message = ami.read()
                if attempt in (message.get("Uniqueid"), message.get("ActionID")):
                    events.append(message)
        path = self.settings.gateway_dir / tel.JOURNAL / f"{tel.JOURNAL_OUT_PREFIX}{attempt}"
        return OutCall(attempt, tiff, events, journal(path))

    def receive(self, name: str, to: str = ACCEPTED, station: bytes = b"0736 7721003", t38: bool = True) -> None:
        """Let the network send us two pages; the caller's number tells the calls apart."""
        tiff = draw_fax(self.folder / f"{name}.tif", 2, 100 + len(self.incoming))
        call = network_phone.send_fax(self.settings, tiff, to, f"77210{50 + len(self.incoming)}", station, t38)
        self.incoming[name] = self.pool.submit(lambda: (network_phone.wait(self.settings, call), tiff))

    def received_by_network(self, number: str, call: OutCall) -> ReceivedFax:
        # Other calls to the number may have brought no page.
        faxes = [fax for fax in network_phone.received(self.settings, number) if fax.tiff.exists()]
        return next(fax for fax in faxes if same_pages(fax.tiff, call.tiff))

    def reception(self, name: str) -> tuple[dict[str, bytes], Path]:
        """The journal and the spool file of an incoming call, by the number of its caller."""
        caller = f"77210{50 + list(self.incoming).index(name)}".encode()
        found = [entry for entry in self.receptions() if entry["caller"] == caller]
        assert len(found) == 1
        return found[0], self.settings.gateway_dir / tel.SPOOL_IN / f"{found[0]['id'].decode()}.tif"

    def receptions(self) -> list[dict[str, bytes]]:
        return [journal(p) for p in (self.settings.gateway_dir / tel.JOURNAL).glob(f"{tel.JOURNAL_IN_PREFIX}*")]


def originate(attempt: str, channel: str, timeout: int = 40) -> dict[str, str]:
    return {
        "Action": "Originate",
        "ActionID": attempt,
        "ChannelId": attempt,
        "Channel": channel,
        "Context": tel.CONTEXT_OUT,
        "Exten": tel.START,
        "Priority": "1",
        "Timeout": str(timeout * 1000),
        "CallerID": "7720009",
        "Async": "true",
    }


def free_base() -> int:
    """A port base of which every port that NetFax would use is free now."""
    while True:
        base = random.randrange(30000, 60000, 100)
        ports = [base + offset for offset in PORT_OFFSETS.values()]
        ports += [base + first + step for first, count in MEDIA_OFFSETS.values() for step in (0, count - 1)]
        if all(is_free(port, kind) for port in ports for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return base


def has_booted(settings: Settings, name: str, user: str) -> bool:
    secret = {tel.AMI_USER_BRIDGE: "ami_bridge", tel.AMI_USER_NETWORK: "ami_network"}[user]
    try:
        Ami(settings.port(f"{name}_ami"), user, settings.secret(secret)).close()
    except (OSError, NetworkPhoneError):
        return False
    return True


def is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def trunks(settings: Settings, *names: str) -> list[render.TrunkConfig]:
    """SIP trunks to the simulated network: `net-g711` to its second address, all others to the first."""
    first, second = (network.T38_ADDRESS, "network_sip"), (network.G711_ADDRESS, "network_sip_g711")
    return [
        render.TrunkConfig(name, "sip", address, settings.port(port), name != G711, None, None, None, 10)
        for name in names
        for address, port in (second if name == G711 else first,)
    ]


def until(what: str, happened: object, seconds: float = 20) -> None:
    """Wait until the callable is true."""
    deadline = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def cel(folder: Path) -> list[dict[str, str]]:
    path = folder / tel.CEL_CSV
    return list(csv.DictReader(path.open(newline=""), fieldnames=tel.CEL_FIELDS)) if path.exists() else []


@contextlib.contextmanager
def running(settings: Settings, home: Path, files: dict[str, str]) -> Iterator[None]:
    asterisk.prepare(home)
    render.write(home, files)
    argv = asterisk.command(settings.asterisk, home)
    with (home / "console").open("w") as console, subprocess.Popen(argv, stdout=console, stderr=console) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    home = tmp_path_factory.mktemp("dialplan")  # 0700: the sandbox must not mind
    root = Settings().asterisk
    asterisk.make_root(root, print)
    settings = Settings(home=home, port_base=free_base(), asterisk_root=root)
    make_secrets(home)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(settings, settings.network_dir, render.network_files(settings)))
        gateway = render.gateway_files(settings, trunks(settings, T38, G711))
        stack.enter_context(running(settings, settings.gateway_dir, gateway))
        for name, user in (("gateway", tel.AMI_USER_BRIDGE), ("network", tel.AMI_USER_NETWORK)):
            until(f"the {name} has booted", partial(has_booted, settings, name, user))
        agi = FakeAgi(settings.port("agi"))
        pool = stack.enter_context(ThreadPoolExecutor(40))
        rig = Rig(settings, agi, home, pool)
        rig.receive("without AGI")
        until("the call without AGI is answered", lambda: answered(settings))
        agi.start()
        stack.callback(agi.server_close)
        pool.submit(agi.serve_forever)
        stack.callback(agi.shutdown)
        place_calls(rig)
        yield rig


def answered(settings: Settings) -> bool:
    return any(row["eventtype"] == "ANSWER" for row in cel(settings.gateway_dir))


def place_calls(rig: Rig) -> None:
    """Everything that takes long, at once."""
    rig.start("t38", "7721001", pages=3)
    rig.start("audio trunk", "07367721003", G711)
    rig.start("audio mode", "867367721003", changes={tel.SEND_MODE: tel.MODE_AUDIO})
    rig.start("refuses t38", "7721002")
    rig.start("without ecm", "00867367721004")
    rig.start("ecm off by us", "7721001", changes={tel.SEND_ECM: "no"})
    rig.start("slow modem", "7721005")
    rig.start("slow by us", "7721001", changes={tel.SEND_MODEM: "v29"})
    rig.start("drops", "7721006", pages=3)
    rig.start("extension", "64802994", changes={tel.DIGITS: "ww801"})
    rig.start("no extension", "64802994")
    rig.start("rings", "7722018", timeout=4)
    rig.start("voice", "7722020")
    rig.start("silence", "7722021")
    rig.start("no media", "7722023", changes={tel.CALL_LIMIT: "15"})
    rig.start("hangs up", "7722022")
    rig.receive("t38")
    rig.receive("audio", t38=False)
    rig.receive("hostile station", station=HOSTILE_STATION)
    rig.receive("agi dies", to=DIES)
    for called in DECISIONS:
        rig.receive(called, to=called)


@pytest.mark.parametrize(
    ("name", "number", "pages", "mode", "rate"),
    [
        ("t38", "7721001", "3", "T38", "14400"),
        ("audio trunk", "7721003", "1", "audio", "14400"),
        ("audio mode", "7721003", "1", "audio", "14400"),
        ("refuses t38", "7721002", "1", "audio", "14400"),
        ("without ecm", "7721004", "1", "T38", "14400"),
        ("ecm off by us", "7721001", "1", "T38", "14400"),
        ("slow modem", "7721005", "1", "T38", "4800"),
        ("slow by us", "7721001", "1", "T38", "9600"),
        ("extension", "64802994", "1", "T38", "14400"),
    ],
)
def test_fax_goes_out(rig: Rig, name: str, number: str, pages: str, mode: str, rate: str) -> None:
    call = rig.calls[name].result()
    told = {key: call.journal[key].decode() for key in ("id", "uniqueid", "status", "pages", "mode", "rate", "station")}
    identity = {"id": call.id, "uniqueid": call.id}
    assert told == identity | {"status": "SUCCESS", "pages": pages, "mode": mode, "rate": rate, "station": number}
    assert 10 < int(call.journal["seconds"]) < 90
    assert abs(int(call.journal["epoch"]) - time.time()) < 240
    fax = rig.received_by_network(number, call)
    assert (fax.station, fax.caller) == (b"7720009", "7720009")
    outcome = rig.agi.of(tel.AGI_OUTCOME, "7720009")
    assert [f"agi_arg_1: {call.id}\n".encode() in lines for lines in outcome].count(True) == 1


def test_call_dropped_on_page_2_has_page_1_confirmed(rig: Rig) -> None:
    call = rig.calls["drops"].result()
    assert (call.journal["status"], call.journal["pages"]) == (b"FAILED", b"1")
    assert call.journal["statusstr"] == b"The call dropped prematurely"


@pytest.mark.parametrize("name", ["voice", "silence"])
def test_no_fax_machine_there(rig: Rig, name: str) -> None:
    call = rig.calls[name].result()
    assert (call.journal["status"], call.journal["pages"]) == (b"FAILED", b"0")
    assert call.journal["statusstr"] == b"Timed out waiting for initial communication"


@pytest.mark.parametrize("name", ["hangs up", "no extension", "no media"])
def test_answered_call_that_ends_early_is_journalled(rig: Rig, name: str) -> None:
    call = rig.calls[name].result()
    assert (call.journal["status"], call.journal["pages"]) == (b"FAILED", b"0")


def test_call_without_any_media_is_cut_at_its_limit(rig: Rig) -> None:
    assert 14 <= int(rig.calls["no media"].result().journal["seconds"]) <= 30


@pytest.mark.parametrize(
    ("number", "cause"),
    [("7722017", ("17", "486")), ("7722001", ("1", "404")), ("7729999", ("1", "404")), ("7722034", ("34", "503"))],
)
def test_refused_call_has_its_cause_in_hangup_and_in_cel_and_no_journal(
    rig: Rig, number: str, cause: tuple[str, str]
) -> None:
    call = rig.call(number, T38, seed=200)
    assert call.hangup() == cause
    assert call.journal == {}
    until("CEL has the end of the call", lambda: cel_causes(rig, call.id) == [cause[0]])


def cel_causes(rig: Rig, call: str) -> list[str]:
    rows = [row for row in cel(rig.settings.gateway_dir) if row["uniqueid"] == call]
    assert "ANSWER" not in [row["eventtype"] for row in rows]
    return [str(json.loads(row["eventextra"])["hangupcause"]) for row in rows if row["eventtype"] == "HANGUP"]


def test_unanswered_call_has_cause_19_and_no_journal(rig: Rig) -> None:
    call = rig.calls["rings"].result()
    assert call.hangup()[0] == "19"
    assert call.journal == {}


@pytest.mark.parametrize(
    ("name", "mode"), [("t38", b"T38"), ("audio", b"audio"), ("without AGI", b"T38"), ("agi dies", b"T38")]
)
def test_fax_comes_in(rig: Rig, name: str, mode: bytes) -> None:
    sent, tiff = rig.incoming[name].result()
    assert (sent.status, sent.pages, sent.answered) == ("SUCCESS", 2, True)
    entry, spooled = rig.reception(name)
    assert (entry["status"], entry["pages"], entry["mode"], entry["station"]) == (
        b"SUCCESS",
        b"2",
        mode,
        b"0736 7721003",
    )
    assert entry["decision"] == (tel.DECISION_ACCEPT.encode() if name in ("t38", "audio") else b"")
    assert entry["trunk"].decode() == (G711 if name == "audio" else T38)
    assert entry["called"].decode() == (DIES if name == "agi dies" else ACCEPTED)
    assert sent.station == entry["called"]
    assert same_pages(tiff, spooled)
    done = rig.agi.of(tel.AGI_INBOUND_DONE, entry["caller"].decode())
    assert [b"agi_arg_1: " + entry["id"] + b"\n" in lines for lines in done] == [True]


def test_hostile_station_id_reaches_the_journal_as_it_is_but_for_colons(rig: Rig) -> None:
    sent, _ = rig.incoming["hostile station"].result()
    entry, _ = rig.reception("hostile station")
    assert sent.pages == 2
    assert entry["station"] == HOSTILE_STATION[:20].replace(b":", b".")


@pytest.mark.parametrize("called", list(DECISIONS))
def test_agi_refuses_before_the_answer(rig: Rig, called: str) -> None:
    sent, _ = rig.incoming[called].result()
    assert (sent.answered, sent.cause) == (False, tel.REFUSAL_CAUSES[DECISIONS[called]])
    assert called.encode() not in [entry["called"] for entry in rig.receptions()]


def test_line_breaks_in_the_from_user_forge_nothing(rig: Rig) -> None:
    with RawCaller(rig.settings) as caller:
        caller.request(
            "INVITE", UNALLOCATED, "66601%0d%0aagi_arg_1%3a%20evil%0d%0a%0d%0aEvent%3a%20Hangup", os.urandom(8).hex()
        )
        assert caller.final() == 404
    # Letters are filtered out; the digits of the forged text stay as digits.
    (lines,) = rig.agi.of(tel.AGI_INBOUND_START, "666011")
    keys = [line.split(b":")[0] for line in lines]
    assert len(keys) == len(set(keys))
    assert all(re.fullmatch(rb"agi_[a-z0-9_]+: ?[^\r\n]*\n", line) for line in lines)
    assert b"agi_x" not in keys
    assert b"evil" not in b"".join(lines)


@pytest.mark.parametrize(
    "user", ["12%0d%0aEvent%3a%20Hangup", "7720001%26System", "772000A", "s", "h", "7%24%7bSHELL(id)%7d", "12"]
)
def test_called_number_that_is_none_gets_no_channel(rig: Rig, user: str) -> None:
    before = len(cel(rig.settings.gateway_dir))
    with RawCaller(rig.settings) as caller:
        caller.request("INVITE", user, "66602", os.urandom(8).hex())
        assert caller.final() in (404, 484)
    started = cel(rig.settings.gateway_dir)[before:]
    assert not [row for row in started if row["eventtype"] == "CHAN_START" and row["uniqueid"].count(".")]


def test_supervisor_is_answered_by_sip_without_a_word_in_the_log(rig: Rig) -> None:
    log = rig.settings.gateway_dir / ASTERISK_LOG
    said = log.read_text()
    for _ in range(3):
        assert sip_probe(rig.settings.line_address, rig.settings.port("gateway_sip"))().startswith("sip:")
    # Whoever calls from that address gets nowhere.
    with RawCaller(rig.settings, tel.PROBE_ADDRESS) as caller:
        caller.request("INVITE", ACCEPTED, "1", "probe")
        assert caller.final() == 404
    # The INVITE is told of; whatever came before it in the log is there by then.
    until("the INVITE in the log", lambda: tel.CONTEXT_REFUSE in log.read_text().removeprefix(said))
    assert "OPTIONS" not in log.read_text().removeprefix(said)


def test_caller_who_gives_up_before_the_answer_is_journalled_and_told(rig: Rig) -> None:
    with RawCaller(rig.settings) as caller:
        call = os.urandom(8).hex()
        caller.request("INVITE", SLOW, "66603", call)
        until("AGI is asked", lambda: rig.agi.of(tel.AGI_INBOUND_START, "66603"))
        caller.request("CANCEL", SLOW, "66603", call)
        assert caller.final() == 487
    until("AGI is told", lambda: rig.agi.of(tel.AGI_INBOUND_DONE, "66603"))
    (entry,) = [entry for entry in rig.receptions() if entry["caller"] == b"66603"]
    assert (entry["status"], entry["pages"], entry["seconds"]) == (b"", b"", b"0")


def read_of_call(ami: Ami, attempt: str, **wanted: str) -> None:
    """Read until an event of this call has these values; the bridge hears of other calls of ours as well."""
    while True:
        event = ami.read()
        if attempt in (event.get("Uniqueid"), event.get("ActionID")) and wanted.items() <= event.items():
            return


def test_duplicate_attempt_id_decides_nothing(rig: Rig) -> None:
    attempt = tel.new_attempt_id(rig.settings.secret("attempt_prefix"))
    variables = [
        (tel.ATTEMPT_ID, attempt),
        (tel.SEND_MODE, tel.MODE_AUDIO),
        (tel.SEND_ECM, "yes"),
        (tel.STATION_ID, "1"),
    ]
    # Long enough for two Originates on a busy machine, and less than the reader of events waits.
    variables += [(tel.CALL_LIMIT, "7")]
    draw_fax(rig.settings.gateway_dir / tel.SPOOL_OUT / f"{attempt}.tif", 1, 202)
    with rig.bridge() as ami:
        ami.send(originate(attempt, f"PJSIP/7722021@{T38}"), variables)
        read_of_call(ami, attempt, ChannelStateDesc="Up")
        ami.send(originate(attempt, f"PJSIP/7722021@{T38}"), variables)
        read_of_call(ami, attempt, Event="OriginateResponse", Response="Failure")
        path = rig.settings.gateway_dir / tel.JOURNAL / f"{tel.JOURNAL_OUT_PREFIX}{attempt}"
        assert journal(path) == {}
        read_of_call(ami, attempt, Event="Hangup")
    assert journal(path)["uniqueid"].decode() == attempt
    assert len([lines for lines in rig.agi.requests if f"agi_arg_1: {attempt}\n".encode() in lines]) == 1


def test_new_trunks_are_there_after_a_reload_and_calls_go_on(rig: Rig) -> None:
    settings = rig.settings
    modem = render.TrunkConfig("modem-1", "iax2", None, None, False, "s3cret", None, "7720001", 1)
    files = render.gateway_files(settings, [*trunks(settings, T38, G711, "third"), modem])
    changed = render.write(settings.gateway_dir, files)
    assert changed == ["etc/extensions.conf", "etc/iax.conf", "etc/pjsip.conf"]
    with Ami(settings.port("gateway_ami"), tel.AMI_USER_APPLY, settings.secret("ami_apply"), await_boot=False) as ami:
        for command in ("dialplan reload", "module reload res_pjsip.so", "iax2 reload"):
            assert ami.ask({"Action": "Command", "Command": command})["Response"] == "Success"
    with rig.bridge() as ami:
        ami.send({"Action": "IAXpeerlist", "ActionID": "peers"})
        until("the modem is known", lambda: ami.read().get("ObjectName") == "modem-1")
    until("the new trunk dials", lambda: rig.call("7722017", "third", seed=201).hangup() == ("17", "486"))
    assert rig.calls["t38"].result().journal["status"] == b"SUCCESS"


def test_bridge_may_not_run_commands_and_sees_no_event_but_its_own(rig: Rig) -> None:
    with rig.bridge() as ami:
        for action in ("Command", "UpdateConfig", "ModuleLoad", "GetConfig"):
            answer = ami.ask({"Action": action, "Command": "core show version", "Filename": "manager.conf"})
            assert answer["Response"] == "Error"
        prefix = rig.settings.secret("attempt_prefix")
        with RawCaller(rig.settings) as caller:
            caller.request("INVITE", UNALLOCATED, f"66604%0d%0aUniqueid%3a%20{prefix[::-1]}", os.urandom(8).hex())
            assert caller.final() == 404
        ami.send({"Action": "Ping", "ActionID": "last"})
        while (message := ami.read()).get("ActionID") != "last":
            ours = [message.get(key, "") for key in ("Uniqueid", "ActionID", "DestUniqueid", "FileName")]
            assert any(prefix in value for value in ours) or message["Event"] == "FullyBooted"
