"""`make bench`: `python -m bench [TABLE …]`, each table beside a peer or a limit in the same run.

Exit code 0 when every figure holds, 1 when one is missed, 2 when it could not begin.
"""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

import netfax.models  # noqa: F401 - relationships between rooms need every model
from bench import calls, dispatch, documents, inbound
from netfax.db import reading
from netfax.faxes.models import Delivery
from netfax.faxes.states import OPEN_STATES
from netfax.settings import settings

# Two databases of ten thousand calls, and their logs.
NEEDED_MEGABYTES = 1_000


class Table(Protocol):
    @property
    def holds(self) -> bool: ...

    def text(self) -> str: ...


TABLES: Mapping[str, Callable[[Path], Table]] = {
    "calls": calls.measure,
    "dispatch": dispatch.measure,
    "documents": documents.measure,
    "inbound": inbound.measure,
}


class CannotRun(Exception):
    """Why nothing is measured, and what to do."""


def main(wanted: Sequence[str]) -> int:
    unknown = set(wanted) - TABLES.keys()
    try:
        if unknown:
            raise CannotRun(f"no table {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
        _refuse_a_busy_system()
        _refuse_a_small_disk()
    except CannotRun as why:
        print(f"bench: {why}", file=sys.stderr)
        return 2
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, Linux {platform.release()}", flush=True)
    held = []
    for name in wanted or TABLES:
        with tempfile.TemporaryDirectory(prefix="netfax-bench-") as folder:
            table = TABLES[name](Path(folder))
        print(f"\n{table.text()}", flush=True)
        held.append(table.holds)
    return 0 if all(held) else 1


def _refuse_a_busy_system() -> None:
    """Faxes of this checkout's installation would go out slower, and its work would be measured too."""
    home = settings().home
    if not (home / "netfax.db").exists() and not settings().database_url:
        return
    try:
        with reading() as uow:
            waiting = uow.session.scalar(select(func.count()).where(Delivery.state.in_(OPEN_STATES)))
    except SQLAlchemyError as error:
        raise CannotRun(f"the database of {home} can't be asked whether faxes wait: {error}") from error
    if waiting:
        raise CannotRun(f"{waiting} faxes wait in {home}: let them end first, or measure on another machine")


def _refuse_a_small_disk() -> None:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < NEEDED_MEGABYTES:
        raise CannotRun(f"{NEEDED_MEGABYTES} MB must be free in {folder}, and {free} MB are: free some, or set TMPDIR")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
