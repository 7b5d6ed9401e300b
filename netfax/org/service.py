"""Tenants, users and number ranges are made here."""

import re

from sqlalchemy import select

from netfax.db import UnitOfWork
from netfax.errors import UserError
from netfax.org.models import NumberRange, Role, Tenant, TenantKind, User
from netfax.org.passwords import hash_password

NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}", re.ASCII)
PASSWORD_LENGTH = (8, 128)


class BadName(UserError):
    code = "bad_name"
    en = "{name!r} can't be a name: it takes 1 to 32 small letters, digits and . _ -, a letter first."
    zh = "{name!r} 不能用作名称：应为 1 到 32 个小写字母、数字或 . _ -，以字母开头。"


class NameTaken(UserError):
    code = "name_taken"
    en = "There is a {name} already."
    zh = "{name} 已存在。"


class BadPassword(UserError):
    code = "bad_password"
    en = "A password has 8 to 128 characters."
    zh = "密码应为 8 到 128 个字符。"


class UnknownUser(UserError):
    code = "unknown_user"
    en = "There is no user {login}; `netfax user list` shows them."
    zh = "没有用户 {login}；用 `netfax user list` 查看。"


def system_tenant(uow: UnitOfWork) -> Tenant:
    """The root of the tree, made at its first use; its users sign in with a bare name."""
    tenant = uow.session.scalar(select(Tenant).where(Tenant.name == ""))
    if tenant is None:
        tenant = Tenant(kind=TenantKind.SYSTEM, name="", title="NetFax")
        uow.session.add(tenant)
        uow.session.flush()
    return tenant


def add_domain(uow: UnitOfWork, name: str, title: str) -> Tenant:
    """A domain below the system; its users sign in as `user@name`."""
    if not NAME.fullmatch(name):
        raise BadName(name=name)
    if uow.session.scalar(select(Tenant.id).where(Tenant.name == name)):
        raise NameTaken(name=name)
    tenant = Tenant(kind=TenantKind.DOMAIN, name=name, title=title, parent_id=system_tenant(uow).id)
    uow.session.add(tenant)
    uow.session.flush()
    return tenant


def add_user(uow: UnitOfWork, tenant: Tenant, name: str, password: str, role: Role, **facts: str) -> User:
    """A user of the tenant; `facts` are further fields of `User`, such as surname and language."""
    if not NAME.fullmatch(name):
        raise BadName(name=name)
    if not PASSWORD_LENGTH[0] <= len(password) <= PASSWORD_LENGTH[1]:
        raise BadPassword()
    if uow.session.scalar(select(User.id).where(User.tenant_id == tenant.id, User.name == name)):
        raise NameTaken(name=name)
    user = User(tenant_id=tenant.id, name=name, password_hash=hash_password(password), role=role, **facts)
    uow.session.add(user)
    uow.session.flush()
    return user


def add_range(uow: UnitOfWork, tenant: Tenant, first: str, last: str, operator: User | None) -> NumberRange:
    """Allot the identities from `first` to `last` to a tenant; calls to those nobody owns go to the operator."""
    number_range = NumberRange(
        tenant_id=tenant.id, first=first, last=last, operator_id=operator.id if operator else None
    )
    uow.session.add(number_range)
    uow.session.flush()
    return number_range


def find_user(uow: UnitOfWork, login: str) -> User:
    """The enabled user who signs in as `name` or `name@domain`; `UnknownUser` otherwise."""
    name, _, domain = login.partition("@")
    user = uow.session.scalar(select(User).join(Tenant).where(User.name == name, Tenant.name == domain, User.enabled))
    if user is None:
        raise UnknownUser(login=login)
    return user


def list_users(uow: UnitOfWork) -> list[User]:
    """Every user, by domain and name."""
    return list(uow.session.scalars(select(User).join(Tenant).order_by(Tenant.name, User.name)))
