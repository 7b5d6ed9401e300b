"""Files that lie, break or bite: each is refused by its name for it, and costs next to nothing."""

import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netfax.documents.convert import to_fax_tiff
from netfax.documents.errors import (
    WORKER_ERRORS,
    DamagedDocument,
    DocumentError,
    EmptyFile,
    EncryptedDocument,
    PageTooLarge,
    PostScriptRefused,
    TooManyPages,
    UnknownKind,
)
from netfax.documents.inspect import inspect
from netfax.documents.kinds import Kind
from tests.fixtures.documents.build import (
    encrypted_pdf,
    letter,
    pdf,
    photograph,
    png_header,
    put,
    saved,
    tiff,
    tiff_header,
)

JPEG = saved(photograph(), "JPEG")
PNG = saved(photograph(), "PNG")
TIFF = tiff(letter(), letter(1728, 300), letter(1728, 400))

REFUSED: dict[str, tuple[bytes, type[DocumentError]]] = {
    "zero bytes": (b"", EmptyFile),
    "only blanks": (b" \r\n\t\n" * 9, EmptyFile),
    "only a byte order mark": (b"\xef\xbb\xbf\n", EmptyFile),
    "an ELF program": (b"\x7fELF\x02\x01\x01" + bytes(range(256)), UnknownKind),
    "a zip": (b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(64), DamagedDocument),
    "PostScript": (b"%!PS-Adobe-3.0\n(%pipe%id) (r) file\nshowpage\n", PostScriptRefused),
    "PostScript that names PDF": (b"%!PS\n%PDF-1.4\nshowpage", PostScriptRefused),
    "text with NULs": (b"dear sir\0\0\0 and madam\0", UnknownKind),
    "bytes": (bytes(range(256)) * 16, UnknownKind),
    "an encrypted PDF": (encrypted_pdf(), EncryptedDocument),
    "a PDF cut in half": (pdf(3)[: len(pdf(3)) // 2], DamagedDocument),
    "a PDF without its end": (pdf(3)[:-60], DamagedDocument),
    "a PDF of nothing": (b"%PDF-1.7\n" + b"\0" * 5000, DamagedDocument),
    "a PDF without pages": (pdf(0), DamagedDocument),
    "a PDF of 201 pages": (pdf(201), TooManyPages),
    "a TIFF of 65535 x 65535": (tiff_header(65535, 65535), PageTooLarge),
    "a TIFF of 0 x 0": (tiff_header(0, 0), DamagedDocument),
    "a TIFF in a circle": (tiff_header(1728, 10, next_directory=8), DamagedDocument),
    "a TIFF that goes on beyond its end": (tiff_header(1728, 10, next_directory=10**6), DamagedDocument),
    "a TIFF of no directory": (b"II*\0\0\0\0\0", DamagedDocument),
    "a TIFF of an endless directory": (b"II*\0\x08\0\0\0\xff\xff" + bytes(64), DamagedDocument),
    "a PNG bomb's header": (png_header(60000, 60000), PageTooLarge),
    "a PNG of too little data": (png_header(800, 600), DamagedDocument),
    "a PNG cut in half": (PNG[: len(PNG) // 2], DamagedDocument),
    "a PNG of wrong bytes": (PNG[:200] + b"\xff" * 50 + PNG[250:], DamagedDocument),
    "a JPEG cut in half": (JPEG[: len(JPEG) // 2], DamagedDocument),
    "a JPEG's first bytes": (JPEG[:20], DamagedDocument),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_the_door_by_its_name(tmp_path: Path, case: str) -> None:
    data, error = REFUSED[case]
    started = time.monotonic()
    with pytest.raises(error) as refusal:
        inspect(put(tmp_path, "upload", data), name="报价单.pdf")
    assert time.monotonic() - started < 5
    for language in ("zh", "en"):
        assert "报价单.pdf" in refusal.value.text(language)


@pytest.mark.parametrize("case", [case for case in REFUSED if case != "zero bytes"])
def test_refused_at_the_drawing_too(tmp_path: Path, case: str) -> None:
    data, _ = REFUSED[case]
    with pytest.raises(DocumentError):
        to_fax_tiff([put(tmp_path, "upload", data)], tmp_path / "fax.tif")
    assert not (tmp_path / "fax.tif").exists()


def test_a_tiff_cut_at_each_directory_is_damaged(tmp_path: Path) -> None:
    offset = struct.unpack_from("<I", TIFF, 4)[0]
    cuts = []
    while offset:
        entries = struct.unpack_from("<H", TIFF, offset)[0]
        end = offset + 2 + 12 * entries
        cuts += [offset, offset + 1, offset + 2 + 12 * (entries // 2), end, end + 3]
        offset = struct.unpack_from("<I", TIFF, end)[0]
    assert len(cuts) == 15
    for cut in cuts:
        with pytest.raises(DamagedDocument):
            inspect(put(tmp_path, "cut.tif", TIFF[:cut]), name="cut.tif")


@pytest.mark.parametrize(
    ("name", "data", "kind", "pages"),
    [
        ("letter.txt", pdf(3), Kind.PDF, 3),
        ("letter.pdf", TIFF, Kind.TIFF, 3),
        ("photo.png", JPEG, Kind.JPEG, 1),
        ("scan.jpg", PNG, Kind.PNG, 1),
        ("程序.exe", "其实是一封信".encode("gb18030"), Kind.TEXT, 1),
    ],
)
def test_the_content_decides_and_not_the_name(tmp_path: Path, name: str, data: bytes, kind: Kind, pages: int) -> None:
    found = inspect(put(tmp_path, "upload", data), name=name)
    assert (found.kind, found.pages) == (kind, pages)


def test_bytes_behind_a_pdfs_end_are_forgiven(tmp_path: Path) -> None:
    assert inspect(put(tmp_path, "upload", pdf(2) + b"\0" * 3000), name="a.pdf").pages == 2


def test_the_pages_of_all_files_together_are_limited(tmp_path: Path) -> None:
    sources = [put(tmp_path, f"{index}", pdf(101, content="0 0 1 1 re f")) for index in range(2)]
    with pytest.raises(TooManyPages, match=r"“second\.pdf”"):
        to_fax_tiff(sources, tmp_path / "fax.tif", names=["first.pdf", "second.pdf"])


def test_a_drawing_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netfax.documents.convert.CONVERT_SECONDS", 1.0)
    shades = "\n".join(f"/a gs {index % 9 / 9} g 0 0 595 842 re f" for index in range(60_000))
    slow = put(tmp_path, "slow", pdf(100, content=shades))
    started = time.monotonic()
    with pytest.raises(DocumentError) as refusal:
        to_fax_tiff([slow], tmp_path / "fax.tif", names=["slow.pdf"])
    assert refusal.value.code == "document_too_heavy"
    assert time.monotonic() - started < 10


def test_a_text_fetches_nothing_and_shows_its_markup(tmp_path: Path) -> None:
    letter_of_markup = b"dear sir <img src='file:///etc/passwd'> &lt; <style>@import url(http://127.0.0.1:9)</style>"
    assert to_fax_tiff([put(tmp_path, "markup", letter_of_markup)], tmp_path / "fax.tif").pages == 1


def test_every_error_reads_in_both_languages() -> None:
    for error in WORKER_ERRORS.values():
        assert error(name="a.pdf").text("en").endswith(".")
        assert error(name="a.pdf").text("zh").endswith("。")


def test_the_asking_side_loads_no_decoder() -> None:
    modules = "netfax.documents.inspect, netfax.documents.convert, netfax.documents.preview, netfax.documents.tiffwrite"
    check = (
        f"import sys, {modules}; print([m for m in ('PIL', 'pypdfium2', 'weasyprint', 'numpy') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert said.stdout.strip() == "[]"
