"""Which faults strike which parts: every pair that makes sense, and why the others do not."""

from dataclasses import dataclass

PARTS = (
    "portal",
    "worker",
    "worker's child",
    "dispatcher",
    "bridge",
    "agi",
    "redis",
    "database",
    "gateway",
    "network",
    "disk",
    "clock",
)
FAULTS = ("kill", "stop", "full", "fsync", "reset", "silence", "+1 day", "-1 day")


@dataclass(frozen=True)
class Cell:
    part: str
    fault: str

    def __str__(self) -> str:
        return f"{self.part}: {self.fault}"


# Each lane is a system of its own, and its cells strike one after the other, in an order of the seed.
LANES: dict[str, tuple[Cell, ...]] = {
    "portal": (
        *(Cell("portal", fault) for fault in ("kill", "stop", "fsync", "reset", "silence")),
        *(Cell("worker", fault) for fault in ("kill", "stop", "fsync")),
        *(Cell("worker's child", fault) for fault in ("kill", "stop")),
        *(Cell("dispatcher", fault) for fault in ("kill", "stop", "fsync")),
        Cell("disk", "full"),
    ),
    "lines": (
        *(Cell("bridge", fault) for fault in ("kill", "stop", "fsync", "reset", "silence")),
        *(Cell("agi", fault) for fault in ("kill", "stop", "fsync", "reset", "silence")),
        *(Cell("gateway", fault) for fault in ("kill", "stop", "silence")),
        *(Cell("network", fault) for fault in ("kill", "stop")),
    ),
    "stores": (
        *(Cell("redis", fault) for fault in ("kill", "stop", "fsync", "reset", "silence")),
        *(Cell("database", fault) for fault in ("kill", "stop", "full", "fsync", "reset", "silence")),
        *(Cell("clock", fault) for fault in ("+1 day", "-1 day")),
    ),
}
# The short form: what hurts most, in few minutes.
SHORT: dict[str, tuple[Cell, ...]] = {
    "lines": (Cell("gateway", "kill"), Cell("bridge", "kill"), Cell("disk", "full")),
    "stores": (Cell("database", "kill"), Cell("redis", "silence"), Cell("clock", "+1 day")),
}

_ONE_DISK = "one disk holds everything: see disk: full"
_ONE_CLOCK = (
    "a machine has one clock: see clock, where every process of Python goes by the moved one; not so Redis, PostgreSQL "
    "and Asterisk, in which libfaketime stops the sleep of threads"
)
_SQLITE_IN_PROCESS = "its connections are Redis's and the database's: see there"
OMITTED: dict[Cell, str] = {
    **{
        Cell(part, "full"): _ONE_DISK
        for part in ("portal", "worker", "worker's child", "dispatcher", "bridge", "agi", "redis", "gateway")
    },
    **{Cell(part, fault): _ONE_CLOCK for part in PARTS[:-1] for fault in ("+1 day", "-1 day")},
    **{
        Cell(part, fault): _SQLITE_IN_PROCESS
        for part in ("worker", "worker's child", "dispatcher")
        for fault in ("reset", "silence")
    },
    Cell("worker's child", "fsync"): "one tracer holds both: see worker: fsync",
    Cell("gateway", "fsync"): "Asterisk and SpanDSP call no fsync",
    Cell("gateway", "reset"): "SIP and media are UDP, which has no reset; AMI and AGI: see bridge and agi",
    Cell("network", "full"): "the far end's disk is not ours",
    Cell("network", "fsync"): "Asterisk and SpanDSP call no fsync",
    Cell("network", "reset"): "SIP and media are UDP, which has no reset",
    Cell("network", "silence"): "the same line from its other end: see gateway: silence",
    **{
        Cell("disk", fault): "a disk has no process and no connection" for fault in ("kill", "stop", "reset", "silence")
    },
    Cell("disk", "fsync"): "each process's own: see their fsync",
    **{Cell("clock", fault): "a clock is only moved" for fault in FAULTS[:6]},
}


def check_complete() -> None:
    """Every pair of part and fault is struck in a lane, or omitted with its reason, and not both."""
    struck = {cell for lane in LANES.values() for cell in lane}
    every = {Cell(part, fault) for part in PARTS for fault in FAULTS}
    if struck & OMITTED.keys() or struck | OMITTED.keys() != every:
        raise AssertionError(f"cells: {sorted(map(str, every ^ (struck | OMITTED.keys())))}")
