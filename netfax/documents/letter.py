"""Mails and web archives as the documents that they are made of. Only in the worker.

A mail is one document with a head as mail programs print it, and then its attachments in their order. Its fields are
read here and not by the standard library's parser of them, which malformed fields upset.

The head and the sender's own HTML are one document, so that a short mail is one page. The sender's styles are written
down anew so that they reach the sender's words only, and the head lies above whatever the sender lays over it.
"""

import base64
import binascii
import html
import quopri
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from email.utils import parsedate_to_datetime
from functools import lru_cache
from io import BytesIO, StringIO
from typing import Any
from urllib.parse import unquote, urljoin

from PIL import Image

from netfax.documents.errors import EmptyFile, EncryptedDocument, Refusal, TooHeavy
from netfax.documents.hypertext import LAYOUT_FAULTS, VOID, is_picture, text_of
from netfax.documents.limits import MAX_MAIL_PARTS
from netfax.documents.picture import DECODER_FAULTS

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
# All pictures of a mail as they are written into its HTML, each as often as it is shown.
MOST_SHOWN = 64 * 1024 * 1024
# What the standard library's reader of a mail ends with on parameters and codings that lie.
MAIL_FAULTS = (MessageError, LookupError, ValueError, TypeError, AttributeError, binascii.Error)

ENCODED_WORD = re.compile(r"=\?([^?*\s]+)(?:\*[^?]*)?\?([bq])\?([^?]*)\?=", re.IGNORECASE)
BETWEEN_WORDS = re.compile(r"(?<=\?=)\s+(?==\?)")
CHINESE = re.compile("[\u3400-\u9fff]")
TAGS = re.compile(r"<style\b.*?</style>|<[^>]*>", re.DOTALL)
CSS_URL = re.compile(r"""url\(\s*("[^"]*"|'[^']*'|[^"'()\s]*)\s*\)""", re.IGNORECASE)
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

LABELS = {
    False: ("From", "To", "Cc", "Date", "Subject", "Attachments", "Not faxed: "),
    True: ("发件人", "收件人", "抄送", "日期", "主题", "附件", "未传真的附件："),
}
SEPARATORS = {False: ", ", True: "，"}
# Above what the sender's words may lay over it, on paper's own white.
ABOVE = "position:relative;z-index:1;background:#fff;color:#000;font:10.5pt/1.5 'Noto Sans CJK SC',sans-serif"
BELOW = "position:relative;z-index:0;display:flow-root"
PLAIN = "white-space:pre-wrap;overflow-wrap:anywhere;font-size:10.5pt;line-height:1.4;margin:0"


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


def parts(data: bytes) -> list[Part]:
    """The documents of a mail in the order in which they are faxed: itself as HTML in UTF-8, then its attachments.

    A mail that is attached becomes its own documents; one that is attached to that is only named. Pictures that the
    mail shows in its words are in its HTML. What isn't faxed is named at the end of the mail.

    Raises Refusal: EncryptedDocument, EmptyFile, TooHeavy for too many or too deep parts.
    """
    try:
        message = _parsed_mail(data)
        found = _archived(message) if _is_archive(message) else _documents(message, "mail", attached=False)
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
    name = _plain(name).replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, name)).strip()[-LONGEST_NAME:]


def _content(part: Message) -> bytes:
    try:
        content = part.get_payload(decode=True)
    except MAIL_FAULTS:
        content = None
    return content if isinstance(content, bytes) else b""


def _text(part: Message) -> str:
    return text_of(_content(part), _parameter(part, "content-type", "charset") or None)


def _plain(value: str) -> str:
    """A field as people read it: its encoded words decoded, on one line."""
    value = BETWEEN_WORDS.sub("", value)
    pieces: list[tuple[str | None, bytes]] = []
    end = 0
    for word in ENCODED_WORD.finditer(value):
        if word.start() > end:
            pieces.append((None, value[end : word.start()].encode("utf-8", "replace")))
        coding, content = word[1].lower(), _encoded(word[2], word[3])
        if pieces and pieces[-1][0] == coding:
            # Programs cut words where they like, in the middle of a character too.
            content = pieces.pop()[1] + content
        pieces.append((coding, content))
        end = word.end()
    pieces.append((None, value[end:].encode("utf-8", "replace")))
    return " ".join("".join(text_of(content, coding or "utf-8") for coding, content in pieces).split())


def _encoded(how: str, text: str) -> bytes:
    if how.lower() == "q":
        return quopri.decodestring(text.encode("utf-8", "replace"), header=True)
    digits = re.sub(r"[^A-Za-z0-9+/]", "", text)
    return base64.b64decode(digits[: len(digits) - (len(digits) % 4 == 1)] + "==")


def _field(message: Message, name: str) -> str:
    value = ", ".join(filter(None, (_plain(str(value)) for value in message.get_all(name, []))))
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


@dataclass
class _Found:
    """What a mail has: its words as HTML, the documents to be faxed, and the names of what isn't."""

    words: list[str] = field(default_factory=list)
    documents: list[Part] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def _documents(message: Message, name: str, *, attached: bool) -> list[Part]:
    """A mail as its documents, the first of them itself; `attached` when it is one in another."""
    if _kind(message) in PKCS7:
        raise Refusal(EncryptedDocument)
    leaves = list(_leaves(message))
    shown = _Shown([part for part, _ in leaves])
    found = _Found()
    files: list[Message] = []
    for part, is_words in leaves:
        if is_words and not (found.words and _name(part)):
            found.words.append(_words(part, shown, len(found.words)))
        else:
            files.append(part)
    for number, part in enumerate((part for part in files if not shown.has(part)), start=1):
        name_of_part = _name(part) or f"attachment {number}"
        if shown.misses(part):
            found.left_out.append(name_of_part)
        else:
            _attach(part, name_of_part, found, nested=attached)
    said = [words for words in found.words if _says(words)]
    if not (_field(message, "subject") or said or found.documents or found.left_out):
        raise Refusal(EmptyFile)
    return [Part(name, _composed(message, said, found).encode("utf-8", "replace")), *found.documents]


def _attach(part: Message, name: str, found: _Found, *, nested: bool) -> None:
    """Add an attachment to what is faxed or to what is named only."""
    mail = _mail_in(part)
    content = b"" if mail is not None else _content(part)
    if mail is None and not _is_left_out(_kind(part), name, content):
        documents = [Part(name, content)]
    elif mail is None or nested:
        documents = []
    else:
        try:
            documents = _documents(mail, name, attached=True)
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


# What is written.


def _composed(message: Message, words: Sequence[str], found: _Found) -> str:
    """The mail as one HTML document."""
    values = [_field(message, "from"), _field(message, "to"), _field(message, "cc"), _date(message)]
    values.append(_field(message, "subject"))
    chinese = any(CHINESE.search(text) for text in (values[-1], *(TAGS.sub("", one) for one in words)))
    values.append(SEPARATORS[chinese].join(found.attached))
    rows = "".join(
        f"<tr><th style='text-align:left;vertical-align:top;padding:0 1em 0 0;white-space:nowrap'>{label}</th>"
        f"<td style='padding:0;overflow-wrap:anywhere'>{html.escape(value)}</td></tr>"
        for label, value in zip(LABELS[chinese], values, strict=False)
        if value
    )
    head = f'<div style="{ABOVE};border-bottom:1px solid;margin-bottom:1em"><table>{rows}</table></div>'
    named = ""
    if found.left_out:
        sentence = LABELS[chinese][-1] + SEPARATORS[chinese].join(found.left_out)
        named = f'<p style="{ABOVE};border-top:1px solid;margin-top:1em">{html.escape(sentence)}</p>'
    body = "".join(f"<div style='{BELOW}'>{one}</div>" for one in words)
    title = html.escape(values[4])
    return f"<!doctype html><html><head><meta charset='utf-8'><title>{title}</title></head><body>{head}{body}{named}"


def _words(part: Message, shown: "_Shown", number: int) -> str:
    text = _text(part)
    if _kind(part) == "text/html":
        return _Rewritten(f"sender{number}", shown.finder(_location(part))).inside(text)
    if text.lstrip().startswith(PGP_MESSAGE):
        raise Refusal(EncryptedDocument)
    if _parameter(part, "content-type", "format").lower() == "flowed":
        text = _unflowed(text, _parameter(part, "content-type", "delsp").lower() == "yes")
    return f"<pre style='{PLAIN}'>\n{html.escape(text.rstrip())}</pre>" if text.strip() else ""


def _unflowed(text: str, delsp: bool) -> str:
    """Lines of `format=flowed` joined to paragraphs (RFC 3676)."""
    paragraphs: list[str] = []
    depth = -1
    for line in text.splitlines():
        words = line.lstrip(">")
        quoted = len(line) - len(words)
        words = words.removeprefix(" ")
        if quoted == depth:
            paragraphs[-1] += words
        else:
            paragraphs.append(">" * quoted + " " * bool(quoted) + words)
        flows = words.endswith(" ") and words != "-- "
        depth = quoted if flows else -1
        if flows and delsp:
            paragraphs[-1] = paragraphs[-1][:-1]
    return "\n".join(paragraphs)


def _says(words: str) -> bool:
    return "<img" in words or bool(html.unescape(TAGS.sub("", words)).strip())


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
    shown = _Shown([part for part, _ in leaves])
    page = next((part for part, is_words in leaves if is_words), None)
    if page is None:
        raise Refusal(EmptyFile)
    pages = [page]
    if re.search(r"<frameset\b", _text(page), re.IGNORECASE):
        # The sheets of a workbook: the first page only says where they are.
        pages = [part for part, _ in leaves if _kind(part) == "text/html" and part is not page] or pages
    name = _field(message, "subject")[:LONGEST_NAME] or "page"
    return [
        Part(
            name,
            _Rewritten("", shown.finder(_location(one) or _location(message)))
            .whole(_text(one))
            .encode("utf-8", "replace"),
        )
        for one in pages
    ]


def _location(part: Message) -> str:
    return _plain(str(part.get("content-location", ""))).replace(" ", "")


class _Shown:
    """The pictures and styles that came with a mail, and which of them it shows."""

    def __init__(self, leaves: Sequence[Message]) -> None:
        self._parts: dict[str, Message] = {}
        for part in leaves:
            for name in (f"cid:{_content_id(part)}", _location(part)):
                if name not in ("cid:", ""):
                    self._parts.setdefault(name, part)
        self._shown: set[int] = set()
        self._not_shown: set[int] = set()
        self._room = MOST_SHOWN

    def has(self, part: Message) -> bool:
        return id(part) in self._shown

    def misses(self, part: Message) -> bool:
        """Whether the words should show it, but it is no picture that can be drawn."""
        return id(part) in self._not_shown

    def finder(self, base: str) -> Callable[[str], str | None]:
        """What a page at this address finds under an URL: the same as a `data:` URL, or None."""

        def find(url: str) -> str | None:
            part = self._named(url.strip(), base)
            if part is None:
                return None
            # What kind of picture it is will be seen from its content.
            kind, content = "image/png", _content(part)
            if _kind(part) == "text/css":
                kind = "text/css"
                content = CSS_URL.sub(self._in_styles(_location(part) or base), _text(part)).encode()
            elif not is_picture(content):
                self._not_shown.add(id(part))
                return None
            self._shown.add(id(part))
            self._room -= len(content) * 4 // 3
            if self._room < 0:
                raise Refusal(TooHeavy)
            return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

        return find

    def _named(self, url: str, base: str) -> Message | None:
        if url.lower().startswith("cid:"):
            return self._parts.get("cid:" + unquote(url[4:]))
        try:
            names = [url, urljoin(base, url), unquote(url)]
        except ValueError:
            names = [url]
        return next((self._parts[name] for name in names if name in self._parts), None)

    def _in_styles(self, base: str) -> Callable[[re.Match[str]], str]:
        """Pictures in a style sheet; other style sheets that it takes in are left out."""
        find = self.finder(base)

        def put(found: re.Match[str]) -> str:
            url = found[1].strip("\"'")
            part = self._named(url, base)
            inside = find(url) if part is not None and _kind(part) != "text/css" else None
            return f"url({inside})" if inside else found[0]

        return put


class _Rewritten:
    """HTML taken apart as browsers do it and written down anew, with the pictures that came with it in it.

    Scripts are left out. With a `scope`, the name of an element around it, the styles reach no further than that.
    """

    # Neither seen nor of any use on paper; the text in some of them is not markup, so nothing could follow it.
    LEFT_OUT = frozenset(("script", "template", "title", "meta", "base", "iframe", "noframes", "noembed", "frame"))
    WITH_URLS = frozenset(("src", "background", "data", "href", "poster"))

    def __init__(self, scope: str, find: Callable[[str], str | None]) -> None:
        self.scope = scope
        self.find = find

    def whole(self, text: str) -> str:
        return "<!doctype html>" + "".join(self._written(_parsed(text)))

    def inside(self, text: str) -> str:
        """What is in the body, in an element that stands for the page and one that stands for the body."""
        root = _parsed(text)
        body = next((child for child in root if child.tag == "body"), root)
        body.tag = "div"
        body.set("id", f"{self.scope}-body")
        styles = "".join(self._style(style) for style in root.iter("style"))
        return f"<style>{styles}</style><div id='{self.scope}'>{''.join(self._written(body))}</div>"

    def _written(self, root: Any) -> Iterator[str]:
        waiting: list[Any] = [root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, str):
                yield node
                continue
            name = node.tag.rpartition("}")[2].lower() if isinstance(node.tag, str) else ""
            if not name or name in self.LEFT_OUT or (self.scope and name in ("style", "link")):
                continue
            name = {"plaintext": "pre", "xmp": "pre", "listing": "pre"}.get(name, name)
            if not NAME.fullmatch(name):
                name = "span"
            yield f"<{name}{''.join(self._attributes(node, name))}>"
            if name in VOID:
                continue
            waiting.append(f"</{name}>")
            if name == "style":
                waiting.append(self._style(node))
                continue
            for child in reversed(node):
                waiting += [html.escape(child.tail or "", quote=False), child]
            waiting.append(html.escape(node.text or "", quote=False))

    def _attributes(self, node: Any, name: str) -> Iterator[str]:
        for key, value in node.attrib.items():
            key = key.rpartition("}")[2].lower()
            if not NAME.fullmatch(key) or key.startswith("on"):
                continue
            if key == "style":
                value = self._with_pictures(_harmless(value) if self.scope else value)
            elif key in self.WITH_URLS and name != "a":
                value = self.find(value) or value
            yield f' {key}="{html.escape(value)}"'

    def _style(self, node: Any) -> str:
        css = node.text or ""
        if self.scope:
            css = _scoped(css, self.scope, str(node.get("media", "")))
        # In a string of CSS it means the same, and it doesn't end the element.
        return self._with_pictures(css).replace("</", "<\\/")

    def _with_pictures(self, css: str) -> str:
        return CSS_URL.sub(self._picture, css)

    def _picture(self, found: re.Match[str]) -> str:
        inside = self.find(found[1].strip("\"'"))
        return f"url({inside})" if inside else found[0]


NAME = re.compile(r"[a-z][a-z0-9:_.-]*")


def _parsed(text: str) -> Any:
    import tinyhtml5  # type: ignore[import-untyped]

    # Never a string: a short one is taken for the name of a file.
    try:
        return tinyhtml5.parse(StringIO(text), namespace_html_elements=False)
    except LAYOUT_FAULTS:
        words = html.escape(html.unescape(TAGS.sub("", text)))
        return tinyhtml5.parse(StringIO(f"<pre>{words}"), namespace_html_elements=False)


# The sender's styles.


def _scoped(css: str, scope: str, media: str) -> str:
    import tinycss2  # type: ignore[import-untyped]

    rules = "".join(_rules(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), scope))
    return f"@media {re.sub('[^ ,():a-z0-9-]', '', media.lower())}{{{rules}}}" if media.strip() else rules


def _rules(rules: Sequence[Any], scope: str) -> Iterator[str]:
    """The rules for elements and fonts; those for pages would be for ours."""
    import tinycss2

    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = ",".join(_selector(selector, scope) for selector in _separated(rule.prelude))
            yield f"{selectors}{{{_declarations(rule.content)}}}"
        elif rule.type == "at-rule" and rule.content is not None:
            if rule.lower_at_keyword == "media":
                inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
                yield f"@media {tinycss2.serialize(rule.prelude)}{{{''.join(_rules(inner, scope))}}}"
            elif rule.lower_at_keyword == "font-face":
                yield rule.serialize()


def _separated(prelude: Sequence[Any]) -> Iterator[list[Any]]:
    selector: list[Any] = []
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            yield selector
            selector = []
        else:
            selector.append(token)
    yield selector


def _selector(tokens: Sequence[Any], scope: str) -> str:
    """The selector within the scope: the elements that stand for the page and its body are meant by their names.

    What is added weighs nothing: WeasyPrint counts a style attribute no more than the name of one element.
    """
    import tinycss2

    page, body = f":where(#{scope})", f":where(#{scope}-body)"
    written = before = ""
    for token in tokens:
        name = token.lower_value if token.type == "ident" else ""
        if name in ("html", "body") and before not in (".", ":", "|"):
            written += page if name == "html" else body
        elif name == "root" and before == ":":
            written = written[:-1] + page
        else:
            written += tinycss2.serialize([token])
        before = token.value if token.type == "literal" else ""
    written = written.strip()
    return written if written.startswith(page) else f"{page} {written}"


@lru_cache(maxsize=4096)
def _harmless(style: str) -> str:
    return _declarations(style)


def _declarations(content: Any) -> str:
    """Declarations without those that take an element out of the sender's part of the page."""
    import tinycss2

    return ";".join(
        one.serialize()
        for one in tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True)
        if one.type == "declaration" and not _leaves_the_flow(one)
    )


def _leaves_the_flow(declaration: Any) -> bool:
    if declaration.lower_name == "page":
        return True
    values = [token for token in declaration.value if token.type in ("ident", "function")]
    return declaration.lower_name in ("position", "float") and any(
        token.type == "function" or token.lower_value in ("fixed", "sticky", "footnote") for token in values
    )
