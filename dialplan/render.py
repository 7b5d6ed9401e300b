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
from netfax.errors import NetFaxError
from netfax.settings import Settings

TEMPLATES = Path(__file__).with_name("templates")
# Where Debian's package for the machine's architecture keeps its modules, below the private root.
MODULE_DIR = "/usr/lib/{triplet}/asterisk/modules"


class UnsafeSettingError(NetFaxError):
    """A trunk's setting that a configuration file would read as more than a value."""

    code = "unsafe_setting"
    en = "Trunk {name}: its {field} can't be written into Asterisk's configuration."
    zh = "线路 {name}：{field} 无法写入 Asterisk 配置。"


# Who adds a trunk is told the rules by `netfax.lines`; here stands the last guard before the file.
_VALUE = re.compile(r"[A-Za-z0-9._~+@:-]*", re.ASCII)


@dataclass(frozen=True)
class TrunkConfig:
    """What Asterisk must know of a trunk; `UnsafeSettingError` for what is more than a value."""

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
        for field in ("name", "host", "secret", "username", "number"):
            if not _VALUE.fullmatch(getattr(self, field) or ""):
                raise UnsafeSettingError(name=self.name, field=field)


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
        tel=telephony, settings=settings, v=_variable, module_dir=module_dir(settings.asterisk), **values
    )
    return {
        f"etc/{path.name.removesuffix('.j2')}": environment.get_template(f"{folder}/{path.name}").render()
        for folder in ("common", role)
        for path in sorted((TEMPLATES / folder).glob("*.conf.j2"))
    }


def _variable(name: str) -> str:
    """The dialplan's way to read a variable."""
    return "${" + name + "}"


def module_dir(root: Path) -> str:
    """The folder of Asterisk's modules as its sandbox sees it; this machine's own triplet where no root is yet."""
    found = sorted((root / "usr/lib").glob("*/asterisk/modules"))
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
        # Also those of a home that was copied without its owners.
        asterisk.give(path)
    return changed


def is_on_disk(directory: Path, files: Mapping[str, str]) -> bool:
    """Whether all of them are there as they are given."""
    paths = {directory / name: text for name, text in files.items()}
    return all(path.exists() and path.read_text() == text for path, text in paths.items())


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
