"""Run the checks: `.venv/bin/python install/checks.py check|test`.

`check` is the quick one: format, lint, types, import arrows, unit tests on SQLite. `test` adds everything else, to the
real Asterisk and the browser. A step that fails does not keep the next from running; one failure fails the whole, and
the end tells each step's result.
"""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

CHECKOUT = Path(__file__).resolve().parents[1]
BIN = CHECKOUT / ".venv" / "bin"
PYTEST = (str(BIN / "python"), "-m", "pytest", "-q")


@dataclass(frozen=True)
class Step:
    """A command and its name in the closing table."""

    name: str
    argv: tuple[str, ...]


# A step, its exit code, and its seconds.
Result = tuple[Step, int, float]


STATIC = (
    Step("format", (str(BIN / "ruff"), "format", "--check", ".")),
    Step("lint", (str(BIN / "ruff"), "check", ".")),
    Step("import arrows", (str(BIN / "lint-imports"),)),
)
TYPES = Step("types", (str(BIN / "mypy"),))
# Those of a tuple run at once.
STEPS: dict[str, tuple[Step | tuple[Step, ...], ...]] = {
    # PostgreSQL's half of them is for `test`.
    "check": (*STATIC, TYPES, Step("unit tests", (*PYTEST, "-n", "3", "-k", "not postgresql", "tests/unit"))),
    "test": (
        *STATIC,
        (TYPES, Step("Asterisk root", (str(BIN / "python"), "-m", "cli.install"))),
        # The one works, the other waits for real programs.
        (
            Step("unit tests", (*PYTEST, "-n", "3", "tests/unit")),
            Step("integration tests", (*PYTEST, "-n", "6", "tests/integration")),
        ),
        # A fax takes half a minute of real time and hardly any work: many at once.
        Step("tests with real faxes", (*PYTEST, "-n", "8", "tests/e2e")),
        # Either waits more than it works. The faults are few, always the same ones in the same order.
        (
            Step("browser tests", (*PYTEST, "-n", "2", "tests/browser")),
            Step("faults", (str(BIN / "python"), "-m", "tests.chaos", "--short", "--seed", "4")),
        ),
        # What is promised of an idle machine is measured on one; -rP shows the figures.
        Step("figures", (*PYTEST, "-rP", "tests/figures")),
    ),
}


def main(arguments: list[str]) -> int:
    results = []
    for entry in STEPS[arguments[0]]:
        results += execute_together(entry) if isinstance(entry, tuple) else [execute(entry)]
    print("\n" + "=" * 60)
    for step, code, seconds in results:
        print(f"{'ok' if code == 0 else f'FAILED ({code})':<12} {seconds:7.1f} s  {step.name}")
    return 0 if all(code == 0 for _, code, _ in results) else 1


def execute(step: Step, output: IO[bytes] | None = None) -> Result:
    """Run a step with its output shown, or written into a file."""
    if output is None:
        head(step)
    began = time.monotonic()
    done = subprocess.run(
        step.argv, cwd=CHECKOUT, env=environment(), check=False, stdout=output, stderr=output and subprocess.STDOUT
    )
    return step, done.returncode, time.monotonic() - began


def execute_together(steps: tuple[Step, ...]) -> list[Result]:
    """Run steps at once, and show what each has said when all have ended."""
    with ExitStack() as stack, ThreadPoolExecutor(len(steps)) as pool:
        outputs = [stack.enter_context(TemporaryFile()) for _ in steps]
        results = list(pool.map(execute, steps, outputs))
        for step, output in zip(steps, outputs, strict=True):
            head(step)
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()
    return results


def head(step: Step) -> None:
    print(f"\n== {step.name}: {' '.join(step.argv)}", flush=True)


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
