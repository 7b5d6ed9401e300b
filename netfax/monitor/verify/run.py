"""Every promise held against the system as it runs: suspects are looked at twice before they are called a breach."""

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from netfax.db import now
from netfax.monitor.verify.promises import PROMISES
from netfax.monitor.verify.rules import Found, Look, Promise, Rule

# Between the two looks at a suspect: more than the 5 s in which the bridge comes round to every call.
PAUSE_SECONDS = 6


@dataclass(frozen=True)
class Breach:
    """One thing that breaks a promise: its id, as `netfax trace` and the tables know it, and a detail."""

    rule: Rule
    subject: str
    detail: str


@dataclass(frozen=True)
class Checked:
    """What came of one promise. `unasked` are the rules for which the gateway could not be asked."""

    promise: Promise
    looked_at: int
    breaches: tuple[Breach, ...]
    unasked: tuple[Rule, ...]

    @property
    def built(self) -> bool:
        return bool(self.promise.rules)


@dataclass(frozen=True)
class Mended:
    """A breach that was put right."""

    promise: Promise
    breach: Breach


def verify(live: Collection[str] | None, promises: Iterable[Promise] = PROMISES) -> list[Checked]:
    """Check every promise on the live system, in short reading transactions; nothing is changed.

    `live` are the unique ids of the gateway's channels, asked for just before; None when it could not be asked: then
    what would need them is not looked at.
    """
    look = Look(now(), None if live is None else frozenset(live))
    askable = [rule for promise in promises for rule in promise.rules if live is not None or not rule.needs_gateway]
    first = {rule.code: rule.find(look) for rule in askable}
    if any(found.suspects for found in first.values()):
        time.sleep(PAUSE_SECONDS)
    breaches = {rule.code: _still(rule, first[rule.code], look) for rule in askable}
    return [_checked(promise, first, breaches) for promise in promises]


def _still(rule: Rule, first: Found, look: Look) -> tuple[Breach, ...]:
    """The suspects that a second look finds too."""
    if not first.suspects:
        return ()
    second = rule.find(replace(look, only=frozenset(first.suspects)))
    return tuple(
        Breach(rule, subject, detail) for subject, detail in second.suspects.items() if subject in first.suspects
    )


def _checked(promise: Promise, found: dict[str, Found], breaches: dict[str, tuple[Breach, ...]]) -> Checked:
    asked = [rule for rule in promise.rules if rule.code in found]
    return Checked(
        promise,
        looked_at=sum(found[rule.code].looked_at for rule in asked),
        breaches=tuple(breach for rule in asked for breach in breaches[rule.code]),
        unasked=tuple(rule for rule in promise.rules if rule.code not in found),
    )


def repair(checked: Iterable[Checked]) -> list[Mended]:
    """Mend what can be mended without losing anything, each in a transaction of its own; what was done."""
    mended = []
    for check in checked:
        for breach in check.breaches:
            if breach.rule.mend is not None and breach.rule.mend(breach.subject):
                mended.append(Mended(check.promise, breach))
    return mended
