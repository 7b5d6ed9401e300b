"""Settings of the process: where its state lives, which ports it uses, its secrets.

Everything that an operator changes at run time is a parameter (`netfax.params`), not a setting.
"""

import json
import os
import secrets
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from netfax.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[1]

# Offsets from `port_base`; two installations run side by side with bases 1,000 apart.
PORT_OFFSETS = {
    "portal": 0,
    "redis": 1,
    "agi": 2,
    "gateway_ami": 3,
    "gateway_sip": 4,
    "gateway_iax": 5,
    "network_ami": 6,
    "network_sip": 7,
    "network_iax": 8,
    "network_sip_g711": 9,
}
# First offset and count of the UDP ranges for media.
MEDIA_OFFSETS = {
    "gateway_rtp": (100, 200),
    "gateway_udptl": (300, 100),
    "network_rtp": (400, 200),
    "network_udptl": (600, 100),
}


class Settings(BaseSettings):
    """Read from `NETFAX_*` environment variables; the defaults run the all-in-one machine."""

    model_config = SettingsConfigDict(env_prefix="NETFAX_", env_ignore_empty=True, frozen=True)

    home: Path = CHECKOUT / ".netfax"
    port_base: int = Field(default=18000, ge=1024, le=64000)
    database_url: str = ""
    # The private Debian root with Asterisk in it.
    asterisk_root: Path | None = None
    # The name of the gateway (one Asterisk with its bridge and AGI service) that this process belongs to.
    gateway: str = "gw1"
    # IPv4 address on which the gateway listens for SIP and IAX2; AMI and AGI stay on loopback.
    line_address: str = "127.0.0.1"
    # Address on which the portal listens.
    portal_address: str = "127.0.0.1"
    # How many proxies before the portal are believed about the visitor's address, host and scheme.
    trusted_proxies: int = Field(default=0, ge=0, le=5)

    @field_validator("line_address")
    @classmethod
    def _by_ipv4(cls, address: str) -> str:
        """Trunks are spoken to by IPv4 alone."""
        return str(IPv4Address(address))

    @field_validator("home", "asterisk_root")
    @classmethod
    def _anywhere(cls, path: Path | None) -> Path | None:
        """The same folder for services, which run elsewhere."""
        return path and path.absolute()

    def port(self, service: str) -> int:
        """The TCP or UDP port of a service, by its name in `PORT_OFFSETS`."""
        return self.port_base + PORT_OFFSETS[service]

    def media_ports(self, name: str) -> tuple[int, int]:
        """First and last UDP port of a media range, by its name in `MEDIA_OFFSETS`."""
        first, count = MEDIA_OFFSETS[name]
        return self.port_base + first, self.port_base + first + count - 1

    @property
    def database(self) -> str:
        """The database's SQLAlchemy URL; SQLite below `home` unless one is set."""
        if self.database_url.startswith("postgresql://"):
            return "postgresql+psycopg://" + self.database_url.removeprefix("postgresql://")
        return self.database_url or f"sqlite:///{self.home / 'netfax.db'}"

    @property
    def asterisk(self) -> Path:
        return self.asterisk_root or self.home / "asterisk-root"

    @property
    def gateway_dir(self) -> Path:
        """The gateway's own folder, seen inside its Asterisk's sandbox as /netfax."""
        return self.home / "gateway"

    @property
    def network_dir(self) -> Path:
        """The simulated telephone network's own folder, seen inside its Asterisk's sandbox as /netfax."""
        return self.home / "network"

    @property
    def blobs_dir(self) -> Path:
        return self.home / "blobs"

    @property
    def run_dir(self) -> Path:
        return self.home / "run"

    @property
    def log_dir(self) -> Path:
        return self.home / "log"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.secret('redis')}@127.0.0.1:{self.port('redis')}/0"

    def secret(self, name: str) -> str:
        """A secret of this installation by its name in `SECRET_NAMES`."""
        return _secrets(self.home)[name]


# `attempt_prefix` marks our call ids in Asterisk's events: whoever knows it could forge one past the event filter.
SECRET_NAMES = ("redis", "agi", "ami_bridge", "ami_apply", "ami_network", "session", "attempt_prefix")


class BrokenSecrets(UserError):
    code = "broken_secrets"
    en = (
        "{path} can't be read as the secrets of a NetFax: put it back from a backup. Without one delete it: the next "
        "start makes new secrets, users sign in anew, and calls that are on the line are not followed to their end."
    )
    zh = (
        "{path} 不是有效的 NetFax 密钥文件：请从备份恢复。没有备份时请删除它：下次启动会生成新的密钥，"
        "用户须重新登陆，正在进行的呼叫将无法跟踪到结束。"
    )


@cache
def _secrets(home: Path) -> dict[str, str]:
    return _read_secrets(home / "secrets.json")


def _read_secrets(path: Path) -> dict[str, str]:
    try:
        stored = json.loads(path.read_text())
    except ValueError:
        stored = None
    if not isinstance(stored, dict) or not all(isinstance(value, str) and value for value in stored.values()):
        raise BrokenSecrets(path=path)
    return stored


def make_secrets(home: Path) -> None:
    """Make the installation's secrets at its first start, mode 0600; secrets that exist are kept."""
    path = home / "secrets.json"
    known = _read_secrets(path) if path.exists() else {}
    missing = [name for name in SECRET_NAMES if name not in known]
    if not missing:
        return
    for name in missing:
        known[name] = secrets.token_hex(4 if name == "attempt_prefix" else 24)
    home.mkdir(parents=True, exist_ok=True)
    draft = home / "secrets.json.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(known, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _secrets.cache_clear()


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
