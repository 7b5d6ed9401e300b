"""The row of a stored file."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from netfax.db import Base, now
from netfax.org.models import new_uuid


class Blob(Base):
    """A stored file: where it lies (`key`), what it is, and its SHA-256 in hex."""

    __tablename__ = "blob"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), index=True)
    media_type: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=now)
