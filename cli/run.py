"""`netfax run`: prepare, start everything, show the main job on the first start, stay in the foreground."""

import sys
import time
from threading import Lock

from sqlalchemy import select

from cli import demonstration, first_start, services
from cli.beats import database_beats
from cli.installation import check_database, remember_database
from cli.output import console, language, say
from cli.runstate import RunLock, ServiceRecord
from cli.status import STATES_ZH
from cli.supervisor import Supervisor, ends_on_signal
from dialplan.asterisk import make_root, prepare
from dialplan.gateway import write_gateway
from dialplan.render import network_files, write
from netfax.db import reading
from netfax.errors import NetFaxError
from netfax.faxes.models import Delivery
from netfax.migrate import migrate
from netfax.settings import Settings, make_secrets

READY_SECONDS = 90


def run(settings: Settings, *, demo: bool, new_database: bool = False) -> int:
    """Run until Ctrl-C, SIGTERM or `netfax stop`; the exit code. Raises UserError for what the operator can mend.

    Where one runs already, or with another database unless `new_database`, nothing is touched.
    """
    started = time.monotonic()
    with RunLock(settings.home) as lock:
        if not new_database:
            check_database(settings)
        with ends_on_signal():
            try:
                prepare_home(settings)
                wanted = services.all_services(settings, database_beats)
                _serve(settings, Supervisor(settings, wanted, _Teller().tell, lock=lock), started, demo=demo)
            except KeyboardInterrupt:
                console.print(say("Stopped.", "已停止。"), markup=False)
    return 0


def _serve(settings: Settings, supervisor: Supervisor, started: float, *, demo: bool) -> None:
    """Start everything, show the demonstration, and stay until told to end; then end everything."""
    try:
        supervisor.start()
        if not supervisor.wait_ready(READY_SECONDS):
            failing = ", ".join(record.name for record in supervisor.records if record.state != "up")
            words = say(
                f"Not up after {READY_SECONDS} s: {failing}; see {settings.log_dir}",
                f"{READY_SECONDS} 秒后仍未就绪：{failing}；请查看 {settings.log_dir}",
            )
            console.print(words, markup=False)
        else:
            seconds = f"{time.monotonic() - started:.1f}"
            words = say(f"All services are up after {seconds} s.", f"全部服务已就绪，用时 {seconds} 秒。")
            console.print(words, markup=False)
            show(settings, demo=demo)
        supervisor.run_forever()
    except KeyboardInterrupt:
        console.print(say("Stopping …", "正在停止…"), markup=False)
    finally:
        supervisor.stop()


def prepare_home(settings: Settings) -> None:
    """Secrets, schema, first accounts, Asterisk's root and both configurations; what is there is kept."""
    make_secrets(settings.home)
    migrate()
    remember_database(settings)
    first_start.make_first_accounts(settings)
    make_root(settings.asterisk, lambda line: console.print(line, markup=False))
    write_gateway(settings)
    prepare(settings.network_dir)
    write(settings.network_dir, network_files(settings))
    services.prepare(settings)


def show(settings: Settings, *, demo: bool) -> None:
    """The demonstration on the first start, then where the portal is and who may sign in."""
    with reading() as uow:
        used = uow.session.scalar(select(Delivery.id).limit(1)) is not None
    try:
        if demo and not used:
            demonstration.demonstrate(settings)
    except NetFaxError as failure:  # what does not succeed once is no reason to end
        console.print(failure.text(language()), markup=False)
    address = f"http://{settings.portal_address}:{settings.port('portal')}/"
    console.print(say(f"\nPortal: {address}", f"\n网页门户：{address}"), markup=False)
    # Once they are in use, a log of the machine is no place for them.
    shown = sys.stdout.isatty() or not used
    for account in first_start.first_accounts(settings):
        number = f"   {say('fax', '传真')} {account.number}" if account.number else ""
        file = settings.home / first_start.ACCOUNTS_FILE
        password = account.password if shown else say(f"in {file}", f"见 {file}")
        console.print(f"   {account.login:<12} {say('first password', '初始密码')} {password}{number}", markup=False)
    words = say(
        "Ctrl-C ends NetFax; `.venv/bin/netfax status` looks at it.",
        "按 Ctrl-C 停止 NetFax；用 `.venv/bin/netfax status` 查看状态。",
    )
    console.print(words, markup=False)
    sys.stdout.flush()


class _Teller:
    """Prints each service once it is up, and every trouble."""

    def __init__(self) -> None:
        self._lock = Lock()

    def tell(self, record: ServiceRecord) -> None:
        if record.state in ("up", "failing"):
            with self._lock:
                state = say(record.state, STATES_ZH[record.state])
                console.print(f"  {state:<8} {record.name} {record.detail}".rstrip(), markup=False)
