"""Asterisk's own record on disk, in whatever state a crash left it, and what it says about a call."""

import json
from pathlib import Path

import pytest

from ami_bridge.reconcile import CEL_PATIENCE_SECONDS, outcome_of
from netfax.faxes import cel
from netfax.faxes.cel import CallRecord, read_calls
from netfax.faxes.results import CallOutcome

US = "c0ffee00" + "1" * 24
OTHER = "c0ffee00" + "2" * 24
AT = 1_795_492_453.25


def event(kind: str, at: float = AT, call: str = US, *, cause: int | None = None, channel: str = "PJSIP/pstn-1") -> str:
    """One line as `cel_custom` writes it."""
    extra = "" if cause is None else json.dumps({"hangupcause": cause, "hangupsource": "", "dialstatus": ""})
    fields = (kind, f"{at:.6f}", call, call, channel, extra)
    return ",".join('"' + field.replace('"', '""') + '"' for field in fields) + "\n"


def read(tmp_path: Path, content: str | bytes, *calls: str) -> dict[str, CallRecord]:
    path = tmp_path / "cel.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_calls(path, calls or (US,))


def test_a_call_that_was_answered_has_its_seconds_and_cause(tmp_path: Path) -> None:
    lines = event("CHAN_START") + event("ANSWER", AT + 4) + event("HANGUP", AT + 31.4, cause=16)
    record = read(tmp_path, lines)[US]
    assert record == CallRecord(True, AT + 4, AT + 31.4, 16)
    assert record.seconds == 27


def test_a_busy_call_has_a_cause_and_no_seconds(tmp_path: Path) -> None:
    record = read(tmp_path, event("CHAN_START") + event("HANGUP", AT + 1, cause=17))[US]
    assert (record.answered_at, record.cause, record.seconds) == (None, 17, 0)


def test_the_order_of_the_lines_does_not_matter(tmp_path: Path) -> None:
    lines = [event("HANGUP", AT + 9, cause=16), event("ANSWER", AT + 4), event("CHAN_START")]
    assert read(tmp_path, "".join(lines))[US] == CallRecord(True, AT + 4, AT + 9, 16)


def test_each_call_has_its_own_lines(tmp_path: Path) -> None:
    records = read(tmp_path, event("CHAN_START") + event("ANSWER", call=OTHER), US, OTHER)
    assert records[US].answered_at is None
    assert records[OTHER].answered_at == AT


def test_a_call_without_a_line_never_started(tmp_path: Path) -> None:
    assert read(tmp_path, event("CHAN_START", call=OTHER))[US] == CallRecord()
    assert read_calls(tmp_path / "missing.csv", [US]) == {US: CallRecord()}


def test_a_clock_that_was_set_back_gives_no_negative_seconds(tmp_path: Path) -> None:
    assert read(tmp_path, event("ANSWER", AT) + event("HANGUP", AT - 60, cause=16))[US].seconds == 0


def test_quotes_commas_and_no_utf8_in_a_channels_name_stay_in_their_field(tmp_path: Path) -> None:
    hostile = event("ANSWER", channel='a","HANGUP","1","b').encode() + event("HANGUP", AT + 5, cause=16).encode()
    record = read(tmp_path, hostile.replace(b"PJSIP", b"\xff\xfe"))[US]
    assert (record.answered_at, record.ended_at) == (AT, AT + 5)


def test_nul_bytes_that_a_power_cut_left_are_passed_over(tmp_path: Path) -> None:
    content = b"\0" * 4096 + event("CHAN_START").encode() + b"\0\0\n" + event("ANSWER", AT + 1).encode()
    assert read(tmp_path, content)[US].answered_at == AT + 1


@pytest.mark.parametrize("length", range(1, len(event("CHAN_START", call=OTHER)), 9))
def test_a_half_line_costs_itself_alone(tmp_path: Path, length: int) -> None:
    half = event("CHAN_START", call=OTHER)[:length] + "\n"
    record = read(tmp_path, event("CHAN_START") + half + event("HANGUP", AT + 1, cause=17))[US]
    assert (record.started, record.ended_at, record.cause) == (True, AT + 1, 17)


@pytest.mark.parametrize("time", ["", "yesterday", "1795-01-01 10:00:00", "nan", "inf", "1e400"])
def test_a_line_with_a_damaged_time_is_passed_over(tmp_path: Path, time: str) -> None:
    damaged = event("ANSWER").replace(f"{AT:.6f}", time)
    record = read(tmp_path, damaged + event("HANGUP", AT + 1, cause=17))[US]
    assert (record.answered_at, record.ended_at) == (None, AT + 1)


@pytest.mark.parametrize("extra", ["", "{", "[]", "null", '{"hangupcause": null}', '{"hangupcause": "x"}', "17", '""'])
def test_a_hangup_without_a_readable_cause_has_none(tmp_path: Path, extra: str) -> None:
    line = ",".join(f'"{field.replace(chr(34), chr(34) * 2)}"' for field in ("HANGUP", f"{AT}", US, US, "c", extra))
    record = read(tmp_path, line + "\n")[US]
    assert (record.ended_at, record.cause) == (AT, 0)


@pytest.mark.parametrize("line", ["", "\n", ",\n", '"\n', "a,b,c\n", '"ANSWER"\n', ",,,,,\n", "x" * 200_000 + "\n"])
def test_lines_that_are_no_events_are_passed_over(tmp_path: Path, line: str) -> None:
    assert read(tmp_path, line + event("CHAN_START"))[US].started


def test_a_large_record_is_begun_anew_and_the_older_one_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cel.csv"
    cel.rotate(path)
    path.write_text(event("CHAN_START") + event("ANSWER"))
    cel.rotate(path)
    assert path.exists()
    monkeypatch.setattr(cel, "ROTATE_BYTES", 10)
    cel.rotate(path)
    assert not path.exists()
    path.write_text(event("HANGUP", AT + 7, cause=16))
    assert read_calls(path, [US])[US].seconds == 7


def test_only_the_lines_of_the_wanted_calls_are_taken_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parted: list[str] = []
    fields_of = cel.fields_of

    def part(line: str) -> dict[str, str]:
        parted.append(line)
        return fields_of(line)

    monkeypatch.setattr(cel, "fields_of", part)
    others = "".join(event("CHAN_START", call=f"{number:032x}") for number in range(1000))
    assert read(tmp_path, others + event("CHAN_START") + others)[US].started
    assert parted == [event("CHAN_START")]


def test_an_event_that_nobody_asked_for_changes_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, event("LINKEDID_END") + event("BRIDGE_ENTER"))[US] == CallRecord()


# --- What it means for a call without channel and journal ---

STARTED = CallRecord(True)
ANSWERED = CallRecord(True, AT - 60)
LONG = CEL_PATIENCE_SECONDS + 1


@pytest.mark.parametrize("same_boot", [True, False])
def test_an_unanswered_call_ended_by_the_cause_of_its_hangup(same_boot: bool) -> None:
    record = CallRecord(True, None, AT, 19)
    assert outcome_of(record, same_boot=same_boot, gone_for=0) == CallOutcome(answered=False, hangup_cause=19)


@pytest.mark.parametrize("same_boot", [True, False])
def test_of_an_answered_call_that_ended_only_its_seconds_are_known(same_boot: bool) -> None:
    outcome = outcome_of(CallRecord(True, AT - 20, AT, 16), same_boot=same_boot, gone_for=0)
    assert outcome == CallOutcome(answered=True, reported=False, seconds=20, hangup_cause=16)


def test_an_answered_call_without_an_end_died_with_its_asterisk() -> None:
    assert outcome_of(ANSWERED, same_boot=False, gone_for=0) == CallOutcome(answered=True, died=True)


def test_a_call_that_rang_when_its_asterisk_died_has_carried_nothing() -> None:
    assert outcome_of(STARTED, same_boot=False, gone_for=0) == CallOutcome(answered=False)


def test_a_call_of_an_earlier_asterisk_without_any_record_may_have_been_made() -> None:
    assert outcome_of(CallRecord(), same_boot=False, gone_for=0) == CallOutcome(answered=False, died=True)


@pytest.mark.parametrize("record", [STARTED, ANSWERED])
def test_the_end_of_a_call_may_need_a_moment_to_reach_the_disk(record: CallRecord) -> None:
    assert outcome_of(record, same_boot=True, gone_for=CEL_PATIENCE_SECONDS) is None


@pytest.mark.parametrize(("record", "answered"), [(STARTED, False), (ANSWERED, True)])
def test_a_call_whose_end_never_reaches_the_disk_does_not_stay_open_for_ever(
    record: CallRecord, answered: bool
) -> None:
    assert outcome_of(record, same_boot=True, gone_for=LONG) == CallOutcome(answered=answered, died=True)


def test_a_call_that_never_started_on_this_asterisk_has_no_outcome() -> None:
    assert outcome_of(CallRecord(), same_boot=True, gone_for=LONG) is None
