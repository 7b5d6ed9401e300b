"""`netfax cancel | hold | release | now | plan | priority | again`: what a sender does with a fax of his."""

import time
from collections.abc import Callable

import click

from cli.fax_commands import user_option, viewer_of
from cli.installation import on_installation
from cli.output import console, language, say
from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.errors import NotFound
from netfax.faxes import acts
from netfax.faxes.cancel import cancel as cancel_fax
from netfax.faxes.listing import get_item
from netfax.faxes.models import Delivery
from netfax.faxes.plans import read_priority, read_time
from netfax.faxes.states import STATE_INFO
from netfax.org.viewer import Viewer

# How long a call takes to end once it is told to.
HANG_UP_SECONDS = 20


@click.command()
@click.argument("uuid")
@user_option
@on_installation
def cancel(uuid: str, login: str) -> None:
    """Take a fax back: what waits is cancelled, what is on the line is hung up."""
    with unit_of_work() as uow:
        state = cancel_fax(uow, viewer_of(uow, login), uuid)
    if not STATE_INFO[state].ended:
        console.print(say("The call is being hung up …", "正在挂断通话…"), markup=False)
    delivery = _when_ended(uuid, login)
    words = STATE_INFO[delivery.state].text(language())
    if delivery.pages_confirmed:
        words += say(
            f": {delivery.pages_confirmed} of {delivery.pages} page(s) had been confirmed",
            f"：取消前已确认 {delivery.pages_confirmed}/{delivery.pages} 页",
        )
    console.print(words, markup=False)


def _when_ended(uuid: str, login: str) -> Delivery:
    """The delivery once it has ended, or as it is after `HANG_UP_SECONDS`."""
    deadline = time.monotonic() + HANG_UP_SECONDS
    while True:
        with reading() as uow:
            delivery = get_item(uow, viewer_of(uow, login), uuid).delivery
        if delivery is None:
            raise NotFound()
        if delivery.ended_at is not None or time.monotonic() > deadline:
            return delivery
        time.sleep(0.5)


@click.command()
@click.argument("uuid")
@user_option
@on_installation
def hold(uuid: str, login: str) -> None:
    """Let a fax wait until it is released."""
    _act(uuid, login, acts.hold)


@click.command()
@click.argument("uuid")
@user_option
@on_installation
def release(uuid: str, login: str) -> None:
    """Let a held fax go on."""
    _act(uuid, login, acts.release)


@click.command()
@click.argument("uuid")
@user_option
@on_installation
def now(uuid: str, login: str) -> None:
    """Wait for no planned time or next try: call as soon as a line is free; calling hours still hold."""
    _act(uuid, login, acts.send_now)


@click.command()
@click.argument("uuid")
@click.argument("at")
@user_option
@on_installation
def plan(uuid: str, at: str, login: str) -> None:
    """Send at another time, AT as 2026-12-31 08:30 in the user's time zone."""

    def change(uow: UnitOfWork, viewer: Viewer, item_uuid: str) -> None:
        acts.plan(uow, viewer, item_uuid, read_time(at, viewer.time_zone))

    _act(uuid, login, change)


@click.command()
@click.argument("uuid")
@click.argument("wanted")
@user_option
@on_installation
def priority(uuid: str, wanted: str, login: str) -> None:
    """Give a waiting fax another priority: high, medium or low."""

    def change(uow: UnitOfWork, viewer: Viewer, item_uuid: str) -> None:
        acts.set_priority(uow, viewer, item_uuid, read_priority(wanted))

    _act(uuid, login, change)


@click.command()
@click.argument("uuid")
@click.option("--whole", is_flag=True, help="All pages, the confirmed ones too.")
@user_option
@on_installation
def again(uuid: str, whole: bool, login: str) -> None:
    """Send an ended fax again, from its first page that was not confirmed; prints the new delivery's id."""
    with unit_of_work() as uow:
        click.echo(acts.send_again(uow, viewer_of(uow, login), uuid, whole=whole))


def _act(uuid: str, login: str, act: Callable[[UnitOfWork, Viewer, str], None]) -> None:
    """Do it and say in which state the fax is now."""
    with unit_of_work() as uow:
        act(uow, viewer_of(uow, login), uuid)
    with reading() as uow:
        delivery = get_item(uow, viewer_of(uow, login), uuid).delivery
    if delivery is not None:
        console.print(STATE_INFO[delivery.state].text(language()), markup=False)
