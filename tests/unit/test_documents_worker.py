"""What the worker makes of the documents of one run: which attachments it takes, and that none spoils another."""

import os
import subprocess
import sys
import zipfile
from email.message import EmailMessage
from email.policy import SMTP
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from netfax.documents import worker
from netfax.documents.containers import kind_in_archive
from netfax.documents.errors import DamagedDocument, EncryptedDocument, Refusal
from netfax.documents.look import USUAL
from tests.fixtures.documents.build import encrypted_pdf, pdf, put, saved

LINE = "BT /F1 24 Tf 72 700 Td (seen) Tj ET"


def mail_with(**attachments: bytes) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.cn", "b@example.cn", "Offer"
    mail.set_content("the body")
    for name, data in attachments.items():
        mail.add_attachment(data, maintype="application", subtype="octet-stream", filename=name.replace("_", "."))
    return mail.as_bytes(policy=SMTP)


def unpacked(mail: bytes, folder: Path) -> dict[str, bytes]:
    """The parts of a mail by their names."""
    targets = [folder / str(number) for number in range(10)]
    outputs = [str(os.open(target, os.O_RDWR | os.O_CREAT)) for target in targets]
    answer = worker.unpack(worker.Job([BytesIO(mail)]), *outputs)
    for unused in outputs[len(names := list(map(str, answer["parts"]))) :]:  # type: ignore[call-overload]
        os.close(int(unused))
    return {name: target.read_bytes() for name, target in zip(names, targets, strict=False)}


def drawn(files: list[bytes], folder: Path) -> worker.Answer:
    out = str(os.open(folder / "fax.tif", os.O_RDWR | os.O_CREAT))
    return worker.convert(
        worker.Job([BytesIO(data) for data in files]), out, "0", "1", "9", USUAL.resolution, USUAL.mode
    )


def archive(**members: str) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


def test_attachments_that_are_no_documents_are_named_and_the_fax_is_drawn_all_the_same(tmp_path: Path) -> None:
    left_out = {
        "pack_zip": archive(letter="words"),
        "cut_docx": b"PK\3\4 and no more",
        "data_bin": b"\1\2\3\0\xff\xfe" * 99,
        "print_ps": b"%!PS-Adobe-3.0\nshowpage",
        "empty_pdf": b"",
    }
    found = unpacked(mail_with(offer_pdf=pdf(content=LINE), **left_out), tmp_path)
    assert list(found) == ["mail", "offer.pdf"]
    assert "Not faxed: pack.zip, cut.docx, data.bin, print.ps, empty.pdf<" in found["mail"].decode()
    answer = drawn(list(found.values()), tmp_path)
    assert (answer["pages"], answer["inked"]) == (2, [0, 1])


def test_what_a_password_shuts_stays_a_document_and_is_refused_by_its_name(tmp_path: Path) -> None:
    shut = archive(
        mimetype="application/vnd.oasis.opendocument.text", **{"META-INF/manifest.xml": "<encryption-data/>"}
    )
    found = unpacked(mail_with(shut_pdf=encrypted_pdf(), shut_odt=shut), tmp_path)
    assert found == {"mail": found["mail"], "shut.pdf": encrypted_pdf(), "shut.odt": shut}
    assert "Not faxed" not in found["mail"].decode()
    for data in (encrypted_pdf(), shut):
        with pytest.raises(Refusal) as caught:
            drawn([found["mail"], data], tmp_path)
        assert caught.value.error is EncryptedDocument


# In a process of its own: WeasyPrint tells Pillow to take cut pictures for whole when it is imported, which is once.
DRAW = """
import sys
from netfax.documents import worker
from netfax.documents.errors import Refusal
try:
    worker.convert(worker.Job([open(path, "rb") for path in sys.argv[2:]]), sys.argv[1], "0", "1", "9", "fine", "text")
except Refusal as refusal:
    print(refusal.error.code)
"""


@pytest.mark.parametrize("written", [b"words", b"<!doctype html><p>words"])
def test_a_damaged_picture_is_refused_beside_what_weasyprint_sets(written: bytes, tmp_path: Path) -> None:
    whole = saved(Image.radial_gradient("L").resize((900, 900)), "PNG")
    files = [put(tmp_path, "written", written), put(tmp_path, "cut.png", whole[: len(whole) // 2])]
    with (tmp_path / "fax.tif").open("w+b") as out:
        said = subprocess.run(
            [sys.executable, "-c", DRAW, str(out.fileno()), *map(str, files)],
            pass_fds=[out.fileno()],
            capture_output=True,
            text=True,
            check=True,
        )
    assert said.stdout.strip() == "document_damaged"


def test_an_archive_whose_packed_bytes_are_broken_is_damaged() -> None:
    held = BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types>" + "office document " * 99)
    data = bytearray(held.getvalue())
    begin = 30 + len("[Content_Types].xml")
    data[begin : begin + 8] = b"\xff" * 8
    with pytest.raises(Refusal) as refused:
        kind_in_archive(bytes(data))
    assert refused.value.error is DamagedDocument
