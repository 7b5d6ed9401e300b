"""`netfax convert`: files to fax pages as a fax takes them, without a call and without an installation."""

import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import click

from cli.output import as_json, console, language, refuses_clearly, say
from netfax.documents.convert import to_fax_tiff
from netfax.documents.look import USUAL, Look, Mode, Resolution
from netfax.errors import NetFaxError, UserError


class NoSuchFile(UserError):
    code = "no_such_file"
    en = "{name!r} is no file that can be read."
    zh = "{name!r} 不是可以读取的文件。"


@dataclass(frozen=True)
class Converted:
    """What came of a file: its fax pages and where they are, or the error (its code) and its sentence."""

    file: str
    seconds: float
    kind: str | None = None
    pages: int | None = None
    bytes: int | None = None
    tiff: str | None = None
    error: str | None = None
    reason: str | None = None

    @property
    def line(self) -> str:
        if self.error is not None:
            return f"{self.file}: {self.reason}"
        return say(
            f"{self.file}: {self.kind}, {self.pages} page(s), {self.bytes} bytes, {self.seconds:.2f} s",
            f"{self.file}：{self.kind}，{self.pages} 页，{self.bytes} 字节，{self.seconds:.2f} 秒",
        )


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to.")
@click.option("--resolution", type=click.Choice([each.value for each in Resolution]), default=USUAL.resolution.value)
@click.option(
    "--mode", type=click.Choice([each.value for each in Mode]), default=USUAL.mode.value, help="What is on it."
)
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
@refuses_clearly
def convert(files: tuple[Path, ...], folder: Path, resolution: str, mode: str, json_wanted: bool) -> None:
    """Draw FILES as faxes, each as DIR/NAME.tif, and call nobody.

    Tells of each file its kind, pages, bytes on the line and seconds, or why it can't be faxed; exit code 1 then.
    """
    look = Look(Resolution(resolution), Mode(mode))
    folder.mkdir(parents=True, exist_ok=True)
    hands = len(os.sched_getaffinity(0))
    # One file after the other on each core; a single one is drawn by all of them.
    for_each = 1 if len(files) > 1 else hands
    done = []
    with ThreadPoolExecutor(hands) as pool:
        one = partial(_convert, look=look, hands=for_each)
        for each in pool.map(one, files, _targets(files, folder)):
            done.append(each)
            if not json_wanted:
                console.print(each.line, markup=False)
    if json_wanted:
        as_json([asdict(each) for each in done])
    sys.exit(1 if any(each.error for each in done) else 0)


def _targets(files: Sequence[Path], folder: Path) -> list[Path]:
    """A name for each in the folder, told apart by a number where several files are called the same."""
    seen: Counter[str] = Counter()
    targets = []
    for file in files:
        seen[file.name] += 1
        number = f"-{seen[file.name]}" if seen[file.name] > 1 else ""
        targets.append(folder / f"{file.name}{number}.tif")
    return targets


def _convert(file: Path, target: Path, look: Look, hands: int) -> Converted:
    began = time.monotonic()
    try:
        if not file.is_file() or not os.access(file, os.R_OK):
            raise NoSuchFile(name=str(file))
        image = to_fax_tiff([file], target, look=look, hands=hands)
    except NetFaxError as error:
        seconds = round(time.monotonic() - began, 3)
        return Converted(str(file), seconds, error=error.code, reason=error.text(language()))
    seconds = round(time.monotonic() - began, 3)
    return Converted(str(file), seconds, image.kinds[0].value, image.pages, sum(image.page_bytes), str(target))
