"""Hostile documents: made and mutated ones of every kind, each of which must end with pages or a named error.

`python -m tests.hostile [--count N] [--seed N] [--report FILE]`. Nothing that they name is fetched: a server of ours
stands by and counts, and a file with a word that is nowhere else lies where they point to. The seed is printed; a
failure comes again with `--seed N --only NUMBER`.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

from PIL import Image

from netfax.documents.convert import to_fax_tiff
from netfax.documents.errors import DocumentError, read_note
from tests.fixtures.documents.build import letter, pdf, photograph, png_header, saved, tiff, tiff_header

SECONDS = 60.0
MAKER = Path(__file__).parent / "fixtures" / "documents" / "office_maker.py"
OFFICE = ("odt", "docx", "doc", "rtf", "ods", "xlsx", "xls", "odp", "pptx", "ppt")
# What OOXML, OpenDocument, HTML, RTF and mails can be told to fetch.
REFERENCES = (
    "{url}/x.png",
    "file://{file}",
    "\\\\127.0.0.1@{port}\\x",
    "ftp://127.0.0.1:{port}/x",
    "{file}",
    "//127.0.0.1:{port}/x",
)


TAGS = (
    "<img src='{}'>",
    "<link rel=stylesheet href='{}'>",
    "<object data='{}'>",
    "<iframe src='{}'>",
    "<style>@import '{}'; @font-face{{font-family:x;src:url({})}} p{{font-family:x}}</style><p>x",
    "<base href='{}'><img src=x>",
    "<body background='{}'>x",
    "<link rel=attachment href='{}'>x",
    "<embed src='{}'>",
    "<p style='background:url({})'>x",
)


@dataclass(frozen=True)
class Case:
    """One document: its number in the run, what was done to what, and its bytes."""

    number: int
    name: str
    data: bytes

    @property
    def kind(self) -> str:
        """What it is or was: docx, pdf, picture …, the first word of its name."""
        return self.name.split()[0]


@dataclass(frozen=True)
class Outcome:
    """`what` is the error's code, or `pages`; `defect` is why this must not be, or ""."""

    case: Case
    what: str
    seconds: float
    defect: str = ""


class Canary:
    """A server that nobody may ask, and a file that nobody may show."""

    def __init__(self, folder: Path) -> None:
        canary = self
        self.hits: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                canary.hits.append(self.path)
                self.send_error(404)

            do_PUT = do_POST = do_HEAD = do_OPTIONS = do_PROPFIND = do_GET

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.port = self._server.server_port
        self.file = folder / "canary.txt"
        self.file.write_text("CANARY " * 200)
        self.file.chmod(0o644)

    def reference(self, pattern: str) -> str:
        return pattern.format(url=f"http://127.0.0.1:{self.port}", port=self.port, file=self.file)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def canary(folder: Path) -> Iterator[Canary]:
    watched = Canary(folder)
    try:
        yield watched
    finally:
        watched.close()


def office_documents(folder: Path) -> dict[str, bytes]:
    """One of each format, by its ending; LibreOffice writes them outside the sandbox."""
    subprocess.run(
        ["/usr/bin/python3", MAKER, folder], check=True, timeout=120, env={**os.environ, "HOME": str(folder)}
    )
    stems = {"ods": "sheet", "xlsx": "sheet", "xls": "sheet", "odp": "slides", "pptx": "slides", "ppt": "slides"}
    return {ending: (folder / f"{stems.get(ending, 'letter')}.{ending}").read_bytes() for ending in OFFICE}


def cases(count: int, seed: int, office: dict[str, bytes], watched: Canary) -> Iterator[Case]:
    """So many documents; the same for the same seed, but for the canary's port and path."""
    seeds = _seeds(office)
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        if chance.random() < 0.35:
            name, data = _made(chance, office, watched)
        else:
            kind = chance.choice(sorted(seeds))
            how, data = _mutated(chance, seeds[kind], seeds)
            name = f"{kind} {how}"
        yield Case(number, name, data)


def _seeds(office: dict[str, bytes]) -> dict[str, bytes]:
    html = "<html><head><style>p{color:red}</style></head><body><h1>A</h1><table border=1><tr><td>1<td>2</table><p>b"
    mail = (
        "From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?b?5Lyg55yf?=\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n--x\r\n'
        'Content-Type: image/png; name="a.png"\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--x--\r\n'
    )
    pictures = {kind: saved(photograph(), kind.upper()) for kind in ("png", "jpeg", "gif", "bmp", "webp")}
    return {
        **office,
        **pictures,
        "pdf": pdf(3),
        "tiff": tiff(letter(), letter(1728, 300)),
        "html": html.encode(),
        "eml": mail.encode(),
        "txt": "传真 fax\r\n".encode("gb18030") * 40,
    }


def _mutated(chance: random.Random, data: bytes, seeds: dict[str, bytes]) -> tuple[str, bytes]:
    changed = bytearray(data)
    match chance.choice(("cut", "flips", "zeros", "swapped", "doubled", "spliced", "numbers", "inside")):
        case "cut":
            return "cut off", data[: chance.randrange(1, len(data))]
        case "flips":
            for _ in range(chance.choice((1, 5, 50, 500))):
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
            return "with flipped bits", bytes(changed)
        case "zeros":
            at = chance.randrange(len(changed))
            changed[at : at + 200] = bytes(len(changed[at : at + 200]))
            return "with a hole", bytes(changed)
        case "swapped":
            one, other = sorted(chance.randrange(len(data)) for _ in range(2))
            return "with its parts swapped", data[other:] + data[one:other] + data[:one]
        case "doubled":
            at = chance.randrange(len(data))
            return "with a part repeated", data[:at] + data[at : at + 5000] * 20 + data[at:]
        case "spliced":
            other = seeds[chance.choice(sorted(seeds))]
            return "with another's end", data[: len(data) // 2] + other[len(other) // 2 :]
        case "numbers":
            for _ in range(20):
                at = chance.randrange(max(1, len(changed) - 4))
                changed[at : at + 4] = chance.choice(
                    (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")
                )
            return "with huge numbers", bytes(changed)
    if data.startswith(b"PK"):
        return "with a part mutated", _part_mutated(chance, data)
    return "with a part taken out", data[: len(data) // 3] + data[2 * len(data) // 3 :]


def _part_mutated(chance: random.Random, data: bytes) -> bytes:
    """An archive whose directory is right, and one of whose parts is not."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        entries = [entry for entry in old.infolist() if not entry.is_dir()]
        victim = chance.choice(entries)
        for entry in entries:
            content = old.read(entry)
            if entry is victim and content:
                at = chance.randrange(len(content))
                content = chance.choice(
                    (content[:at], content[:at] + bytes(50) + content[at:], content * 50, b"<a>" * 100_000)
                )
            new.writestr(entry.filename, content)
    return out.getvalue()


def _made(chance: random.Random, office: dict[str, bytes], watched: Canary) -> tuple[str, bytes]:
    """A document that somebody has thought of."""
    reference = watched.reference(chance.choice(REFERENCES))
    match chance.choice(("html", "docx", "odt", "rtf", "mail", "pdf", "bomb", "header", "deep", "svg", "xlsx")):
        case "html":
            tag = chance.choice(TAGS)
            return "html that fetches", f"<html><body>{tag.format(reference, reference)}<p>text".encode()
        case "docx":
            return "docx that fetches", _docx_that_fetches(office["docx"], reference)
        case "odt":
            link = f'<text:section text:name="s"><text:section-source xlink:href="{reference}"/></text:section>'
            picture = (
                '<text:p><draw:frame svg:width="5cm" svg:height="5cm"><draw:image xlink:type="simple"'
                ' xlink:show="embed"'
                f' xlink:actuate="onLoad" xlink:href="{reference}"/></draw:frame></text:p>'
            )
            return "odt that fetches", _with_part(
                office["odt"], "content.xml", rb"<office:text[^>]*>", (link + picture).encode()
            )
        case "rtf":
            field = chance.choice(("INCLUDEPICTURE", "INCLUDETEXT", "LINK Excel.Sheet.8", "DDEAUTO cmd"))
            return "rtf that fetches", (
                r"{\rtf1 text {\field{\*\fldinst " + field + f' "{reference}"' + r" \\d}{\fldrslt x}}}"
            ).encode()
        case "mail":
            return "mail that fetches", (
                f"From: a@b\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n<img src='{reference}'>"
                f"<link rel=stylesheet href='{reference}'><p>text"
            ).encode()
        case "pdf":
            action = chance.choice(
                (f"/OpenAction << /S /URI /URI ({reference}) >>",
                 f"/OpenAction << /S /JavaScript /JS (app.launchURL('{reference}')) >>",
                 f"/OpenAction << /S /Launch /F ({reference}) >>", "/NeedsRendering true /AcroForm << /XFA (x) >>")
            )  # fmt: skip
            return "pdf that acts", pdf(1).replace(b"/Type /Catalog", b"/Type /Catalog " + action.encode())
        case "bomb":
            return "docx that unpacks to much", _bomb(office["docx"], chance.choice((10_000_000, 100_000_000)))
        case "header":
            size = chance.choice(((65535, 65535), (0, 0), (1, 60000), (60000, 1)))
            return f"picture of {size[0]} × {size[1]}", chance.choice((tiff_header, png_header))(*size)
        case "deep":
            depth = chance.choice((200, 3000, 40000))
            return f"html {depth} deep", b"<html>" + chance.choice(
                (b"<div>", b"<table><tr><td>", b"<b>", b"<ul><li>")
            ) * depth + b"x"
        case "svg":
            return "svg", f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{reference}'/></svg>".encode()
    formula = chance.choice(
        ('WEBSERVICE("{}")', "'file://{}'#$Sheet1.A1", 'HYPERLINK("{}")', 'DDE("soffice";"{}";"A1")')
    )
    cell = f'<c r="A9"><f>{formula.format(reference).replace(chr(34), "&quot;")}</f><v>0</v></c>'
    return "xlsx that fetches", _with_part(
        office["xlsx"], "xl/worksheets/sheet1.xml", rb"</sheetData>", b'<row r="9">' + cell.encode() + b"</row>"
    )


def _bomb(docx: bytes, size: int) -> bytes:
    out = BytesIO(docx)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/a.bmp", bytes(size))
    return out.getvalue()


def _docx_that_fetches(docx: bytes, reference: str) -> bytes:
    relation = (
        '<Relationship Id="rIdX" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"'
        f' Target="{reference}" TargetMode="External"/><Relationship Id="rIdT" TargetMode="External"'
        f' Target="{reference}"'
        ' Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate"/>'
    )
    field = (
        f'<w:p><w:fldSimple w:instr=" INCLUDEPICTURE &quot;{reference}&quot; \\d "><w:r><w:t>x</w:t></w:r>'
        "</w:fldSimple>"
        f'<w:fldSimple w:instr=" INCLUDETEXT &quot;{reference}&quot; "><w:r><w:t>y</w:t></w:r></w:fldSimple></w:p>'
    )
    changed = _with_part(docx, "word/_rels/document.xml.rels", rb"</Relationships>", relation.encode())
    return _with_part(changed, "word/document.xml", rb"<w:body>", field.encode())


def _with_part(archive: bytes, name: str, mark: bytes, text: bytes) -> bytes:
    """The archive with a text in one of its parts: behind an opening mark, before a closing one."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(archive)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == name and (found := re.search(mark, content)) is not None:
                at = found.start() if mark.startswith(b"</") else found.end()
                content = content[:at] + text + content[at:]
            new.writestr(entry.filename, content)
    return out.getvalue()


def attempt(case: Case, folder: Path) -> Outcome:
    """Draw a document, and look at what it ended with."""
    source, target = folder / f"{case.number}", folder / f"{case.number}.tif"
    source.write_bytes(case.data)
    began = time.monotonic()
    try:
        to_fax_tiff([source], target, names=["upload"], hands=1)
        what, defect = "pages", ""
    except DocumentError as error:
        what, defect = error.code, ""
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a defect, and the report says so
        what, defect = "exception", f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - began
    if not defect and what == "pages" and not _is_whole(target):
        defect = "its pages can't be read"
    if seconds > SECONDS:
        defect = f"it took {seconds:.0f} s"
    source.unlink()
    target.unlink(missing_ok=True)
    return Outcome(case, what, seconds, defect)


def _is_whole(target: Path) -> bool:
    try:
        with Image.open(target) as image:
            for frame in range(getattr(image, "n_frames", 1)):
                image.seek(frame)
                image.load()
    except (OSError, ValueError):
        return False
    return True


def run(count: int, seed: int, folder: Path, *, only: int | None = None) -> tuple[list[Outcome], Sequence[str]]:
    """Every document by its outcome, and what was asked of the canary."""
    office = office_documents(folder)
    with canary(folder) as watched, ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        wanted = [case for case in cases(count, seed, office, watched) if only is None or case.number == only]
        return list(pool.map(lambda case: attempt(case, folder), wanted)), watched.hits


def report(outcomes: Sequence[Outcome], hits: Sequence[str], seed: int) -> str:
    """The run as a page of Markdown: in one paragraph, by kind of document, by what they ended with."""
    ended = Counter(outcome.what for outcome in outcomes)
    defects = [outcome for outcome in outcomes if outcome.defect]
    worst = max(outcomes, key=lambda outcome: outcome.seconds)
    named = sum(1 for outcome in outcomes if outcome.what != "pages" and not outcome.defect)
    lines = [
        "# Hostile documents",
        "",
        f"`python -m tests.hostile --count {len(outcomes)} --seed {seed}`: documents that were made to do harm, or cut,"
        " mixed and damaged by chance, each drawn as a fax would be. Each must end within"
        f" {SECONDS:.0f} s with pages or with an error that a clerk understands, and fetch nothing.",
        "",
        f"Of {len(outcomes)} documents {ended['pages']} became pages and {named} ended with a named error:"
        f" **{len(defects)} defects**, **{len(hits)} fetches**. The longest took {worst.seconds:.1f} s:"
        f" {worst.case.name}.",
        "",
        "| kind | documents | pages | named errors | longest (s) |",
        "|---|---|---|---|---|",
        *_by_kind(outcomes),
        "",
        "| ended with | documents |",
        "|---|---|",
        *(f"| {_words(what)} | {number} |" for what, number in ended.most_common()),
    ]
    lines += ["", *(f"- {each.case.number}, {each.case.name}: {each.defect}" for each in defects)] if defects else []
    lines += ["", *(f"- fetched: {hit}" for hit in hits)] if hits else []
    return "\n".join(lines) + "\n"


def _by_kind(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for kind in sorted({outcome.case.kind for outcome in outcomes}):
        ours = [outcome for outcome in outcomes if outcome.case.kind == kind]
        pages = sum(outcome.what == "pages" for outcome in ours)
        errors = Counter(outcome.what for outcome in ours if outcome.what != "pages")
        named = ", ".join(f"{number} {what.removeprefix('document_')}" for what, number in errors.most_common())
        longest = max(outcome.seconds for outcome in ours)
        yield f"| {kind} | {len(ours)} | {pages} | {named or '–'} | {longest:.1f} |"


def _words(what: str) -> str:
    """An error's own sentence behind its code."""
    error = read_note(f"{what} upload")
    return f"`{what}`: {error.text('en')}" if error is not None else what


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--report", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="netfax-hostile-") as folder:
        outcomes, hits = run(wanted.count, wanted.seed, Path(folder), only=wanted.only)
    text = report(outcomes, hits, wanted.seed)
    print(text)
    if wanted.report:
        wanted.report.write_text(text)
    return 1 if hits or any(outcome.defect for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
