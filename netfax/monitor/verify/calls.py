"""V5: one Originate an attempt id, its row committed before. V6: nothing stays open when its channel is gone."""

import time
from pathlib import Path

from sqlalchemy import ColumnElement, or_, select, update

from netfax.db import now, reading, unit_of_work
from netfax.faxes.journal import in_path, out_path
from netfax.faxes.models import Attempt, Reception
from netfax.faxes.states import ReceptionState
from netfax.lines.models import Port, Trunk
from netfax.monitor.verify.cel import ChannelRecord, read_channels
from netfax.monitor.verify.rules import GRACE, Found, Look, Rule, Words, rows_that
from netfax.settings import settings
from netfax.telephony import CEL_CSV, JOURNAL

# Ids asked for in one statement.
BATCH = 500


def find_calls_placed_twice(_look: Look) -> Found:
    """Each of our call ids began at most one channel of this gateway, as far back as its CEL files go."""
    channels = _channels()
    return Found(len(channels), {key: str(each.starts) for key, each in channels.items() if each.starts > 1})


def find_calls_without_row(_look: Look) -> Found:
    """Each channel of ours has its attempt, committed as originated before; CEL is read before the rows."""
    started = [key for key, each in _channels().items() if each.starts]
    committed: set[str] = set()
    for first in range(0, len(started), BATCH):
        query = select(Attempt.id).where(
            Attempt.id.in_(started[first : first + BATCH]), Attempt.originated_at.is_not(None)
        )
        with reading() as uow:
            committed.update(uow.session.scalars(query))
    return Found(len(started), {key: "" for key in started if key not in committed})


def find_attempts_without_channel(look: Look) -> Found:
    """An attempt of this gateway, originated over 60 s ago, is open only while its channel lives, or for 60 s after
    its journal came or its end stands in CEL: so long the sweep and the bridge have to settle it.
    """
    query = select(Attempt.id).where(
        Attempt.gateway == settings().gateway, Attempt.ended_at.is_(None), look.settled(Attempt.originated_at)
    )
    with reading() as uow:
        attempts = list(uow.session.scalars(query))
    live = look.live or frozenset()
    # A journal that is taken in this moment has ended its attempt: the second look does not find it open.
    gone = [each for each in attempts if each not in live and not _just_written(out_path(_journals(), each))]
    channels = _channels() if gone else {}
    return Found(len(attempts), {each: "" for each in gone if not _just_ended(channels.get(each))})


def find_calls_that_nobody_places(look: Look) -> Found:
    """An open attempt that was decided on over two minutes ago is originated: after one the sweep takes it back."""
    unplaced = (Attempt.ended_at.is_(None), Attempt.originated_at.is_(None))
    old = or_(Attempt.created_at < look.at - 2 * GRACE, Attempt.created_at > now() + GRACE)
    return rows_that(Attempt.id, select(Attempt.id).where(*unplaced, old), *unplaced)


def find_receptions_without_channel(look: Look) -> Found:
    """A call in to this gateway that began over 60 s ago is `receiving` only while its channel lives, or for 60 s
    after its journal came.
    """
    query = select(Reception.id, Reception.channel_uid).where(
        Reception.gateway == settings().gateway,
        Reception.state == ReceptionState.RECEIVING,
        look.settled(Reception.started_at),
    )
    with reading() as uow:
        rows = uow.session.execute(query).all()
    live = look.live or frozenset()
    gone = [row.id for row in rows if row.channel_uid not in live and not _just_written(in_path(_journals(), row.id))]
    return Found(len(rows), dict.fromkeys(gone, ""))


def find_ports_of_no_call(look: Look) -> Found:
    """A port that was claimed over 60 s ago is claimed by an open attempt or a call that comes in.

    Claim and call come with one commit, and so do the call's end and the release.
    """
    claimed = Port.claimed_by.is_not(None)
    query = (
        select(Port.claimed_by, Trunk.name)
        .join(Trunk, Trunk.id == Port.trunk_id)
        .where(claimed, look.settled(Port.claimed_at), _of_no_call())
    )
    return rows_that(Port.id, query, claimed)


def release_ports_of(call_id: str) -> bool:
    """Free the ports of a call that is over; a call that has ended never opens again."""
    released = update(Port).where(Port.claimed_by == call_id, _of_no_call()).values(claimed_by=None, claimed_at=None)
    with unit_of_work() as uow:
        changed = uow.session.execute(released.returning(Port.id).execution_options(synchronize_session=False))
        return changed.first() is not None


def _of_no_call() -> ColumnElement[bool]:
    out = select(Attempt.id).where(Attempt.id == Port.claimed_by, Attempt.ended_at.is_(None)).exists()
    come_in = (
        select(Reception.id)
        .where(Reception.id == Port.claimed_by, Reception.state == ReceptionState.RECEIVING)
        .exists()
    )
    return ~out & ~come_in


def _channels() -> dict[str, ChannelRecord]:
    return read_channels(settings().gateway_dir / CEL_CSV, settings().secret("attempt_prefix"))


def _just_ended(record: ChannelRecord | None) -> bool:
    if record is None or record.ended_at is None:
        return False
    return abs(time.time() - record.ended_at) < GRACE.total_seconds()


def _just_written(journal: Path) -> bool:
    try:
        return abs(time.time() - journal.stat().st_mtime) < GRACE.total_seconds()
    except FileNotFoundError:
        return False


def _journals() -> Path:
    return settings().gateway_dir / JOURNAL


PLACED_ONCE = (
    Rule(
        "placed_twice",
        Words("call that was placed more than once; times", "被重复发起的呼叫；次数"),
        find_calls_placed_twice,
    ),
    Rule(
        "call_without_row",
        Words("call that was placed and is on no record", "已发起却没有记录的呼叫"),
        find_calls_without_row,
    ),
)

CHANNELS = (
    Rule(
        "attempt_without_channel",
        Words("open call whose channel is gone", "通道已消失却未结束的呼叫"),
        find_attempts_without_channel,
        needs_gateway=True,
    ),
    Rule(
        "call_that_nobody_places",
        Words("call that was decided on and never placed", "已安排却一直没有拨出的呼叫"),
        find_calls_that_nobody_places,
    ),
    Rule(
        "reception_without_channel",
        Words("reception whose channel is gone and which has not ended", "通道已消失却未结束的来件"),
        find_receptions_without_channel,
        needs_gateway=True,
    ),
    Rule(
        "port_of_no_call",
        Words("call that is over and still holds a port of trunk", "已结束却仍占用线路端口的呼叫；线路"),
        find_ports_of_no_call,
        release_ports_of,
        Words("its port released", "已释放其端口"),
    ),
)
