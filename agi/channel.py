"""What a journal would say, from the channel itself: it lives until its `h` has ended."""

from collections.abc import Mapping

from agi.session import AgiSession


def read_channel(session: AgiSession, fields: Mapping[str, tuple[str, bool]]) -> dict[str, str]:
    """The values of a journal's fields (`telephony.JOURNAL_FIELDS_*`) by their keys; empty where there is none."""
    return {key: session.get_variable(name) or "" for key, (name, _) in fields.items()}
