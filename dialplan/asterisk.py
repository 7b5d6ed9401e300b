"""The private Asterisk: a Debian root of its own, and how one Asterisk runs in it.

Debian 12 and 13 carry no Asterisk and Debian testing does, so it lives in a root of its own that changes nothing
of the machine. Every instance sees that root read-only and its own folder at `telephony.HOME`.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from netfax import telephony as tel
from netfax.errors import NetFaxError

SUITE = "forky"
PROGRAM = "usr/sbin/asterisk"
CONFIG = f"{tel.HOME}/etc/asterisk.conf"
# User and group that an Asterisk becomes which root starts: nobody else's. As nobody it would share its secrets with
# whoever runs so. Of the numbers that neither Debian's accounts nor systemd's take (60,706 to 61,183).
OWN_ID = 60_862

# Folders below an Asterisk's home that it writes to; the others it only reads.
WRITTEN = (
    tel.SPOOL_OUT,
    tel.SPOOL_IN,
    tel.JOURNAL,
    str(Path(tel.CEL_CSV).parent),
    "fax-in",
    "fax-out",
    "log",
    "run",
    "var",
)

ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin",
    "HOME": "/tmp",  # noqa: S108 - a tmpfs of the sandbox's own
    "LANG": "C.UTF-8",
    # Each of its many threads would otherwise keep an arena: some 20 MB at idle.
    "MALLOC_ARENA_MAX": "2",
}


class AsteriskRootError(NetFaxError):
    """The private root could not be made."""

    code = "asterisk_root"
    en = "The private Asterisk root could not be made: {why}. Check the network and the free disk (1 GB), then retry."
    zh = "无法建立 Asterisk 专用根目录：{why}。请检查网络和剩余磁盘空间（1 GB），然后重新启动。"


def make_root(directory: Path, log: Callable[[str], None]) -> None:
    """Make the private Debian root with Asterisk at `directory`, unless it is there (340 MB, about a minute).

    It appears under its name only when whole. Raises `AsteriskRootError`.
    """
    if (directory / PROGRAM).exists():
        return
    draft = directory.with_name(directory.name + ".new")
    archive = directory.with_name(directory.name + ".tar")
    draft.parent.mkdir(parents=True, exist_ok=True)
    log(f"making the private Asterisk root at {directory} (about a minute)")
    try:
        _debootstrap(archive, [], log)
    except _ReleaseExpiredError:
        log("the mirror's Release file is past its Valid-Until: once more without that check; signatures are checked")
        _debootstrap(archive, ['--aptopt=Acquire::Check-Valid-Until "false"'], log)
    _unpack(archive, draft)
    if not (draft / PROGRAM).exists():
        raise AsteriskRootError(why=f"mmdebstrap left no {PROGRAM}")
    archive.unlink()
    draft.rename(directory)


def _unpack(archive: Path, draft: Path) -> None:
    """Unpack the root as our own files: an ordinary user's mmdebstrap can't leave a folder that he may delete."""
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir()
    options = ["--no-same-owner", "--no-same-permissions", "--exclude=./dev"]
    done = subprocess.run(["tar", *options, "-xf", archive, "-C", draft], capture_output=True, text=True, check=False)
    if done.returncode:
        raise AsteriskRootError(why=f"tar said: {done.stderr.strip()[-200:]}")


class _ReleaseExpiredError(AsteriskRootError):
    """apt refused the mirror's Release file for its age alone."""


def _debootstrap(archive: Path, options: list[str], log: Callable[[str], None]) -> None:
    """Run mmdebstrap into a tar archive; its output goes to `log` line by line."""
    archive.unlink(missing_ok=True)
    argv = ["mmdebstrap", "--variant=apt", "--include=asterisk", "--format=tar", *options, SUITE, str(archive)]
    lines: list[str] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - by PIPE above
        for line in process.stdout:
            lines.append(line.rstrip())
            log(line.rstrip())
    if process.returncode == 0:
        return
    said = "\n".join(lines)
    if "is expired" in said or "not valid anymore" in said:
        raise _ReleaseExpiredError(why="the mirror's Release file is past its Valid-Until")
    raise AsteriskRootError(why=f"mmdebstrap ended with {process.returncode}, {lines[-1] if lines else 'silent'}")


def prepare(home: Path) -> None:
    """Make the folders below an Asterisk's `home`, and give it those that it writes to, with what is in them.

    They are closed to others. What root puts into the spool for Asterisk to read must be readable to all (0644).
    """
    home.mkdir(parents=True, exist_ok=True)
    for name in WRITTEN:
        folder = home / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        for path in (folder, *folder.rglob("*")):
            # Of a running one files come and go.
            with suppress(FileNotFoundError):
                give(path)


def give(path: Path) -> None:
    """Make Asterisk the owner of a file or folder; when we are not root it is us, which needs no act."""
    if os.geteuid() == 0:
        os.chown(path, OWN_ID, OWN_ID, follow_symlinks=False)


def command(root: Path, home: Path) -> list[str]:
    """The argv that runs one Asterisk in the foreground, with `home` at `telephony.HOME`; it dies with its parent.

    It sees the private root read-only, its home, and nothing else of this machine. Started by root it runs as `OWN_ID`
    without any capability: the sandbox makes its mounts first, so `home` may lie below a folder of mode 0700.
    Started by an ordinary user it runs as that user (in a user namespace).
    """
    return [*_sandbox(root, home), *_drop_root(), "/" + PROGRAM, "-f", "-C", CONFIG]


def console(root: Path, home: Path, line: str) -> list[str]:
    """The argv that gives one command to the running Asterisk of `home` by its control socket; it prints the answer."""
    return [*_sandbox(root, home), *_drop_root(), "/" + PROGRAM, "-C", CONFIG, "-rx", line]


def _sandbox(root: Path, home: Path) -> list[str]:
    argv = ["bwrap", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        argv += ["--setenv", name, value]
    for folder in ("usr", "etc", "var"):
        argv += ["--ro-bind", str(root / folder), f"/{folder}"]
    # The machine's own name service, for trunks that are named by host.
    for name in ("resolv.conf", "hosts"):
        if (root / "etc" / name).is_file() and Path("/etc", name).exists():
            argv += ["--ro-bind", f"/etc/{name}", f"/etc/{name}"]
    for link in ("bin", "sbin", "lib", "lib64"):
        argv += ["--symlink", f"usr/{link}", f"/{link}"]
    # AMI's Command writes its answer to a temporary file first, as whom the program runs.
    argv += ["--dev", "/dev", "--proc", "/proc", "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - the sandbox's own
    return [*argv, "--bind", str(home), tel.HOME, "--chdir", tel.HOME]


def _drop_root() -> list[str]:
    """What stands between the sandbox and the program: from root to `OWN_ID`, no capability kept."""
    if os.geteuid() != 0:
        return ["--"]
    identity = [f"--reuid={OWN_ID}", f"--regid={OWN_ID}", "--clear-groups", "--no-new-privs"]
    return [
        "--cap-drop",
        "ALL",
        "--cap-add",
        "CAP_SETUID",
        "--cap-add",
        "CAP_SETGID",
        "--",
        "/usr/bin/setpriv",
        *identity,
    ]
