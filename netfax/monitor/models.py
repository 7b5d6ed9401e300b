"""The beat of a service."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from netfax.db import Base


class ServiceBeat(Base):
    """A service's sign of life; `detail` is what it says of itself, such as a lost connection."""

    __tablename__ = "service_beat"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    healthy: Mapped[bool] = mapped_column(default=True)
    detail: Mapped[str] = mapped_column(String(256), default="")
