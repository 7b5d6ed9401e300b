"""Compound files (OLE2) and ZIP archives: which office document lies in one, and whether a password shuts it.

Only in the worker: it needs olefile. Nothing is unpacked but small parts whose size was looked at first.
"""

import re
import struct
import zipfile
import zlib
from io import BytesIO

import olefile

from netfax.documents.errors import (
    ArchiveNotDocument,
    DamagedDocument,
    EncryptedDocument,
    Refusal,
    TooHeavy,
    UnknownKind,
)
from netfax.documents.kinds import Kind
from netfax.documents.limits import MAX_ARCHIVE_BYTES, MAX_ARCHIVE_ENTRIES, MAX_ARCHIVE_RATIO

CONTENT_TYPES = "[Content_Types].xml"
# The main part's type tells a document from a sheet from slides, with or without macros, template or not.
OPEN_XML = (
    (re.compile(rb"wordprocessingml\.(document|template)\.main|ms-word\.(document|template)\.macroEnabled"), Kind.DOCX),
    (re.compile(rb"spreadsheetml\.(sheet|template)\.main|ms-excel\.(sheet|template|addin)\."), Kind.XLSX),
    (re.compile(rb"presentationml\.(presentation|slideshow|template)\.main|ms-powerpoint\."), Kind.PPTX),
)
OPEN_DOCUMENT = (
    (b"application/vnd.oasis.opendocument.text", Kind.ODT),
    (b"application/vnd.oasis.opendocument.spreadsheet", Kind.ODS),
    (b"application/vnd.oasis.opendocument.presentation", Kind.ODP),
    (b"application/vnd.oasis.opendocument.graphics", Kind.ODP),
)
# What is read of an archive's small parts: more than any of them has in an honest file.
SMALL_PART = 4 * 1024 * 1024
# The stream that makes a compound file what it is.
COMPOUND = (
    ("worddocument", Kind.DOC),
    ("workbook", Kind.XLS),
    ("book", Kind.XLS),
    ("powerpoint document", Kind.PPT),
)
# [MS-DOC] 2.5.2: the flags of the FibBase, and fEncrypted among them.
FIB_FLAGS_AT, FIB_ENCRYPTED = 10, 0x0100
# [MS-PPT] 2.3.2: the CurrentUserAtom's token of an encrypted presentation, behind a record header and a size.
PPT_TOKEN_AT, PPT_ENCRYPTED = 12, 0xF3D1C4DF
# [MS-XLS] 2.4.117: a FilePass record follows the first BOF when the book is encrypted.
XLS_BOF, XLS_FILEPASS, XLS_RECORDS_LOOKED_AT = 0x0809, 0x002F, 8


def kind_in_archive(data: bytes) -> Kind:
    """The office document that a ZIP archive is; refused when it is none, shut, damaged, or unpacks to too much."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            _check_sizes(archive)
            names = set(archive.namelist())
            if CONTENT_TYPES in names:
                return _open_xml(_part(archive, CONTENT_TYPES))
            if "mimetype" in names:
                return _open_document(archive, names)
    except (
        zipfile.BadZipFile,
        OSError,
        ValueError,
        NotImplementedError,
        EOFError,
        RuntimeError,
        struct.error,
        zlib.error,
    ) as fault:
        raise Refusal(DamagedDocument) from fault
    raise Refusal(ArchiveNotDocument)


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """By the directory alone; LibreOffice, which may not believe it, has limits of its own in the sandbox."""
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if len(entries) > MAX_ARCHIVE_ENTRIES or unpacked > MAX_ARCHIVE_BYTES:
        raise Refusal(TooHeavy)
    if unpacked > SMALL_PART and unpacked > MAX_ARCHIVE_RATIO * packed:
        raise Refusal(TooHeavy)


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(SMALL_PART)


def _open_xml(content_types: bytes) -> Kind:
    for pattern, kind in OPEN_XML:
        if pattern.search(content_types):
            return kind
    raise Refusal(UnknownKind)


def _open_document(archive: zipfile.ZipFile, names: set[str]) -> Kind:
    said = _part(archive, "mimetype")
    for prefix, kind in OPEN_DOCUMENT:
        if said.startswith(prefix):
            if "META-INF/manifest.xml" in names and b"encryption-data" in _part(archive, "META-INF/manifest.xml"):
                raise Refusal(EncryptedDocument)
            return kind
    raise Refusal(ArchiveNotDocument)


def kind_in_compound(data: bytes) -> Kind:
    """The office document that a compound file is; refused when it is none, shut or damaged."""
    try:
        with olefile.OleFileIO(BytesIO(data)) as compound:
            streams = {"/".join(path).lower() for path in compound.listdir()}
            # How Office stores an Open XML document with a password ([MS-OFFCRYPTO] 1.3).
            if "encryptedpackage" in streams:
                raise Refusal(EncryptedDocument)
            for stream, kind in COMPOUND:
                if stream in streams:
                    if kind in (Kind.DOC, Kind.PPT) and _is_shut(compound, kind, streams):
                        raise Refusal(EncryptedDocument)
                    return kind
    except (OSError, ValueError, IndexError, TypeError, AttributeError, struct.error) as fault:
        raise Refusal(DamagedDocument) from fault
    raise Refusal(UnknownKind)


def _is_shut(compound: olefile.OleFileIO, kind: Kind, streams: set[str]) -> bool:
    if kind is Kind.DOC:
        (flags,) = struct.unpack_from("<H", compound.openstream("WordDocument").read(FIB_FLAGS_AT + 2), FIB_FLAGS_AT)
        return bool(flags & FIB_ENCRYPTED)
    if "current user" not in streams:
        return False
    user = compound.openstream("Current User").read(PPT_TOKEN_AT + 4)
    return len(user) == PPT_TOKEN_AT + 4 and struct.unpack_from("<I", user, PPT_TOKEN_AT)[0] == PPT_ENCRYPTED


def is_shut_book(data: bytes) -> bool:
    """Whether an XLS is encrypted: by a password, or by the one that every program knows (then it opens)."""
    try:
        with olefile.OleFileIO(BytesIO(data)) as compound:
            name = "Workbook" if compound.exists("Workbook") else "Book"
            return XLS_FILEPASS in _first_records(compound.openstream(name).read(4096))
    except (OSError, ValueError, IndexError, TypeError, AttributeError, struct.error):
        return False


def _first_records(stream: bytes) -> list[int]:
    records: list[int] = []
    at = 0
    while len(records) < XLS_RECORDS_LOOKED_AT and at + 4 <= len(stream):
        record, length = struct.unpack_from("<HH", stream, at)
        records.append(record)
        at += 4 + length
    return records if records[:1] == [XLS_BOF] else []


def has_macros(data: bytes, kind: Kind) -> bool:
    """Whether the document brings programs of its own."""
    try:
        if kind in (Kind.DOC, Kind.XLS, Kind.PPT):
            with olefile.OleFileIO(BytesIO(data)) as compound:
                return any("vba" in part.lower() for path in compound.listdir(storages=True) for part in path)
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return any(
                name.lower().endswith("vbaproject.bin") or name.startswith(("Basic/", "Scripts/", "xl/macrosheets/"))
                for name in archive.namelist()
            )
    except (zipfile.BadZipFile, OSError, ValueError, IndexError, TypeError, AttributeError, struct.error):
        return False
