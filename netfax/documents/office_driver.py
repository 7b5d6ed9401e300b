"""Runs in the sandbox beside LibreOffice: opens one document, fits its sheets to the paper, writes it as a PDF.

`/usr/bin/python3 office_driver.py FD ENDING`: the document in `/in/0`, the PDF to the open file FD. It runs on the
system's Python, to which LibreOffice's own bridge belongs, and so it imports nothing of NetFax. Exit status 3: the
document can't be opened. Nothing of a document is run or fetched: macros are off, links are not followed.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.connection import NoConnectException
from com.sun.star.lang import DisposedException, IllegalArgumentException
from com.sun.star.task import ErrorCodeIOException

SOFFICE = "/usr/lib/libreoffice/program/soffice.bin"
FOLDER = Path("/tmp/office")  # noqa: S108 - the sandbox's own
NOT_OPENED = 3
# How LibreOffice ends when it wants to be started again.
AGAIN = 81
STARTS_WITHIN = 30.0
MACROS_NEVER = 0  # com.sun.star.document.MacroExecMode.NEVER_EXECUTE
NO_UPDATE = 0  # com.sun.star.document.UpdateDocMode.NO_UPDATE
EXPORTS = (
    ("com.sun.star.sheet.SpreadsheetDocument", "calc_pdf_Export"),
    ("com.sun.star.presentation.PresentationDocument", "impress_pdf_Export"),
    ("com.sun.star.drawing.DrawingDocument", "draw_pdf_Export"),
    ("com.sun.star.text.WebDocument", "writer_web_pdf_Export"),
    ("com.sun.star.text.TextDocument", "writer_pdf_Export"),
)
# One page more than a fax may have, so that too many are noticed and a million are not written.
PAGES = "1-201"
# A sheet that is wider than the paper is turned, if that saves it from shrinking below this …
TURNED_BELOW = 0.85
# … and shrinks down to this. What would be smaller can't be read, and stays on several pages beside each other.
SMALLEST = 0.4
# The settings of every run: nothing is asked, nothing of the document acts, the paper is A4.
SETTINGS = (
    ("/org.openoffice.Office.Common/Misc", "FirstRun", "boolean", "false"),
    ("/org.openoffice.Office.Common/Security/Scripting", "MacroSecurityLevel", "int", "3"),
    ("/org.openoffice.Office.Common/Security/Scripting", "DisableMacrosExecution", "boolean", "true"),
    ("/org.openoffice.Office.Common/Security/Scripting", "BlockUntrustedRefererLinks", "boolean", "true"),
    ("/org.openoffice.Office.Common/Load", "UpdateDocMode", "int", "0"),
    ("/org.openoffice.Office.Writer/Content/Update", "Link", "int", "0"),
    ("/org.openoffice.Office.Calc/Content/Update", "Link", "int", "2"),
    ("/org.openoffice.Office.Calc/Formula/Load", "OOXMLRecalcMode", "int", "1"),
    ("/org.openoffice.Office.Calc/Formula/Load", "ODFRecalcMode", "int", "1"),
    ("/org.openoffice.Setup/Office", "ooSetupInstCompleted", "boolean", "true"),
    ("/org.openoffice.Setup/L10N", "ooSetupSystemLocale", "string", "zh-CN"),
)


def main(descriptor: str, ending: str) -> int:
    """Write the document of `/in/0` as a PDF to the open file."""
    document = FOLDER / f"document.{ending}"
    write_profile(FOLDER / "profile")
    shutil.copyfile("/in/0", document)
    office = Office()
    try:
        desktop = office.connect()
        opened = open_document(desktop, document)
        if opened is None:
            return NOT_OPENED
        made = FOLDER / "document.pdf"
        export(opened, made)
        with made.open("rb") as source, os.fdopen(int(descriptor), "wb") as out:
            shutil.copyfileobj(source, out)
    except (ErrorCodeIOException, IllegalArgumentException, DisposedException) as fault:
        print(fault, file=sys.stderr)
        return NOT_OPENED
    finally:
        office.kill()
    return 0


def write_profile(folder: Path) -> None:
    items = "".join(
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse" oor:type="xs:{kind}"><value>{value}</value>'
        "</prop></item>"
        for path, name, kind, value in SETTINGS
    )
    user = folder / "user"
    user.mkdir(parents=True)
    # Without the number of its build, LibreOffice would sort out its extensions and want to be started again.
    (user / "extensions").mkdir()
    (user / "extensions" / "buildid").write_text(build_id())
    (user / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry"'
        ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"{items}</oor:items>"
    )


def build_id() -> str:
    version = (Path(SOFFICE).parent / "versionrc").read_text()
    return next(line.removeprefix("buildid=") for line in version.splitlines() if line.startswith("buildid="))


class Office:
    """LibreOffice at work on this document alone."""

    def __init__(self) -> None:
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        options = ("--headless", "--invisible", "--norestore", "--nologo", "--nodefault", "--nolockcheck")
        return subprocess.Popen(
            [SOFFICE, *options, "--accept=pipe,name=netfax;urp", f"-env:UserInstallation=file://{FOLDER}/profile"],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            env={**os.environ, "SAL_USE_VCLPLUGIN": "svp"},
        )

    def connect(self) -> Any:
        """The desktop, as soon as it answers."""
        local = uno.getComponentContext()
        resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
        given_up = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < given_up:
            try:
                context = resolver.resolve("uno:pipe,name=netfax;urp;StarOffice.ComponentContext")
                return context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
            except NoConnectException:
                if self._process.poll() == AGAIN:
                    self._process = self._start()
                elif self._process.poll() is not None:
                    break
                time.sleep(0.02)
        raise SystemExit(f"LibreOffice does not start: {self._process.poll()}")

    def kill(self) -> None:
        self._process.kill()


def properties(**values: object) -> tuple[Any, ...]:
    return tuple(PropertyValue(name, 0, value, 0) for name, value in values.items())


def open_document(desktop: Any, path: Path) -> Any:
    how = properties(
        Hidden=True, ReadOnly=True, MacroExecutionMode=MACROS_NEVER, UpdateDocMode=NO_UPDATE, AsTemplate=False
    )
    return desktop.loadComponentFromURL(path.as_uri(), "_blank", 0, how)


def export(document: Any, target: Path) -> None:
    name = next((name for service, name in EXPORTS if document.supportsService(service)), None)
    if name is None:
        raise IllegalArgumentException("a document without pages", None, 0)
    if name == "calc_pdf_Export":
        fit_sheets(document)
    data = properties(
        PageRange=PAGES,
        ReduceImageResolution=True,
        MaxImageResolution=300,
        Quality=90,
        ExportFormFields=False,
        ExportBookmarks=False,
        UseTaggedPDF=False,
        IsSkipEmptyPages=True,
    )
    filter_data = uno.Any("[]com.sun.star.beans.PropertyValue", data)
    document.storeToURL(target.as_uri(), properties(FilterName=name, FilterData=filter_data))


def fit_sheets(document: Any) -> None:
    """Sheets that are wider than their paper come to stand on its width, as people print them for a fax."""
    styles = document.StyleFamilies.getByName("PageStyles")
    for index in range(document.Sheets.Count):
        sheet = document.Sheets.getByIndex(index)
        style = styles.getByName(sheet.PageStyle)
        if sheet.IsVisible and not (style.ScaleToPages or style.ScaleToPagesX or style.ScaleToPagesY):
            fit_sheet(sheet, style)


def fit_sheet(sheet: Any, style: Any) -> None:
    scale = room(style) / max(1, printed_width(sheet) * style.PageScale / 100)
    if scale >= 1:
        return
    if scale < TURNED_BELOW and style.Width < style.Height:
        style.IsLandscape, style.Width, style.Height = True, style.Height, style.Width
        scale = room(style) / max(1, printed_width(sheet) * style.PageScale / 100)
    if SMALLEST <= scale < 1:
        style.ScaleToPagesX, style.ScaleToPagesY = 1, 0


def room(style: Any) -> float:
    """The width of the paper between its margins, in hundredths of a millimetre."""
    return float(style.Width - style.LeftMargin - style.RightMargin)


def printed_width(sheet: Any) -> float:
    """The width of what a sheet prints, in hundredths of a millimetre."""
    areas = sheet.getPrintAreas()
    if areas:
        return max(float(sheet.getCellRangeByPosition(a.StartColumn, 0, a.EndColumn, 0).Size.Width) for a in areas)
    cursor = sheet.createCursor()
    cursor.gotoEndOfUsedArea(False)
    return float(sheet.getCellRangeByPosition(0, 0, cursor.RangeAddress.EndColumn, 0).Size.Width)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
