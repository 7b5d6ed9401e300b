"""`netfax param | trunk | user | number`."""

import click

from cli.fax_commands import json_option
from cli.gateway import REGISTERED_ZH, apply_gateway, registrations
from cli.installation import on_installation
from cli.output import console, language, listing, say
from netfax.db import reading, unit_of_work
from netfax.lines.models import Trunk, TrunkKind
from netfax.lines.service import add_trunk, list_trunks, remove_trunk
from netfax.numbers.read import read_number
from netfax.org.homes import system_home
from netfax.org.models import OwnedNumber
from netfax.org.numbers import give_number
from netfax.org.service import find_user, list_users
from netfax.params.service import list_params, set_param
from netfax.settings import settings

OPERATOR = "command line"
LAST_POSITION = 1_000_000
# Here a telephone number, in the lists of faxes a running one.
NUMBER_ZH = {"number": "号码"}


@click.group()
def param() -> None:
    """System parameters (系统参数)."""


@param.command("list")
@json_option
@on_installation
def param_list(json_wanted: bool) -> None:
    """Every parameter with its value."""
    with reading() as uow:
        rows: list[dict[str, object]] = [
            {
                "name": each.name,
                "value": value,
                "unit": each.unit,
                "default": each.default,
                "title": each.title_zh if language() == "zh" else each.title_en,
                "help": each.help_zh if language() == "zh" else each.help_en,
                "changed_by": stored.changed_by if stored else None,
                "changed_at": stored.changed_at if stored else None,
            }
            for each, value, stored in list_params(uow)
        ]
    columns = ("name", "value", "unit", "default", "title")
    listing(columns, rows, json_wanted=json_wanted, empty="", headings_zh={"title": "含义"})


@param.command("set")
@click.argument("name")
@click.argument("value")
@on_installation
def param_set(name: str, value: str) -> None:
    """Set a parameter; it holds at once."""
    with unit_of_work() as uow:
        stored = set_param(uow, name, value, by=OPERATOR)
    console.print(f"{name} = {stored}", markup=False)


@click.group()
def trunk() -> None:
    """Trunks (线路): the ways out to the telephone network and in from it."""


@trunk.command("list")
@json_option
@on_installation
def trunk_list(json_wanted: bool) -> None:
    """Every trunk, and who is registered or reachable."""
    with reading() as uow:
        rows: list[dict[str, object]] = [
            {
                "name": each.name,
                "kind": each.kind.value,
                "host": each.host,
                "port": each.port,
                "number": each.number,
                "prefix": each.prefix,
                "t38": each.t38,
                "channels": len(each.ports),
                "max_out": each.max_out,
                "busy": sum(port.claimed_by is not None for port in each.ports),
            }
            for each in list_trunks(uow)
        ]
    contacts = registrations(settings())
    for row in rows:
        registered = (contacts or {}).get(str(row["name"]), "no")
        row["registered"] = registered
        words = registered if contacts is not None else "gateway does not answer"
        row["registered_text"] = say(words, REGISTERED_ZH.get(words, words))
    listing(
        ("name", "kind", "host", "port", "number", "prefix", "t38", "channels", "busy", "registered"),
        rows,
        json_wanted=json_wanted,
        empty=say("There is no trunk; `netfax trunk add` makes one.", "还没有线路；用 `netfax trunk add` 添加。"),
        headings_zh=NUMBER_ZH,
    )


@trunk.command("add")
@click.option("--kind", type=click.Choice([each.value for each in TrunkKind]), required=True)
@click.option("--name", required=True, help="Small letters, digits and -.")
@click.option("--host", default="", help="SIP: the provider's name or address.")
@click.option("--port", default=5060, type=click.IntRange(1, 65535), help="SIP: the provider's port.")
@click.option("--username", default="", help="SIP: the name to register and authenticate with, where asked.")
@click.option("--secret", default="", help="The password; an IAX2 soft modem registers with it.")
@click.option("--number", default="", help="IAX2: the number that the soft modem answers.")
@click.option("--prefix", default="", help="Serve only numbers that begin so (country code first, as in 8620).")
@click.option("--position", default=100, type=click.IntRange(0, LAST_POSITION), help="Lower is tried first.")
@click.option("--channels", default=None, type=int, help="How many calls at once (SIP 30, IAX2 1).")
@click.option("--max-out", default=None, type=int, help="How many of them calls out may take; all without it.")
@click.option("--t38/--no-t38", default=True, help="SIP: whether the provider speaks T.38.")
@on_installation
def trunk_add(
    kind: str,
    name: str,
    host: str,
    port: int,
    username: str,
    secret: str,
    number: str,
    prefix: str,
    position: int,
    channels: int | None,
    max_out: int | None,
    t38: bool,
) -> None:
    """Add a trunk to the running system."""
    soft_modem = kind == TrunkKind.IAX2.value
    with unit_of_work() as uow:
        identity = read_number(number, system_home(uow)).identity if number else ""
        row = Trunk(
            name=name,
            gateway=settings().gateway,
            kind=TrunkKind(kind),
            host=host,
            port=0 if soft_modem else port,
            t38=t38 and not soft_modem,
            username=username,
            secret=secret,
            number=identity,
            prefix=prefix,
            position=position,
            max_out=max_out,
        )
        add_trunk(uow, row, channels=channels if channels is not None else 1 if soft_modem else 30)
    console.print(apply_gateway(settings()), markup=False)


@trunk.command("remove")
@click.argument("name")
@on_installation
def trunk_remove(name: str) -> None:
    """Take a trunk out of use, on the running system too; the calls that it carried keep their history."""
    with unit_of_work() as uow:
        remove_trunk(uow, name)
    console.print(apply_gateway(settings(), removed=[name]), markup=False)


@click.group()
def user() -> None:
    """Users (用户)."""


@user.command("list")
@json_option
@on_installation
def user_list(json_wanted: bool) -> None:
    """Every user with his fax numbers."""
    with reading() as uow:
        numbers: dict[int, list[str]] = {}
        for owned in uow.session.query(OwnedNumber).order_by(OwnedNumber.main.desc(), OwnedNumber.identity):
            numbers.setdefault(owned.user_id, []).append(owned.identity)
        rows: list[dict[str, object]] = [
            {"login": each.login, "role": each.role.value, "numbers": ", ".join(numbers.get(each.id, []))}
            for each in list_users(uow)
        ]
    listing(("login", "role", "numbers"), rows, json_wanted=json_wanted, empty=say("There is no user.", "没有用户。"))


@click.group()
def number() -> None:
    """Fax numbers (传真号码)."""


@number.command("give")
@click.argument("fax_number")
@click.argument("login")
@on_installation
def number_give(fax_number: str, login: str) -> None:
    """Make a user the owner of a number of his domain."""
    with unit_of_work() as uow:
        identity = read_number(fax_number, system_home(uow)).identity
        give_number(uow, find_user(uow, login), identity)
    console.print(f"{identity} → {login}", markup=False)


@number.command("list")
@json_option
@on_installation
def number_list(json_wanted: bool) -> None:
    """Every owned number and its owner."""
    with reading() as uow:
        rows: list[dict[str, object]] = [
            {"number": owned.identity, "owner": owned.user.login, "since": owned.since}
            for owned in uow.session.query(OwnedNumber).order_by(OwnedNumber.identity)
        ]
    empty = say("No number has an owner.", "还没有号码分配给用户。")
    listing(("number", "owner", "since"), rows, json_wanted=json_wanted, empty=empty, headings_zh=NUMBER_ZH)
