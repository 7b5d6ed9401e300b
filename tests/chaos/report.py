"""What a run came to, as a page of text."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.cells import OMITTED
from tests.chaos.judge import Verdict
from tests.chaos.lane import RECOVERY_SECONDS, Lane, Struck


@dataclass
class Run:
    """A run at its end."""

    seed: int
    seconds: float
    lanes: Sequence[Lane]
    verdict: Verdict

    @property
    def cells(self) -> list[Struck]:
        return [each for lane in self.lanes for each in lane.struck]

    @property
    def struck(self) -> list[Struck]:
        return [each for each in self.cells if each.window is not None]

    @property
    def unanswered(self) -> list[str]:
        return [title for lane in self.lanes for title in lane.traffic.log.unanswered]

    @property
    def broken(self) -> list[str]:
        """What went wrong with the run itself: it proves less than it should."""
        idle = [] if self.verdict.sent and self.verdict.received else ["nothing was sent, or nothing came in"]
        return idle + [
            " ".join(why.split()[-60:]) for lane in self.lanes for why in (*lane.broken, *lane.traffic.log.broken)
        ]

    @property
    def passed(self) -> bool:
        late = [each for each in self.struck if each.recovery is None or each.recovery > RECOVERY_SECONDS]
        broken = [each for each in self.struck if each.breaches]
        return self.verdict.holds and bool(self.struck) and not (late or broken or self.unanswered or self.broken)


def report(run: Run) -> str:
    """The faults with their recovery, the sums, and every fax of which something is to be said."""
    whole = run.verdict
    recoveries = [each.recovery for each in run.struck]
    worst = max((each for each in recoveries if each is not None), default=0.0)
    late = sum(each is None for each in recoveries)
    refused = sum(len(lane.traffic.log.refused) for lane in run.lanes)
    lines = [
        "# Faults",
        "",
        f"`make chaos SEED={run.seed}`: {len(run.struck)} of {len(run.cells)} faults struck in"
        f" {run.seconds / 60:.0f} minutes.",
        "",
        f"- accepted **{whole.accepted}**, sent {whole.sent}, refused before acceptance {refused},"
        f" without any answer {len(run.unanswered)}",
        f"- calls in **{whole.came_in}**, of which {whole.received} brought pages",
        f"- **lost {len(whole.lost)}**, **doubled {len(whole.doubled)}**, unknown {len(whole.unknown)},"
        f" pages repeated {len(whole.repeated)},"
        f" ended with a cause {len(whole.failed)}, calls in that were cut short {len(whole.cut_short)},"
        f" pages named by an alarm {len(whole.alarmed)}",
        f"- worst recovery **{worst:.0f} s**" + (f", not recovered: {late}" if late else ""),
        "",
        "| part | fault | right again after | the last was | netfax verify |",
        "|---|---|---|---|---|",
    ]
    for each in sorted(run.cells, key=lambda one: (one.cell.part, one.cell.fault)):
        lines.append(f"| {each.cell.part} | {each.cell.fault} | {_what_came_of(each)} |")
    for title, sentences in (
        ("Lost", whole.lost),
        ("Doubled", whole.doubled),
        ("Unknown", whole.unknown),
        ("Pages repeated, because a fault has kept their confirmation from us", whole.repeated),
        ("Ended with a cause", whole.failed),
        ("Calls in that were cut short", whole.cut_short),
        ("Named by an alarm", whole.alarmed),
        ("Without an answer", run.unanswered),
        ("Wrong with this run", run.broken),
    ):
        if sentences:
            lines += ["", f"## {title}", "", *(f"- {sentence}" for sentence in sentences)]
    lines += ["", "## Not struck", ""]
    reasons: dict[str, list[str]] = {}
    for cell, reason in OMITTED.items():
        reasons.setdefault(reason, []).append(str(cell))
    lines += [f"- {reason} ({', '.join(cells)})" for reason, cells in reasons.items()]
    return "\n".join(lines) + "\n"


def _what_came_of(each: Struck) -> str:
    if each.window is None:
        return f"- | {each.waited_for} | -"
    took = f"{each.recovery:.0f} s" if each.recovery is not None else "never"
    return f"{took} | {each.waited_for} | {', '.join(each.breaches) or 'holds'}"
