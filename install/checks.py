"""Run the checks: `.venv/bin/python install/checks.py check|test`.

`check` is the quick one: format, lint, types, import arrows, unit tests on SQLite. `test` adds everything else, to the
real Asterisk and the browser. A step that fails does not keep the next from running; one failure fails the whole, and
the end tells each step's result.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
BIN = CHECKOUT / ".venv" / "bin"
PYTEST = (str(BIN / "python"), "-m", "pytest", "-q")


@dataclass(frozen=True)
class Step:
    """A command and its name in the closing table."""

    name: str
    argv: tuple[str, ...]


STATIC = (
    Step("format", (str(BIN / "ruff"), "format", "--check", ".")),
    Step("lint", (str(BIN / "ruff"), "check", ".")),
    Step("types", (str(BIN / "mypy"),)),
    Step("import arrows", (str(BIN / "lint-imports"),)),
)
STEPS = {
    # PostgreSQL's half of them is for `test`.
    "check": (*STATIC, Step("unit tests", (*PYTEST, "-n", "3", "-k", "not postgresql", "tests/unit"))),
    "test": (
        *STATIC,
        Step("Asterisk root", (str(BIN / "python"), "-m", "cli.install")),
        Step("unit and integration tests", (*PYTEST, "-n", "4", "tests/unit", "tests/integration")),
        # A fax takes half a minute of real time and hardly any work: many at once.
        Step("tests with real faxes", (*PYTEST, "-n", "8", "tests/e2e")),
        Step("browser tests", (*PYTEST, "-n", "2", "tests/browser")),
        # What is promised of an idle machine is measured on one; -rP shows the figures.
        Step("figures", (*PYTEST, "-rP", "tests/figures")),
    ),
}


def main(arguments: list[str]) -> int:
    results = [(step, *execute(step)) for step in STEPS[arguments[0]]]
    print("\n" + "=" * 60)
    for step, code, seconds in results:
        print(f"{'ok' if code == 0 else f'FAILED ({code})':<12} {seconds:7.1f} s  {step.name}")
    return 0 if all(code == 0 for _, code, _ in results) else 1


def execute(step: Step) -> tuple[int, float]:
    """Run a step with its output shown; its exit code and seconds."""
    print(f"\n== {step.name}: {' '.join(step.argv)}", flush=True)
    began = time.monotonic()
    code = subprocess.run(step.argv, cwd=CHECKOUT, env=environment(), check=False).returncode
    return code, time.monotonic() - began


def environment() -> dict[str, str]:
    """This one, with the checkout's Asterisk root and somewhere for what insists on a home folder."""
    state = CHECKOUT / ".netfax"
    return {
        "NETFAX_ASTERISK_ROOT": str(state / "asterisk-root"),
        "HOME": str(state),
        **os.environ,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
