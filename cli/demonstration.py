"""The main job before your eyes: a fax out to the simulated network and one in from it, with live progress."""

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from cli.output import console, harmless, joined, language, line_words, page_words, say
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
        return f"   {joined(self.state, self.pages, self.line)}"


def demonstrate(settings: Settings) -> None:
    """Send and receive one fax each and print what came of them; `DemonstrationFailed` says what did not work."""
    send_one(settings)
    receive_one(settings)


def send_one(settings: Settings) -> None:
    """A fax from alice to the fax machine of the simulated network."""
    words = say(
        f"{SENDER} sends {SAMPLE.name} to {FAX_MACHINE} on the simulated telephone network",
        f"{SENDER} 向模拟电话网的 {FAX_MACHINE} 发送 {SAMPLE.name}",
    )
    console.print(f"→  {words}", markup=False)
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
    late = say(f"no result within {PATIENCE_SECONDS} s", f"{PATIENCE_SECONDS} 秒内没有结果")
    raise DemonstrationFailed(reason=late, logs=settings.log_dir)


def receive_one(settings: Settings) -> None:
    """A fax that the simulated network sends to bob."""
    words = say(
        f"{CALLER} of the simulated telephone network sends a fax to {RECIPIENT}",
        f"模拟电话网的 {CALLER} 向 {RECIPIENT} 发送传真",
    )
    console.print(f"←  {words}", markup=False)
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
    late = say(f"no fax came in within {PATIENCE_SECONDS} s", f"{PATIENCE_SECONDS} 秒内没有收到传真")
    raise DemonstrationFailed(reason=late, logs=settings.log_dir)


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
        return info.ended, _Seen(info.text(language()))
    page = live.page_on_the_line(news, attempt.first_page, delivery.pages)
    pages = page_words(page, delivery.pages)
    return info.ended, _Seen(info.text(language()), pages, line_words(news.rate, news.mode))


def _look_at_reception(before: set[str]) -> tuple[Reception | None, _Seen | None]:
    with reading() as uow:
        reception = uow.session.scalars(
            select(Reception).where(Reception.id.not_in(before)).order_by(Reception.started_at).limit(1)
        ).first()
    if reception is None:
        return None, None
    live.watch([reception.id])
    news = live.progress([reception.id]).get(reception.id)
    state = STATE_INFO[reception.state].text(language())
    if news is None or reception.state is not ReceptionState.RECEIVING:
        return reception, _Seen(state)
    received = live.pages_received(news)
    pages = say(f"{received} page(s) so far", f"已收 {received} 页")
    return reception, _Seen(state, pages, line_words(news.rate, news.mode))


def _report_delivery(settings: Settings, uuid: str) -> None:
    with reading() as uow:
        delivery = uow.session.scalars(select(Delivery).where(Delivery.uuid == uuid)).one()
        info, last = STATE_INFO[delivery.state], delivery.attempts[-1] if delivery.attempts else None
        if not info.success or last is None:
            words = CAUSES[delivery.cause] if delivery.cause else info
            raise DemonstrationFailed(reason=words.text(language()), logs=settings.log_dir)
        brought = _brought(delivery.pages_confirmed, last.seconds, last.rate, last.mode)
        who = say(f"answered by “{last.remote_station_id}”", f"对方标识“{last.remote_station_id}”")
        console.print(harmless(f"   {info.text(language())}: {joined(brought, who)}"), markup=False)


def _report_reception(settings: Settings, reception: Reception) -> None:
    info = STATE_INFO[reception.state]
    if not info.success:
        reason = joined(info.text(language()), reception.status_text)
        raise DemonstrationFailed(reason=reason, logs=settings.log_dir)
    brought = _brought(reception.pages, reception.seconds, reception.rate, reception.mode)
    who = say(f"from “{reception.remote_station_id}”", f"对方标识“{reception.remote_station_id}”")
    where = say(f"it is in {RECIPIENT}'s inbox", f"已存入 {RECIPIENT} 的收件箱")
    console.print(harmless(f"   {info.text(language())}: {joined(brought, who, where)}"), markup=False)


def _brought(pages: int, seconds: int, rate: int, mode: str) -> str:
    counted = say(f"{pages} page(s) in {seconds} s", f"{pages} 页，用时 {seconds} 秒")
    return joined(counted, line_words(rate, mode))
