"""Office documents of every kind, made by LibreOffice itself, as fax pages."""

import os
import re
import struct
import subprocess
import time
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from netfax.documents.convert import to_fax_tiff
from netfax.documents.errors import (
    DamagedDocument,
    DocumentError,
    EncryptedDocument,
    OnlyMacros,
    TooHeavy,
)
from netfax.documents.inspect import inspect
from netfax.documents.kinds import Kind
from netfax.documents.tiff import whole_pages
from tests.fixtures.documents.build import put
from tests.golden import assert_golden

pytestmark = [pytest.mark.xdist_group("office"), pytest.mark.timeout(300)]

MAKER = Path(__file__).parents[1] / "fixtures" / "documents" / "office_maker.py"
LETTERS = ("odt", "docx", "doc", "rtf", "xml")
SHEETS = ("ods", "xlsx", "xls", "xml")
SLIDES = ("odp", "pptx", "ppt")
MADE = (
    [("letter", each, 2) for each in LETTERS]
    + [("sheet", each, 1) for each in SHEETS]
    + [("slides", each, 2) for each in SLIDES]
)
SHUT = ("letter-shut.odt", "letter-shut.docx", "letter-shut.doc", "sheet-shut.ods", "sheet-shut.xlsx", "sheet-shut.xls")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of documents; LibreOffice, which runs outside the sandbox here, reads what lies in this repository."""
    folder = tmp_path_factory.mktemp("office")
    subprocess.run(
        ["/usr/bin/python3", MAKER, folder], check=True, timeout=120, env={**os.environ, "HOME": str(folder)}
    )
    return folder


@pytest.mark.parametrize(("name", "ending", "pages"), MADE)
def test_every_kind_of_office_document_is_drawn(made: Path, tmp_path: Path, name: str, ending: str, pages: int) -> None:
    """Under a name that says nothing: its content tells its kind."""
    source, target = put(tmp_path, "upload", (made / f"{name}.{ending}").read_bytes()), tmp_path / "fax.tif"
    looked = inspect(source, name="报价.bin")
    assert (looked.kind, looked.pages) == (Kind(ending), None)
    image = to_fax_tiff([source], target, names=["报价.bin"])
    assert (image.pages, image.kinds) == (pages, (Kind(ending),))
    assert_golden(target, f"{name}-{ending}")


@pytest.mark.parametrize("name", SHUT)
def test_a_document_with_a_password_is_named_as_one(made: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(EncryptedDocument, match=re.escape(name)):
        to_fax_tiff([made / name], tmp_path / "fax.tif")


@pytest.mark.parametrize("name", ["letter-shut.odt", "letter-shut.docx", "letter-shut.doc", "sheet-shut.xlsx"])
def test_a_password_is_seen_before_the_fax_is_accepted(made: Path, name: str) -> None:
    with pytest.raises(EncryptedDocument):
        inspect(made / name, name=name)


def test_a_sheet_that_is_wider_than_the_paper_stands_on_one_page(made: Path, tmp_path: Path) -> None:
    image = to_fax_tiff([made / "wide.xlsx"], tmp_path / "fax.tif")
    assert image.pages == 1
    # Turned, and shrunk to its width: twelve columns of 3 cm fill the page from its top to its end.
    with Image.open(tmp_path / "fax.tif") as page:
        _, top, _, bottom = page.convert("L").point(lambda tone: 255 - tone).getbbox() or (0, 0, 0, 0)
    assert bottom - top > 0.8 * page.height > 1700


@pytest.mark.parametrize(("name", "ending"), [("letter", "docx"), ("sheet", "xlsx"), ("letter", "odt")])
def test_half_of_a_document_is_named_as_damaged(made: Path, tmp_path: Path, name: str, ending: str) -> None:
    whole = (made / f"{name}.{ending}").read_bytes()
    with pytest.raises(DamagedDocument):
        to_fax_tiff([put(tmp_path, "half", whole[: len(whole) // 2])], tmp_path / "fax.tif")


def test_a_document_whose_parts_are_no_xml_is_named_as_damaged(made: Path, tmp_path: Path) -> None:
    broken = rewritten(made / "letter.docx", {"word/document.xml": b"<w:document><w:body>"})
    with pytest.raises(DocumentError) as refusal:
        to_fax_tiff([put(tmp_path, "broken", broken)], tmp_path / "fax.tif", names=["broken.docx"])
    assert refusal.value.code in ("document_damaged", "document_blank")


def test_a_document_of_macros_alone_says_so(made: Path, tmp_path: Path) -> None:
    empty = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body/></w:document>'
    only = rewritten(made / "letter.docx", {"word/document.xml": empty, "word/vbaProject.bin": b"a program"})
    with pytest.raises(OnlyMacros, match=r"macros\.docm"):
        to_fax_tiff([put(tmp_path, "macros", only)], tmp_path / "fax.tif", names=["macros.docm"])


def test_an_archive_that_unpacks_to_too_much_is_refused_by_its_directory(made: Path, tmp_path: Path) -> None:
    bomb = rewritten(made / "letter.docx", {"word/media/image1.bmp": b"\0" * 60_000_000})
    with pytest.raises(TooHeavy):
        inspect(put(tmp_path, "bomb", bomb), name="bomb.docx")


def test_a_directory_that_lies_of_its_sizes_brings_its_pages_or_an_error(made: Path, tmp_path: Path) -> None:
    bomb = bytearray(rewritten(made / "letter.docx", {"word/styles.xml": b" " * 300_000_000}))
    at = bomb.rindex(b"word/styles.xml") - 46
    assert bomb[at : at + 4] == b"PK\x01\x02"
    bomb[at + 24 : at + 28] = struct.pack("<I", 1000)
    started = time.monotonic()
    with suppress(DocumentError):
        image = to_fax_tiff([put(tmp_path, "bomb", bytes(bomb))], tmp_path / "fax.tif", names=["bomb.docx"])
        assert image.pages == 2
    assert time.monotonic() - started < 60


def test_the_pages_of_a_document_without_end_are_counted_and_not_written(made: Path, tmp_path: Path) -> None:
    paragraph = b'<w:p><w:r><w:br w:type="page"/><w:t>page</w:t></w:r></w:p>'
    with zipfile.ZipFile(made / "letter.docx") as archive:
        document = archive.read("word/document.xml")
    long = re.sub(rb"(<w:body>).*?(<w:sectPr)", rb"\1" + paragraph * 400 + rb"\2", document, count=1, flags=re.DOTALL)
    source = put(tmp_path, "long", rewritten(made / "letter.docx", {"word/document.xml": long}))
    with pytest.raises(DocumentError) as refusal:
        to_fax_tiff([source], tmp_path / "fax.tif", names=["long.docx"])
    assert refusal.value.code == "document_too_many_pages"


def test_several_kinds_are_one_fax_in_their_order(made: Path, tmp_path: Path) -> None:
    sources = [made / "sheet.xlsx", made / "letter.odt", made / "slides.pptx"]
    image = to_fax_tiff(sources, tmp_path / "fax.tif")
    assert image.kinds == (Kind.XLSX, Kind.ODT, Kind.PPTX)
    alone = [to_fax_tiff([each], tmp_path / "one.tif").page_bytes for each in sources]
    assert image.page_bytes == sum(alone, ())
    assert len(whole_pages(tmp_path / "fax.tif")) == 5


def rewritten(source: Path, parts: dict[str, bytes]) -> bytes:
    """A ZIP archive once more, with some parts replaced or added."""
    out = BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if entry.filename not in parts:
                new.writestr(entry.filename, old.read(entry))
        for name, data in parts.items():
            new.writestr(name, data)
    return out.getvalue()
