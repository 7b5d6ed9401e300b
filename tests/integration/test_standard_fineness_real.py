"""Pages in standard fineness from SendFAX to a fax machine of the simulated network, by each way over the line."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy
import pytest
from PIL import Image

from dialplan import asterisk, network_phone, render
from dialplan.network_phone import Ami, ReceivedFax
from netfax import telephony as tel
from netfax.documents.bits import Bits
from netfax.documents.coarse import to_standard
from netfax.documents.tiff import whole_pages
from netfax.documents.tiffwrite import FaxTiffWriter, extract_pages
from netfax.settings import Settings, make_secrets
from tests.fixtures.documents.build import letter
from tests.integration.test_dialplan_real import (
    G711,
    T38,
    free_base,
    has_booted,
    journal,
    originate,
    pages_of,
    running,
    trunks,
    until,
)
from tests.pages import assert_same_page

pytestmark = [pytest.mark.timeout(400), pytest.mark.xdist_group("fineness")]

# FAXRESOLUTION, pixels per metre.
STANDARD, FINE = b"8031x3850", b"8031x7700"
# A4, an odd one, one that is shorter than a letter's head, and one of a single row.
ROWS = (2292, 1001, 77, 1)
CALLER = "7720{:03}"  # tells the calls apart


@dataclass(frozen=True)
class Call:
    number: str
    trunk: str
    mode: str = tel.MODE_T38
    line: bytes = b"T38"  # FAXMODE
    first: int = 1
    fine: bool = False


CALLS = {
    "by T.38": Call("7721001", T38),
    "by T.38 without ECM": Call("7721004", T38),
    "by audio": Call("7721003", G711, line=b"audio"),
    "by audio without ECM": Call("7721004", T38, tel.MODE_AUDIO, b"audio"),
    "from page 2 on": Call("7721001", T38, first=2),
    "in fine": Call("7721001", T38, fine=True),
}
every_standard_call = pytest.mark.parametrize("name", [name for name, call in CALLS.items() if not call.fine])
Sent = dict[str, bytes]  # the fields of the journal


def draw_fine(path: Path) -> Path:
    """Pages of text and thin lines as our own conversion writes them; no two rows are the same for long."""
    with path.open("w+b") as out:
        writer = FaxTiffWriter(out)
        for rows in ROWS:
            page = letter().crop((0, 0, 1728, rows))
            page.paste(0, (700, 0, 900, rows // 3 + 1))
            writer.add([Bits.of_image(page).coded()], width=1728, rows=rows)
    return path


def halved(page: numpy.ndarray) -> numpy.ndarray:
    """White (True) where both of two rows are; an odd last row has paper below it."""
    even = numpy.pad(page, ((0, len(page) % 2), (0, 0)), constant_values=True)
    return even[0::2] & even[1::2]


@dataclass
class Exchange:
    """The gateway, the network, and the calls between them, all under way at once."""

    settings: Settings
    fine: Path
    calls: dict[str, Future[Sent]]

    def send(self, name: str) -> Sent:
        call, settings = CALLS[name], self.settings
        attempt = tel.new_attempt_id(settings.secret("attempt_prefix"))
        tiff = settings.gateway_dir / tel.SPOOL_OUT / f"{attempt}.tif"
        (extract_pages if call.fine else to_standard)(self.fine, tiff, first=call.first)
        tiff.chmod(0o644)
        variables = {
            tel.ATTEMPT_ID: attempt,
            tel.SEND_MODE: call.mode,
            tel.SEND_ECM: "yes",
            tel.SEND_MODEM: "v17",
            tel.STATION_ID: "7720009",
        }
        action = originate(attempt, f"PJSIP/{call.number}@{call.trunk}") | {"CallerID": caller_of(name)}
        with Ami(settings.port("gateway_ami"), tel.AMI_USER_BRIDGE, settings.secret("ami_bridge")) as ami:
            ami.settimeout(120)
            ami.send(action, list(variables.items()))
            message: dict[str, str] = {}
            while (message.get("Event"), message.get("Uniqueid")) != ("Hangup", attempt):
                message = ami.read()
        return journal(settings.gateway_dir / tel.JOURNAL / f"{tel.JOURNAL_OUT_PREFIX}{attempt}")

    def received(self, name: str) -> ReceivedFax:
        """What the network's machine has of a call that has ended."""
        found: list[ReceivedFax] = []

        def there() -> bool:
            found.extend(network_phone.received(self.settings, CALLS[name].number, caller_of(name)))
            return bool(found)

        until("the network tells what it received", there)
        (fax,) = found
        return fax


def caller_of(name: str) -> str:
    return CALLER.format(list(CALLS).index(name))


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    home = tmp_path_factory.mktemp("standard")
    root = Settings().asterisk
    asterisk.make_root(root, print)
    settings = Settings(home=home, port_base=free_base(), asterisk_root=root)
    make_secrets(home)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(settings, settings.network_dir, render.network_files(settings)))
        gateway = render.gateway_files(settings, trunks(settings, T38, G711))
        stack.enter_context(running(settings, settings.gateway_dir, gateway))
        for name, user in (("gateway", tel.AMI_USER_BRIDGE), ("network", tel.AMI_USER_NETWORK)):
            until(f"the {name} has booted", partial(has_booted, settings, name, user))
        exchange = Exchange(settings, draw_fine(home / "fine.tif"), {})
        pool = stack.enter_context(ThreadPoolExecutor(len(CALLS)))
        exchange.calls.update((name, pool.submit(exchange.send, name)) for name in CALLS)
        yield exchange


@every_standard_call
def test_pages_of_any_length_arrive_to_the_pixel(exchange: Exchange, name: str) -> None:
    sent = exchange.calls[name].result()
    wanted = [halved(page) for page in pages_of(exchange.fine)[CALLS[name].first - 1 :]]
    told = (sent["status"], sent["pages"], sent["mode"])
    assert told == (b"SUCCESS", str(len(wanted)).encode(), CALLS[name].line)
    arrived = pages_of(exchange.received(name).tiff)
    # A machine that is late with a packet clicks on the line, and only ECM mends that.
    ecm = name != "by audio without ECM"
    for one, other in zip(wanted, arrived, strict=True):
        assert_same_page(one, other, ecm=ecm)


@every_standard_call
def test_asterisk_and_the_far_machine_say_98_lines_an_inch(exchange: Exchange, name: str) -> None:
    assert exchange.calls[name].result()["resolution"] == STANDARD
    arrived = whole_pages(exchange.received(name).tiff)
    assert {tuple(map(round, page.dpi or (0, 0))) for page in arrived} == {(204, 98)}


def test_the_same_pages_in_fine_are_said_to_be_fine(exchange: Exchange) -> None:
    sent = exchange.calls["in fine"].result()
    assert (sent["status"], sent["resolution"]) == (b"SUCCESS", FINE)
    with Image.open(exchange.received("in fine").tiff) as image:
        assert image.size == (1728, 2292)
