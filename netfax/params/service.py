"""Reading and setting parameters; a change is seen by the next transaction of every process."""

from collections.abc import Iterator

from sqlalchemy import select

from netfax.db import UnitOfWork, now
from netfax.numbers.home import read_home
from netfax.params.models import ParamValue
from netfax.params.table import PARAMS, Param, param, read_value

# In the session's notes, for as long as its one transaction.
_STORED = "params"


def get_text(uow: UnitOfWork, name: str) -> str:
    """The value in force of a parameter."""
    stored = _stored(uow).get(param(name).name)
    return stored.value if stored else PARAMS[name].default


def _stored(uow: UnitOfWork) -> dict[str, ParamValue]:
    """What somebody has set, read together once in a transaction: steps ask for several, again and again."""
    stored: dict[str, ParamValue] | None = uow.session.info.get(_STORED)
    if stored is None:
        stored = {each.name: each for each in uow.session.scalars(select(ParamValue))}
        uow.session.info[_STORED] = stored
    return stored


def get_int(uow: UnitOfWork, name: str) -> int:
    """The value in force of a whole-number parameter."""
    return int(get_text(uow, name))


def get_flag(uow: UnitOfWork, name: str) -> bool:
    """Whether a switch is on."""
    return get_text(uow, name) == "on"


def set_param(uow: UnitOfWork, name: str, text: str, *, by: str) -> str:
    """Set a parameter and return its new value; `UnknownParam`, `BadParamValue` and `NotAHome` leave all as it was."""
    value = read_value(name, text)
    if name in ("country_code", "area_code"):
        _check_home(uow, name, value)
    uow.session.merge(ParamValue(name=name, value=value, changed_by=by, changed_at=now()))
    uow.session.info.pop(_STORED, None)
    return value


def _check_home(uow: UnitOfWork, name: str, value: str) -> None:
    """Country and area code are one thing: numbers can't be read in an area that does not exist."""
    codes = {code: get_text(uow, code) for code in ("country_code", "area_code")} | {name: value}
    read_home(codes["country_code"], codes["area_code"])


def list_params(uow: UnitOfWork) -> Iterator[tuple[Param, str, ParamValue | None]]:
    """Every parameter with its value in force and, where somebody set it, who and when."""
    for each in PARAMS.values():
        stored = _stored(uow).get(each.name)
        yield each, stored.value if stored else each.default, stored
