"""The table of the templates that administrators have made."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from netfax.db import Base, now
from netfax.org.models import Tenant, new_uuid

LONGEST_NAME = 64


class CoverTemplate(Base):
    """A template of a tenant, for its users and those of the tenants below it.

    `version` counts its edits: one that began before another was saved is not saved over it.
    """

    __tablename__ = "cover_template"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"))
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    html: Mapped[str] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(default=True, server_default=true())
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    changed_by: Mapped[str] = mapped_column(String(140))
    changed_at: Mapped[datetime] = mapped_column(default=now)

    tenant: Mapped[Tenant] = relationship()
