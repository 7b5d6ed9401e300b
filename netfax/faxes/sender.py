"""Whom a fax is from, as the far end sees it: his number, and the line at the top of each page."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from netfax.db import UnitOfWork
from netfax.documents.headline import Headline
from netfax.numbers.write import station_id
from netfax.org.models import OwnedNumber, Tenant, User


@dataclass(frozen=True)
class Sender:
    """The name of his company, his own fax number ("" for none), and his time zone."""

    title: str
    zone: str
    number: str


def senders_of(uow: UnitOfWork, user_ids: Collection[int]) -> dict[int, Sender]:
    """By user; his own number is what the far end sees (R3.9)."""
    query = (
        select(User.id, Tenant.title, User.time_zone, OwnedNumber.identity)
        .join(Tenant, User.tenant_id == Tenant.id)
        .outerjoin(OwnedNumber, OwnedNumber.user_id == User.id)
        .where(User.id.in_(user_ids))
        # The best comes last, and stays.
        .order_by(OwnedNumber.main, OwnedNumber.identity.desc())
    )
    return {user_id: Sender(title, zone, number or "") for user_id, title, zone, number in uow.session.execute(query)}


def page_line(sender: Sender, at: datetime, to: str, pages: int) -> Headline:
    """When, from whom and to whom; the time is that of the call, where its sender is."""
    there = at.astimezone(ZoneInfo(sender.zone))
    number = station_id(sender.number) if sender.number else ""
    return Headline(f"{there:%Y-%m-%d %H:%M}   {sender.title} {number} → {to}", pages)
