"""Whether, when and how a number is called again: one rule a cause, and pure functions of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from netfax.faxes.results import Cause
from netfax.telephony import MODE_AUDIO, MODE_T38, MODEMS

# After glare the line is taken; a moment later it is known whether another is free.
GLARE_WAIT = timedelta(seconds=5)
# What worked for a destination is used for this long, and then the usual is tried again.
MEMORY = timedelta(days=30)


class Change(Enum):
    """What the next call does differently."""

    NOTHING = "the same"
    # Another trunk, at once while there is one that was not tried.
    TRUNK = "another trunk"
    # Audio in place of T.38, and over another trunk while there is one that was not tried.
    AUDIO_AND_TRUNK = "by audio, over another trunk"
    MODEM = "a slower modem"
    ECM = "without ECM"
    # Whatever has not been changed yet: T.38, then ECM, then the modem.
    ANYTHING = "by audio, then without ECM, then a slower modem"
    # The pages in standard fineness.
    REDRAW = "in standard fineness"


@dataclass(frozen=True)
class Rule:
    """What a cause asks for: `wait` is a multiple of R8.3's interval, `calls` how many may end by this cause."""

    wait: float = 1
    change: Change = Change.NOTHING
    calls: int | None = None


# A cause without a rule is final. Busy lines clear soon, people come back late; after trouble the next call is another.
RULES: dict[Cause, Rule] = {
    Cause.BUSY: Rule(wait=0.5),
    Cause.NO_ANSWER: Rule(wait=2),
    Cause.CONGESTION: Rule(change=Change.TRUNK),
    Cause.CALL_FAILED: Rule(change=Change.TRUNK),
    Cause.INCOMPATIBLE_CALL: Rule(change=Change.AUDIO_AND_TRUNK),
    Cause.GLARE: Rule(),
    Cause.REJECTED: Rule(calls=2),
    Cause.NO_FAX: Rule(calls=2),
    Cause.TRAINING: Rule(wait=1 / 3, change=Change.MODEM),
    Cause.ECM_TROUBLE: Rule(wait=1 / 3, change=Change.ECM),
    Cause.LINE_TROUBLE: Rule(wait=1 / 3, change=Change.ANYTHING),
    Cause.DROPPED: Rule(wait=1 / 3, change=Change.ANYTHING),
    Cause.NOT_CONFIRMED: Rule(wait=1 / 3, change=Change.MODEM),
    Cause.REDRAW: Rule(wait=1 / 3, change=Change.REDRAW, calls=2),
    Cause.OUR_FAULT: Rule(calls=3),
    # An operator changes a trunk by taking it away and adding it anew.
    Cause.NO_ROUTE: Rule(),
}

TRUNK_TROUBLE = frozenset(
    cause for cause, rule in RULES.items() if rule.change in (Change.TRUNK, Change.AUDIO_AND_TRUNK)
)


@dataclass(frozen=True)
class CallParameters:
    """How a call is made: `mode` and `modem` as `telephony` has them, `fine` for 196 lines an inch, else 98."""

    mode: str = MODE_T38
    modem: str = MODEMS[0]
    ecm: bool = True
    fine: bool = True


USUAL = CallParameters()


@dataclass(frozen=True)
class RetryPolicy:
    """R8.3's interval and count, of resends after the first call; `paid_count` bounds those that were answered."""

    interval: timedelta
    count: int
    paid_count: int


@dataclass(frozen=True)
class Tally:
    """A fax's calls so far, the last one included: not answered, answered, and ended by the last one's cause."""

    free: int = 0
    paid: int = 0
    of_cause: int = 1


def next_try(
    cause: Cause, tally: Tally, at: datetime, policy: RetryPolicy, *, other_trunk: bool = False
) -> datetime | None:
    """When to call again after a call that ended by `cause`; None for never.

    `other_trunk` says that a trunk is left which has not been tried since the last pause.
    """
    rule = RULES.get(cause)
    if rule is None or (rule.calls is not None and tally.of_cause >= rule.calls):
        return None
    if cause is Cause.GLARE:
        return at + GLARE_WAIT
    if tally.free > policy.count or tally.paid > min(policy.count, policy.paid_count):
        return None
    if cause in TRUNK_TROUBLE and other_trunk:
        return at
    return at + policy.interval * rule.wait


def changed(parameters: CallParameters, cause: Cause) -> CallParameters:
    """The parameters of the call after one that ended by `cause`; the same where nothing can be changed any more."""
    match RULES[cause].change if cause in RULES else Change.NOTHING:
        case Change.AUDIO_AND_TRUNK:
            return replace(parameters, mode=MODE_AUDIO)
        case Change.REDRAW:
            return replace(parameters, fine=False)
        case Change.MODEM:
            return _slower(parameters) or _first_of(parameters)
        case Change.ECM if parameters.ecm:
            return replace(parameters, ecm=False)
        case Change.ECM | Change.ANYTHING:
            return _first_of(parameters)
        case _:
            return parameters


def _first_of(parameters: CallParameters) -> CallParameters:
    """Change what troubles most, if it has not been changed yet."""
    if parameters.mode == MODE_T38:
        return replace(parameters, mode=MODE_AUDIO)
    if parameters.ecm:
        return replace(parameters, ecm=False)
    return _slower(parameters) or parameters


def _slower(parameters: CallParameters) -> CallParameters | None:
    """The next slower modem, or None after the slowest."""
    slower = MODEMS[MODEMS.index(parameters.modem) + 1 :]
    return replace(parameters, modem=slower[0]) if slower else None
