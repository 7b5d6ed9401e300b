"""Our own calls in Asterisk's record on disk (CEL): how often each began, and when it ended."""

from dataclasses import dataclass, replace
from pathlib import Path

from netfax.faxes.cel import fields_of, older


@dataclass(frozen=True)
class ChannelRecord:
    """What CEL says of the channels of one unique id; `ended_at` in seconds since 1970, None while none has ended."""

    starts: int = 0
    ended_at: float | None = None


def read_channels(path: Path, prefix: str) -> dict[str, ChannelRecord]:
    """The records of every unique id that begins so, from the file before this one (`.1`) and this one.

    Files may be rotated and written meanwhile: a line that is not whole, or that a crash has cut, counts as none.
    """
    records: dict[str, ChannelRecord] = {}
    # The older file first: one that is renamed between the two is missed, not read twice.
    for part in (older(path), path):
        try:
            file = part.open(encoding="utf-8", errors="replace", newline="\n")
        except FileNotFoundError:
            continue
        with file:
            for line in file:
                if prefix in line:
                    _note(records, line, prefix)
    return records


def _note(records: dict[str, ChannelRecord], line: str, prefix: str) -> None:
    fields = fields_of(line)
    call_id = fields.get("uniqueid", "")
    if not call_id.startswith(prefix):
        return
    record = records.get(call_id, ChannelRecord())
    match fields["eventtype"]:
        case "CHAN_START":
            record = replace(record, starts=record.starts + 1)
        case "HANGUP":
            record = replace(record, ended_at=float(fields["eventtime"]))
    records[call_id] = record
