"""Trunks added and listed; ports claimed and released, each by one conditional UPDATE."""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from ipaddress import IPv4Address

from sqlalchemy import func, select, update
from sqlalchemy.orm.attributes import set_committed_value

from netfax.db import UnitOfWork, now
from netfax.errors import NotFound, UserError
from netfax.lease import bridge_lease, is_over
from netfax.lines.models import Port, Trunk, TrunkKind
from netfax.lines.routes import TrunkFacts

TRUNK_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}", re.ASCII)
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?", re.ASCII)
DIGITS_AND_DOTS = re.compile(r"[0-9.]+", re.ASCII)
CREDENTIAL = re.compile(r"[A-Za-z0-9._~+@-]{0,64}", re.ASCII)
PREFIX = re.compile(r"[0-9]{0,15}", re.ASCII)
MAX_PORTS = 1_000
# So long after a call failed by a trunk itself, others are tried before it.
TROUBLED = timedelta(seconds=60)
# Asterisk's configuration files give these sections another meaning.
RESERVED_NAMES = frozenset({"general", "global", "system", "line", "callnumberlimits"})


class BadTrunk(UserError):
    code = "bad_trunk"
    en = "The trunk can't be added: {reason_en}."
    zh = "无法添加线路：{reason_zh}。"


class TrunkBusy(UserError):
    code = "trunk_busy"
    en = "Calls are on trunk {name} ({calls}): try again when they have ended."
    zh = "线路 {name} 正在通话（{calls} 路）：请在通话结束后重试。"


def all_facts(uow: UnitOfWork) -> list[TrunkFacts]:
    """What the choice of a route needs to know of every trunk at this moment."""
    trunks = list_trunks(uow)
    silent = {gateway for gateway in {trunk.gateway for trunk in trunks} if is_over(uow, bridge_lease(gateway))}
    with_ports = set(uow.session.scalars(select(Port.trunk_id).where(Port.enabled).distinct()))
    at = now()
    return [_facts(each, at, ready=each.gateway not in silent and each.id in with_ports) for each in trunks]


def _facts(trunk: Trunk, at: datetime, *, ready: bool) -> TrunkFacts:
    return TrunkFacts(
        trunk.id,
        trunk.name,
        trunk.gateway,
        trunk.kind,
        trunk.t38,
        trunk.number,
        trunk.prefix,
        trunk.position,
        trunk.max_out,
        troubled=trunk.trouble_at is not None and abs(at - trunk.trouble_at) < TROUBLED,
        ready=ready,
    )


def add_trunk(uow: UnitOfWork, trunk: Trunk, *, channels: int) -> Trunk:
    """Add a trunk with its ports; `BadTrunk` says what is wrong with it."""
    _check_trunk(uow, trunk, channels)
    trunk.ports = [Port(position=position) for position in range(1, channels + 1)]
    uow.session.add(trunk)
    uow.session.flush()
    return trunk


def _check_trunk(uow: UnitOfWork, trunk: Trunk, channels: int) -> None:
    """Every field that reaches Asterisk's configuration matches an allow-list here."""
    if not TRUNK_NAME.fullmatch(trunk.name) or trunk.name in RESERVED_NAMES:
        raise BadTrunk(
            reason_en="its name takes 1 to 20 small letters, digits and -, a letter first, no word of Asterisk's own",
            reason_zh="名称应为 1 到 20 个小写字母、数字或 -，以字母开头，且不是 Asterisk 的保留字",
        )
    if find_trunk(uow, trunk.name) is not None:
        raise BadTrunk(reason_en=f"there is one named {trunk.name} already", reason_zh=f"名称 {trunk.name} 已存在")
    if trunk.max_out is not None and not 0 <= trunk.max_out <= channels:
        raise BadTrunk(reason_en="calls out are at most its channels", reason_zh="外拨路数不能超过通道数")
    if not 1 <= channels <= MAX_PORTS:
        raise BadTrunk(reason_en=f"channels go from 1 to {MAX_PORTS}", reason_zh=f"通道数应为 1 到 {MAX_PORTS}")
    if trunk.kind is TrunkKind.SIP and not is_host(trunk.host or ""):
        raise BadTrunk(
            reason_en="a SIP trunk needs --host, a name or an IPv4 address; its port is --port",
            reason_zh="SIP 线路需要 --host（主机名或 IPv4 地址），端口用 --port 指定",
        )
    if trunk.kind is TrunkKind.SIP and trunk.number:
        raise BadTrunk(
            reason_en="--number is that of an IAX2 soft modem; a SIP trunk serves what --prefix says",
            reason_zh="--number 只用于 IAX2 软调制解调器；SIP 线路用 --prefix 指定所服务的号码",
        )
    if trunk.kind is TrunkKind.IAX2 and not (trunk.secret and trunk.number):
        raise BadTrunk(
            reason_en="an IAX2 trunk needs --secret and --number", reason_zh="IAX2 线路需要 --secret 和 --number"
        )
    if not all(CREDENTIAL.fullmatch(value or "") for value in (trunk.username, trunk.secret)):
        raise BadTrunk(
            reason_en="user name and secret take up to 64 letters, digits and . _ ~ + @ -",
            reason_zh="用户名和密码最多 64 个字母、数字或 . _ ~ + @ -",
        )
    if not PREFIX.fullmatch(trunk.prefix or ""):
        raise BadTrunk(
            reason_en="--prefix takes up to 15 digits, the country code first",
            reason_zh="--prefix 最多 15 位数字，以国家代码开头",
        )


def is_host(text: str) -> bool:
    """Whether the text is a host's name or an IPv4 address: what is all digits and dots is no name."""
    if not HOST.fullmatch(text):
        return False
    if not DIGITS_AND_DOTS.fullmatch(text):
        return True
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def remove_trunk(uow: UnitOfWork, name: str) -> None:
    """Take a trunk out of use: `NotFound` when there is none, `TrunkBusy` while calls are on it."""
    trunk = find_trunk(uow, name)
    if trunk is None:
        raise NotFound
    busy = sum(port.claimed_by is not None for port in trunk.ports)
    if busy:
        raise TrunkBusy(name=name, calls=busy)
    for port in trunk.ports:
        uow.session.delete(port)
    trunk.removed_at = now()


def find_trunk(uow: UnitOfWork, name: str) -> Trunk | None:
    """The trunk of a name, unless it was removed."""
    return uow.session.scalar(select(Trunk).where(Trunk.name == name, Trunk.removed_at.is_(None)))


def list_trunks(uow: UnitOfWork, gateway: str | None = None) -> list[Trunk]:
    """The trunks of one gateway, or all, in the order in which they are tried."""
    query = select(Trunk).where(Trunk.removed_at.is_(None)).order_by(Trunk.position, Trunk.id)
    return list(uow.session.scalars(query if gateway is None else query.where(Trunk.gateway == gateway)))


def claim_port(uow: UnitOfWork, trunk_id: int, call_id: str) -> int | None:
    """Claim a free port of the trunk for a call; its id, or None when every port is taken.

    One conditional UPDATE: two who claim at once get two ports, or one of them none.
    """
    free = (
        select(Port.id)
        .where(Port.trunk_id == trunk_id, Port.enabled, Port.claimed_by.is_(None))
        .order_by(Port.position)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    claim = (
        update(Port)
        .where(Port.id == free, Port.claimed_by.is_(None))
        .values(claimed_by=call_id, claimed_at=now())
        .returning(Port.id)
        .execution_options(synchronize_session=False)
    )
    return uow.session.scalar(claim)


def release_ports(uow: UnitOfWork, call_ids: Collection[str]) -> None:
    """Free the ports that the calls have; nothing for one that has none (any more)."""
    uow.session.execute(
        update(Port)
        .where(Port.claimed_by.in_(call_ids))
        .values(claimed_by=None, claimed_at=None)
        .execution_options(synchronize_session=False)
    )


def free_ports(uow: UnitOfWork) -> dict[int, int]:
    """How many ports are free on each trunk, by trunk id; trunks without one are left out."""
    query = select(Port.trunk_id, func.count()).where(Port.enabled, Port.claimed_by.is_(None)).group_by(Port.trunk_id)
    return {trunk_id: count for trunk_id, count in uow.session.execute(query)}  # noqa: C416 - a Result has keys()


def note_trouble(uow: UnitOfWork, trunk: Trunk, at: datetime | None) -> None:
    """A call failed by the trunk itself at this time, or (None) the trunk has carried one."""
    if trunk.trouble_at == at:
        return
    changes = Trunk.trouble_at.is_distinct_from(at)
    uow.session.execute(
        update(Trunk)
        .where(Trunk.id == trunk.id, changes)
        .values(trouble_at=at)
        .execution_options(synchronize_session=False)
    )
    set_committed_value(trunk, "trouble_at", at)
