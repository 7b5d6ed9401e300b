"""`netfax ocr`: the text of faxes, for the operator."""

from dataclasses import asdict

import click

from cli.installation import on_installation
from cli.output import as_json, console, say
from netfax.db import reading, unit_of_work
from netfax.documents.tesseract import check_reader
from netfax.faxes.old_pages import ask_for_old, reading_state


@click.group()
def ocr() -> None:
    """The text of faxes, by which a search finds them (文字识别); `netfax param set ocr on` switches it on."""


@ocr.command()
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
@on_installation
def status(json_wanted: bool) -> None:
    """Whether faxes are read, and how many are, wait, or came while they were not."""
    with reading() as uow:
        state = reading_state(uow)
    if json_wanted:
        as_json(asdict(state))
        return
    check_reader()
    words = say(
        f"Reading is {'on' if state.on else 'off'}. Faxes read: {state.read}, waiting: {state.waiting}, "
        f"from before it was on: {state.not_asked}.",
        f"文字识别{'已开启' if state.on else '未开启'}。已识别传真 {state.read} 份，等待 {state.waiting} 份，"
        f"开启前的传真 {state.not_asked} 份。",
    )
    console.print(words, markup=False)


@ocr.command("all")
@on_installation
def read_all() -> None:
    """Read the faxes too that came or went while this was off; it goes on beside everything else."""
    check_reader()
    asked = 0
    while more := _ask_for_some():
        asked += more
    words = say(
        f"Faxes to be read: {asked}. `netfax ocr status` tells how far it has come.",
        f"将识别 {asked} 份传真，可用 netfax ocr status 查看进度。",
    )
    console.print(words, markup=False)


def _ask_for_some() -> int:
    with unit_of_work() as uow:
        return ask_for_old(uow)
