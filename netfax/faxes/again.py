"""A fax and those that send it again."""

from collections.abc import Collection

from sqlalchemy import select

from netfax.db import UnitOfWork
from netfax.faxes.models import Delivery


def sent_again(uow: UnitOfWork, delivery_ids: Collection[int]) -> dict[int, list[int]]:
    """By delivery (ids), those that send it again and those that send these again, the oldest first; all have a key."""
    found: dict[int, set[int]] = {delivery_id: set() for delivery_id in delivery_ids}
    # By the deliveries of one generation, whose heirs they are.
    generation = {delivery_id: {delivery_id} for delivery_id in delivery_ids}
    while generation:
        query = select(Delivery.id, Delivery.again_of).where(Delivery.again_of.in_(generation))
        heirs = {heir: generation[again_of] for heir, again_of in uow.session.execute(query) if again_of is not None}
        for heir, firsts in heirs.items():
            for first in firsts:
                found[first].add(heir)
        generation = heirs
    return {delivery_id: sorted(heirs) for delivery_id, heirs in found.items()}
