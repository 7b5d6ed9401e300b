"""Trunks and ports. A port is one channel of a trunk; outbound and inbound calls claim it alike."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from netfax.db import Base, Word, now


class TrunkKind(StrEnum):
    SIP = "sip"
    IAX2 = "iax2"


class Trunk(Base):
    """A way out and in. `prefix` is the beginning of the identities it serves, empty for all; the longest wins."""

    __tablename__ = "trunk"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    gateway: Mapped[str] = mapped_column(String(20))
    kind: Mapped[TrunkKind] = mapped_column(Word(TrunkKind))
    host: Mapped[str] = mapped_column(String(255), default="")
    port: Mapped[int] = mapped_column(default=0)
    t38: Mapped[bool] = mapped_column(default=True)
    username: Mapped[str] = mapped_column(String(64), default="")
    secret: Mapped[str] = mapped_column(String(128), default="")
    # The one number that a soft modem serves, as an identity; empty where the trunk leads to a network.
    number: Mapped[str] = mapped_column(String(15), default="")
    prefix: Mapped[str] = mapped_column(String(15), default="")
    position: Mapped[int] = mapped_column(default=100)
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    ports: Mapped[list["Port"]] = relationship(back_populates="trunk", order_by="Port.position")


class Port(Base):
    """One channel of a trunk; `claimed_by` is the id of the attempt or reception that has it."""

    __tablename__ = "port"
    __table_args__ = (UniqueConstraint("trunk_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    trunk_id: Mapped[int] = mapped_column(ForeignKey("trunk.id"))
    position: Mapped[int]
    enabled: Mapped[bool] = mapped_column(default=True)
    claimed_by: Mapped[str | None] = mapped_column(String(36), index=True)
    claimed_at: Mapped[datetime | None]

    trunk: Mapped[Trunk] = relationship(back_populates="ports", lazy="joined")
