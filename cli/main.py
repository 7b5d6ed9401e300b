"""`netfax …`: one command, its groups in modules of their own."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime

import click

import netfax.models  # noqa: F401 - relationships between rooms need every model
from cli import act_commands, admin_commands, demonstration, fax_commands, inspect_commands, runstate
from cli.beats import database_beats
from cli.fax_commands import json_option
from cli.installation import on_installation
from cli.output import as_json, console, language, refuses_clearly, say, table
from cli.run import run as run_all
from cli.status import MachineStatus, collect
from netfax.log import set_up_terminal_log
from netfax.settings import settings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """NetFax: a network fax service."""
    set_up_terminal_log()


@main.command()
@click.option("--demo/--no-demo", default=True, help="On the first start: send and receive a fax as a demonstration.")
@click.option("--new-database", is_flag=True, help="Use another database than before from now on.")
@refuses_clearly
def run(demo: bool, new_database: bool) -> None:
    """Run everything on this machine, in the foreground; Ctrl-C ends it."""
    sys.exit(run_all(settings(), demo=demo, new_database=new_database))


@main.command()
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


@main.command()
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


@main.command("demo")
@on_installation
def demo_command() -> None:
    """Send a fax to the simulated network and take one from it, as the first start does."""
    demonstration.demonstrate(settings())


for command in (
    fax_commands.send,
    fax_commands.queue,
    fax_commands.sent,
    fax_commands.inbox,
    fax_commands.receiving,
    act_commands.cancel,
    act_commands.hold,
    act_commands.release,
    act_commands.now,
    act_commands.plan,
    act_commands.priority,
    act_commands.again,
    fax_commands.save,
    inspect_commands.verify_command,
    inspect_commands.trace,
    inspect_commands.alarm,
    admin_commands.param,
    admin_commands.trunk,
    admin_commands.user,
    admin_commands.number,
):
    main.add_command(command)


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
            service.state,
            service.pid,
            _instant(service.started_at),
            service.restarts,
            f"{service.pss_kb / 1024:.1f}",
            service.detail,
        )
        for service in machine.services
    ]
    table(("service", "title", "state", "pid", "started", "restarts", "PSS MB", "detail"), rows, "")
    console.print(f"All together {machine.total_pss_kb / 1024:.1f} MB PSS.", markup=False)


def _instant(at: float | None) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if at else None


if __name__ == "__main__":
    main()
