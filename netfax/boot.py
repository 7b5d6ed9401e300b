"""This start of the machine, and the clock that counts from it and that nobody can set."""

import time
from pathlib import Path


def boot_id() -> str:
    """The kernel's name for this boot: process ids and start times mean nothing in another one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def uptime() -> float:
    """Seconds since the machine was started, its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
