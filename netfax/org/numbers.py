"""Whose fax number is it."""

from collections.abc import Sequence

from sqlalchemy import func, select

from netfax.db import UnitOfWork
from netfax.errors import UserError
from netfax.org.models import NumberRange, OwnedNumber, Role, Tenant, User


class NumberTaken(UserError):
    code = "number_taken"
    en = "{number} belongs to {owner} already."
    zh = "号码 {number} 已属于 {owner}。"


class NumberNotOurs(UserError):
    code = "number_not_ours"
    en = "{number} is in no range of this user's domain."
    zh = "号码 {number} 不在该用户所属域的号码段内。"


def find_owner(uow: UnitOfWork, identity: str) -> User | None:
    """Who gets a fax to this number: its owner, else the operator of the range it is in, else nobody.

    Who is disabled gets nothing: he can't sign in to read it.
    """
    owned = uow.session.get(OwnedNumber, identity)
    if owned is not None and owned.user.enabled:
        return owned.user
    number_range = find_range(uow, identity)
    operator = number_range.operator if number_range else None
    return operator if operator is not None and operator.enabled else None


def find_range(uow: UnitOfWork, identity: str) -> NumberRange | None:
    """The range of ours in which the number lies."""
    query = select(NumberRange).where(
        func.length(NumberRange.first) == len(identity),
        NumberRange.first <= identity,
        NumberRange.last >= identity,
    )
    return uow.session.scalars(query).first()


def ours(uow: UnitOfWork, identities: Sequence[str]) -> set[str]:
    """Those of the numbers that belong to this system: owned by a user, or in a range of ours."""
    if not identities:
        return set()
    owned = set(uow.session.scalars(select(OwnedNumber.identity).where(OwnedNumber.identity.in_(identities))))
    ranges = uow.session.execute(select(NumberRange.first, NumberRange.last)).all()
    return owned | {
        identity
        for identity in identities
        for first, last in ranges
        if len(first) == len(identity) and first <= identity <= last
    }


def give_number(uow: UnitOfWork, user: User, identity: str) -> OwnedNumber:
    """Make the user the owner of a number of his domain; `NumberTaken` or `NumberNotOurs` otherwise."""
    taken = uow.session.get(OwnedNumber, identity)
    if taken is not None:
        raise NumberTaken(number=identity, owner=taken.user.login)
    number_range = find_range(uow, identity)
    if number_range is None or number_range.tenant_id != user.tenant_id:
        raise NumberNotOurs(number=identity)
    has_one = uow.session.scalar(select(OwnedNumber.identity).where(OwnedNumber.user_id == user.id).limit(1))
    owned = OwnedNumber(identity=identity, user_id=user.id, main=has_one is None)
    uow.session.add(owned)
    uow.session.flush()
    return owned


def system_operator(uow: UnitOfWork) -> User:
    """Who gets what came in for nobody while the decision could not be asked for."""
    query = (
        select(User)
        .join(Tenant)
        .where(User.role == Role.SYSTEM_ADMIN, Tenant.name == "", User.enabled)
        .order_by(User.id)
        .limit(1)
    )
    return uow.session.scalars(query).one()
