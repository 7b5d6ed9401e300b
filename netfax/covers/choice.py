"""Which covers somebody may put before his fax (R3.4), and which is put there by default (R6.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from netfax.covers.builtin import BUILT_IN, STANDARD
from netfax.covers.errors import NoSuchCover
from netfax.covers.models import CoverTemplate
from netfax.db import UnitOfWork
from netfax.org.models import Tenant, User
from netfax.org.viewer import Viewer


@dataclass(frozen=True)
class Cover:
    """A template as it is chosen; `key` is one of ours, or a template's public id."""

    key: str
    name: str
    html: str


def covers_of(uow: UnitOfWork, viewer: Viewer) -> list[Cover]:
    """What the viewer may choose: ours, then those of his tenant and the ones above it, by name."""
    query = select(CoverTemplate).where(CoverTemplate.tenant_id.in_(_lineage(uow, viewer)), CoverTemplate.enabled)
    own = uow.session.scalars(query.order_by(CoverTemplate.name, CoverTemplate.id))
    ours = [Cover(each.key, each.text(viewer.language), each.html) for each in BUILT_IN.values()]
    return ours + [Cover(each.uuid, each.name, each.html) for each in own]


def find_cover(uow: UnitOfWork, viewer: Viewer, key: str) -> Cover:
    """The cover that the viewer chose by its key; `NoSuchCover` when he may not, or it is gone or switched off."""
    ours = BUILT_IN.get(key)
    if ours is not None:
        return Cover(key, ours.text(viewer.language), ours.html)
    query = select(CoverTemplate).where(
        CoverTemplate.uuid == key, CoverTemplate.tenant_id.in_(_lineage(uow, viewer)), CoverTemplate.enabled
    )
    own = uow.session.scalar(query)
    if own is None:
        raise NoSuchCover()
    return Cover(own.uuid, own.name, own.html)


def default_cover(uow: UnitOfWork, viewer: Viewer) -> str | None:
    """The key of the cover before the viewer's faxes: none, his own choice, or the standard one where that is gone."""
    user = uow.session.get_one(User, viewer.user_id)
    if not user.uses_cover:
        return None
    try:
        return find_cover(uow, viewer, user.cover).key
    except NoSuchCover:
        return STANDARD.get(viewer.language, "standard")


def set_default_cover(uow: UnitOfWork, viewer: Viewer, key: str | None) -> None:
    """Let the viewer's faxes have this cover, or none, where he says nothing else; `NoSuchCover`."""
    user = uow.session.get_one(User, viewer.user_id)
    user.uses_cover = key is not None
    if key is not None:
        user.cover = find_cover(uow, viewer, key).key


def _lineage(uow: UnitOfWork, viewer: Viewer) -> Sequence[int]:
    """The viewer's tenant and those above it (ids)."""
    found: list[int] = []
    tenant: int | None = viewer.tenant_id
    while tenant is not None:
        found.append(tenant)
        tenant = uow.session.scalar(select(Tenant.parent_id).where(Tenant.id == tenant))
    return found
