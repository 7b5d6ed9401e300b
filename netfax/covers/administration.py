"""Templates as administrators keep them (R8.6): copied, edited, switched off, deleted."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from netfax.covers import errors
from netfax.covers.builtin import BUILT_IN
from netfax.covers.check import problems
from netfax.covers.models import LONGEST_NAME, CoverTemplate
from netfax.db import UnitOfWork, now
from netfax.errors import NotFound
from netfax.org.models import Role
from netfax.org.viewer import Viewer

ADMINISTRATORS = frozenset({Role.SYSTEM_ADMIN, Role.DOMAIN_ADMIN})


@dataclass(frozen=True)
class Edit:
    """What an editor sends: the template as it is to be, and the version that it began with."""

    name: str
    html: str
    version: int


@dataclass(frozen=True)
class Told:
    """A template as an editor shows it; one of ours has no version and can't be changed."""

    key: str
    name: str
    html: str
    version: int = 0
    enabled: bool = True
    changed_by: str = ""
    changed_at: datetime | None = None
    tenant: str = ""

    @property
    def is_ours(self) -> bool:
        return self.key in BUILT_IN


def told(template: CoverTemplate) -> Told:
    """A row as a value."""
    return Told(
        template.uuid,
        template.name,
        template.html,
        template.version,
        template.enabled,
        template.changed_by,
        template.changed_at,
        template.tenant.name,
    )


def list_templates(uow: UnitOfWork, viewer: Viewer) -> list[CoverTemplate]:
    """Those that the viewer administers: his domain's, all for the system's administrator. `NotFound` for others."""
    query = select(CoverTemplate).where(_administered(viewer)).options(joinedload(CoverTemplate.tenant))
    return list(uow.session.scalars(query.order_by(CoverTemplate.name, CoverTemplate.id)))


def find_template(uow: UnitOfWork, viewer: Viewer, key: str) -> Told:
    """A template that the viewer may look at: one of ours or one that he administers; `NotFound`."""
    administered = _administered(viewer)
    ours = BUILT_IN.get(key)
    if ours is not None:
        return Told(key, ours.text(viewer.language), ours.html)
    query = select(CoverTemplate).where(CoverTemplate.uuid == key, administered)
    row = uow.session.scalar(query.options(joinedload(CoverTemplate.tenant)))
    if row is None:
        raise NotFound()
    return told(row)


def copy_template(uow: UnitOfWork, viewer: Viewer, key: str) -> str:
    """A new template of the viewer's tenant like another one, under a name that is free; its public id."""
    source = find_template(uow, viewer, key)
    query = select(CoverTemplate.name).where(CoverTemplate.tenant_id == viewer.tenant_id)
    taken = set(uow.session.scalars(query))
    number = 2
    while (name := f"{source.name[: LONGEST_NAME - 6]} {number}") in taken:
        number += 1
    copy = CoverTemplate(tenant_id=viewer.tenant_id, name=name, html=source.html, changed_by=viewer.login)
    uow.session.add(copy)
    uow.session.flush()
    return copy.uuid


def save_template(uow: UnitOfWork, viewer: Viewer, key: str, edit: Edit) -> None:
    """Keep an edit whose pages were looked at (`netfax.covers.preview`); faxes submitted before it stay as they are.

    `EditedMeanwhile` when it began with another version than is there, `TemplateRefused` when something is wrong with
    its HTML, `BadTemplateName` and `TemplateNameTaken`, `NotFound`.
    """
    _own(uow, viewer, key)
    if not (edit.name.strip() and edit.name.isprintable() and len(edit.name) <= LONGEST_NAME):
        raise errors.BadTemplateName(limit=LONGEST_NAME)
    if problems(edit.html):
        raise errors.TemplateRefused()
    change = (
        update(CoverTemplate)
        .where(CoverTemplate.uuid == key, CoverTemplate.version == edit.version)
        .values(
            name=edit.name.strip(),
            html=edit.html,
            version=edit.version + 1,
            changed_by=viewer.login,
            changed_at=now(),
        )
        .returning(CoverTemplate.id)
        .execution_options(synchronize_session=False)
    )
    try:
        saved = uow.session.scalar(change)
    except IntegrityError as taken:
        raise errors.TemplateNameTaken(name=edit.name.strip()) from taken
    if saved is None:
        raise errors.EditedMeanwhile(by=_own(uow, viewer, key).changed_by)


def enable_template(uow: UnitOfWork, viewer: Viewer, key: str, enabled: bool) -> str:
    """Offer a template to those who send, or not any more: whose default it was gets the standard one. Its name."""
    template = _own(uow, viewer, key)
    template.enabled = enabled
    return template.name


def delete_template(uow: UnitOfWork, viewer: Viewer, key: str) -> str:
    """Delete a template; faxes that have it keep it, and whose default it was gets the standard one. Its name."""
    template = _own(uow, viewer, key)
    uow.session.execute(delete(CoverTemplate).where(CoverTemplate.id == template.id))
    return template.name


def _own(uow: UnitOfWork, viewer: Viewer, key: str) -> CoverTemplate:
    query = select(CoverTemplate).where(CoverTemplate.uuid == key, _administered(viewer))
    template = uow.session.scalar(query.execution_options(populate_existing=True))
    if template is None:
        raise NotFound()
    return template


def _administered(viewer: Viewer) -> ColumnElement[bool]:
    match viewer.role:
        case Role.SYSTEM_ADMIN:
            return true()
        case Role.DOMAIN_ADMIN:
            return CoverTemplate.tenant_id == viewer.tenant_id
        case _:
            raise NotFound()
