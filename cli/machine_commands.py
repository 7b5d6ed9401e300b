"""`netfax run | stop | status | demo`: all of one machine."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime

import click

from cli import demonstration, runstate
from cli.beats import database_beats
from cli.fax_commands import json_option
from cli.installation import on_installation
from cli.output import as_json, console, heading, language, refuses_clearly, say, table
from cli.run import run as run_all
from cli.status import STATES_ZH, MachineStatus, collect
from netfax.errors import UserError
from netfax.settings import settings


class NotRunning(UserError):
    code = "not_running"
    en = "NetFax does not run in {home}: start it with `netfax run`."
    zh = "{home} 中的 NetFax 没有运行：请用 `netfax run` 启动。"


@click.command()
@click.option("--demo/--no-demo", default=True, help="On the first start: send and receive a fax as a demonstration.")
@click.option("--new-database", is_flag=True, help="Use another database than before from now on.")
@refuses_clearly
def run(demo: bool, new_database: bool) -> None:
    """Run everything on this machine, in the foreground; Ctrl-C ends it."""
    sys.exit(run_all(settings(), demo=demo, new_database=new_database))


@click.command()
@refuses_clearly
def stop() -> None:
    """End a running NetFax from elsewhere."""
    home = settings().home
    if runstate.stop(home):
        words = say("NetFax has ended.", "NetFax 已停止。")
    else:
        # A mistyped home shows.
        words = say(f"No NetFax runs in {home}.", f"{home} 中没有正在运行的 NetFax。")
    console.print(words, markup=False)


@click.command()
@json_option
@refuses_clearly
def status(json_wanted: bool) -> None:
    """Every service with its memory; exit code 0 only when all are up."""
    machine = collect(settings(), database_beats)
    if json_wanted:
        as_json({"all_up": machine.all_up, "total_pss_kb": machine.total_pss_kb, "services": _rows(machine)})
    else:
        _print_status(machine)
    sys.exit(0 if machine.all_up else 1)


@click.command("demo")
@on_installation
def demo_command() -> None:
    """Send a fax to the simulated network and take one from it, as the first start does."""
    if not runstate.is_running(settings().home):
        raise NotRunning(home=settings().home)
    demonstration.demonstrate(settings())


def _rows(machine: MachineStatus) -> list[dict[str, object]]:
    return [
        {
            **asdict(service),
            "started_at": _instant(service.started_at),
            "updated_at": _instant(service.updated_at),
        }
        for service in machine.services
    ]


def _print_status(machine: MachineStatus) -> None:
    rows = [
        (
            service.name,
            service.title_zh if language() == "zh" else service.title_en,
            say(service.state, STATES_ZH[service.state]),
            service.pid,
            _instant(service.started_at),
            service.restarts,
            f"{service.pss_kb / 1024:.1f}",
            service.detail,
        )
        for service in machine.services
    ]
    columns = ("service", "title", "state", "pid", "started", "restarts", "pss_mb", "detail")
    table([heading(column, {"title": "名称"}) for column in columns], rows, "")
    memory = f"{machine.total_pss_kb / 1024:.1f} MB"
    console.print(say(f"All together {memory} PSS.", f"合计占用内存 {memory}（PSS）。"), markup=False)


def _instant(at: float | None) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None
