"""Mails and web archives as the documents that they are made of. Only in the worker.

A mail is one document with a head as mail programs print it, and then its attachments in their order. Its fields are
read here and not by the standard library's parser of them, which malformed fields upset.
"""

import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from email.utils import parsedate_to_datetime
from functools import partial
from io import BytesIO

from PIL import Image

from netfax.documents.errors import EmptyFile, EncryptedDocument, Refusal, TooHeavy
from netfax.documents.limits import MAX_MAIL_PARTS
from netfax.documents.markuptext import decoded_words, text_of
from netfax.documents.picture import DECODER_FAULTS
from netfax.documents.sendershtml import Companion, Rewritten, Shown, composed, from_text, says, unflowed

HEAD_WITHIN = 64 * 1024
FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
KNOWN_FIELDS = frozenset(
    (
        *(b"from", b"to", b"cc", b"bcc", b"subject", b"date", b"reply-to", b"sender", b"message-id", b"received"),
        *(b"mime-version", b"content-type", b"content-transfer-encoding", b"return-path", b"delivered-to"),
    )
)
# Fields of a mail that was sent: a web archive has none of them.
SENT_FIELDS = ("to", "cc", "received", "message-id", "return-path", "reply-to")
MOST_PARTS = 1_000
DEEPEST = 20
LONGEST_FIELD = 500
LONGEST_NAME = 200
# What the standard library's reader of a mail ends with on parameters and codings that lie.
MAIL_FAULTS = (MessageError, LookupError, ValueError, TypeError, AttributeError, binascii.Error)

PGP_MESSAGE = "-----BEGIN PGP MESSAGE-----"

WORDS = ("text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown")
# Other ways to say what the mail says in its words.
RESTATED = (*WORDS, "text/x-amp-html", "text/watch-html")
PKCS7 = ("application/pkcs7-mime", "application/x-pkcs7-mime")
NOT_FAXED_KINDS = frozenset(
    (
        *("text/calendar", "application/ics", "text/vcard", "text/x-vcard", "text/directory"),
        *("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature", *PKCS7),
        *("application/pgp-keys", "application/ms-tnef", "application/vnd.ms-tnef", "application/x-msdownload"),
        *("message/delivery-status", "message/disposition-notification", "message/external-body"),
    )
)
NOT_FAXED_NAME = re.compile(
    # Programs, sound, films; calendars, visiting cards, signatures, what Outlook tells itself.
    r"\.(exe|dll|com|scr|pif|bat|cmd|msi|msp|cpl|js|jse|vbs|vbe|wsf|hta|ps1|sh|jar|apk|app|dmg|lnk|reg|deb|rpm"
    r"|mp3|wav|wma|amr|m4a|aac|ogg|flac|mid|mp4|m4v|avi|mov|wmv|mkv|flv|rmvb|rm|3gp|mpe?g|webm"
    r"|ics|vcf|vcs|p7[cms])$|^winmail\.dat$",
    re.IGNORECASE,
)
EXECUTABLE = re.compile(rb"\x7fELF|\xcf\xfa\xed\xfe|MZ[\0-\xff]{0,64}\0\0")
PIXEL = 2


@dataclass(frozen=True)
class Part:
    """One document of a mail: the mail itself, or an attachment under its own name."""

    name: str
    data: bytes


def is_mail(data: bytes) -> bool:
    """Whether it begins with fields of a mail, of which two at least are well known; also a web archive (MHTML)."""
    known: set[bytes] = set()
    for number, line in enumerate(_from_its_fields(data[:HEAD_WITHIN]).splitlines()):
        if number and line[:1] in (b" ", b"\t"):
            continue
        if not (found := FIELD.match(line)):
            break
        known |= {found[1].lower()} & KNOWN_FIELDS
    return len(known) >= 2


def parts(data: bytes, *, is_document: Callable[[bytes], bool] = lambda _: True) -> list[Part]:
    """The documents of a mail in the order in which they are faxed: itself as HTML in UTF-8, then its attachments.

    A mail that is attached becomes its own documents; one that is attached to that is only named. Pictures that the
    mail shows in its words are in its HTML. What isn't faxed is named at the end of the mail, and so is an attachment
    that `is_document` says is none; about attached mails it is not asked.

    Raises Refusal: EncryptedDocument, EmptyFile, TooHeavy for too many or too deep parts.
    """
    try:
        message = _parsed_mail(data)
        found = _archived(message) if _is_archive(message) else _documents(message, "mail", is_document)
    except RecursionError as depth:
        raise Refusal(TooHeavy) from depth
    if len(found) > MAX_MAIL_PARTS:
        raise Refusal(TooHeavy)
    return found


class _AsWritten(Compat32):
    """Fields as they were written, those in plain Chinese too, which no standard allows and many programs send."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        if not value.isascii():
            value = text_of(value.encode("utf-8", "surrogateescape"))
        if name.lower() == "content-transfer-encoding":
            return re.split(r"[\s;(]", value.strip(), maxsplit=1)[0]
        return value


def _from_its_fields(data: bytes) -> bytes:
    """The mail without blank lines and the line of a mailbox before it."""
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    return re.sub(rb"\A>?From [^\n]*\n", b"", data, count=1)


def _parsed_mail(data: bytes) -> Message:
    message = BytesParser(policy=_AsWritten()).parsebytes(_from_its_fields(data))
    waiting = [(message, 0)]
    for _ in range(MOST_PARTS):
        part, depth = waiting.pop()
        if depth > DEEPEST:
            raise Refusal(TooHeavy)
        waiting.extend((inner, depth + 1) for inner in _inner(part))
        if not waiting:
            return message
    raise Refusal(TooHeavy)


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload() if part.is_multipart() else []
    return [inner for inner in payload if isinstance(inner, Message)]


# What a part says of itself.


def _kind(part: Message) -> str:
    return part.get_content_type()


def _parameter(part: Message, field_name: str, name: str) -> str:
    try:
        values = [value for key, value in part.get_params([], header=field_name) if key.lower() == name]
    except MAIL_FAULTS:
        return ""
    # RFC 2231: a coding, a language, and the bytes of the value as Latin-1. Who can write it means it.
    for value in values:
        if isinstance(value, tuple):
            return text_of(value[2].encode("latin-1", "replace"), value[0] or None)
    return values[0] if values else ""


def _name(part: Message) -> str:
    """The name of the file, without folders and controls; empty when it has none."""
    name = _parameter(part, "content-disposition", "filename") or _parameter(part, "content-type", "name")
    name = decoded_words(name).replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, name)).strip()[-LONGEST_NAME:]


def _content(part: Message) -> bytes:
    try:
        content = part.get_payload(decode=True)
    except MAIL_FAULTS:
        content = None
    return content if isinstance(content, bytes) else b""


def _text(part: Message) -> str:
    return text_of(_content(part), _parameter(part, "content-type", "charset") or None)


def _field(message: Message, name: str) -> str:
    value = ", ".join(filter(None, (decoded_words(str(value)) for value in message.get_all(name, []))))
    return value if len(value) <= LONGEST_FIELD else value[:LONGEST_FIELD] + "…"


def _date(message: Message) -> str:
    written = _field(message, "date")
    try:
        return parsedate_to_datetime(written).strftime("%Y-%m-%d %H:%M %z").strip()
    except MAIL_FAULTS:
        return written


# A mail and its parts.


def _leaves(part: Message) -> Iterator[tuple[Message, bool]]:
    """The parts that hold something, in their order, and of each whether it may be the words of the mail."""
    kind, inner = _kind(part), _inner(part)
    if kind == "multipart/encrypted":
        raise Refusal(EncryptedDocument)
    if not inner or kind.startswith("message/"):
        # What should have parts and has none is shown as it is.
        yield part, kind.startswith("multipart/") or (kind in WORDS and not _is_file(part))
    elif kind == "multipart/alternative":
        # The last of equals is the best, as the sender sees it.
        best = max(range(len(inner)), key=lambda index: (_richness(inner[index]), index))
        for index, choice in enumerate(inner):
            for leaf, is_words in _leaves(choice):
                if index == best:
                    yield leaf, is_words
                elif _kind(leaf) not in RESTATED or _is_file(leaf):
                    yield leaf, False
    elif kind == "multipart/related":
        root = _root(part, inner)
        for choice in inner:
            for leaf, is_words in _leaves(choice):
                yield leaf, is_words and choice is root
    else:
        for choice in inner:
            yield from _leaves(choice)


def _richness(part: Message) -> int:
    kinds = {_kind(inner) for inner in part.walk() if not _is_file(inner)}
    return 2 if "text/html" in kinds else 1 if not kinds.isdisjoint(WORDS) else 0


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment"


def _root(part: Message, inner: Sequence[Message]) -> Message:
    start = _parameter(part, "content-type", "start").strip("<> ")
    return next((one for one in inner if start and _content_id(one) == start), inner[0])


def _content_id(part: Message) -> str:
    return str(part.get("content-id", "")).strip().strip("<>")


def _location(part: Message) -> str:
    return decoded_words(str(part.get("content-location", ""))).replace(" ", "")


def _companion(part: Message) -> Companion:
    return Companion(_content_id(part), _location(part), _kind(part), partial(_content, part), partial(_text, part))


@dataclass
class _Found:
    """What a mail has: its words as HTML, the documents to be faxed, and the names of what isn't."""

    words: list[str] = field(default_factory=list)
    documents: list[Part] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def _documents(
    message: Message, name: str, is_document: Callable[[bytes], bool], *, attached: bool = False
) -> list[Part]:
    """A mail as its documents, the first of them itself; `attached` when it is one in another."""
    if _kind(message) in PKCS7:
        raise Refusal(EncryptedDocument)
    leaves = list(_leaves(message))
    companions = {part: _companion(part) for part, _ in leaves}
    shown = Shown(companions.values())
    found = _Found()
    files: list[Message] = []
    for part, is_words in leaves:
        if is_words and not (found.words and _name(part)):
            found.words.append(_words(part, shown, len(found.words)))
        else:
            files.append(part)
    for number, part in enumerate((part for part in files if not shown.has(companions[part])), start=1):
        name_of_part = _name(part) or f"attachment {number}"
        if shown.misses(companions[part]):
            found.left_out.append(name_of_part)
        else:
            _attach(part, name_of_part, found, is_document, nested=attached)
    said = [words for words in found.words if says(words)]
    subject = _field(message, "subject")
    if not (subject or said or found.documents or found.left_out):
        raise Refusal(EmptyFile)
    fields = [_field(message, "from"), _field(message, "to"), _field(message, "cc"), _date(message), subject]
    written = composed(fields, said, found.attached, found.left_out)
    return [Part(name, written.encode("utf-8", "replace")), *found.documents]


def _words(part: Message, shown: Shown, number: int) -> str:
    text = _text(part)
    if _kind(part) == "text/html":
        return Rewritten(f"sender{number}", shown.finder(_location(part))).inside(text)
    if text.lstrip().startswith(PGP_MESSAGE):
        raise Refusal(EncryptedDocument)
    if _parameter(part, "content-type", "format").lower() == "flowed":
        text = unflowed(text, _parameter(part, "content-type", "delsp").lower() == "yes")
    return from_text(text)


def _attach(part: Message, name: str, found: _Found, is_document: Callable[[bytes], bool], *, nested: bool) -> None:
    """Add an attachment to what is faxed or to what is named only."""
    mail = _mail_in(part)
    content = b"" if mail is not None else _content(part)
    if mail is None and not _is_left_out(_kind(part), name, content) and is_document(content):
        documents = [Part(name, content)]
    elif mail is None or nested:
        documents = []
    else:
        try:
            documents = _documents(mail, name, is_document, attached=True)
        except Refusal as refusal:
            if refusal.error is TooHeavy:
                raise
            documents = []
    found.documents += documents
    (found.attached if documents else found.left_out).append(name)


def _mail_in(part: Message) -> Message | None:
    """The mail that is attached, also where it is sent as a file or encoded."""
    if _kind(part) == "message/rfc822":
        inner = _inner(part)
        if not inner:
            return None
        if inner[0].keys() or part.get("content-transfer-encoding", "").lower() not in ("base64", "quoted-printable"):
            return inner[0]
        inner[0]["Content-Transfer-Encoding"] = part["content-transfer-encoding"]
        content = _content(inner[0])
    else:
        content = _content(part) if _name(part).lower().endswith(".eml") else b""
    return _parsed_mail(content) if is_mail(content) else None


def _is_left_out(kind: str, name: str, content: bytes) -> bool:
    return (
        kind.startswith(("audio/", "video/"))
        or kind in NOT_FAXED_KINDS
        or NOT_FAXED_NAME.search(name) is not None
        or not content.strip()
        or EXECUTABLE.match(content) is not None
        or _is_pixel(content)
    )


def _is_pixel(content: bytes) -> bool:
    """Whether it is a picture by which a sender learns that the mail was opened."""
    try:
        with Image.open(BytesIO(content)) as image:
            return max(image.size) <= PIXEL
    except DECODER_FAULTS:
        return False


# Web archives.


def _is_archive(message: Message) -> bool:
    """Whether it is a web page as browsers and office programs save it in one file, and no mail."""
    return (
        (_kind(message) == "multipart/related" or (_kind(message) == "text/html" and "subject" not in message))
        and "mime-version" in message
        and not any(name in message for name in SENT_FIELDS)
        and "@" not in _field(message, "from")
    )


def _archived(message: Message) -> list[Part]:
    leaves = list(_leaves(message))
    shown = Shown(_companion(part) for part, _ in leaves)
    page = next((part for part, is_words in leaves if is_words), None)
    if page is None:
        raise Refusal(EmptyFile)
    pages = [page]
    if re.search(r"<frameset\b", _text(page), re.IGNORECASE):
        # The sheets of a workbook: the first page only says where they are.
        pages = [part for part, _ in leaves if _kind(part) == "text/html" and part is not page] or pages
    name = _field(message, "subject")[:LONGEST_NAME] or "page"
    written = (Rewritten("", shown.finder(_location(one) or _location(message))).whole(_text(one)) for one in pages)
    return [Part(name, one.encode("utf-8", "replace")) for one in written]
