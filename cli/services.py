"""The services of the all-in-one machine, as data: how each is started, asked, watched and ended."""

import errno
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import dialplan.asterisk
from cli import probes
from cli.probes import Beats, Probe
from netfax import telephony
from netfax.errors import UserError
from netfax.settings import CHECKOUT, Settings

PORTAL_THREADS = 16


class PortInUse(UserError):
    """Somebody else listens where one of our services is to listen."""

    code = "port_in_use"
    en = (
        "Port {number}/{protocol} on {address}, which {title} needs, is in use: end the program that holds it, "
        "or set NETFAX_PORT_BASE to another number (all ports are counted from it)."
    )
    zh = (
        "{title}所需的端口 {address} {number}/{protocol} 已被占用：请结束占用它的程序，"
        "或把 NETFAX_PORT_BASE 设为其他数值（所有端口都由它推算）。"
    )


class AddressUnusable(UserError):
    """The machine does not let us listen on the address that was set."""

    code = "address_unusable"
    en = "NetFax can't listen on {address} port {number} ({reason}): set NETFAX_PORTAL_ADDRESS and NETFAX_LINE_ADDRESS."
    zh = "无法在 {address} 端口 {number} 上监听（{reason}）：请检查 NETFAX_PORTAL_ADDRESS 和 NETFAX_LINE_ADDRESS。"


class RedisMissing(UserError):
    """The machine has no Redis."""

    code = "redis_missing"
    en = "Redis is not installed: run `make run` once, or install the Debian package redis-tools."
    zh = "没有安装 Redis：请先运行一次 make run，或安装 Debian 软件包 redis-tools。"


# What Asterisk writes of itself, below its home (logger.conf).
ASTERISK_LOG = "log/messages"


@dataclass(frozen=True)
class Port:
    """A port a service listens on; `protocol` is tcp or udp."""

    protocol: str
    address: str
    number: int


@dataclass(frozen=True)
class Watch:
    """Ask every `every` seconds; after `mute` seconds without an answer the service is killed and started again.

    By `probe`, or else by the service's own.
    """

    every: float
    mute: float
    probe: Probe | None = None


@dataclass(frozen=True)
class Service:
    """One service: it is ready when `probe` answers, and starts when all of `after` are ready.

    It is ended by `stop_signal`, sent to its leader or to the process of its tree that `signalled` names, and after
    `grace` seconds by SIGKILL. Not ready within `ready_seconds` of its start, it is started again.
    """

    name: str
    title_zh: str
    title_en: str
    argv: tuple[str, ...]
    probe: Probe
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = CHECKOUT
    ports: tuple[Port, ...] = ()
    after: tuple[str, ...] = ()
    watch: Watch | None = None
    # For one that listens on no port and writes down beats instead: the Unix time of the last, or ProbeError.
    last_beat: Callable[[], float] | None = None
    ready_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    signalled: str = ""
    grace: float = 3.0
    # Files that it writes by itself, appending, and that are rotated as its log is.
    own_logs: tuple[Path, ...] = ()


def all_services(settings: Settings, beats: Beats) -> tuple[Service, ...]:
    """The services of one machine, in the order in which `netfax status` lists them."""
    env = environment(settings)
    return (
        _redis(settings, env),
        *_asterisks(settings, env),
        *_python_services(settings, env, beats),
        _portal(settings, env),
    )


def environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, so that every service has exactly its supervisor's."""
    stated = {
        f"NETFAX_{name.upper()}": str(value) for name, value in settings.model_dump().items() if value is not None
    }
    # Neither a home folder nor a terminal is needed by any of them; some libraries ask for HOME all the same.
    return {"PYTHONUNBUFFERED": "1", "HOME": os.environ.get("HOME") or str(settings.home), **stated}


def prepare(settings: Settings) -> None:
    """Make the folders and the configuration that the services need before they start; needs the secrets."""
    for folder in (settings.run_dir, settings.log_dir, settings.home / "redis"):
        folder.mkdir(parents=True, exist_ok=True)
    _write_private(settings.home / "redis" / "redis.conf", redis_configuration(settings))
    _link_redis(settings.run_dir / "redis-server")


def check_ports(services: Sequence[Service]) -> None:
    """Raise PortInUse for the first port that a service needs and somebody else holds."""
    for service in services:
        for port in service.ports:
            if not _is_free(port):
                raise PortInUse(
                    number=port.number, protocol=port.protocol.upper(), address=port.address, title=service.title_en
                )


def redis_configuration(settings: Settings) -> str:
    """Our private Redis: loopback and a password, every second on disk, never evicting a job."""
    return f"""\
bind 127.0.0.1
port {settings.port("redis")}
protected-mode yes
requirepass {settings.secret("redis")}
dir {_quoted(settings.home / "redis")}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
supervised no
set-proc-title no
"""


def _redis(settings: Settings, env: Mapping[str, str]) -> Service:
    return Service(
        "redis",
        "任务队列（Redis）",
        "Job queue (Redis)",
        (str(settings.run_dir / "redis-server"), str(settings.home / "redis" / "redis.conf")),
        probes.redis_probe(settings),
        env,
        ports=(_tcp(settings, "redis"),),
        # What is lost with it the database knows.
        watch=Watch(every=5.0, mute=15.0),
    )


def _asterisks(settings: Settings, env: Mapping[str, str]) -> tuple[Service, Service]:
    """The gateway and the simulated network; SIGTERM goes to Asterisk itself, for bwrap does not pass it on."""
    sip = probes.sip_probe(settings.line_address, settings.port("gateway_sip"))
    gateway = Service(
        "gateway",
        "传真网关（Asterisk）",
        "Fax gateway (Asterisk)",
        tuple(dialplan.asterisk.command(settings.asterisk, settings.gateway_dir)),
        probes.together(
            _ami(settings, "gateway_ami", telephony.AMI_USER_BRIDGE, "ami_bridge"),
            sip,
        ),
        env,
        ports=(
            _tcp(settings, "gateway_ami"),
            Port("udp", settings.line_address, settings.port("gateway_sip")),
            Port("udp", settings.line_address, settings.port("gateway_iax")),
        ),
        # A call must find the service that tells whose it is, also while everything ends.
        after=("agi",),
        # Its calls are lost with it: only when SIP has stood still for longer than in a busy one it ever does.
        watch=Watch(every=10.0, mute=40.0, probe=sip),
        signalled="asterisk",
        own_logs=(settings.gateway_dir / ASTERISK_LOG,),
    )
    network = Service(
        "network",
        "模拟电话网",
        "Simulated telephone network",
        tuple(dialplan.asterisk.command(settings.asterisk, settings.network_dir)),
        _ami(settings, "network_ami", telephony.AMI_USER_NETWORK, "ami_network"),
        env,
        ports=(
            _tcp(settings, "network_ami"),
            *(_udp(settings, f"network_{kind}") for kind in ("sip", "iax", "sip_g711")),
        ),
        signalled="asterisk",
        own_logs=(settings.network_dir / ASTERISK_LOG,),
    )
    return gateway, network


def _python_services(settings: Settings, env: Mapping[str, str], beats: Beats) -> tuple[Service, ...]:
    agi = Service(
        "agi",
        "来话处理（FastAGI）",
        "Call handling (FastAGI)",
        _python("agi.main"),
        probes.agi_probe(settings.port("agi")),
        env,
        ports=(_tcp(settings, "agi"),),
        after=("redis",),
        # A mute one blocks every call as long as it is mute.
        watch=Watch(every=2.0, mute=5.0),
    )

    def beating(name: str, zh: str, en: str, argv: tuple[str, ...], *after: str) -> Service:
        def last_beat() -> float:
            return probes.read_beat(name, beats)[0]

        return Service(name, zh, en, argv, probes.beat_probe(name, beats), env, after=after, last_beat=last_beat)

    return (
        agi,
        beating("bridge", "外拨桥（AMI）", "Call bridge (AMI)", _python("ami_bridge.main"), "redis", "gateway"),
        beating("dispatcher", "调度器", "Dispatcher", _python("jobs.dispatcher"), "redis"),
        beating("worker-outbound", "发送工作进程", "Outbound worker", _python("jobs.worker", "outbound"), "redis"),
    )


def _portal(settings: Settings, env: Mapping[str, str]) -> Service:
    number = settings.port("portal")
    host = f"[{settings.portal_address}]" if ":" in settings.portal_address else settings.portal_address
    options = {
        "--config": "python:webapp.serving",
        "--bind": f"{host}:{number}",
        "--worker-class": "gthread",
        "--workers": "1",
        "--threads": str(PORTAL_THREADS),
        "--graceful-timeout": "2",
        "--worker-tmp-dir": str(settings.run_dir),
        "--logger-class": "webapp.log.PortalLog",
    }
    words = [word for option in options.items() for word in option]
    return Service(
        "portal",
        "网页门户",
        "Portal",
        _python("gunicorn", *words, "--no-control-socket", "webapp.wsgi:app"),
        probes.http_probe(settings.portal_address, number, "/healthz"),
        env,
        ports=(Port("tcp", settings.portal_address, number),),
        after=("redis",),
    )


def _python(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _ami(settings: Settings, port: str, user: str, secret: str) -> Probe:
    def read_secret() -> str:
        return settings.secret(secret)

    return probes.asterisk_probe(settings.port(port), user, read_secret)


def _tcp(settings: Settings, name: str) -> Port:
    return Port("tcp", "127.0.0.1", settings.port(name))


def _udp(settings: Settings, name: str) -> Port:
    return Port("udp", "127.0.0.1", settings.port(name))


def _is_free(port: Port) -> bool:
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    with closing(socket.socket(family, kind)) as probe:
        if port.protocol == "tcp":  # connections of an earlier run that still time out hold no port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.address, port.number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise AddressUnusable(address=port.address, number=port.number, reason=error.strerror) from error
    return True


def _link_redis(link: Path) -> None:
    """Name Debian's Redis server in `run/`.

    redis-tools carries the server's program as redis-check-rdb, and what it does depends on the name it is called by.
    The package redis-server only adds that name and a system service of its own, which we neither need nor want.
    """
    found = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if found is None:
        raise RedisMissing
    link.unlink(missing_ok=True)
    link.symlink_to(Path(found).resolve())


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
