"""What the first start makes: a system administrator, a demo domain with two users, their numbers, and two trunks."""

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from dialplan import network
from netfax.db import UnitOfWork, unit_of_work
from netfax.lines.models import Trunk, TrunkKind
from netfax.lines.service import add_trunk
from netfax.org.models import Role, User
from netfax.org.numbers import give_number
from netfax.org.service import add_domain, add_range, add_user, system_tenant
from netfax.settings import Settings

ACCOUNTS_FILE = "first-accounts.json"
DEMO_DOMAIN = "demo"
RANGE = ("867367804000", "867367804099")
DEMO_CHANNELS = 60


@dataclass(frozen=True)
class Account:
    """An account as the first start prints it; the password may have been changed since."""

    login: str
    password: str
    number: str


def make_first_accounts(settings: Settings) -> None:
    """Fill an empty database; one that has a user is left alone. The passwords are kept in a file of mode 0600."""
    with unit_of_work() as uow:
        if uow.session.scalar(select(User.id).limit(1)) is not None:
            return
        accounts = [_administrator(uow), *_demo_domain(uow)]
        _demo_trunks(uow, settings)
        # Before the commit: passwords that nobody can read any more would be of no use.
        _write_accounts(settings.home / ACCOUNTS_FILE, accounts)


def first_accounts(settings: Settings) -> list[Account]:
    """The accounts of the first start with their first passwords; none where the file was removed."""
    path = settings.home / ACCOUNTS_FILE
    return [Account(**each) for each in json.loads(path.read_text())] if path.exists() else []


def _administrator(uow: UnitOfWork) -> Account:
    password = _new_password()
    add_user(uow, system_tenant(uow), "admin", password, Role.SYSTEM_ADMIN, surname="系统管理员")
    return Account("admin", password, "")


def _demo_domain(uow: UnitOfWork) -> list[Account]:
    """Alice administers the domain and gets what comes in for its unowned numbers."""
    domain = add_domain(uow, DEMO_DOMAIN, "演示公司")
    accounts = []
    for name, surname, role, local in (
        ("alice", "李", Role.DOMAIN_ADMIN, "7804001"),
        ("bob", "王", Role.USER, "7804002"),
    ):
        password = _new_password()
        user = add_user(uow, domain, name, password, role, surname=surname)
        if role is Role.DOMAIN_ADMIN:
            add_range(uow, domain, *RANGE, user)
        give_number(uow, user, f"86736{local}")
        accounts.append(Account(f"{name}@{DEMO_DOMAIN}", password, f"0736-{local}"))
    return accounts


def _demo_trunks(uow: UnitOfWork, settings: Settings) -> None:
    """Both lead to the simulated network; the one without T.38 carries what the first can't."""
    for name, host, port, t38, position in (
        ("pstn", network.T38_ADDRESS, "network_sip", True, 100),
        ("pstn-g711", network.G711_ADDRESS, "network_sip_g711", False, 200),
    ):
        trunk = Trunk(
            name=name,
            gateway=settings.gateway,
            kind=TrunkKind.SIP,
            host=host,
            port=settings.port(port),
            t38=t38,
            position=position,
        )
        add_trunk(uow, trunk, channels=DEMO_CHANNELS)


def _new_password() -> str:
    return "-".join(secrets.token_hex(2) for _ in range(3))


def _write_accounts(path: Path, accounts: list[Account]) -> None:
    if path.exists():
        # Those of the database before: whoever goes back to it needs them.
        path.rename(path.with_suffix(f".{datetime.now(UTC):%Y%m%d-%H%M%S}.json"))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump([vars(account) for account in accounts], file, indent=1)
