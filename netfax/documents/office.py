"""Office documents to PDF by LibreOffice, each in a sandbox, a process and a profile of its own."""

from pathlib import Path
from typing import BinaryIO

from netfax.documents import sandbox, workshop
from netfax.documents.errors import DamagedDocument
from netfax.documents.kinds import OFFICE, Kind
from netfax.documents.limits import OFFICE_MEMORY, OFFICE_OUTPUT_BYTES

PYTHON = "/usr/bin/python3"  # the system's own: LibreOffice's bridge (python3-uno) belongs to it
DRIVER = Path(__file__).with_name("office_driver.py")
# What LibreOffice reads beside /usr.
SETTINGS = Path("/etc/libreoffice")
NOT_OPENED = 3  # the driver's own exit status


def to_pdf(source: Path, out: BinaryIO, kind: Kind, *, name: str, timeout: float) -> None:
    """Write the document's pages as a PDF to the open file, at most one page more than a fax may have.

    Sheets that are somewhat wider than the paper are turned or shrunk to it. Macros are not run, links not followed.
    Raises DamagedDocument when LibreOffice can't open it, TooHeavy at the limit of time, NotDrawable when LibreOffice
    died, DocumentsClosed when there is no sandbox.
    """
    if kind not in OFFICE:
        raise ValueError(f"{kind} is no office document")
    with workshop.named_faults([name]):
        try:
            sandbox.run(
                [PYTHON, "-I", str(DRIVER), str(out.fileno()), kind.value],
                timeout=timeout,
                memory=OFFICE_MEMORY,
                inputs=[source],
                outputs=[out],
                readable=[DRIVER, workshop.FONTS, SETTINGS],
                environment={"FONTCONFIG_FILE": str(workshop.FONTS)},
                max_output=OFFICE_OUTPUT_BYTES,
            )
        except sandbox.ProgramFailed as failure:
            if failure.status == NOT_OPENED:
                raise DamagedDocument(name=name) from failure
            raise
