"""What has been found out of a stored fax's pages, and what is still to be."""

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from netfax.db import Base


class Reading(Base):
    """The pages of one stored fax, from the first on.

    `turn_page` is the next page whose way up is to be found, `text_page` the next whose text is to be read: beyond the
    last one when all are, None where nobody has asked for it. `turns` are the degrees clockwise by which each page is
    shown; until all are found, what was found of each, None where that is not sure.
    """

    __tablename__ = "reading"
    __table_args__ = (
        # What waits is found at once however many faxes there are.
        Index(
            "ix_reading_turn",
            "blob_id",
            sqlite_where=text("turn_page <= pages"),
            postgresql_where=text("turn_page <= pages"),
        ),
        Index(
            "ix_reading_text",
            "blob_id",
            sqlite_where=text("text_page <= pages"),
            postgresql_where=text("text_page <= pages"),
        ),
    )

    blob_id: Mapped[int] = mapped_column(ForeignKey("blob.id", ondelete="CASCADE"), primary_key=True)
    pages: Mapped[int]
    turns: Mapped[list[int | None]] = mapped_column(JSON, default=list)
    turn_page: Mapped[int | None]
    text_page: Mapped[int | None]
    # Nobody else takes it before this; `held_by` is a machine.
    held_until: Mapped[datetime | None]
    held_by: Mapped[str] = mapped_column(String(64), default="")
    # How often its next page was begun.
    tries: Mapped[int] = mapped_column(default=0)


class PageText(Base):
    """What was read on one page (1 is the first), as `words.plain` writes it; it goes with its file."""

    __tablename__ = "page_text"

    blob_id: Mapped[int] = mapped_column(ForeignKey("blob.id", ondelete="CASCADE"), primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
