"""Draw the states of a fax in docs/architecture.md: `.venv/bin/python install/draw_states.py [--check]`.

The diagram and the table of words between their markers come from `netfax.faxes.states`, the rules for calling again
from `netfax.faxes.retry`, where a change begins; run this after it. With --check nothing is written, and the exit code
is 1 when the page is out of date.
"""

import sys
from itertools import permutations
from pathlib import Path

from netfax.faxes.results import CAUSES, Cause
from netfax.faxes.retry import GLARE_WAIT, RULES, TRUNK_TROUBLE
from netfax.faxes.states import STATE_INFO, STEPS, DeliveryState, ReceptionState

PAGE = Path(__file__).resolve().parents[1] / "docs" / "architecture.md"

Group = tuple[DeliveryState, ...]


def main(arguments: list[str]) -> int:
    """Write the blocks, or with --check only compare; 1 when they differed then."""
    before = PAGE.read_text()
    after = drawn(before)
    if before == after:
        return 0
    if "--check" in arguments:
        print(f"{PAGE.name} differs from the table of states: .venv/bin/python install/draw_states.py", file=sys.stderr)
        return 1
    PAGE.write_text(after)
    return 0


def drawn(page: str) -> str:
    """The page with both blocks as the table has them."""
    page = _put(page, "state diagram", f"```mermaid\n{diagram()}\n```")
    page = _put(page, "state words", words())
    return _put(page, "retry rules", rules())


def diagram() -> str:
    """The states of an outgoing fax and the steps between them, as a flow chart of mermaid."""
    lines = ["flowchart TD"]
    for group in groups():
        text = "<br/>".join(f"{state} {STATE_INFO[state].zh}" for state in group)
        lines.append(f'{group[0]}(["{text}"])' if STATE_INFO[group[0]].ended else f'{group[0]}["{text}"]')
    lines += [f"{start[0]} --> {end[0]}" for start, end in arrows()]
    return "\n    ".join(lines)


def rules() -> str:
    """What each cause asks for, as a table."""
    lines = ["| cause | in words | called again | the next call |", "|---|---|---|---|"]
    for cause, info in CAUSES.items():
        rule = RULES.get(cause)
        lines.append(f"| `{cause}` | {info.en} | {_again(cause)} | {rule.change.value if rule else ''} |")
    return "\n".join(lines)


def _again(cause: Cause) -> str:
    rule = RULES.get(cause)
    if rule is None:
        return "no"
    if cause is Cause.GLARE:
        return f"after {GLARE_WAIT.seconds} s"
    after = {0.5: "half the interval", 1: "the interval", 2: "twice the interval"}.get(
        rule.wait, "a third of the interval"
    )
    others = ", at once on another trunk" if cause in TRUNK_TROUBLE else ""
    return f"after {after}{others}" + (f", {rule.calls} calls at most" if rule.calls else "")


def groups() -> list[Group]:
    """The states, those in one box that all else leads to alike and that lead alike to all else."""
    found: list[Group] = []
    for state in DeliveryState:
        like = next((group for group in found if all(_alike(state, other) for other in group)), None)
        if like is None:
            found.append((state,))
        else:
            found[found.index(like)] = (*like, state)
    return found


def arrows() -> list[tuple[Group, Group]]:
    """Every step between boxes; a box leads to itself where each of its states leads to each other."""
    boxes = groups()
    return [(start, end) for start in boxes for end in boxes if _leads(start, end)]


def _alike(one: DeliveryState, other: DeliveryState) -> bool:
    """Whether two states have the same steps but for those between them, which go both ways or not at all."""
    pair = {one, other}
    return (
        STEPS[one] - pair == STEPS[other] - pair
        and all((one in STEPS[state]) == (other in STEPS[state]) for state in STEPS if state not in pair)
        and (one in STEPS[other]) == (other in STEPS[one])
    )


def _leads(start: Group, end: Group) -> bool:
    if start == end:
        return len(start) > 1 and all(other in STEPS[one] for one, other in permutations(start, 2))
    return end[0] in STEPS[start[0]]


def words() -> str:
    """Every state with its words in both languages and what it means for lists and statistics."""
    rows = ["| state | 中文 | English | of | ended | success |", "|---|---|---|---|---|---|"]
    states: list[DeliveryState | ReceptionState] = [*DeliveryState, *ReceptionState]
    for state in states:
        info = STATE_INFO[state]
        of = "outgoing" if isinstance(state, DeliveryState) else "incoming"
        marks = " | ".join("yes" if true else "" for true in (info.ended, info.success))
        rows.append(f"| `{state}` | {info.zh} | {info.en} | {of} | {marks} |")
    return "\n".join(rows)


def _put(page: str, name: str, block: str) -> str:
    """Replace what stands between the markers of that name."""
    begin, end = f"<!-- {name}: drawn by install/draw_states.py -->", f"<!-- end of {name} -->"
    head, _, rest = page.partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise ValueError(f"{PAGE} has no markers for the {name}")
    return f"{head}{begin}\n{block}\n{end}{tail}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
