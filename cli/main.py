"""`netfax …`: one command, whose own are loaded when they are asked for: all of them take a second."""

from importlib import import_module

import click

import netfax.models  # noqa: F401 - relationships between rooms need every model
from netfax.log import set_up_terminal_log

# In the order in which `netfax --help` lists them: where each stands.
COMMANDS = {
    "run": "machine_commands.run",
    "stop": "machine_commands.stop",
    "status": "machine_commands.status",
    "demo": "machine_commands.demo_command",
    "send": "fax_commands.send",
    "queue": "fax_commands.queue",
    "sent": "fax_commands.sent",
    "inbox": "fax_commands.inbox",
    "receiving": "fax_commands.receiving",
    "cancel": "act_commands.cancel",
    "hold": "act_commands.hold",
    "release": "act_commands.release",
    "now": "act_commands.now",
    "plan": "act_commands.plan",
    "priority": "act_commands.priority",
    "again": "act_commands.again",
    "save": "fax_commands.save",
    "convert": "convert_command.convert",
    "ocr": "ocr_commands.ocr",
    "verify": "inspect_commands.verify_command",
    "trace": "inspect_commands.trace",
    "alarm": "inspect_commands.alarm",
    "param": "admin_commands.param",
    "trunk": "admin_commands.trunk",
    "cover": "cover_commands.cover",
    "user": "admin_commands.user",
    "number": "admin_commands.number",
}


class LoadedWhenAsked(click.Group):
    """A group of commands that are imported by their names in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(".")
        command = getattr(import_module(f"cli.{module}"), name)
        assert isinstance(command, click.Command)  # noqa: S101 - a name in COMMANDS is that of a command
        return command


@click.group(cls=LoadedWhenAsked, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """NetFax: a network fax service."""
    set_up_terminal_log()
