"""The kinds of files that become a fax; each one's value is the usual ending of its name."""

from enum import StrEnum


class Kind(StrEnum):
    PDF = "pdf"
    TIFF = "tiff"
    PNG = "png"
    JPEG = "jpeg"
    GIF = "gif"
    BMP = "bmp"
    WEBP = "webp"
    TEXT = "txt"
    HTML = "html"
    MAIL = "eml"
    DOC = "doc"
    DOCX = "docx"
    XLS = "xls"
    XLSX = "xlsx"
    PPT = "ppt"
    PPTX = "pptx"
    ODT = "odt"
    ODS = "ods"
    ODP = "odp"
    RTF = "rtf"
    # Documents of Office 2003 and of LibreOffice as one XML file.
    OFFICE_XML = "xml"


PICTURES = frozenset({Kind.TIFF, Kind.PNG, Kind.JPEG, Kind.GIF, Kind.BMP, Kind.WEBP})
# LibreOffice makes a PDF of these first.
OFFICE = frozenset(
    {Kind.DOC, Kind.DOCX, Kind.XLS, Kind.XLSX, Kind.PPT, Kind.PPTX, Kind.ODT, Kind.ODS, Kind.ODP, Kind.RTF}
    | {Kind.OFFICE_XML}
)
