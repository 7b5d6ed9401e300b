"""Tesseract in its sandbox: pages that lie wrongly are found, those without text are left, and text is read."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont

from bench.ocr import distance
from netfax.documents import sandbox, tesseract
from netfax.documents.errors import DocumentError, TooHeavy
from netfax.documents.tesseract import ReaderMissing, find_turn, read_text
from netfax.ocr.words import plain
from tests.fixtures.documents.build import CJK_FONT, put, tiff

SERIF = "/usr/share/fonts/truetype/liberation/LiberationSerif-Regular.ttf"
CHINESE = [
    "关于召开传真系统升级工作会议的通知",
    "各部门、各分公司：为进一步提高办公效率，公司决定对现有的网络传真系统",
    "进行升级。新系统支持电子邮件收发传真、传真信箱、自动重发和定时发送。",
    "会议时间：十二月八日上午九时三十分，请提前十分钟到场签到。",
    "会议地点：总部大楼三层第二会议室，外地分公司通过视频方式参加。",
    "参会人员：各部门负责人、系统管理员以及财务部门的相关同事。",
    "会议期间传真服务不会中断，但请不要在当天上午安排大批量的群发任务。",
]
ENGLISH = [
    "Thank you for your letter of the 14th of November concerning the delivery of",
    "forty pumps to our warehouse in Rotterdam. We are pleased to confirm that the",
    "goods left our factory on Monday and should arrive by the end of next week.",
    "Please note that the invoice number 2026-11873 replaces the one we sent earlier;",
    "the total amount due is EUR 12,450.00, payable within thirty days of receipt.",
    "If any of the crates should be damaged on arrival, kindly inform the carrier at",
    "once and send us a fax with photographs of the packaging.",
]
LETTERS = {"zh": (CHINESE, CJK_FONT), "en": (ENGLISH, SERIF)}
# Degrees clockwise by which the sheet lay in the machine, and how Pillow says it.
LAY = {0: None, 90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}


def written(lines: list[str], font: str) -> Image.Image:
    """A page of letters in twelve points."""
    page = Image.new("L", (1728, 2292), 255)
    draw, letters = ImageDraw.Draw(page), ImageFont.truetype(font, 34)
    for number, line in enumerate(lines * 3):
        draw.text((150, 200 + 62 * number), line, font=letters, fill=0)
    return page


def drawing() -> Image.Image:
    """Lines and circles without a letter."""
    page = Image.new("L", (1728, 2292), 255)
    draw = ImageDraw.Draw(page)
    for step in range(40):
        draw.line((100 + 37 * step, 100, 1600 - 29 * step, 2200), fill=0, width=3)
        draw.ellipse((40 * step, 50 * step, 40 * step + 200, 50 * step + 90), outline=0, width=4)
    return page


def received(folder: Path, page: Image.Image, *, lay: int = 0, lines: int = 196) -> Path:
    """The page as it comes over a line, fed in with its top elsewhere."""
    way = LAY[lay]
    scanned = page.transpose(way) if way is not None else page
    scanned = scanned.resize((1728, round(scanned.height * 1728 / scanned.width * lines / 196)))
    bits = scanned.point([0] * 128 + [255] * 128, "1")
    return put(folder, f"{lay}-{lines}.tif", tiff(bits, dpi=(204, lines)))


@pytest.mark.parametrize("lines", [196, 98], ids=["fine", "standard"])
@pytest.mark.parametrize("language", LETTERS)
@pytest.mark.parametrize("lay", LAY)
def test_a_letter_is_found_whichever_way_it_was_fed(tmp_path: Path, language: str, lay: int, lines: int) -> None:
    path = received(tmp_path, written(*LETTERS[language]), lay=lay, lines=lines)
    assert find_turn(path, 1) == (360 - lay) % 360


@pytest.mark.parametrize("lay", [0, 180])
@pytest.mark.parametrize("lines", [196, 98])
@pytest.mark.parametrize("make", [drawing, lambda: Image.new("L", (1728, 2292), 255)], ids=["drawing", "blank"])
def test_a_page_without_text_is_left_as_it_came(
    tmp_path: Path, make: Callable[[], Image.Image], lines: int, lay: int
) -> None:
    assert not find_turn(received(tmp_path, make(), lay=lay, lines=lines), 1)


@pytest.mark.parametrize(("lines", "accuracy"), [(196, 97), (98, 90)], ids=["fine", "standard"])
@pytest.mark.parametrize("language", LETTERS)
@pytest.mark.parametrize("lay", [0, 180])
def test_text_is_read_on_a_page_that_is_turned(
    tmp_path: Path, language: str, lines: int, accuracy: float, lay: int
) -> None:
    text, font = LETTERS[language]
    found = plain(read_text(received(tmp_path, written(text, font), lay=lay, lines=lines), 1, turn=lay))
    wanted = plain("\n".join(text * 3))
    assert 100 * (1 - distance(wanted.replace(" ", ""), found.replace(" ", "")) / len(wanted)) >= accuracy


def test_a_damaged_page_has_a_named_error(tmp_path: Path) -> None:
    path = put(tmp_path, "fax.tif", b"II*\0 no fax")
    with pytest.raises(DocumentError):
        find_turn(path, 1)


def test_a_page_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = received(tmp_path, written(*LETTERS["zh"]))
    monkeypatch.setattr(tesseract, "READER_SECONDS", 0)
    with pytest.raises(TooHeavy):
        read_text(path, 1, turn=0)


def test_a_machine_without_the_program_or_its_data_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = received(tmp_path, written(*LETTERS["en"]))
    with monkeypatch.context() as changed:
        changed.setattr(tesseract, "LANGUAGES", "xyz")
        with pytest.raises(ReaderMissing, match="tesseract-ocr-chi-sim"):
            read_text(path, 1, turn=0)
    monkeypatch.setattr(tesseract, "PROGRAM", "no-such-program")
    with pytest.raises(ReaderMissing):
        find_turn(path, 1)


def test_it_works_only_when_nothing_else_does() -> None:
    running = sandbox.start(["sleep", "30"], cpu_seconds=5, memory=2**28, idle=True)
    try:
        deadline = time.monotonic() + 10
        while not (found := _asleep()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        said = subprocess.run(["chrt", "-p", str(found[0])], capture_output=True, text=True, check=True).stdout
    finally:
        running.kill()
    assert "SCHED_IDLE" in said


def _asleep() -> list[int]:
    ours = psutil.Process(os.getpid()).children(recursive=True)
    return [each.pid for each in ours if each.name() == "sleep"]
