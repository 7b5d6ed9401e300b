"""The reading of AMI messages: talks recorded from a real Asterisk, and values that would be more than values."""

import random

import pytest

from ami_bridge.messages import (
    MAX_FRAME,
    AmiEvent,
    FrameError,
    FrameReader,
    IllegalField,
    check_fields,
    parse_frame,
)
from tests.fixtures.ami.record import HERE, received

CONVERSATIONS = sorted(path.stem for path in HERE.glob("*.txt"))


def read(*packets: bytes) -> list[AmiEvent]:
    reader = FrameReader()
    return [AmiEvent.received(parse_frame(frame)) for packet in packets for frame in reader.feed(packet)]


def one_event(body: bytes) -> AmiEvent:
    (event,) = read(b"Asterisk Call Manager/11.0.0\r\n" + body + b"\r\n\r\n")
    return event


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_recorded_conversation_reads_the_same_however_it_is_split(name: str) -> None:
    data = received(name)
    whole = read(data)
    assert whole
    assert read(*(data[at : at + 1] for at in range(len(data)))) == whole
    chosen = random.Random(name)
    for _ in range(100):
        cut = chosen.randrange(len(data))
        assert read(data[:cut], data[cut:]) == whole


def find(name: str, event: str) -> list[AmiEvent]:
    return [found for found in read(received(name)) if found.name == event]


def test_a_call_that_is_answered_reads_as_asterisk_told_it() -> None:
    (outcome,) = find("originate_answered", "OriginateResponse")
    assert (outcome["Response"], outcome["Reason"]) == ("Success", "4")
    assert outcome["Uniqueid"] == outcome["ActionID"] == "originate-answered--------------"
    hangups = find("originate_answered", "Hangup")
    assert {hangup["Uniqueid"] for hangup in hangups} == {outcome["Uniqueid"], outcome["Uniqueid"] + ";2"}


@pytest.mark.parametrize(
    ("name", "cause"), [("originate_busy", "17"), ("originate_unanswered", "19"), ("originate_answered", "16")]
)
def test_the_hangup_of_the_call_carries_its_cause(name: str, cause: str) -> None:
    causes = [hangup["Cause"] for hangup in find(name, "Hangup") if not hangup["Uniqueid"].endswith(";2")]
    assert causes == [cause]


def test_a_duplicate_channel_id_is_acknowledged_and_then_fails_in_the_name_of_the_living_call() -> None:
    living, duplicate = find("duplicate_channel_id", "OriginateResponse")
    assert (living["Response"], duplicate["Response"]) == ("Success", "Failure")
    assert living["Uniqueid"] == duplicate["Uniqueid"]


def test_a_newline_from_outside_renames_no_event_and_shows_as_a_repeated_header() -> None:
    (station,) = find("forged_header", "UserEvent")
    assert station["Id"] == "<svg onload=alert()>"
    assert station.all("Event") == ["UserEvent", "Hangup"]
    assert station["Uniqueid"] == "forged"  # the last wins …
    assert station.one("Uniqueid") is None  # … so what decides is read so
    assert all(hangup.one("Uniqueid") for hangup in find("forged_header", "Hangup"))


def test_a_header_that_no_message_has_is_an_error_and_not_an_empty_text() -> None:
    event = one_event(b"Event: Hangup\r\nAccountCode: \r\nUniqueid: 1\r\nLast: ")
    assert event["AccountCode"] == event["Last"] == ""
    with pytest.raises(KeyError):
        event["uniqueID"]
    assert event.get("Cause", "0") == "0"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"A\nEvent: Hangup", "A\nEvent: Hangup"),
        (b"A\rB", "A\rB"),
        (b"A\r\nno colon", "A\nno colon"),
        (b"A\r\n<svg onload=alert()>: x", "A\n<svg onload=alert()>: x"),
        (b"A\r\n: x", "A\n: x"),
        ("A\u2028Event: Hangup\x85B\x0bC".encode(), "A\u2028Event: Hangup\x85B\x0bC"),
        (b"\xe4\xbc", "\ufffd"),
        (b"a: b: c", "a: b: c"),
        (b"%41+b", "%41+b"),
        (b"  spaces  ", "  spaces  "),
    ],
)
@pytest.mark.parametrize("header", ["RemoteStationID", "Result"])
def test_a_value_stays_a_value(header: str, raw: bytes, value: str) -> None:
    event = one_event(b"Event: ReceiveFAX\r\n%b: %b\r\nPagesTransferred: 1" % (header.encode(), raw))
    assert event.name == "ReceiveFAX"
    assert event[header] == value
    assert event["PagesTransferred"] == "1"


def test_an_event_made_by_hand_reads_like_a_received_one() -> None:
    event = AmiEvent("Hangup", {"Cause": "17"})
    assert (event["Cause"], event.all("Cause"), event.one("Cause")) == ("17", ["17"], "17")


def test_a_message_at_the_limit_is_read_and_one_byte_more_is_not() -> None:
    banner = b"Asterisk Call Manager/11.0.0\r\n"
    start = b"Event: A\r\nB: "
    largest = start + b"x" * (MAX_FRAME - len(start))
    assert len(read(banner + largest + b"\r\n\r\n")) == 1
    with pytest.raises(FrameError):
        read(banner + largest + b"x\r\n\r\n")
    with pytest.raises(FrameError):
        read(banner, *(b"x" * 65536 for _ in range(17)))


def test_reading_a_function_is_no_assignment_but_line_breaks_are_refused_all_the_same() -> None:
    check_fields([("Action", "Getvar"), ("Variable", "PJSIP_AOR(pstn,contact)")])
    with pytest.raises(IllegalField):
        check_fields([("Action", "Getvar"), ("Variable", "PJSIP_AOR(pstn)\r\nAction: Originate")])
    with pytest.raises(IllegalField):
        check_fields([("Action", "Originate"), ("Variable", "FILE(/tmp/x)=1")])
