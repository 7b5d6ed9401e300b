"""Trunks and ports. A port is one channel of a trunk; outbound and inbound calls claim it alike."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from netfax.db import Base, Word, now


class TrunkKind(StrEnum):
    SIP = "sip"
    IAX2 = "iax2"


class Trunk(Base):
    """A way out and in. `prefix` is the beginning of the identities it serves, empty for all; the longest wins."""

    __tablename__ = "trunk"
    # A name is free again once its trunk is removed.
    __table_args__ = (
        Index(
            "uq_trunk_name",
            "name",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
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
    # How many of its ports calls out may take at once; None for all. The rest stays free for calls in.
    max_out: Mapped[int | None]
    # When a call last failed by the trunk itself; a call that it carries clears it.
    trouble_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    # A removed trunk carries nothing; its row stays for the history of the calls that it carried.
    removed_at: Mapped[datetime | None]

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
