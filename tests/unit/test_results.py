"""What a call came to: every text of SpanDSP and Q.850 cause has its place, and no fax is called sent too early."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfax.faxes.results import (
    CAUSES,
    FAX_TEXTS,
    NO_RESOLUTION,
    OVERHEAD_SECONDS,
    Q850,
    SILENCE_SECONDS,
    CallOutcome,
    Cause,
    judge,
)
from netfax.faxes.retry import RULES

# A page of 18,000 bytes takes 10 s at 14,400 bit/s.
PAGE = 18_000
RATE = 14_400
FINE = "8031x7700"

NO_FAX_TEXTS = (
    "The CED tone exceeded 5s",
    "Timed out waiting for initial communication",
    "Timed out waiting for the first message",
    "Received a DCN while waiting for a DIS",
    "Received other than DIS while waiting for DIS",
)
REJECTED_TEXTS = (
    "Ident not accepted",
    "Password not accepted",
    "Sub-address not accepted",
    "Sender identification not accepted",
)
TRAINING_TEXTS = (
    "Failed to train with any of the compatible modems",
    "Received bad response to DCS or training",
    "Received no response to DCS or TCF",
)
ECM_TEXTS = (
    "Invalid ECM response received from receiver",
    "Invalid ECM response received from transmitter",
    "Timed out waiting for receiver ready (ECM mode)",
)
TROUBLE_TEXTS = (
    "Operator intervention failed",
    "Unexpected message received",
    "Timed out waiting for procedural interrupt",
    "The HDLC carrier did not stop in a timely manner",
    "Received a DCN from remote after sending a page",
    "Invalid response after sending a page",
    "No response after sending a page",
    "Disconnected after permitted retries",
    "Unexpected command after page received",
    "Carrier lost during fax receive",
    "Timed out while waiting for EOL (end Of line)",
    "Timed out while waiting for first line",
    "Timer T2 expired while waiting for DCN",
    "Timer T2 expired while waiting for phase D",
    "Timer T2 expired while waiting for fax page",
    "Timer T2 expired while waiting for next fax page",
    "Timer T2 expired while waiting for RR command",
    "Timer T2 expired while waiting for NSS, DCS or MCF",
    "Unexpected DCN while waiting for DCS or DIS",
    "Unexpected DCN while waiting for image data",
    "Unexpected DCN while waiting for EOM, EOP or MPS",
    "Unexpected DCN after EOM or MPS sequence",
    "Unexpected DCN after RR/RNR sequence",
    "Unexpected DCN after requested retransmission",
)
REDRAW_TEXTS = (
    "Far end cannot receive at the resolution of the image",
    "Far end cannot receive at the size of image",
)
FINAL_TEXTS = (
    "Far end is not compatible",
    "Far end is not able to receive",
    "Far end is not able to transmit",
    "Poll not accepted",
)
OUR_TEXTS = (
    "TIFF/F file cannot be opened",
    "TIFF/F page not found",
    "TIFF/F format is not compatible",
    "TIFF/F page number tag missing",
    "Incorrect values for TIFF/F tags",
    "Bad TIFF/F header - incorrect values in fields",
    "Cannot allocate memory for more pages",
)

TEXT_CAUSES = (
    [(text, Cause.NO_FAX) for text in NO_FAX_TEXTS]
    + [(text, Cause.TRAINING) for text in TRAINING_TEXTS]
    + [(text, Cause.ECM_TROUBLE) for text in ECM_TEXTS]
    + [(text, Cause.LINE_TROUBLE) for text in TROUBLE_TEXTS]
    + [(text, Cause.REDRAW) for text in REDRAW_TEXTS]
    + [(text, Cause.NOT_COMPATIBLE) for text in FINAL_TEXTS]
    + [(text, Cause.REJECTED) for text in REJECTED_TEXTS]
    + [(text, Cause.OUR_FAULT) for text in OUR_TEXTS]
    + [("The call dropped prematurely", Cause.DROPPED)]
)
ASTERISK_CAUSES = [
    ("FILE_ERROR", Cause.OUR_FAULT),
    ("INIT_ERROR", Cause.OUR_FAULT),
    ("INVALID_ARGUMENTS", Cause.OUR_FAULT),
    ("MEMORY_ERROR", Cause.OUR_FAULT),
    ("T38_NEG_ERROR", Cause.DROPPED),
    ("HANGUP", Cause.DROPPED),
    ("TIMEOUT", Cause.LINE_TROUBLE),
    ("Channel Problems", Cause.LINE_TROUBLE),
]
NETWORK_CAUSES = {
    1: Cause.UNALLOCATED,
    2: Cause.UNALLOCATED,
    3: Cause.UNALLOCATED,
    17: Cause.BUSY,
    18: Cause.CALL_FAILED,
    19: Cause.NO_ANSWER,
    20: Cause.NO_ANSWER,
    21: Cause.REJECTED,
    22: Cause.UNALLOCATED,
    27: Cause.CONGESTION,
    28: Cause.UNALLOCATED,
    34: Cause.CONGESTION,
    38: Cause.CONGESTION,
    41: Cause.CONGESTION,
    42: Cause.CONGESTION,
    44: Cause.GLARE,
    58: Cause.INCOMPATIBLE_CALL,
    65: Cause.INCOMPATIBLE_CALL,
    88: Cause.INCOMPATIBLE_CALL,
}


def failed(
    text: str = "The call dropped prematurely", *, pages: int = 0, seconds: int = 5, **more: object
) -> CallOutcome:
    values: dict[str, object] = {"rate": RATE, "resolution": FINE, "fax_status": "FAILED"}
    return CallOutcome(answered=True, status_text=text, pages=pages, seconds=seconds, **(values | more))  # type: ignore[arg-type]


# --- The tables ---


@pytest.mark.parametrize(("text", "cause"), TEXT_CAUSES)
def test_every_text_of_spandsp_has_its_cause(text: str, cause: Cause) -> None:
    assert judge(failed(text), (PAGE, PAGE)).cause is cause


@pytest.mark.parametrize(("word", "cause"), ASTERISK_CAUSES)
def test_asterisks_own_word_decides_where_spandsp_said_nothing(word: str, cause: Cause) -> None:
    assert judge(failed("", error=word), (PAGE, PAGE)).cause is cause


def test_spandsps_text_goes_before_asterisks_word() -> None:
    assert judge(failed("Far end is not compatible", error="HANGUP"), (PAGE,)).cause is Cause.NOT_COMPATIBLE


@pytest.mark.parametrize("text", ["", "A text of a later SpanDSP", "ok", "Far end is not compatible."])
def test_a_text_that_nobody_knows_is_trouble_on_the_line(text: str) -> None:
    assert judge(failed(text), (PAGE, PAGE)).cause is Cause.LINE_TROUBLE


@pytest.mark.parametrize("code", range(1, 128))
def test_every_cause_of_the_network_is_named_or_a_call_that_could_not_be_set_up(code: int) -> None:
    cause = judge(CallOutcome(answered=False, hangup_cause=code), (PAGE,)).cause
    assert cause is NETWORK_CAUSES.get(code, Cause.CALL_FAILED)


@pytest.mark.parametrize("code", [None, 0, -1, 1000])
def test_a_call_that_nobody_explains_could_not_be_set_up(code: int | None) -> None:
    assert judge(CallOutcome(answered=False, hangup_cause=code), (PAGE,)).cause is Cause.CALL_FAILED


def test_our_own_fault_before_the_call_is_told_as_ours() -> None:
    assert judge(CallOutcome(answered=False, error="FILE_ERROR"), (PAGE,)).cause is Cause.OUR_FAULT


def test_every_cause_has_words_in_both_languages() -> None:
    assert set(CAUSES) == set(Cause)
    for info in CAUSES.values():
        assert info.text("en").endswith(".") and info.en.isascii()
        assert info.text("zh-CN").endswith("。")


def test_the_tables_name_no_cause_twice_under_different_words() -> None:
    assert set(FAX_TEXTS) == {text for text, _ in TEXT_CAUSES} | {word for word, _ in ASTERISK_CAUSES} | {"OK"}
    assert NETWORK_CAUSES == Q850


# --- The verdict ---


def success(pages: int, **more: object) -> CallOutcome:
    return failed("OK", pages=pages, fax_status="SUCCESS", seconds=30, **more)


def test_a_success_with_every_page_confirmed_is_ok() -> None:
    assert (judge(success(2), (PAGE, PAGE)).cause, judge(success(2), (PAGE, PAGE)).confirmed) == (Cause.OK, 2)


def test_a_good_fax_whose_error_says_hangup_is_ok() -> None:
    assert judge(success(1, error="HANGUP"), (PAGE,)).cause is Cause.OK


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_success_with_fewer_pages_than_the_image_has_is_not_sent(pages: int) -> None:
    verdict = judge(success(pages), (PAGE,) * 3)
    assert (verdict.cause, verdict.confirmed) == (Cause.NOT_CONFIRMED, pages)


def test_more_pages_than_the_image_has_count_as_those_of_the_image() -> None:
    assert judge(success(9), (PAGE,) * 2).confirmed == 2


@pytest.mark.parametrize("status", ["FAILED", ""])
def test_the_text_ok_of_a_failed_fax_is_no_success(status: str) -> None:
    verdict = judge(failed("OK", pages=1, fax_status=status), (PAGE,) * 3)
    assert (verdict.cause, verdict.confirmed) == (Cause.NOT_CONFIRMED, 1)


@pytest.mark.parametrize("text", ["The call dropped prematurely", "OK", "No response after sending a page"])
def test_a_call_that_broke_after_its_last_page_was_confirmed_has_delivered_the_fax(text: str) -> None:
    verdict = judge(failed(text, pages=2, seconds=40), (PAGE, PAGE))
    assert (verdict.cause, verdict.confirmed) == (Cause.OK, 2)


def test_an_answered_call_that_died_with_its_asterisk_is_lost_and_confirms_nothing() -> None:
    verdict = judge(success(2, died=True), (PAGE, PAGE))
    assert (verdict.cause, verdict.confirmed, verdict.unknowable) == (Cause.CALL_LOST, 0, True)


def test_a_call_of_which_only_its_start_is_known_is_lost() -> None:
    assert judge(CallOutcome(answered=False, died=True, hangup_cause=17), (PAGE,)).cause is Cause.CALL_LOST


# --- The last page ---


def enough(pages: int) -> int:
    """Seconds in which so many pages pass at `RATE`."""
    return OVERHEAD_SECONDS + pages * PAGE * 8 // RATE


def test_the_last_page_may_have_arrived_when_the_call_was_long_enough_for_it() -> None:
    verdict = judge(failed(pages=2, seconds=enough(3)), (PAGE,) * 3)
    assert (verdict.cause, verdict.confirmed, verdict.unknowable) == (Cause.LAST_PAGE_UNKNOWN, 2, True)


def test_a_second_less_than_the_last_page_needs_is_a_dropped_call() -> None:
    assert judge(failed(pages=2, seconds=enough(3) - 1), (PAGE,) * 3).cause is Cause.DROPPED


def test_the_only_page_of_a_fax_may_have_arrived_too() -> None:
    assert judge(failed(seconds=enough(1)), (PAGE,)).cause is Cause.LAST_PAGE_UNKNOWN


@pytest.mark.parametrize("pages", [0, 1])
def test_with_more_than_the_last_page_unconfirmed_nothing_is_unknown(pages: int) -> None:
    assert judge(failed(pages=pages, seconds=600), (PAGE,) * 3).cause is Cause.DROPPED


def test_line_trouble_on_the_last_page_is_as_unknowable_as_a_dropped_call() -> None:
    outcome = failed("No response after sending a page", pages=1, seconds=enough(2))
    assert judge(outcome, (PAGE, PAGE)).cause is Cause.LAST_PAGE_UNKNOWN


@pytest.mark.parametrize("text", [*FINAL_TEXTS, *REDRAW_TEXTS, *OUR_TEXTS, *NO_FAX_TEXTS])
def test_where_the_far_end_took_no_page_the_last_one_is_not_unknown(text: str) -> None:
    assert judge(failed(text, seconds=600), (PAGE,)).cause is not Cause.LAST_PAGE_UNKNOWN


def test_without_a_rate_no_page_can_have_passed() -> None:
    assert judge(failed(seconds=600, rate=0), (PAGE,)).cause is Cause.DROPPED


# --- No fax heard ---


@pytest.mark.parametrize("resolution", NO_RESOLUTION)
def test_a_call_in_which_no_fax_machine_was_heard_is_no_fax(resolution: str) -> None:
    outcome = failed("", error="HANGUP", seconds=SILENCE_SECONDS, resolution=resolution)
    assert judge(outcome, (PAGE,)).cause is Cause.NO_FAX


@pytest.mark.parametrize("resolution", NO_RESOLUTION)
def test_a_hangup_before_a_fax_machine_could_be_heard_is_a_dropped_call(resolution: str) -> None:
    outcome = failed("", error="HANGUP", seconds=SILENCE_SECONDS - 1, resolution=resolution)
    assert judge(outcome, (PAGE,)).cause is Cause.DROPPED


@pytest.mark.parametrize("resolution", NO_RESOLUTION)
def test_without_an_agreed_resolution_no_page_can_have_arrived(resolution: str) -> None:
    assert judge(failed(seconds=3600, resolution=resolution), (PAGE,)).cause is Cause.NO_FAX


# --- Whatever a gateway says ---

WORDS = st.sampled_from([*FAX_TEXTS, ""]) | st.text(string.printable, max_size=30)
OUTCOMES = st.builds(
    CallOutcome,
    answered=st.booleans(),
    hangup_cause=st.none() | st.integers(0, 127),
    fax_status=st.sampled_from(["SUCCESS", "FAILED", ""]) | st.text(string.printable, max_size=8),
    status_text=WORDS,
    error=WORDS,
    pages=st.integers(0, 9),
    rate=st.sampled_from([0, 2400, 9600, 14400, 33600]),
    seconds=st.integers(0, 10_000),
    resolution=st.sampled_from([*NO_RESOLUTION, FINE]),
    died=st.booleans(),
)
PAGES = st.lists(st.integers(1, 200_000), min_size=1, max_size=6).map(tuple)


@given(OUTCOMES, PAGES)
def test_no_fax_is_sent_unless_every_page_of_it_was_confirmed_in_an_answered_call(
    outcome: CallOutcome, page_bytes: tuple[int, ...]
) -> None:
    verdict = judge(outcome, page_bytes)
    assert 0 <= verdict.confirmed <= len(page_bytes)
    if verdict.cause is Cause.OK:
        assert outcome.answered and not outcome.died
        assert verdict.confirmed == len(page_bytes) <= outcome.pages


@given(OUTCOMES, PAGES)
def test_what_may_be_tried_again_leaves_a_page_to_send(outcome: CallOutcome, page_bytes: tuple[int, ...]) -> None:
    verdict = judge(outcome, page_bytes)
    if verdict.cause in RULES:
        assert verdict.confirmed < len(page_bytes)


@given(OUTCOMES, PAGES)
def test_the_last_page_is_unknown_only_when_it_alone_is_unconfirmed(
    outcome: CallOutcome, page_bytes: tuple[int, ...]
) -> None:
    verdict = judge(outcome, page_bytes)
    if verdict.cause is Cause.LAST_PAGE_UNKNOWN:
        assert verdict.confirmed == len(page_bytes) - 1
        assert outcome.seconds >= OVERHEAD_SECONDS + sum(page_bytes) * 8 / outcome.rate


# --- When only the telephone call is on record ---


@pytest.mark.parametrize(
    ("seconds", "pages", "cause"),
    [
        (40, (PAGE,), Cause.RECORD_LOST),
        (17, (PAGE,), Cause.DROPPED),
        (40, (PAGE,) * 4, Cause.DROPPED),
        (49, (PAGE,) * 4, Cause.RECORD_LOST),
    ],
)
def test_a_call_of_whose_fax_nothing_is_known_is_unknown_if_it_may_have_carried_it(
    seconds: int, pages: tuple[int, ...], cause: Cause
) -> None:
    verdict = judge(CallOutcome(answered=True, reported=False, seconds=seconds), pages)
    assert (verdict.cause, verdict.confirmed, verdict.unknowable) == (cause, 0, cause is Cause.RECORD_LOST)


@pytest.mark.parametrize("seconds", [0, 86_410])
def test_seconds_of_a_clock_that_was_moved_say_nothing(seconds: int) -> None:
    dropped = CallOutcome(
        answered=True, status_text="The call dropped prematurely", rate=RATE, seconds=seconds, resolution=FINE
    )
    assert judge(dropped, (PAGE,)).cause is Cause.LAST_PAGE_UNKNOWN
    assert judge(dropped, (PAGE, PAGE)).cause is Cause.DROPPED
