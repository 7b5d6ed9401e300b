"""`netfax send | queue | inbox | sent | receiving | save`."""

from collections.abc import Sequence
from pathlib import Path

import click

from cli.installation import on_installation
from cli.output import as_json, console, joined, language, line_words, listing, mode_words, page_words, say
from netfax.covers.choice import default_cover
from netfax.db import UnitOfWork, reading
from netfax.documents.look import USUAL, Look, Mode, Resolution
from netfax.documents.preview import to_pdf
from netfax.documents.tiff import whole_pages
from netfax.documents.workshop import check_sizes
from netfax.errors import UserError
from netfax.faxes import listing as lists
from netfax.faxes import live
from netfax.faxes.models import Direction, MailboxItem, Priority, Reception
from netfax.faxes.plans import read_time
from netfax.faxes.results import CAUSES, detail_text
from netfax.faxes.search import found_in_text
from netfax.faxes.states import STATE_INFO
from netfax.faxes.submit import FaxRequest, Upload, submit_fax
from netfax.ocr.service import shown_turns, turns_of
from netfax.org.service import find_user
from netfax.org.viewer import Viewer
from netfax.storage.service import path_of

json_option = click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
user_option = click.option("--user", "login", required=True, help="Whose, as he signs in: name or name@domain.")
page_option = click.option("--page", default=1, type=click.IntRange(1, lists.LAST_PAGE), help="Which page of the list.")
search_option = click.option(
    "--search", default="", help="Those alone that have these words: number, name, title, station id, text."
)

PAGE_SIZE = 50
TIFF_ENDS = (".tif", ".tiff")
NO_COVER = "none"


class NotAFaxFile(UserError):
    code = "not_a_fax_file"
    en = "A fax is saved as PDF or TIFF: let the name end in .pdf or .tif, not as {name!r}."
    zh = "传真只能保存为 PDF 或 TIFF：文件名应以 .pdf 或 .tif 结尾，而不是 {name!r}。"


class NoFile(UserError):
    code = "no_file"
    en = "{name!r} is no file: write what it says into one, and send that."
    zh = "{name!r} 不是文件：请先把内容保存为文件再发送。"


class TextWithoutCover(UserError):
    code = "text_without_cover"
    en = "The text would be on no page: choose a cover with --cover (`netfax cover list` shows them)."
    zh = "文字只出现在封面上：请用 --cover 选择封面（用 `netfax cover list` 查看）。"


def _check_files(files: tuple[Path, ...]) -> None:
    """`NoFile` for a pipe or a device, and `FileTooLarge`: before anybody reads what may have no end."""
    for path in files:
        if not path.is_file():
            raise NoFile(name=str(path))
    check_sizes(files, [path.name for path in files])


def viewer_of(uow: UnitOfWork, login: str) -> Viewer:
    return Viewer.of(find_user(uow, login))


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "numbers", required=True, help="Fax numbers, parted by commas; an extension after E.")
@user_option
@click.option("--recipient", default="", help="The recipient's name.")
@click.option("--title", default="", help="The fax's title.")
@click.option("--cover", default=None, help="A cover by its key, or none; without it the user's own default.")
@click.option("--text", default="", help="The text on the cover.")
@click.option("--priority", type=click.Choice([each.value for each in Priority]), default=Priority.MEDIUM.value)
@click.option("--resolution", type=click.Choice([each.value for each in Resolution]), default=USUAL.resolution.value)
@click.option(
    "--mode", type=click.Choice([each.value for each in Mode]), default=USUAL.mode.value, help="What is on the pages."
)
@click.option("--at", "planned", default="", help="Not before this time, as 2026-12-31 08:30 in the user's time zone.")
@click.option("--key", default=None, help="A name of yours for this request: repeated, it is no second fax.")
@json_option
@on_installation
def send(
    files: tuple[Path, ...],
    numbers: str,
    login: str,
    recipient: str,
    title: str,
    cover: str | None,
    text: str,
    priority: str,
    resolution: str,
    mode: str,
    planned: str,
    key: str | None,
    json_wanted: bool,
) -> None:
    """Send FILES, behind a cover or without one, as one fax to one or more numbers; a cover alone is one too."""
    with reading() as uow:
        viewer = viewer_of(uow, login)
        key_of_cover = default_cover(uow, viewer) if cover is None else None if cover == NO_COVER else cover
    if text and key_of_cover is None:
        raise TextWithoutCover()
    _check_files(files)
    request = FaxRequest(
        numbers=numbers,
        uploads=[Upload(name=file.name, path=file) for file in files],
        recipient_name=recipient,
        title=title,
        cover=key_of_cover,
        text=text,
        priority=Priority(priority),
        look=Look(Resolution(resolution), Mode(mode)),
        planned_at=read_time(planned, viewer.time_zone) if planned else None,
        client_key=key,
    )
    accepted = submit_fax(viewer, request)
    if json_wanted:
        as_json(accepted)
    else:
        follow = f"netfax queue --user {login}"
        words = say(
            f"Accepted: {len(accepted)} fax(es). `{follow}` follows them.",
            f"已接受 {len(accepted)} 份传真，可用 `{follow}` 查看进度。",
        )
        console.print(words, markup=False)
        for uuid in accepted:
            console.print(uuid, markup=False)


@click.command()
@user_option
@page_option
@search_option
@json_option
@on_installation
def queue(login: str, page: int, search: str, json_wanted: bool) -> None:
    """What waits or is on the line now (发送队列), with live progress."""
    with reading() as uow:
        items = lists.send_queue(uow, viewer_of(uow, login), search=search, page=page, size=PAGE_SIZE).rows
        rows = [outgoing_row(item) for item in items]
        _add_found(uow, rows, items, search)
    # The id that `netfax send` has printed, and that every command takes.
    columns = ("number", "delivery", "to", "title", "state", "cause", "tries", "next_try_at", "pages", "progress")
    empty = say("The queue is empty; `netfax send` fills it.", "发送队列为空；用 `netfax send` 发送传真。")
    listing((*columns, *_found_columns(search)), rows, json_wanted=json_wanted, empty=_empty(search, empty))


@click.command()
@user_option
@page_option
@search_option
@json_option
@on_installation
def sent(login: str, page: int, search: str, json_wanted: bool) -> None:
    """Faxes that have ended (已发传真)."""
    with reading() as uow:
        items = lists.sent_list(uow, viewer_of(uow, login), search=search, page=page, size=PAGE_SIZE).rows
        rows = [outgoing_row(item) for item in items]
        _add_found(uow, rows, items, search)
    columns = (
        "number",
        "delivery",
        "to",
        "title",
        "state",
        "cause",
        "tries",
        "pages_confirmed",
        "pages",
        "rate",
        "mode",
        "ended_at",
    )
    empty = say(
        "No fax has ended yet; `netfax queue` shows what waits.", "还没有已结束的传真；用 `netfax queue` 查看队列。"
    )
    listing((*columns, *_found_columns(search)), rows, json_wanted=json_wanted, empty=_empty(search, empty))


@click.command()
@user_option
@page_option
@search_option
@json_option
@on_installation
def inbox(login: str, page: int, search: str, json_wanted: bool) -> None:
    """Received faxes of a user (收件箱)."""
    with reading() as uow:
        viewer = viewer_of(uow, login)
        items = lists.mailbox(uow, viewer, Direction.IN, search=search, page=page, size=PAGE_SIZE).rows
        rows = [incoming_row(item) for item in items]
        _add_found(uow, rows, items, search)
    for row in rows:
        # R3.7: what was handed over inside has no caller's number.
        row["from"] = row["caller"] or (say("Internal", "内部") if row["sender"] else "")
    columns = ("number", "uuid", "from", "station_id", "called", "received_at", "pages", "bytes", "state")
    empty = say(
        "The inbox is empty; callers fax to this user's number.", "收件箱为空；发往该用户号码的传真会出现在这里。"
    )
    listing((*columns, *_found_columns(search)), rows, json_wanted=json_wanted, empty=_empty(search, empty))


@click.command()
@user_option
@json_option
@on_installation
def receiving(login: str, json_wanted: bool) -> None:
    """Calls that bring a fax at this moment (接收队列), with live progress."""
    with reading() as uow:
        calls = lists.receive_queue(uow, viewer_of(uow, login))
    live.watch([call.id for call in calls])
    news = live.progress([call.id for call in calls])
    rows: list[dict[str, object]] = [
        {
            "caller": call.caller,
            "called": call.called,
            "recipient": call.user.login,
            "trunk": call.trunk_name,
            "since": call.started_at,
            "pages": live.pages_received(news[call.id]) if call.id in news else 0,
            "rate": news[call.id].rate if call.id in news else 0,
        }
        for call in calls
    ]
    columns = ("caller", "called", "recipient", "trunk", "since", "pages", "rate")
    empty = say("No fax comes in at this moment.", "目前没有正在接收的传真。")
    listing(columns, rows, json_wanted=json_wanted, empty=empty)


@click.command()
@click.argument("uuid")
@user_option
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A .pdf or .tif file.")
@on_installation
def save(uuid: str, login: str, out: Path) -> None:
    """Save the pages of a fax as PDF or TIFF, by the end of the file's name."""
    end = out.suffix.lower()
    if end not in (".pdf", *TIFF_ENDS):
        raise NotAFaxFile(name=out.name)
    with reading() as uow:
        item = lists.get_item(uow, viewer_of(uow, login), uuid)
        blob = lists.image_of(item)
        path, upright, turn = path_of(blob), turns_of(uow, blob), item.turn
    if end in TIFF_ENDS:
        out.write_bytes(path.read_bytes())
    else:
        to_pdf(path, out, shown_turns(upright, turn, len(whole_pages(path))))


def _add_found(uow: UnitOfWork, rows: Sequence[dict[str, object]], items: Sequence[MailboxItem], search: str) -> None:
    """Add to the rows of a search where the text of their pages has it: the page and a piece of it, or nothing."""
    if not search:
        return
    found = found_in_text(uow, items, search)
    for row, item in zip(rows, items, strict=True):
        there = found.get(item.id)
        row["found_page"], row["found"] = (there.page, there.text) if there else (None, "")


def _found_columns(search: str) -> tuple[str, ...]:
    return ("found_page", "found") if search else ()


def _empty(search: str, otherwise: str) -> str:
    nothing = say(f"Nothing was found for “{search}”.", f"没有找到与“{search}”匹配的传真。")
    return nothing if search else otherwise


def outgoing_row(item: MailboxItem) -> dict[str, object]:
    """A delivery as lists and scripts see it."""
    delivery = item.delivery
    if delivery is None:
        raise ValueError("not an outgoing fax")
    attempt = lists.open_attempt(delivery)
    news = live.progress([attempt.id]) if attempt else {}
    if attempt:
        live.watch([attempt.id])
    last = delivery.attempts[-1] if delivery.attempts else None
    progress = _progress_words(news.get(attempt.id), attempt.first_page, delivery.pages) if attempt else ""
    return {
        "number": item.id,
        "uuid": item.uuid,
        "delivery": delivery.uuid,
        "to": delivery.number_text,
        "recipient": delivery.submission.recipient_name,
        "title": delivery.submission.title,
        "state": delivery.state.value,
        "state_text": STATE_INFO[delivery.state].text(language()),
        "cause": delivery.cause.value if delivery.cause else "",
        "cause_text": CAUSES[delivery.cause].text(language()) if delivery.cause else "",
        "detail": detail_text(delivery.cause_detail, language()),
        "tries": delivery.tries,
        "pages": delivery.pages,
        "pages_confirmed": delivery.pages_confirmed,
        "next_try_at": delivery.next_try_at,
        "planned_at": delivery.planned_at,
        "expires_at": delivery.expires_at,
        "priority": delivery.priority.value,
        "progress": progress,
        "rate": last.rate if last else 0,
        "mode": last.mode if last else "",
        "mode_text": mode_words(last.mode) if last and last.mode else "",
        "seconds": last.seconds if last else 0,
        "station_id": last.remote_station_id if last else "",
        "attempts": len(delivery.attempts),
        "submitted_at": delivery.created_at,
        "ended_at": delivery.ended_at,
    }


def _progress_words(progress: live.Progress | None, first_page: int, pages: int) -> str:
    if progress is None:
        return ""
    page = live.page_on_the_line(progress, first_page, pages)
    return joined(page_words(page, pages), line_words(progress.rate, progress.mode))


def incoming_row(item: MailboxItem) -> dict[str, object]:
    """A reception as lists and scripts see it."""
    reception: Reception | None = item.reception
    if reception is None:
        raise ValueError("not an incoming fax")
    return {
        "number": item.id,
        "uuid": item.uuid,
        "reception": reception.uuid,
        "caller": reception.caller,
        "sender": reception.delivery.user.login if reception.delivery else "",
        "station_id": reception.remote_station_id,
        "called": reception.called,
        "state": reception.state.value,
        "state_text": STATE_INFO[reception.state].text(language()),
        "detail": reception.status_text,
        "pages": reception.pages,
        "bytes": reception.blob.size if reception.blob else 0,
        "rate": reception.rate,
        "mode": reception.mode,
        "seconds": reception.seconds,
        "trunk": reception.trunk_name,
        "received_at": reception.ended_at,
    }
