"""The texts by which calls are judged are those that the SpanDSP of the Asterisk root can say."""

import pytest

from dialplan import asterisk
from netfax.faxes.results import FAX_TEXTS
from netfax.settings import Settings

# What Asterisk itself says, in FAXERROR.
ASTERISKS_OWN = {
    "TIMEOUT",
    "HANGUP",
    "Channel Problems",
    "T38_NEG_ERROR",
    "FILE_ERROR",
    "INIT_ERROR",
    "INVALID_ARGUMENTS",
    "MEMORY_ERROR",
}


@pytest.fixture(scope="module")
def library() -> bytes:
    root = Settings().asterisk
    asterisk.make_root(root, print)
    (path,) = root.glob("usr/lib/*/libspandsp.so.2")
    return path.read_bytes()


@pytest.mark.parametrize("text", sorted(set(FAX_TEXTS) - ASTERISKS_OWN))
def test_spandsp_has_each_text_to_the_letter(library: bytes, text: str) -> None:
    # A short one may be the end of a longer one: the linker stores both once.
    assert text.encode() + b"\0" in library


def test_every_word_of_asterisk_is_known() -> None:
    assert set(FAX_TEXTS) >= ASTERISKS_OWN
