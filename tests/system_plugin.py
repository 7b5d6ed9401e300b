"""Hooks that run one NetFax for a whole test session; a conftest that wants it imports all of this module."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.system import SharedSystem, System, shared_system

_shared: SharedSystem | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Before the workers exist, so that they inherit where the system is."""
    global _shared
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    _shared = SharedSystem(Path(tempfile.mkdtemp(prefix=f"netfax-test-{os.getpid()}-")))
    _shared.start()


def pytest_sessionfinish() -> None:
    if _shared is not None:
        _shared.stop()


@pytest.fixture(scope="session")
def system() -> System:
    """The one system of this session; tests use it beside each other."""
    return shared_system()
