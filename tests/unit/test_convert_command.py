"""`netfax convert`: files to pages, and what it says of each."""

import json
from pathlib import Path

import pytest

from netfax.documents.tiff import whole_pages
from tests.fixtures.documents.build import pdf, put
from tests.unit.command_line import run


def test_each_file_has_its_pages_or_its_reason(tmp_path: Path) -> None:
    good, bad = put(tmp_path, "good.pdf", pdf(2)), put(tmp_path, "bad.pdf", b"%PDF-1.4 cut off")
    done = run("convert", str(good), str(bad), str(tmp_path / "none.pdf"), "--out", str(tmp_path / "out"), "--json")
    assert done.exit_code == 1
    first, second, third = json.loads(done.stdout)
    assert (first["kind"], first["pages"], first["error"]) == ("pdf", 2, None)
    pages = whole_pages(Path(first["tiff"]))
    assert first["bytes"] == sum(page.bytes for page in pages)
    assert [page.dpi for page in pages] == [(204.0, 196.0)] * 2
    assert (second["error"], second["pages"], second["tiff"]) == ("document_damaged", None, None)
    assert "“bad.pdf” is damaged" in second["reason"]
    assert third["error"] == "no_such_file"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.pdf.tif"]


def test_files_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    for folder, pages in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        put(tmp_path / folder, "fax.pdf", pdf(pages))
    files = [str(tmp_path / folder / "fax.pdf") for folder in "ab"]
    assert run("convert", *files, "--out", str(tmp_path)).exit_code == 0
    assert [len(whole_pages(tmp_path / name)) for name in ("fax.pdf.tif", "fax.pdf-2.tif")] == [1, 2]


@pytest.mark.parametrize(("resolution", "lines"), [("standard", 98), ("fine", 196), ("superfine", 392)])
def test_the_resolution_is_that_of_the_pages(tmp_path: Path, resolution: str, lines: int) -> None:
    file = put(tmp_path, "a.pdf", pdf())
    assert run("convert", str(file), "--out", str(tmp_path), "--resolution", resolution).exit_code == 0
    (page,) = whole_pages(tmp_path / "a.pdf.tif")
    assert (page.width, page.dpi) == (1728, (204.0, lines))
    assert page.rows == pytest.approx(297 / 25.4 * lines, abs=1)


def test_a_reason_is_a_line_of_its_own(tmp_path: Path) -> None:
    done = run("convert", str(put(tmp_path, "a.ps", b"%!PS\nshowpage")), "--out", str(tmp_path))
    assert (done.exit_code, done.stderr) == (1, "")
    (line,) = done.stdout.splitlines()
    assert line.endswith("Save it as a PDF and send that.")
