"""Install what NetFax needs on this machine: `python3 install/bootstrap.py run|check|test|bench`.

Debian packages by apt-get, a locked virtual environment in `.venv/`, the portal's static files and its translations.
What is there already is left alone, so a second run takes a moment. Runs on the system's Python (3.11 or later)
without any package.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin" / "python"
WEBAPP = CHECKOUT / "webapp"
STATE = CHECKOUT / ".netfax"

# What it takes to run; each with the reason that it is here.
RUN_PACKAGES = (
    "ca-certificates",  # pip, npm
    "python3-venv",
    "tzdata",  # users' time zones
    "mmdebstrap",  # makes the Asterisk root …
    "debian-archive-keyring",
    "gpgv",
    "mount",
    "uidmap",  # … also for an ordinary user
    "bubblewrap",  # runs Asterisk in it
    "util-linux",  # setpriv
    "redis-tools",  # holds Redis's server too; the package redis-server would add a system service
    "fontconfig",
    "fonts-noto-cjk",
    "fonts-liberation",  # as wide as Arial, Times New Roman and Courier New …
    "fonts-crosextra-carlito",  # … Calibri …
    "fonts-crosextra-caladea",  # … and Cambria
    "libreoffice-writer-nogui",  # office documents
    "libreoffice-calc-nogui",
    "libreoffice-impress-nogui",
    "python3-uno",  # speaks to LibreOffice
    "libtiff6",  # codes pages
    "libpango-1.0-0",  # WeasyPrint
    "libpangoft2-1.0-0",
    "libharfbuzz-subset0",
    "tesseract-ocr",  # turns received pages upright, and reads them where that is switched on
    "tesseract-ocr-chi-sim",
)
# The unit tests run on both databases and hold PDFs against another reader.
CHECK_PACKAGES = ("postgresql", "poppler-utils")
TEST_PACKAGES = (
    "chromium",
    "iproute2",  # faults (tests/chaos): a network of their own, …
    "iptables",  # … connections that are cut or silent
    "strace",  # … an fsync that fails
)
BENCH_PACKAGES = (
    "ghostscript",  # what our pages are measured by
)
PACKAGES = {
    "run": RUN_PACKAGES,
    "check": RUN_PACKAGES + CHECK_PACKAGES,
    "test": RUN_PACKAGES + CHECK_PACKAGES + TEST_PACKAGES,
    "bench": RUN_PACKAGES + CHECK_PACKAGES + TEST_PACKAGES + BENCH_PACKAGES,
}


class InstallError(Exception):
    """The installation can't go on; the text says why and what to do."""


def main(arguments: list[str]) -> int:
    purpose = arguments[0] if arguments else "run"
    if sys.version_info < (3, 11):  # noqa: UP036 - the one program that an older Python may meet
        print(f"NetFax needs Python 3.11 or later; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    try:
        with one_at_a_time():
            install(purpose)
    except InstallError as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    return 0


def install(purpose: str) -> None:
    """The steps; `purpose` is run, check (the quick checks), test (everything) or bench."""
    install_packages(PACKAGES[purpose])
    make_venv()
    install_locked(CHECKOUT / ("requirements.lock" if purpose == "run" else "requirements-test.lock"))
    install_netfax()
    if purpose != "check":
        build_portal()
    compile_translations()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the checkout's installation lock: a second `make` waits until the first has installed."""
    STATE.mkdir(exist_ok=True, mode=0o700)
    with (STATE / "install.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another installation in this checkout to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install_packages(wanted: tuple[str, ...]) -> None:
    """Install the Debian packages that are missing, in one apt-get call; nothing is touched when all are there."""
    missing = [name for name in wanted if name not in installed_packages(wanted)]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise InstallError(f"this is no Debian: install these yourself, then start again: {' '.join(missing)}")
    say("installing Debian packages: " + " ".join(missing))
    run([*as_root(missing), "sh", str(CHECKOUT / "install" / "apt-packages"), *missing])


def installed_packages(names: tuple[str, ...]) -> set[str]:
    if shutil.which("dpkg-query") is None:
        return set()
    argv = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\\n", *names]
    # It exits 1 when one of the packages is unknown, which is what is asked.
    lines = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines()
    return {line.split()[1] for line in lines if line.startswith("installed ")}


def as_root(missing: list[str]) -> list[str]:
    """What to put before a command that needs root."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise InstallError(f"root must install these first (there is no sudo): apt-get install {' '.join(missing)}")
    return ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]


def make_venv() -> None:
    """Make `.venv`, or make it anew when the checkout was moved or its Python is gone."""
    if PYTHON.exists() and stamp(VENV).get("path", str(VENV)) == str(VENV) and works(PYTHON):
        return
    say("making .venv")
    run([sys.executable, "-m", "venv", "--clear", str(VENV)])


def works(python: Path) -> bool:
    return subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0


def install_locked(lock: Path) -> None:
    """Install exactly what the lock file names. An environment with the test packages serves to run as well."""
    locks = digest(CHECKOUT.glob("requirements*.lock"))
    known = stamp(VENV)
    if known.get("locks") == locks and known.get("lock") in (lock.name, "requirements-test.lock"):
        return
    say(f"installing Python packages of {lock.name}")
    run([*pip("install"), "--quiet", "--require-hashes", "-r", str(lock)])
    set_stamp(VENV, path=str(VENV), locks=locks, lock=lock.name)


def install_netfax() -> None:
    """Install the checkout itself, in place, for its command and its imports."""
    project = digest([CHECKOUT / "pyproject.toml"])
    if stamp(VENV).get("project") == project and (VENV / "bin" / "netfax").exists():
        return
    say("installing the command .venv/bin/netfax")
    run([*pip("install"), "--quiet", "--no-deps", "--no-build-isolation", "-e", str(CHECKOUT)])
    set_stamp(VENV, project=project)


def build_portal() -> None:
    """Bundle the portal's static files with the Node.js of the virtual environment."""
    modules, bundle = WEBAPP / "node_modules", WEBAPP / "static" / "dist"
    lock = digest([WEBAPP / "package-lock.json", WEBAPP / ".npmrc"])
    if stamp(modules).get("lock") != lock:
        say("installing npm packages")
        run([str(VENV / "bin" / "npm"), "ci", "--no-fund", "--no-audit"], WEBAPP, npm_environment())
        set_stamp(modules, lock=lock)
    sources = digest(
        [WEBAPP / "package.json", *WEBAPP.glob("*.mjs"), *files_below(WEBAPP, "front", "assets", "templates")]
    )
    if stamp(modules).get("sources") == sources and bundle.is_dir() and any(bundle.iterdir()):
        return
    say("building the portal's static files")
    run([str(VENV / "bin" / "npm"), "run", "--silent", "build"], WEBAPP, npm_environment())
    set_stamp(modules, sources=sources)


def npm_environment() -> dict[str, str]:
    return {
        "PATH": f"{VENV / 'bin'}:{os.environ.get('PATH', os.defpath)}",  # for scripts that call `node`
        "HOME": os.environ.get("HOME") or str(STATE),
        "npm_config_cache": str(STATE / "cache" / "npm"),
        "npm_config_update_notifier": "false",
    }


def compile_translations() -> None:
    """Compile the catalogues that have changed since."""
    catalogues = list((WEBAPP / "translations").rglob("*.po"))
    if all(is_newer(catalogue.with_suffix(".mo"), catalogue) for catalogue in catalogues):
        return
    say("compiling translations")
    run([str(PYTHON), "-m", "babel.messages.frontend", "--quiet", "compile", "-d", str(WEBAPP / "translations")])


def is_newer(made: Path, source: Path) -> bool:
    return made.exists() and made.stat().st_mtime >= source.stat().st_mtime


def pip(command: str) -> list[str]:
    cache = str(STATE / "cache" / "pip")
    return [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "--cache-dir", cache, command]


def run(argv: list[str], folder: Path = CHECKOUT, environment: dict[str, str] | None = None) -> None:
    code = subprocess.run(argv, cwd=folder, env={**os.environ, **(environment or {})}, check=False).returncode
    if code != 0:
        raise InstallError(f"`{' '.join(argv)}` failed with exit code {code}; what it said stands above.")


def files_below(folder: Path, *names: str) -> list[Path]:
    return [path for name in names for path in (folder / name).rglob("*") if path.is_file()]


def digest(paths: Iterable[Path]) -> str:
    """One SHA-256 over names and contents; a file that is not there counts by its name alone."""
    found = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes() if path.exists() else b""
        found.update(f"{path.relative_to(CHECKOUT)} {len(content)}\n".encode() + content)
    return found.hexdigest()


def stamp(folder: Path) -> dict[str, str]:
    """What was last installed in a folder."""
    path = folder / ".netfax-installed.json"
    return json.loads(path.read_text()) if path.exists() else {}


def set_stamp(folder: Path, **values: str) -> None:
    path = folder / ".netfax-installed.json"
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({**stamp(folder), **values}, indent=1))
    draft.replace(path)


def say(text: str) -> None:
    print(f"install: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
