"""Tenants, users, sign-in sessions, number ranges and owned numbers."""

import unicodedata
import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from netfax.db import Base, Word, now


class TenantKind(StrEnum):
    SYSTEM = "system"
    DOMAIN = "domain"
    COMPANY = "company"
    DEPARTMENT = "department"
    GROUP = "group"


class Role(StrEnum):
    SYSTEM_ADMIN = "system_admin"
    DOMAIN_ADMIN = "domain_admin"
    OPERATOR = "operator"
    USER = "user"


def new_uuid() -> str:
    """A random public id, for URLs and APIs."""
    return str(uuid.uuid4())


class Tenant(Base):
    """A node of the tree; `name` is what stands behind the @ of a domain's users, empty for the system itself."""

    __tablename__ = "tenant"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tenant.id"), index=True)
    kind: Mapped[TenantKind] = mapped_column(Word(TenantKind))
    name: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(String(128), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)


class User(Base):
    """Somebody who signs in; `name` is unique within the tenant."""

    __tablename__ = "user_account"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[Role] = mapped_column(Word(Role), default=Role.USER)
    surname: Mapped[str] = mapped_column(String(64), default="")
    given_name: Mapped[str] = mapped_column(String(64), default="")
    # What his covers say of him (R6.1); `fax_text` is what he calls his fax number there, not the one allotted to him.
    company: Mapped[str] = mapped_column(String(128), default="", server_default="")
    position: Mapped[str] = mapped_column(String(64), default="", server_default="")
    address: Mapped[str] = mapped_column(String(256), default="", server_default="")
    postcode: Mapped[str] = mapped_column(String(16), default="", server_default="")
    telephone: Mapped[str] = mapped_column(String(64), default="", server_default="")
    mobile: Mapped[str] = mapped_column(String(64), default="", server_default="")
    fax_text: Mapped[str] = mapped_column(String(64), default="", server_default="")
    # Whether his faxes have a cover where he says nothing else, and which (its key).
    uses_cover: Mapped[bool] = mapped_column(default=False, server_default=false())
    cover: Mapped[str] = mapped_column(String(36), default="", server_default="")
    language: Mapped[str] = mapped_column(String(8), default="zh")
    time_zone: Mapped[str] = mapped_column(String(64), default="Asia/Shanghai")
    area_code: Mapped[str] = mapped_column(String(8), default="")
    rows_per_page: Mapped[int] = mapped_column(default=20)
    enabled: Mapped[bool] = mapped_column(default=True)
    must_change_password: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)

    tenant: Mapped[Tenant] = relationship(lazy="joined")

    @property
    def full_name(self) -> str:
        """Surname and given name in the order of their language: 李明, Mark Li; empty when he has neither."""
        if any(unicodedata.east_asian_width(letter) == "W" for letter in self.surname + self.given_name):
            return self.surname + self.given_name
        return f"{self.given_name} {self.surname}".strip()

    @property
    def login(self) -> str:
        """What the user signs in with: `name@domain`, or the bare name at the system level (R2.1)."""
        return f"{self.name}@{self.tenant.name}" if self.tenant.name else self.name


class SignIn(Base):
    """A browser's session; its row can be ended, a cookie can't."""

    __tablename__ = "sign_in"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    address: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]


class SignInFailure(Base):
    """A sign-in that failed, kept so that an account and an address slow down (R2.2)."""

    __tablename__ = "sign_in_failure"
    __table_args__ = (
        Index("ix_sign_in_failure_login_at", "login", "at"),
        Index("ix_sign_in_failure_address_at", "address", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(140))
    address: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=now)


class NumberRange(Base):
    """Numbers that the telephone company gave us, allotted to a tenant.

    `first` and `last` are identities (E.164 digits without plus) of one length. Calls to a number in the range
    that nobody owns go to the mailbox of `operator_id`.
    """

    __tablename__ = "number_range"
    __table_args__ = (CheckConstraint("first <= last", name="order"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenant.id"), index=True)
    first: Mapped[str] = mapped_column(String(15), unique=True)
    last: Mapped[str] = mapped_column(String(15))
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))

    tenant: Mapped[Tenant] = relationship()
    operator: Mapped[User | None] = relationship()


class OwnedNumber(Base):
    """A fax number and its one owner; the number is an identity (E.164 digits without plus)."""

    __tablename__ = "owned_number"

    identity: Mapped[str] = mapped_column(String(15), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    main: Mapped[bool] = mapped_column(default=True)
    since: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship(lazy="joined")
