"""The journal that a gateway's dialplan writes: one file a call, one line, whole when it ends with its last word."""

import base64
from collections.abc import Mapping
from pathlib import Path

from netfax import telephony


class BrokenJournal(Exception):
    """The line is not (yet) whole or not readable."""


def read_journal(path: Path) -> Mapping[str, str]:
    """The fields of a call by their names in `telephony.JOURNAL_FIELDS_*`; outside values decoded, controls removed.

    Raises `BrokenJournal` for a line that is still being written or was damaged, and OSError.
    """
    words = path.read_text(encoding="ascii", errors="replace").split()
    if not words or words[-1] != telephony.JOURNAL_END:
        raise BrokenJournal(f"{path.name} is not whole")
    encoded = {
        key
        for fields in (telephony.JOURNAL_FIELDS_OUT, telephony.JOURNAL_FIELDS_IN)
        for key, (_, base64ed) in fields.items()
        if base64ed
    }
    values: dict[str, str] = {}
    for word in words[:-1]:
        key, _, value = word.partition("=")
        values[key] = _decode(value) if key in encoded else value
    return values


def number(values: Mapping[str, str], key: str) -> int:
    """A field as a number of 0 or more; 0 where the dialplan had none."""
    text = values.get(key, "")
    return int(text) if text.isascii() and text.isdecimal() else 0


def out_path(journal: Path, attempt_id: str) -> Path:
    """Where the dialplan writes about an outbound call."""
    return journal / f"{telephony.JOURNAL_OUT_PREFIX}{attempt_id}"


def in_path(journal: Path, reception_id: str) -> Path:
    """Where the dialplan writes about an inbound call."""
    return journal / f"{telephony.JOURNAL_IN_PREFIX}{reception_id}"


def _decode(value: str) -> str:
    try:
        # Without `validate` a damaged value would be read as another one.
        text = base64.b64decode(value, validate=True).decode("utf-8", errors="replace")
    except ValueError as error:
        raise BrokenJournal(str(error)) from error
    return "".join(character if character.isprintable() else "�" for character in text).strip()
