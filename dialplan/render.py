"""Asterisk's configuration rendered from `dialplan/templates`, and written with care.

Every name that the dialplan shares with Python comes from `netfax.telephony` (`tel` in the templates) or, for the
simulated network, from `dialplan.network` (`net`).
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jinja2

from dialplan import asterisk, network
from dialplan.modules import GATEWAY_MODULES, NETWORK_MODULES
from netfax import telephony
from netfax.errors import UserError
from netfax.settings import Settings

TEMPLATES = Path(__file__).with_name("templates")
# Where Debian's package for the machine's architecture keeps its modules, below the private root.
MODULE_DIR = "/usr/lib/{triplet}/asterisk/modules"


class BadTrunk(UserError):
    """A trunk's setting that could not be written into a configuration file as it is."""

    code = "bad_trunk"
    en = "Trunk {name}: {field} cannot be “{value}”; {rule}."
    zh = "中继 {name}：{field} 不能是“{value}”；{rule}。"


# Field: (what it must match in full, the rule in words). None of them lets a newline, a semicolon or a bracket in.
_RULES = {
    "name": (r"[a-z0-9-]{1,20}", "1–20 of a–z 0–9 and - / 1–20 个 a–z 0–9 或 -"),
    "host": (r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,253}[A-Za-z0-9])?", "a host name or an address / 主机名或地址"),
    "secret": (
        r"[A-Za-z0-9._~+/=@%!*-]{1,128}",
        "1–128 letters, digits or . _ ~ + / = @ % ! * - / 1–128 个字母、数字或这些符号",
    ),
    "username": (r"[A-Za-z0-9._+-]{1,64}", "1–64 letters, digits or . _ + - / 1–64 个字母、数字或 . _ + -"),
    "number": (r"\+?[0-9]{1,20}", "up to 20 digits / 最多 20 位数字"),
}
# Section names that chan_iax2 and res_pjsip read as something else.
_RESERVED = {"general", "global", "system", "line", "callnumberlimits"}


@dataclass(frozen=True)
class TrunkConfig:
    """What Asterisk must know of a trunk; a wrong value raises `BadTrunk`."""

    name: str
    kind: Literal["sip", "iax2"]
    host: str | None
    port: int | None
    t38: bool
    secret: str | None
    username: str | None
    number: str | None  # the soft modem's own number, or the one under which a SIP trunk registers
    channels: int

    def __post_init__(self) -> None:
        for field, (pattern, rule) in _RULES.items():
            value = getattr(self, field)
            if value is not None and not re.fullmatch(pattern, value):
                raise BadTrunk(name=self.name, field=field, value=value, rule=rule)
        if self.name in _RESERVED:
            raise BadTrunk(
                name=self.name,
                field="name",
                value=self.name,
                rule="the word is Asterisk's own / 该名称已被 Asterisk 占用",
            )
        if self.port is not None and not 1 <= self.port <= 65535:
            raise BadTrunk(name=self.name, field="port", value=self.port, rule="1–65535")
        if self.kind == "sip" and not self.host:
            raise BadTrunk(
                name=self.name, field="host", value="", rule="a SIP trunk needs its host / SIP 中继必须有主机"
            )
        if self.kind == "iax2" and not self.secret:
            raise BadTrunk(
                name=self.name, field="secret", value="", rule="a soft modem needs a secret / 软猫必须有密码"
            )


def gateway_files(settings: Settings, trunks: Sequence[TrunkConfig]) -> dict[str, str]:
    """The gateway's whole configuration: path below its home -> text. Trunks come in the order of their names."""
    return _render(
        "gateway",
        settings,
        {
            "trunks": sorted(trunks, key=lambda trunk: trunk.name),
            "modules": GATEWAY_MODULES,
            "rtp": settings.media_ports("gateway_rtp"),
            "udptl": settings.media_ports("gateway_udptl"),
        },
    )


def network_files(settings: Settings) -> dict[str, str]:
    """The simulated telephone network's whole configuration: path below its home -> text."""
    return _render(
        "network",
        settings,
        {
            "net": network,
            "gateway_address": "127.0.0.1" if settings.line_address == "0.0.0.0" else settings.line_address,  # noqa: S104
            "modules": NETWORK_MODULES,
            "rtp": settings.media_ports("network_rtp"),
            "udptl": settings.media_ports("network_udptl"),
        },
    )


def _render(role: str, settings: Settings, values: Mapping[str, object]) -> dict[str, str]:
    """Every `*.conf.j2` of templates/common and templates/<role>, as etc/*.conf."""
    environment = jinja2.Environment(  # noqa: S701 - not HTML; what comes from outside is checked by TrunkConfig
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        tel=telephony, settings=settings, v=_variable, module_dir=_module_dir(settings), **values
    )
    return {
        f"etc/{path.name.removesuffix('.j2')}": environment.get_template(f"{folder}/{path.name}").render()
        for folder in ("common", role)
        for path in sorted((TEMPLATES / folder).glob("*.conf.j2"))
    }


def _variable(name: str) -> str:
    """The dialplan's way to read a variable."""
    return "${" + name + "}"


def _module_dir(settings: Settings) -> str:
    """The folder of Asterisk's modules as its sandbox sees it; this machine's own triplet where no root is yet."""
    found = sorted((settings.asterisk / "usr/lib").glob("*/asterisk/modules"))
    triplet = found[0].parts[-3] if found else f"{os.uname().machine}-linux-gnu"
    return MODULE_DIR.format(triplet=triplet)


def write(directory: Path, files: Mapping[str, str]) -> list[str]:
    """Write the files that differ from what is there, each whole or not at all, and return their paths, sorted.

    All are 0600 and Asterisk's own (see `asterisk.give`): several hold secrets, and nobody else needs to read any.
    """
    changed = []
    for name, text in sorted(files.items()):
        path = directory / name
        if not path.exists() or path.read_text() != text:
            _write_one(path, text)
            changed.append(name)
    return changed


def _write_one(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    asterisk.give(draft)
    draft.replace(path)
