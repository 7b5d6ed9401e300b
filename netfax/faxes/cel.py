"""Asterisk's own record of channels on disk (CEL): what happened while nobody listened."""

import csv
import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from netfax.telephony import CEL_FIELDS


@dataclass(frozen=True)
class CallRecord:
    """What CEL knows of one call; times are seconds since 1970, `cause` is of Q.850."""

    started: bool = False
    answered_at: float | None = None
    ended_at: float | None = None
    cause: int = 0

    @property
    def seconds(self) -> int:
        """Seconds from the answer to the end; 0 while either is unknown."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return max(0, round(self.ended_at - self.answered_at))


# Some 20,000 calls; what is older than that and the file before it nobody asks for any more.
ROTATE_BYTES = 16 << 20


def rotate(path: Path) -> None:
    """Begin a new file when this one has grown large, and keep it as `.1`: Asterisk opens it anew for each event."""
    if path.exists() and path.stat().st_size > ROTATE_BYTES:
        path.replace(older(path))


def older(path: Path) -> Path:
    """Where the file before this one was kept."""
    return path.with_name(f"{path.name}.1")


def read_calls(path: Path, call_ids: Collection[str]) -> dict[str, CallRecord]:
    """The records of these calls; every id is in the answer, unknown ones as never started."""
    records = dict.fromkeys(call_ids, CallRecord())
    for part in (older(path), path):
        if part.exists():
            _read_into(records, part)
    return records


def _read_into(records: dict[str, CallRecord], path: Path) -> None:
    # To read a line's fields costs a hundred times what it costs to see that it is about none of these calls.
    wanted = re.compile(b"|".join(re.escape(call_id.encode()) for call_id in records))
    with path.open("rb") as file:
        for line in filter(wanted.search, file):
            fields = fields_of(line.decode(errors="replace"))
            call_id = fields.get("uniqueid", "")
            if call_id in records:
                records[call_id] = _with_event(records[call_id], fields)


def fields_of(line: str) -> dict[str, str]:
    """The fields of one line, read alone: one that a crash cut in a quote costs no other. Nothing for a damaged one."""
    try:
        row = next(csv.reader([line.replace("\0", "").rstrip("\n")]), [])
        fields = dict(zip(CEL_FIELDS, row, strict=True))
        return fields if line.endswith("\n") and math.isfinite(float(fields["eventtime"])) else {}
    except (csv.Error, ValueError):
        return {}


def _with_event(record: CallRecord, fields: dict[str, str]) -> CallRecord:
    at = float(fields["eventtime"])
    match fields["eventtype"]:
        case "CHAN_START":
            return replace(record, started=True)
        case "ANSWER":
            return replace(record, started=True, answered_at=at)
        case "HANGUP":
            return replace(record, started=True, ended_at=at, cause=_hangup_cause(fields["eventextra"]))
    return record


def _hangup_cause(extra: str) -> int:
    try:
        return int(json.loads(extra)["hangupcause"])
    except (ValueError, KeyError, TypeError):
        return 0
