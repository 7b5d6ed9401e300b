"""A soft modem: an Asterisk that registers at ours by IAX2, as iaxmodem does, and answers as a fax machine."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dialplan import asterisk
from netfax.settings import Settings
from tests.system import System, eventually

CONFIG = {
    "asterisk.conf": """[directories]
astetcdir => /netfax/etc
astmoddir => {modules}
astvarlibdir => /netfax/var
astdbdir => /netfax/var
astkeydir => /netfax/var
astdatadir => /usr/share/asterisk
astspooldir => /netfax/spool
astrundir => /netfax/run
astlogdir => /netfax/log
[options]
nofork = yes
""",
    "modules.conf": """[modules]
autoload = no
load = pbx_config.so
load = res_timing_timerfd.so
load = codec_alaw.so
load = codec_ulaw.so
load = chan_iax2.so
load = res_fax.so
load = res_fax_spandsp.so
""",
    "iax.conf": """[general]
bindport = {port}
bindaddr = 127.0.0.1
disallow = all
allow = slin
register => {name}:{secret}@127.0.0.1:{gateway}

[{name}]
type = friend
host = 127.0.0.1
port = {gateway}
secret = {secret}
auth = md5
username = {name}
context = line
disallow = all
allow = slin
requirecalltoken = no
""",
    "extensions.conf": """[line]
exten => _X.,1,Answer()
 same => n,ReceiveFAX(/netfax/fax-in/page.tif,F)
""",
    "logger.conf": "[logfiles]\nmessages => notice,warning,error\n",
    "res_fax.conf": "[general]\n",
    "udptl.conf": "[general]\n",
}


@contextmanager
def soft_modem(system: System, folder: Path, name: str, secret: str) -> Iterator[Path]:
    """A modem registered under that name; yields the file in which it keeps the fax that it receives."""
    home = folder / "modem"
    _write_config(system.settings, home, name, secret)
    root = Path(system.environment["NETFAX_ASTERISK_ROOT"])
    process = subprocess.Popen(
        asterisk.command(root, home), stdout=(folder / "modem.log").open("wb"), stderr=subprocess.STDOUT
    )
    try:
        eventually(lambda: "127.0.0.1:" in str(_trunk(system, name)["registered"]), 30, f"{name} has not registered")
        yield home / "fax-in" / "page.tif"
    finally:
        process.kill()
        process.wait(10)


def _trunk(system: System, name: str) -> dict[str, object]:
    return next(dict(row) for row in system.json("trunk", "list") if row["name"] == name)


def _write_config(settings: Settings, home: Path, name: str, secret: str) -> None:
    asterisk.prepare(home)
    (home / "etc").mkdir()
    values = {
        "modules": f"/usr/lib/{os.uname().machine}-linux-gnu/asterisk/modules",
        "port": settings.port_base + 50,
        "gateway": settings.port("gateway_iax"),
        "name": name,
        "secret": secret,
    }
    for file, text in CONFIG.items():
        path = home / "etc" / file
        path.write_text(text.format(**values))
        path.chmod(0o644)
