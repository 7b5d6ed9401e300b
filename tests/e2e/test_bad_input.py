"""What a person may get wrong on the command line: one clear sentence, exit code 2, nothing stored, nothing queued."""

from pathlib import Path

import pytest

from tests.e2e.helpers import ALICE
from tests.fixtures.documents.build import encrypted_pdf, tiff_header
from tests.pages import make_tiff
from tests.system import System


@pytest.mark.parametrize("kind", ["program", "encrypted", "empty", "huge", "too large"])
def test_a_file_that_can_not_be_faxed_is_refused(system: System, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "document.pdf"
    match kind:
        case "program":
            file.write_bytes(b"\x7fELF" + bytes(range(256)) * 20)
        case "encrypted":
            file.write_bytes(encrypted_pdf())
        case "empty":
            file.write_bytes(b"")
        case "huge":
            file.write_bytes(tiff_header(65535, 65535))
        case "too large":
            file.write_bytes(b"%PDF-1.7\n" + b"x" * 21_000_000)
    _assert_refused(system, file, "7721001", "document.pdf")


@pytest.mark.parametrize(
    "number", ["77210O1", "7721001@pstn", "7721001&PJSIP/1", "7721001/2", "7721001E80x", "7721001E", "12", "110", ""]
)
def test_a_number_that_is_none_is_refused(system: System, tmp_path: Path, number: str) -> None:
    _assert_refused(system, make_tiff(tmp_path / "a.tif", f"refused {number}"), number, number)


def test_a_user_without_a_number_can_not_send(system: System, tmp_path: Path) -> None:
    done = system.cli("send", make_tiff(tmp_path / "a.tif", "x"), "--to", "7721001", "--user", "admin", check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "Your account has no fax number yet; ask your administrator for one.\n",
    )


def test_too_many_attachments_and_an_unknown_user_are_refused(system: System, tmp_path: Path) -> None:
    files = [make_tiff(tmp_path / f"{number}.tif", "x") for number in range(4)]
    done = system.cli("send", *files, "--to", "7721001", "--user", ALICE, check=False)
    assert (done.returncode, done.stderr) == (2, "A fax takes at most 3 attachments; you chose 4.\n")
    done = system.cli("send", files[0], "--to", "7721001", "--user", "mallory@demo", check=False)
    assert done.returncode == 2
    assert "mallory@demo" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("retry_interval", "5", "10"),
        ("retry_interval", "soon", "whole number"),
        ("nothing", "1", "netfax param list"),
        ("area_code", "111", "111"),
        ("extension_mark", "EE", "one letter"),
    ],
)
def test_a_parameter_out_of_bounds_is_refused_with_what_it_takes(
    system: System, name: str, value: str, word: str
) -> None:
    done = system.cli("param", "set", name, value, check=False)
    assert done.returncode == 2
    assert word in done.stderr


def _assert_refused(system: System, file: Path, number: str, named: str) -> None:
    before = _stored(system)
    done = system.cli("send", file, "--to", number, "--user", ALICE, check=False)
    assert done.returncode == 2
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert not [row for row in system.json("queue", "--user", "admin") if row["to"] == number]
    # Other tests send meanwhile, so that only what this file is can be looked for.
    content = file.read_bytes()
    assert [path for path in _stored(system) - before if content and content == path.read_bytes()] == []


def _stored(system: System) -> set[Path]:
    return {path for path in (system.home / "blobs").rglob("*") if path.is_file() and path.suffix != ".new"}
