"""The main job before your eyes: a fax out to the simulated network and one in from it, with live progress."""

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from cli.output import console, mode_words
from dialplan import network_phone
from netfax.db import reading
from netfax.documents.convert import to_fax_tiff
from netfax.errors import NetFaxError
from netfax.faxes import live
from netfax.faxes.listing import open_attempt
from netfax.faxes.models import Delivery, Reception
from netfax.faxes.results import CAUSES
from netfax.faxes.states import STATE_INFO, ReceptionState
from netfax.faxes.submit import FaxRequest, Upload, submit_fax
from netfax.org.service import find_user
from netfax.org.viewer import Viewer
from netfax.settings import Settings
from netfax.storage.disk import work_folder

SAMPLE = Path(__file__).with_name("sample.pdf")
SENDER = "alice@demo"
RECIPIENT = "bob@demo"
RECIPIENT_NUMBER = "07367804002"
FAX_MACHINE = "7721001"
CALLER = "07367721003"
CALLER_STATION_ID = "+86 736 7721003"
PATIENCE_SECONDS = 180


class DemonstrationFailed(NetFaxError):
    code = "demonstration_failed"
    en = "The demonstration did not succeed: {reason}. The logs are in {logs}."
    zh = "演示未成功：{reason}。日志在 {logs}。"


@dataclass(frozen=True)
class _Seen:
    """One line of progress; printed when it changes."""

    state: str
    pages: str = ""
    line: str = ""

    def __str__(self) -> str:
        return "   " + ", ".join(filter(None, (self.state, self.pages, self.line)))


def demonstrate(settings: Settings) -> None:
    """Send and receive one fax each and print what came of them; `DemonstrationFailed` says what did not work."""
    send_one(settings)
    receive_one(settings)


def send_one(settings: Settings) -> None:
    """A fax from alice to the fax machine of the simulated network."""
    console.print(f"→  {SENDER} sends {SAMPLE.name} to {FAX_MACHINE} on the simulated telephone network", markup=False)
    with reading() as uow:
        viewer = Viewer.of(find_user(uow, SENDER))
    (uuid,) = submit_fax(viewer, FaxRequest(numbers=FAX_MACHINE, uploads=[Upload(SAMPLE.name, SAMPLE)], title="NetFax"))
    last: _Seen | None = None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        ended, seen = _look_at_delivery(uuid)
        if seen != last:
            console.print(str(seen), markup=False)
            last = seen
        if ended:
            _report_delivery(settings, uuid)
            return
        time.sleep(0.5)
    raise DemonstrationFailed(reason=f"no result within {PATIENCE_SECONDS} s", logs=settings.log_dir)


def receive_one(settings: Settings) -> None:
    """A fax that the simulated network sends to bob."""
    console.print(f"←  {CALLER} of the simulated telephone network sends a fax to {RECIPIENT}", markup=False)
    with reading() as uow:
        before = set(uow.session.scalars(select(Reception.id)))
    with work_folder() as folder:
        tiff = folder / "in.tif"
        to_fax_tiff([SAMPLE], tiff)
        network_phone.send_fax(settings, tiff, RECIPIENT_NUMBER, CALLER, CALLER_STATION_ID, t38=True)
    last: _Seen | None = None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        reception, seen = _look_at_reception(before)
        if seen is not None and seen != last:
            console.print(str(seen), markup=False)
            last = seen
        if reception is not None and reception.state is not ReceptionState.RECEIVING:
            _report_reception(settings, reception)
            return
        time.sleep(0.5)
    raise DemonstrationFailed(reason=f"no fax came in within {PATIENCE_SECONDS} s", logs=settings.log_dir)


def _look_at_delivery(uuid: str) -> tuple[bool, _Seen]:
    with reading() as uow:
        delivery = uow.session.scalars(select(Delivery).where(Delivery.uuid == uuid)).one()
        info = STATE_INFO[delivery.state]
        attempt = open_attempt(delivery)
    news: live.Progress | None = None
    if attempt is not None:
        live.watch([attempt.id])
        news = live.progress([attempt.id]).get(attempt.id)
    if attempt is None or news is None:
        return info.ended, _Seen(info.en)
    page = live.page_on_the_line(news, attempt.first_page, delivery.pages)
    return info.ended, _Seen(info.en, f"page {page} of {delivery.pages}" if page else "", _line(news))


def _look_at_reception(before: set[str]) -> tuple[Reception | None, _Seen | None]:
    with reading() as uow:
        reception = uow.session.scalars(
            select(Reception).where(Reception.id.not_in(before)).order_by(Reception.started_at).limit(1)
        ).first()
    if reception is None:
        return None, None
    live.watch([reception.id])
    news = live.progress([reception.id]).get(reception.id)
    state = STATE_INFO[reception.state].en
    if news is None or reception.state is not ReceptionState.RECEIVING:
        return reception, _Seen(state)
    return reception, _Seen(state, f"{live.pages_received(news)} page(s) so far", _line(news))


def _line(news: live.Progress) -> str:
    return f"{news.rate} bit/s, {mode_words(news.mode)}" if news.rate else ""


def _report_delivery(settings: Settings, uuid: str) -> None:
    with reading() as uow:
        delivery = uow.session.scalars(select(Delivery).where(Delivery.uuid == uuid)).one()
        info, last = STATE_INFO[delivery.state], delivery.attempts[-1] if delivery.attempts else None
        if not info.success or last is None:
            reason = CAUSES[delivery.cause].en if delivery.cause else info.en
            raise DemonstrationFailed(reason=reason, logs=settings.log_dir)
        console.print(
            f"   {info.en}: {delivery.pages_confirmed} page(s) in {last.seconds} s, {last.rate} bit/s, "
            f"{mode_words(last.mode)}, answered by “{last.remote_station_id}”",
            markup=False,
        )


def _report_reception(settings: Settings, reception: Reception) -> None:
    info = STATE_INFO[reception.state]
    if not info.success:
        raise DemonstrationFailed(reason=f"{info.en}, {reception.status_text}", logs=settings.log_dir)
    console.print(
        f"   {info.en}: {reception.pages} page(s) in {reception.seconds} s, {reception.rate} bit/s, "
        f"{mode_words(reception.mode)}, from “{reception.remote_station_id}”; it is in {RECIPIENT}'s inbox",
        markup=False,
    )
