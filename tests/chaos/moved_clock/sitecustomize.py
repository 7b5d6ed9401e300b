"""Python's wall clock, moved by so many days as a file says: on the path of the processes whose clock is moved.

In a process of its own it would be libfaketime; under 0.9.10, which Debian 12 has, Python's sleep fails with EINVAL and
Redis does not start. The monotonic clock is left alone, as by whoever sets a machine's clock.
"""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

CONTROL = Path(os.environ["NETFAX_CHAOS_CLOCK"])
LOOK_SECONDS = 0.1


def wanted() -> timedelta:
    return timedelta(days=int(CONTROL.read_text()))


def follow() -> None:
    global moved
    while True:
        time.sleep(LOOK_SECONDS)
        if (now_wanted := wanted()) != moved:
            traveller.shift(now_wanted - moved)
            moved = now_wanted


def begin() -> None:
    threading.Thread(target=follow, name="moved clock", daemon=True).start()


moved = wanted()
traveller = time_machine.travel(datetime.now(UTC) + moved).start()
begin()
# A child has no threads but the one that forked.
os.register_at_fork(after_in_child=begin)
