"""Asterisk's own record of channels on disk (CEL): what happened while nobody listened."""

import csv
import json
from collections.abc import Collection
from dataclasses import dataclass
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


def read_calls(path: Path, call_ids: Collection[str]) -> dict[str, CallRecord]:
    """The records of these calls; every id is in the answer, unknown ones as never started."""
    records = dict.fromkeys(call_ids, CallRecord())
    if not path.exists():
        return records
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.reader(line.replace("\0", "") for line in file):
            if len(row) != len(CEL_FIELDS):
                continue
            fields = dict(zip(CEL_FIELDS, row, strict=True))
            call_id = fields["uniqueid"]
            if call_id in records:
                records[call_id] = _with_event(records[call_id], fields)
    return records


def _with_event(record: CallRecord, fields: dict[str, str]) -> CallRecord:
    at = float(fields["eventtime"])
    match fields["eventtype"]:
        case "CHAN_START":
            return CallRecord(True, record.answered_at, record.ended_at, record.cause)
        case "ANSWER":
            return CallRecord(True, at, record.ended_at, record.cause)
        case "HANGUP":
            return CallRecord(True, record.answered_at, at, _hangup_cause(fields["eventextra"]))
    return record


def _hangup_cause(extra: str) -> int:
    try:
        return int(json.loads(extra)["hangupcause"])
    except (ValueError, KeyError, TypeError):
        return 0
