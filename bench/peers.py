"""What the measurements stand on: an installation of their own, and free ports."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.first_start import make_first_accounts
from netfax import db, queue
from netfax import settings as process_settings
from netfax.migrate import migrate
from netfax.settings import Settings, make_secrets, settings


@contextmanager
def installation(folder: Path, **environment: str) -> Iterator[Settings]:
    """A fresh home with the demo domain, which this process and its children take for theirs."""
    root = settings().asterisk
    before = {name: value for name, value in os.environ.items() if name.startswith("NETFAX_")}
    wanted = {"NETFAX_HOME": str(folder), "NETFAX_PORT_BASE": str(free_port()), "NETFAX_ASTERISK_ROOT": str(root)}
    wanted |= environment
    os.environ.update(wanted)
    _read_anew()
    try:
        make_secrets(folder)
        migrate()
        make_first_accounts(settings())
        for name in ("spool/in", "spool/out", "journal"):
            (settings().gateway_dir / name).mkdir(parents=True)
        yield settings()
    finally:
        for name in wanted:
            del os.environ[name]
        os.environ.update(before)
        _read_anew()


def _read_anew() -> None:
    if db.engine.cache_info().currsize:
        db.engine().dispose()
    for cached in (process_settings.settings, db.engine, queue.redis):
        cached.cache_clear()


def free_port() -> int:
    """A port with ten free ones after it, as far as one can tell."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 63_000:
            return port
