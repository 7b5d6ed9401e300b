"""A fax and those that send it again: their links."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from netfax.db import UnitOfWork
from netfax.faxes import again
from netfax.faxes.listing import seen_by
from netfax.faxes.models import Delivery, MailboxItem
from netfax.faxes.states import STATE_INFO, DeliveryState
from netfax.org.viewer import Viewer
from webapp.shown import StateShown, state_shown


@dataclass(frozen=True)
class Relative:
    """Another fax with the same pages to the same number: its address, its running number and its state."""

    uuid: str
    number: int
    state: StateShown
    ended: bool
    arrived: bool


def sent_again(uow: UnitOfWork, viewer: Viewer, delivery_ids: Collection[int]) -> dict[int, list[Relative]]:
    """By delivery, the faxes that send it again, and those that send these again, the first one first."""
    heirs = again.sent_again(uow, delivery_ids)
    every = {heir for each in heirs.values() for heir in each}
    if not every:
        return {}
    query = (
        select(Delivery.id, MailboxItem.uuid, MailboxItem.id, Delivery.state)
        .join(MailboxItem, MailboxItem.delivery_id == Delivery.id)
        .where(Delivery.id.in_(every), seen_by(viewer, Delivery.tenant_id, Delivery.user_id))
    )
    shown = {heir: _relative(uuid, number, state) for heir, uuid, number, state in uow.session.execute(query)}
    return {first: [shown[heir] for heir in each if heir in shown] for first, each in heirs.items()}


def first_sent_as(uow: UnitOfWork, viewer: Viewer, delivery: Delivery) -> Relative | None:
    """The fax that this one sends again; None when it is the first."""
    row = uow.session.execute(
        select(MailboxItem.uuid, MailboxItem.id, Delivery.state)
        .join(Delivery, MailboxItem.delivery_id == Delivery.id)
        .where(Delivery.id == delivery.again_of, seen_by(viewer, Delivery.tenant_id, Delivery.user_id))
    ).first()
    return None if row is None else _relative(*row)


def in_its_place(relatives: Collection[Relative]) -> Relative | None:
    """The one of them that is on its way or has arrived: nothing is left to send again; None when there is none."""
    return next((relative for relative in relatives if relative.arrived or not relative.ended), None)


def _relative(uuid: str, number: int, state: DeliveryState) -> Relative:
    info = STATE_INFO[state]
    return Relative(uuid, number, state_shown(state), info.ended, info.success)
