"""Signing in: the password's check, what slows guessing down, and the rows of the browsers' sessions (R2.1, R2.2)."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import joinedload

from netfax.db import UnitOfWork, now, reading, unit_of_work
from netfax.errors import UserError
from netfax.org.models import SignIn, SignInFailure, Tenant, User
from netfax.org.passwords import password_matches

# So many tries in the window lock an account, known or not; an address may stand for a whole office.
WINDOW = timedelta(minutes=15)
TRIES_OF_AN_ACCOUNT = 5
TRIES_OF_AN_ADDRESS = 20
# Tries are kept for the operator this long.
KEEP_TRIES = timedelta(days=1)

# A session ends after this time without a request, and after that time in any case.
IDLE = timedelta(hours=12)
LONGEST = timedelta(days=7)
# `seen_at` is no finer than this: not every request writes.
SEEN_EVERY = timedelta(minutes=5)

LONGEST_LOGIN = 140
LONGEST_PASSWORD = 1024


class WrongSignIn(UserError):
    """No such account, a wrong password or a disabled account: never told apart."""

    code = "wrong_sign_in"
    en = "User name and password do not match. Check both and try again."
    zh = "用户名或密码不正确，请检查后重试。"


class SignInLocked(UserError):
    """Too many tries for this account or from this address; said of accounts that do not exist as well."""

    code = "sign_in_locked"
    en = "Too many failed tries. Wait {minutes} min and try again."
    zh = "尝试次数过多，请 {minutes} 分钟后再试。"


@dataclass(frozen=True)
class Session:
    """A live session: its id and its user, with the tenant loaded."""

    id: str
    user: User


def sign_in(login: str, password: str, address: str) -> str:
    """Check a login (`user` or `user@domain`) and its password; the new session's id.

    The try is on record before the password is looked at, so that a thousand tries at once are no more than a few.
    Raises `SignInLocked` or `WrongSignIn`.
    """
    name = login.strip()
    account = _throttle_key(name)
    with unit_of_work() as uow:
        locked_for = _locked_for(uow, account, address)
        if locked_for is None:
            uow.session.add(SignInFailure(login=account, address=address))
            uow.session.execute(delete(SignInFailure).where(SignInFailure.at < now() - KEEP_TRIES))
    if locked_for is not None:
        raise SignInLocked(minutes=max(1, -(-int(locked_for.total_seconds()) // 60)))
    with reading() as uow:
        user = _find_user(uow, name)
        user_id, stored = (user.id, user.password_hash) if user else (None, None)
    if not password_matches(password[:LONGEST_PASSWORD], stored) or user_id is None:
        raise WrongSignIn()
    with unit_of_work() as uow:
        uow.session.execute(delete(SignInFailure).where(SignInFailure.login == account))
        return _open_session(uow, user_id, address)


def find_session(session_id: str) -> Session | None:
    """The live session of that id; None when it is unknown, ended, too old, or its user is disabled."""
    with reading() as uow:
        row = uow.session.get(SignIn, session_id)
        if row is None or not _alive(row):
            return None
        user = uow.session.scalar(select(User).where(User.id == row.user_id).options(joinedload(User.tenant)))
        if user is None or not user.enabled:
            return None
        stale = row.seen_at < now() - SEEN_EVERY
        uow.session.expunge_all()
    if stale:
        with unit_of_work() as uow:
            seen = uow.session.get(SignIn, session_id)
            if seen is not None:
                seen.seen_at = now()
    return Session(session_id, user)


def end_session(session_id: str) -> None:
    """End a session; ending it again changes nothing."""
    with unit_of_work() as uow:
        row = uow.session.get(SignIn, session_id)
        if row is not None and row.ended_at is None:
            row.ended_at = now()


def _throttle_key(login: str) -> str:
    """What counts as one account: no more than the column takes, spellings alike, characters no database refuses."""
    name, _, domain = login.casefold().partition("@")
    account = f"{name}@{domain}" if domain else name
    return "".join(character if character.isprintable() else "?" for character in account)[:LONGEST_LOGIN]


def _find_user(uow: UnitOfWork, login: str) -> User | None:
    """The enabled user of `name@domain`, or of a bare name at the system level."""
    if not login.isprintable() or len(login) > LONGEST_LOGIN:
        return None
    name, _, domain = login.partition("@")
    query = select(User).join(Tenant).where(User.name == name, Tenant.name == domain, User.enabled)
    return uow.session.scalar(query)


def _locked_for(uow: UnitOfWork, account: str, address: str) -> timedelta | None:
    """How long the account or the address must still wait; None when it need not."""
    waits = [
        _wait(uow, SignInFailure.login == account, TRIES_OF_AN_ACCOUNT),
        _wait(uow, SignInFailure.address == address, TRIES_OF_AN_ADDRESS),
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def _wait(uow: UnitOfWork, whose: ColumnElement[bool], tries: int) -> timedelta | None:
    """Until the oldest of the last `tries` leaves the window; None with fewer in it."""
    at = now()
    in_window = select(SignInFailure.at).where(whose, SignInFailure.at > at - WINDOW)
    oldest = uow.session.scalar(in_window.order_by(SignInFailure.at.desc()).offset(tries - 1).limit(1))
    return None if oldest is None else oldest + WINDOW - at


def _open_session(uow: UnitOfWork, user_id: int, address: str) -> str:
    session_id = secrets.token_urlsafe(32)
    uow.session.add(SignIn(id=session_id, user_id=user_id, address=address[:64]))
    return session_id


def _alive(row: SignIn) -> bool:
    at = now()
    return row.ended_at is None and row.seen_at > at - IDLE and row.created_at > at - LONGEST
