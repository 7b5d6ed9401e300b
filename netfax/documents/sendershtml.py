"""The HTML that a mail or a web archive becomes: the sender's words rewritten so that they stay in their place.

The head and the sender's own HTML are one document, so that a short mail is one page. The sender's styles are written
down anew so that they reach the sender's words only, and the head lies above whatever the sender lays over it. Only in
the worker.
"""

import base64
import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import Any
from urllib.parse import unquote, urljoin

from netfax.documents.errors import Refusal, TooHeavy
from netfax.documents.hypertext import LAYOUT_FAULTS, VOID, is_picture

# All pictures of a mail as they are written into its HTML, each as often as it is shown.
MOST_SHOWN = 64 * 1024 * 1024
CHINESE = re.compile("[\u3400-\u9fff]")
TAGS = re.compile(r"<style\b.*?</style>|<[^>]*>", re.DOTALL)
CSS_URL = re.compile(r"""url\(\s*("[^"]*"|'[^']*'|[^"'()\s]*)\s*\)""", re.IGNORECASE)
NAME = re.compile(r"[a-z][a-z0-9:_.-]*")

LABELS = {
    False: ("From", "To", "Cc", "Date", "Subject", "Attachments", "Not faxed: "),
    True: ("发件人", "收件人", "抄送", "日期", "主题", "附件", "未传真的附件："),
}
SEPARATORS = {False: ", ", True: "，"}
# Above what the sender's words may lay over it, on paper's own white.
ABOVE = "position:relative;z-index:1;background:#fff;color:#000;font:10.5pt/1.5 'Noto Sans CJK SC',sans-serif"
BELOW = "position:relative;z-index:0;display:flow-root"
PLAIN = "white-space:pre-wrap;overflow-wrap:anywhere;font-size:10.5pt;line-height:1.4;margin:0"


def composed(fields: Sequence[str], words: Sequence[str], attached: Sequence[str], left_out: Sequence[str]) -> str:
    """A mail as one HTML document: `fields` are the first of LABELS, `words` the pieces of HTML that are its body."""
    title = fields[-1]
    chinese = any(CHINESE.search(text) for text in (title, *(TAGS.sub("", one) for one in words)))
    rows = "".join(
        f"<tr><th style='text-align:left;vertical-align:top;padding:0 1em 0 0;white-space:nowrap'>{label}</th>"
        f"<td style='padding:0;overflow-wrap:anywhere'>{html.escape(value)}</td></tr>"
        for label, value in zip(LABELS[chinese], [*fields, SEPARATORS[chinese].join(attached)], strict=False)
        if value
    )
    head = f'<div style="{ABOVE};border-bottom:1px solid;margin-bottom:1em"><table>{rows}</table></div>'
    named = ""
    if left_out:
        sentence = LABELS[chinese][-1] + SEPARATORS[chinese].join(left_out)
        named = f'<p style="{ABOVE};border-top:1px solid;margin-top:1em">{html.escape(sentence)}</p>'
    body = "".join(f"<div style='{BELOW}'>{one}</div>" for one in words)
    start = f"<!doctype html><html><head><meta charset='utf-8'><title>{html.escape(title)}</title></head><body>"
    return f"{start}{head}{body}{named}"


def from_text(text: str) -> str:
    """Plain words as HTML; nothing for none."""
    return f"<pre style='{PLAIN}'>\n{html.escape(text.rstrip())}</pre>" if text.strip() else ""


def unflowed(text: str, delsp: bool) -> str:
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


def says(words: str) -> bool:
    """Whether there is anything in this HTML to read or to look at."""
    return "<img" in words or bool(html.unescape(TAGS.sub("", words)).strip())


@dataclass(frozen=True, eq=False)
class Companion:
    """What came with a page that may show it: its Content-ID and address, each empty for none, and what is in it."""

    identity: str
    location: str
    kind: str
    content: Callable[[], bytes]
    text: Callable[[], str]


class Shown:
    """The pictures and styles that came with a mail, and which of them it shows."""

    def __init__(self, companions: Iterable[Companion]) -> None:
        self._companions: dict[str, Companion] = {}
        for one in companions:
            for name in (f"cid:{one.identity}", one.location):
                if name not in ("cid:", ""):
                    self._companions.setdefault(name, one)
        self._shown: set[Companion] = set()
        self._not_shown: set[Companion] = set()
        self._room = MOST_SHOWN

    def has(self, one: Companion) -> bool:
        return one in self._shown

    def misses(self, one: Companion) -> bool:
        """Whether the words should show it, but it is no picture that can be drawn."""
        return one in self._not_shown

    def finder(self, base: str) -> Callable[[str], str | None]:
        """What a page at this address finds under an URL: the same as a `data:` URL, or None."""

        def find(url: str) -> str | None:
            one = self._named(url.strip(), base)
            if one is None:
                return None
            # What kind of picture it is will be seen from its content.
            kind, content = "image/png", one.content()
            if one.kind == "text/css":
                kind = "text/css"
                content = CSS_URL.sub(self._in_styles(one.location or base), one.text()).encode("utf-8", "replace")
            elif not is_picture(content):
                self._not_shown.add(one)
                return None
            self._shown.add(one)
            self._room -= len(content) * 4 // 3
            if self._room < 0:
                raise Refusal(TooHeavy)
            return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

        return find

    def _named(self, url: str, base: str) -> Companion | None:
        if url.lower().startswith("cid:"):
            return self._companions.get("cid:" + unquote(url[4:]))
        try:
            names = [url, urljoin(base, url), unquote(url)]
        except ValueError:
            names = [url]
        return next((self._companions[name] for name in names if name in self._companions), None)

    def _in_styles(self, base: str) -> Callable[[re.Match[str]], str]:
        """Pictures in a style sheet; other style sheets that it takes in are left out."""
        find = self.finder(base)

        def put(found: re.Match[str]) -> str:
            url = found[1].strip("\"'")
            one = self._named(url, base)
            inside = find(url) if one is not None and one.kind != "text/css" else None
            return f"url({inside})" if inside else found[0]

        return put


class Rewritten:
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
