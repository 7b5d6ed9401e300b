"""What an operator must hear of: each alarm is a row that stays until somebody has cleared it."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy import ColumnElement, Index, String, Text, select, update
from sqlalchemy.orm import Mapped, mapped_column

from netfax.db import Base, UnitOfWork, now

log = structlog.get_logger()


class Alarm(Base):
    """`code` says what kind it is, `subject` what it is about (an id); one of both is open at a time."""

    __tablename__ = "alarm"
    __table_args__ = (Index("ix_alarm_open", "code", "subject", "cleared_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    text_zh: Mapped[str] = mapped_column(Text, server_default="")
    raised_at: Mapped[datetime] = mapped_column(default=now)
    cleared_at: Mapped[datetime | None]

    def said(self, language: str) -> str:
        """What has happened, in `zh` or `en`."""
        return self.text_zh if language.startswith("zh") and self.text_zh else self.text


class Said(NamedTuple):
    """What has happened, in both languages."""

    en: str
    zh: str


PAGES_LOST = "pages_lost"
OUR_FAULT = "our_fault"
DISK_RESERVE = "disk_reserve"
JOURNAL_BROKEN = "journal_broken"
GATEWAY_LOST = "gateway_lost"

# What each kind means, in English and Chinese.
TITLES = {
    PAGES_LOST: ("Confirmed pages are not on disk", "已确认的页面未存盘"),
    OUR_FAULT: ("A fax could not go on by our own fault", "本系统故障，传真无法继续处理"),
    DISK_RESERVE: ("The disk is below its reserve", "磁盘空间低于保留值"),
    JOURNAL_BROKEN: ("The record of a call was cut", "呼叫记录不完整"),
    GATEWAY_LOST: ("A gateway is not heard of any more", "网关失联"),
}


def title(code: str, language: str) -> str:
    """What an alarm of this kind means, in words."""
    en, zh = TITLES[code]
    return zh if language.startswith("zh") else en


def raise_alarm(uow: UnitOfWork, code: str, subject: str, said: Said) -> None:
    """Raise an alarm; one that stands keeps its number and its time, and says the newest."""
    standing = uow.session.execute(
        update(Alarm)
        .where(*_open(code, subject))
        .values(text=said.en, text_zh=said.zh)
        .returning(Alarm.id)
        .execution_options(synchronize_session=False)
    )
    if standing.first() is None:
        uow.session.add(Alarm(code=code, subject=subject[:64], text=said.en, text_zh=said.zh))
        log.error(f"alarm.{code}", subject=subject, text=said.en)


def clear_alarm(uow: UnitOfWork, code: str, subject: str) -> bool:
    """Clear an alarm whose cause is gone or seen to; False when there is none."""
    cleared = uow.session.execute(
        update(Alarm)
        .where(*_open(code, subject))
        .values(cleared_at=now())
        .returning(Alarm.id)
        .execution_options(synchronize_session=False)
    )
    return cleared.first() is not None


def put_away(uow: UnitOfWork, alarm_id: int) -> bool:
    """Clear the alarm of this number, which somebody has seen to; False when no such alarm is open."""
    cleared = uow.session.execute(
        update(Alarm)
        .where(Alarm.id == alarm_id, Alarm.cleared_at.is_(None))
        .values(cleared_at=now())
        .returning(Alarm.id)
        .execution_options(synchronize_session=False)
    )
    return cleared.first() is not None


def alarms_about(uow: UnitOfWork, subjects: Collection[str]) -> list[Alarm]:
    """Every alarm about one of these, the cleared ones too, oldest first."""
    return list(uow.session.scalars(select(Alarm).where(Alarm.subject.in_(subjects)).order_by(Alarm.id)))


def open_alarms(uow: UnitOfWork) -> list[Alarm]:
    """Every alarm that nobody has cleared, oldest first."""
    return list(uow.session.scalars(select(Alarm).where(Alarm.cleared_at.is_(None)).order_by(Alarm.id)))


def _open(code: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return Alarm.code == code, Alarm.subject == subject[:64], Alarm.cleared_at.is_(None)
