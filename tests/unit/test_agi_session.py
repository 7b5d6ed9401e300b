"""What arrives by AGI is scrubbed or refused, what leaves is one command of ours, and every end has a name."""

import contextlib
import signal
import socket
import threading
import time
import unicodedata
from collections.abc import Iterator

import pytest

from agi.session import (
    MAX_LINE_BYTES,
    AgiError,
    AgiProtocolError,
    AgiSession,
    AgiTimeout,
    CallerGone,
    IllegalAgiValue,
    scrub,
)
from tests.fakes.asterisk_agi import FakeCall, environment, hostile_values

HOSTILE = hostile_values()


class Converse:
    """Starts an AgiSession whose Asterisk is a FakeCall in a thread of its own: `peer`, the last one started."""

    peer: FakeCall

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def __call__(self, opening: bytes, patience: float = 2.0, **behaviour: object) -> AgiSession:
        ours, theirs = socket.socketpair()
        theirs.settimeout(5)
        self.peer = FakeCall(theirs, **behaviour)  # type: ignore[arg-type]
        thread = threading.Thread(target=self.peer.run, args=(opening,), daemon=True)
        thread.start()
        self._stack.callback(thread.join, 5)
        self._stack.callback(ours.close)
        return AgiSession(ours, patience)


@pytest.fixture
def converse() -> Iterator[Converse]:
    with contextlib.ExitStack() as stack:
        yield Converse(stack)


def test_a_call_tells_its_script_arguments_channel_and_numbers(converse: Converse) -> None:
    session = converse(environment("inbound_start", ["abc-1", "trunk"], caller="01064802994", called="801"))
    assert session.script == "inbound_start"
    assert session.arguments == ("abc-1", "trunk")
    assert session.channel == "PJSIP/trunk-00000001"
    assert session.unique_id == "1795492453.1"
    assert (session.caller, session.called) == ("01064802994", "801")
    assert session.environment["agi_type"] == "PJSIP"


def test_a_number_that_asterisk_does_not_know_is_empty(converse: Converse) -> None:
    session = converse(environment())
    assert (session.caller, session.called) == ("", "")


def test_variables_are_set_and_read(converse: Converse) -> None:
    session = converse(environment(), variables={"FAXPAGES": "3", "CDR(billsec)": "26"})
    session.set_variable("NETFAX_DECISION", "accept")
    assert converse.peer.variables["NETFAX_DECISION"] == "accept"
    assert session.get_variable("FAXPAGES") == "3"
    assert session.get_variable("CDR(billsec)") == "26"
    assert session.get_variable("UNSET") is None


@pytest.mark.parametrize("value", ["hangup", "a) (b", "x=1 (y)", '"quoted" \\ value', "张三 ✓"])
def test_a_value_is_read_as_it_is(converse: Converse, value: str) -> None:
    session = converse(environment(), variables={"REMOTESTATIONID": value})
    assert session.get_variable("REMOTESTATIONID") == value


def test_hostile_arguments_and_numbers_never_inject_a_command_nor_raise_an_unnamed_error(converse: Converse) -> None:
    assert len(HOSTILE) >= 500
    refused = 0
    for value in HOSTILE:
        opening = environment("inbound_start", ["abc-1", value], caller=value, called=value)
        try:
            session = converse(opening)
        except AgiProtocolError:
            refused += 1
            # Nothing short of a line break may turn a call away.
            assert "\n" in value
        else:
            session.set_variable("NETFAX_DECISION", "accept")
            assert session.script == "inbound_start"
            assert session.arguments[0] == "abc-1"
            for text in (*session.arguments, session.caller, session.called, *session.environment.values()):
                assert len(text) <= 256
                assert not {unicodedata.category(character) for character in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
            assert set(converse.peer.variables) == {"NETFAX_DECISION"}
        for command in converse.peer.commands:
            assert command[:2] in (["SET", "VARIABLE"], ["GET", "FULL"])
    assert refused < len(HOSTILE) / 2


def test_hostile_station_ids_are_read_scrubbed_and_leave_the_conversation_in_step(converse: Converse) -> None:
    session = converse(environment(), patience=30)
    for value in HOSTILE:
        converse.peer.variables = {"REMOTESTATIONID": value.replace("\0", "")[:1000], "NEXT": "next"}
        read = session.get_variable("REMOTESTATIONID") or ""
        assert "\n" not in read and "\r" not in read and "\x1b" not in read
        read.encode()
        assert session.get_variable("NEXT") == "next"


def test_hostile_values_are_sent_whole_or_not_at_all(converse: Converse) -> None:
    session = converse(environment(), patience=30)
    peer = converse.peer
    for value in HOSTILE:
        peer.variables.clear()
        sent = len(peer.commands)
        try:
            session.set_variable("NETFAX_STATION", value)
        except IllegalAgiValue:
            assert len(peer.commands) == sent
        else:
            assert peer.variables == {"NETFAX_STATION": value}
            assert not set(value) & set('"\\\r\n\0${}(),;|&`')


@pytest.mark.parametrize("name", ["", "A B", 'X"', "X\n", "FILE(/tmp/x,,,al,u)", "CALLERID(num)", "x", "X,Y"])
def test_only_plain_names_are_set(converse: Converse, name: str) -> None:
    session = converse(environment())
    with pytest.raises(IllegalAgiValue):
        session.set_variable(name, "1")
    assert len(converse.peer.commands) == 1


@pytest.mark.parametrize("name", ["", "X)}", "SHELL(id; id)", "FILE(/etc/passwd)", "X\n", "${X}", "CDR(billsec"])
def test_only_variables_and_plain_functions_are_read(converse: Converse, name: str) -> None:
    session = converse(environment())
    with pytest.raises(IllegalAgiValue):
        session.get_variable(name)


def test_what_else_pyst2_can_say_is_closed(converse: Converse) -> None:
    session = converse(environment())
    said: list[tuple[str, tuple[str, ...]]] = [
        ("appexec", ("System", "id")),
        ("exec_command", ("System", "id")),
        ("database_put", ("family", "key", "value")),
        ("set_context", ("other",)),
        ("hangup", ("x\nEXEC System id",)),
        ("verbose", ("hello",)),
    ]
    for method, arguments in said:
        with pytest.raises(IllegalAgiValue):
            getattr(session, method)(*arguments)
    assert len(converse.peer.commands) == 1
    session.set_variable("STILL", "works")


def test_a_value_longer_than_asterisks_command_buffer_is_refused(converse: Converse) -> None:
    session = converse(environment())
    session.set_variable("LONG", "x" * 1024)
    with pytest.raises(IllegalAgiValue):
        session.set_variable("LONG", "x" * 1025)
    with pytest.raises(IllegalAgiValue):
        session.set_variable("L" * 1500, "x" * 1000)


@pytest.mark.parametrize("script", ["", "Ping", "../ping", "ping?x=1", "a b", "ping\u0131", "p1ng"])
def test_only_a_plain_script_name_is_accepted(converse: Converse, script: str) -> None:
    with pytest.raises(AgiProtocolError):
        converse(environment(script))


@pytest.mark.parametrize(
    "caller",
    [
        "1\nagi_arg_1: forged",
        "1\nagi_threadid: 7\nagi_arg_1: forged",
        "1\nagi_dnid: 110",
        "1\nagi_uniqueid: other",
        "1\n\n",
        "1\n\n200 result=1 (word)\n200 result=1\n200 result=1\n",
        "1\nagi_dnid: 2\nagi_threadid: 7\nagi_arg_1: forged\n\n200 result=1 (x)\n200 result=1\n",
    ],
)
def test_a_forged_environment_is_refused_before_any_handler(converse: Converse, caller: str) -> None:
    with pytest.raises(AgiProtocolError):
        converse(environment("inbound_start", ["abc-1"], caller=caller))
    assert all(command[:2] == ["GET", "FULL"] for command in converse.peer.commands)


def test_an_argument_forged_where_there_are_none_is_refused(converse: Converse) -> None:
    with pytest.raises(AgiProtocolError, match="forged"):
        converse(environment("inbound_start", [], caller="1\nagi_arg_1: forged"))


def test_a_line_that_is_no_field_is_ignored(converse: Converse) -> None:
    session = converse(environment("inbound_start", ["abc-1"], caller="123\r\nEXEC System id"))
    assert session.caller == "123"
    assert session.arguments == ("abc-1",)


def test_an_environment_that_is_not_asterisks_is_refused(converse: Converse) -> None:
    for opening in (b"\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n", b"agi_network_script: ping\n\n", b"\xff\xfe\n\n"):
        with pytest.raises(AgiProtocolError, match="lacks"):
            converse(opening)


def test_arguments_that_skip_a_number_are_refused(converse: Converse) -> None:
    with pytest.raises(AgiProtocolError):
        converse(environment(end="agi_arg_2: x\n\n"))


def test_an_environment_of_a_megabyte_is_refused(converse: Converse) -> None:
    for filler in (b"x" * 1_000_000, b"junk\n" * 200_000, b"x" * (MAX_LINE_BYTES + 1) + b"\n"):
        with pytest.raises(AgiProtocolError, match="longer than"):
            converse(filler)


def test_end_of_input_is_a_hang_up_at_every_moment(converse: Converse) -> None:
    whole = environment("inbound_start", ["abc-1"])
    for length in (0, 1, 100, len(whole) - 1):
        ours, theirs = socket.socketpair()
        theirs.sendall(whole[:length])
        theirs.close()
        with contextlib.closing(ours), pytest.raises(CallerGone):
            AgiSession(ours)
    with pytest.raises(CallerGone):
        converse(whole, hang_up_after=0)
    session = converse(whole, hang_up_after=1)
    with pytest.raises(CallerGone):
        session.set_variable("X", "1")
    with pytest.raises(CallerGone):
        session.set_variable("X", "2")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", CallerGone),
        (b"200 result=-1\n", CallerGone),
        (b"510 Invalid or unknown command\n", AgiProtocolError),
        (b"520-Invalid command syntax.  Proper usage follows:\n", AgiProtocolError),
        (b"520 Invalid command syntax.  Proper usage not available.\n", AgiProtocolError),
        (b"\n", AgiProtocolError),
        (b"result=1\n", AgiProtocolError),
        (b"200\n", AgiProtocolError),
        (b"200 result=\n", AgiProtocolError),
        (b"999 result=1\n", AgiProtocolError),
        (b"\xff\xfe\x00\n", AgiProtocolError),
        (b"HANGUP\n" * 100, AgiProtocolError),
        (b"x" * 10_000, AgiProtocolError),
    ],
)
def test_each_answer_that_is_no_success_has_its_name(converse: Converse, answer: bytes, error: type[AgiError]) -> None:
    session = converse(environment(), raw_answers={1: answer})
    with pytest.raises(error):
        session.set_variable("X", "1")


def test_minus_one_is_no_value(converse: Converse) -> None:
    session = converse(environment(), raw_answers={1: b"200 result=-1\n"})
    assert session.get_variable("FAXPAGES") is None


def test_trying_and_hangup_are_read_over(converse: Converse) -> None:
    session = converse(environment(), raw_answers={1: b"100 result=0 Trying...\nHANGUP\n200 result=1\n"})
    assert not session.hung_up
    session.set_variable("X", "1")
    assert session.hung_up
    session.set_variable("Y", "2")
    assert converse.peer.variables == {"Y": "2"}


def test_a_conversation_out_of_step_takes_no_further_command(converse: Converse) -> None:
    session = converse(environment(), raw_answers={1: b"what?\n200 result=1\n"})
    for _ in range(2):
        with pytest.raises(AgiProtocolError):
            session.set_variable("X", "1")
    assert len(converse.peer.commands) == 2


def test_a_mute_peer_ends_by_the_patience(converse: Converse) -> None:
    started = time.monotonic()
    with pytest.raises(AgiTimeout):
        converse(environment(), patience=0.2, mute_after=0)
    with pytest.raises(AgiTimeout):
        converse(b"", patience=0.2)
    assert time.monotonic() - started < 1


def test_the_patience_is_for_the_whole_conversation(converse: Converse) -> None:
    session = converse(environment(), patience=0.3, delay=0.08)
    started = time.monotonic()
    with pytest.raises(AgiTimeout):
        for _ in range(100):
            session.set_variable("X", "1")
    assert time.monotonic() - started < 3


def test_the_handlers_own_time_does_not_count(converse: Converse) -> None:
    session = converse(environment(), patience=0.2)
    time.sleep(0.3)
    session.set_variable("X", "1")


def test_bytes_that_trickle_end_by_the_patience() -> None:
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def trickle() -> None:
        for byte in environment():
            if stop.wait(0.02):
                return
            theirs.send(bytes([byte]))

    thread = threading.Thread(target=trickle)
    thread.start()
    with contextlib.closing(theirs), contextlib.closing(ours):
        with pytest.raises(AgiTimeout):
            AgiSession(ours, patience=0.2)
        stop.set()
        thread.join()


def test_no_signal_handler_no_output_and_any_thread(converse: Converse, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGHUP)
    made: list[AgiSession] = []
    thread = threading.Thread(target=lambda: made.append(converse(environment(caller="01064802994"))))
    thread.start()
    thread.join()
    made[0].set_variable("X", "1")
    assert signal.getsignal(signal.SIGHUP) is before
    assert capfd.readouterr() == ("", "")


def test_scrub_removes_controls_and_bidi_and_replaces_surrogates() -> None:
    assert scrub("a\r\n\0\x1b[2J\u202eb\u2028c\x9f") == "a[2Jbc"
    assert scrub("\udcff1\ud800") == "\ufffd1\ufffd"
    assert scrub("  张三 \t") == "张三"
    assert len(scrub("é" * 1000)) == 256
