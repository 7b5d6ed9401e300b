"""The paper that a document is laid out on: what is to see on its pages, and what it needs so that nothing is cut.

What is wider than its paper gets wider paper, and what can't be broken at the end of a page goes on on the next one.
Only in the worker.
"""

import copy
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from netfax.documents.limits import MAX_PAGES

# CSS pixels, 96 an inch.
MILLIMETRE = 96 / 25.4
LONGEST_SIDE = 420 * MILLIMETRE  # of A3
SHORTEST_SIDE = 20 * MILLIMETRE
LEAST_ROOM = 10 * MILLIMETRE
# How much wider than its own the paper of a document may become before lines are broken that ask not to be.
WIDEST = 3.0
# Receiving machines print to within this of the edge.
PRINTED_TO = 5 * MILLIMETRE
# As large as a PDF's page gets (ISO 32000-1, annex C).
LARGEST_SIDE = 14_400 * 96 / 72
# Where the document says nothing; what is important here is so that nothing is lost.
STYLE = """
@page { size: A4; margin: 15mm }
html { font-family: "Noto Sans CJK SC", sans-serif }
code, kbd, listing, plaintext, pre, samp, tt, xmp { font-family: "Noto Sans Mono CJK SC", "Noto Sans Mono", monospace }
html, body { overflow: visible !important; height: auto !important }
body::after { content: ""; display: block; clear: both }
textarea { overflow: visible !important; height: auto !important; max-height: none !important }
"""
# What stands side by side is laid out several times for each such box around it: eight levels take minutes.
NESTING = 2
STACKED = "display:{}!important;"
ONE_COLUMN = "columns:auto!important;"
SCROLLING = ("auto", "scroll")
# What scrolls on a screen is on paper as long as what is in it; it goes on holding its floats.
UNROLLED = "overflow:visible!important;height:auto!important;max-height:none!important;"
ROOM_FOR_FLOATS = "display:flow-root!important;"
WITHIN = "width:auto!important;height:auto!important;max-width:{:.0f}px!important;max-height:{:.0f}px!important;"
PLACED = "position:absolute!important;"
NEW_PAGE = "display:block!important;break-before:page!important;"
MARK = "netfax-"
# Letters of what may be on each page, and how near to the end of the page something ends that may have to go on.
LONGEST_HEADER = 600
NEAR_THE_END = 100
BROKEN = "white-space:{}!important;overflow-wrap:anywhere!important;"


@dataclass
class _Look:
    """What is to see on a page that is laid out, and how far it reaches."""

    name: str
    width: float
    height: float
    # What is within its margins: left, top, width, height.
    area: tuple[float, float, float, float]
    seen: bool = False
    # Only what is at the same place on every page.
    fixed: bool = False
    right: float = 0.0
    bottom: float = 0.0
    # Where words and pictures are from top to bottom: a page is not parted there.
    rows: list[tuple[float, float]] = field(default_factory=list)
    # Boxes that hold more than they show, pictures that are too large, and words that end outside, with their ends.
    rolled: dict[Any, None] = field(default_factory=dict)
    oversized: list[Any] = field(default_factory=list)
    outside: list[tuple[float, Any]] = field(default_factory=list)
    # Of elements that have a place of their own: how many letters are on the page, and which end where it ends.
    placed: Counter[Any] = field(default_factory=Counter)
    ending: set[Any] = field(default_factory=set)
    pinned: list[Any] = field(default_factory=list)

    @property
    def right_limit(self) -> float:
        return max(self.width - PRINTED_TO, self.area[0] + self.area[2] + 1)

    @property
    def bottom_limit(self) -> float:
        return max(self.height - PRINTED_TO, self.area[1] + self.area[3] + 1)

    @property
    def right_margin(self) -> float:
        return self.width - self.area[0] - self.area[2]


@dataclass(frozen=True)
class _Frame:
    """Where the boxes around another end that cut off what is beyond, for good or because they scroll.

    `placed` is the outermost element around it that has a place of its own.
    """

    right: float = math.inf
    bottom: float = math.inf
    scroller: Any = None
    placed: Any = None

    def within(self, box: Any) -> "_Frame":
        frame = self
        if frame.placed is None and box.style["position"] == "absolute":
            frame = replace(frame, placed=box.element)
        if box.style["overflow"] in SCROLLING:
            return replace(frame, scroller=box)
        if box.style["overflow"] == "visible":
            return frame
        right, bottom = box.padding_box_x() + box.padding_width(), box.padding_box_y() + box.padding_height()
        return replace(frame, right=min(self.right, right), bottom=min(self.bottom, bottom))


def look_of(page: Any) -> _Look:
    from weasyprint.formatting_structure.boxes import ReplacedBox, TextBox

    sheet = page._page_box
    area = (sheet.content_box_x(), sheet.content_box_y(), sheet.width, sheet.height)
    look = _Look(sheet.page_type.name or "", page.width, page.height, area)
    # The first child is the document; the others are in the margins.
    waiting = [(sheet.children[0], _Frame())]
    while waiting:
        box, frame = waiting.pop()
        visible = box.style["visibility"] == "visible"
        if isinstance(box, TextBox):
            if frame.placed is not None and "::" not in box.element_tag:
                look.placed[frame.placed] += _letters(box.text)
            if visible and box.text.strip():
                right = _see(look, frame, box.position_x, box.position_y, box.width, box.height)
                if right > look.right_limit:
                    look.outside.append((right, box))
        elif isinstance(box, ReplacedBox):
            oversized = box.width > area[2] + 1 or box.height > area[3] + 1
            if oversized and not _is_marked(box.element):
                # It needs no other paper: it will be smaller.
                look.seen = True
                look.oversized.append(box)
            elif visible:
                _see(look, frame, box.content_box_x(), box.content_box_y(), box.width, box.height)
        elif box.style["position"] == "fixed":
            # As the document wants it, unless it is the whole of it.
            look.fixed = True
            if box.border_height() > area[3] / 2:
                look.pinned.append(box)
        else:
            if box.style["position"] == "absolute" and box.border_box_x() > WIDEST * look.width:
                # Far outside: hidden there.
                continue
            if visible and _bordered(box):
                look.seen = True
                look.right = max(look.right, min(frame.right, box.border_box_x() + box.border_width()))
            inner = frame.within(box)
            end = box.border_box_y() + box.border_height() if box.style["position"] == "absolute" else 0.0
            if inner.placed is not None and end > area[1] + area[3] - NEAR_THE_END:
                look.ending.add(inner.placed)
            waiting.extend((child, inner) for child in box.children)
    return look


def _is_marked(element: Any) -> bool:
    return element is None or any(name.startswith(MARK) for name in element.attrib)


def _see(look: _Look, frame: _Frame, x: float, y: float, width: float, height: float) -> float:
    """Take note of something to see; how far it reaches to the right."""
    right, bottom = min(x + width, frame.right), min(y + height, frame.bottom)
    if right <= x or bottom <= y:
        return 0.0
    look.seen = True
    look.right = max(look.right, right)
    look.bottom = max(look.bottom, bottom)
    look.rows.append((y, bottom))
    box = frame.scroller
    if box is not None and (
        right > box.padding_box_x() + box.padding_width() + 1
        or bottom > min(box.padding_box_y() + box.padding_height() + 1, look.bottom_limit)
    ):
        look.rolled[box] = None
    return right


def _bordered(box: Any) -> bool:
    return any(getattr(box, f"border_{side}_width", 0) for side in ("top", "right", "bottom", "left"))


def _style_for(html: Any, rules: str, *, styled: bool) -> Any:
    """The styles of elements before they are laid out."""
    from weasyprint import CSS, DEFAULT_OPTIONS
    from weasyprint.css.counters import CounterStyle
    from weasyprint.document import Document
    from weasyprint.text.fonts import FontConfiguration

    options = {**DEFAULT_OPTIONS, "stylesheets": [CSS(string=rules)], "presentational_hints": styled}
    return Document._build_layout_context(html, FontConfiguration(), CounterStyle(), {}, options).style_for


@dataclass
class Paper:
    """What a document needs to lose nothing.

    The sizes of its pages by their names, its own within reason; how much wider they have to be; margins where its own
    leave no room; and styles, each with the attribute of the elements that need it.
    """

    own: dict[str, tuple[float, float]] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    margins: dict[str, str] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    def rules(self) -> str:
        """A style sheet of the user, whose important words are the last."""
        pages = "".join(
            f"@page {_identifier(name)} {{ size: {width * times:.2f}px {height * times:.2f}px !important;"
            f" {self.margins.get(name, '')} }}\n"
            for (name, (width, height)), times in zip(self.own.items(), self.times.values(), strict=True)
        )
        return STYLE + pages + "".join(f"[{mark}] {{ {style} }}\n" for style, mark in self.marks.items())

    def mark(self, element: Any, style: str) -> bool:
        """Give an element this style before all others; whether it hadn't it yet."""
        mark = self.marks.setdefault(style, f"{MARK}{len(self.marks)}")
        if element is None or mark in element.attrib:
            return False
        element.set(mark, "")
        return True

    def stack_outer(self, html: Any, *, styled: bool) -> None:
        """Put what outer boxes have side by side one below the other: what is in rows further in stays so."""
        style_for = _style_for(html, self.rules(), styled=styled)
        levels: dict[Any, int] = {}
        # From the end: an element's children have been there before it.
        for element in reversed(list(html.etree_element.iter())):
            levels[element] = max((levels[child] for child in element), default=0)
            style = style_for(element) if isinstance(element.tag, str) else None
            if style is None:
                continue
            beside = ""
            if {"flex", "grid"}.intersection(style["display"]):
                beside = STACKED.format("inline-block" if "inline" in style["display"] else "block")
            elif style["column_count"] != "auto" or style["column_width"] != "auto":
                beside = ONE_COLUMN
            if beside and levels[element] < NESTING:
                levels[element] += 1
            elif beside:
                self.mark(element, beside)

    def release_headers(self, root: Any) -> None:
        """Let long headers of tables be rows like others: they would have to be on each page, and fit on none."""
        for element in (*root.iter("thead"), *root.iter("tfoot")):
            if _letters_in(element) > LONGEST_HEADER:
                self.mark(element, STACKED.format("table-row-group"))

    def improve(self, looks: Sequence[_Look], root: Any) -> bool:
        """Whether another layout would lose less than this one; the elements are changed that need it."""
        better = self._make_room(looks, root)
        for look in looks:
            size = (_within_reason(look.width), _within_reason(look.height))
            width, _ = self.own.setdefault(look.name, size)
            times = self.times.setdefault(look.name, 1.0)
            better |= times == 1.0 and size != (look.width, look.height)
            if min(look.area[:2]) < 0 or min(look.area[2:]) < LEAST_ROOM:
                better |= look.name not in self.margins
                self.margins[look.name] = "margin: 0 !important"
            # Once: what is wider than any paper, as half as much again, is so on wider paper too.
            if look.right > look.right_limit and times == 1.0:
                self.times[look.name] = min(WIDEST, max(1.0, (look.right + look.right_margin) / width))
                better = True
            for box, style in _restyled(look, width * WIDEST):
                better |= self.mark(box.element, style)
        return better

    def _make_room(self, looks: Sequence[_Look], root: Any) -> bool:
        """Have further pages, if what has a place of its own goes on after the last: only there it is laid out."""
        shown = sum((look.placed for look in looks), Counter[Any]())
        wanted = 0
        for element in set().union(*(look.ending for look in looks)):
            letters = _letters_in(element)
            if shown[element] < letters:
                wanted = max(wanted, 2 * letters // max(1, shown[element]) + 1)
        body = root.find("body")
        for _ in range(min(wanted, MAX_PAGES)):
            page = body.makeelement("div", {})
            self.mark(page, NEW_PAGE)
            body.append(page)
        return wanted > 0


def _letters(text: str) -> int:
    return sum(map(len, text.split()))


def _letters_in(element: Any) -> int:
    """The letters that are to see in an element, or somewhat more."""
    inner = [one for one in element.iter() if isinstance(one.tag, str) and one.tag not in ("script", "style")]
    return sum(_letters(one.text or "") for one in inner) + sum(_letters(one.tail or "") for one in inner[1:])


def _identifier(name: str) -> str:
    return "".join(f"\\{ord(character):x} " for character in name)


def _within_reason(side: float) -> float:
    return min(max(side, SHORTEST_SIDE), LONGEST_SIDE)


def _restyled(look: _Look, widest: float) -> Iterator[tuple[Any, str]]:
    """Boxes whose elements lose something by their styles, and what their styles have to be."""
    from weasyprint.formatting_structure.boxes import BlockBox

    for box in look.rolled:
        yield box, UNROLLED + (ROOM_FOR_FLOATS if isinstance(box, BlockBox) else "")
    for box in look.oversized:
        yield box, WITHIN.format(look.area[2], look.area[3])
    for box in look.pinned:
        if _letters_in(box.element) > LONGEST_HEADER:
            yield box, PLACED
    for right, box in look.outside:
        if right > widest - look.right_margin:
            yield box, BROKEN.format("pre-wrap" if box.style["white_space"].startswith("pre") else "normal")


def sheets(page: Any, look: _Look) -> Iterator[Any]:
    """The page as sheets of paper: what still reaches over its edges makes it wider, or goes on on further ones."""
    # Paper has no links, no fields and no bookmarks, and nothing of it is clipped.
    page.anchors, page.links, page.bookmarks, page.forms = {}, [], [], {None: []}
    page._page_box.style["overflow"] = "visible"
    if look.right > look.right_limit:
        page.width = min(LARGEST_SIDE, look.right + look.right_margin)
    if look.bottom <= look.bottom_limit:
        yield page
        return
    _, top, _, length = look.area
    for start, end in _lengths(look.rows, top + length, max(length, SHORTEST_SIDE)):
        sheet = copy.copy(page)
        sheet.paint = partial(_paint, page, start, end, top if start else 0.0)
        yield sheet


def _lengths(rows: Sequence[tuple[float, float]], first: float, further: float) -> Iterator[tuple[float, float]]:
    """From where to where each sheet takes the rows of one page: parted between two where that is possible."""
    start, limit = 0.0, first
    while True:
        end = limit
        while crossing := [top for top, bottom in rows if start + further / 2 < top < end < bottom]:
            end = min(crossing)
        yield start, end
        below = [max(top, end) for top, bottom in rows if bottom > end + 1]
        if not below:
            return
        start = min(below)
        limit = start + further


def _paint(page: Any, start: float, end: float, at: float, stream: Any, scale: float = 1) -> None:
    """What is on a page from `start` to `end`, painted on a sheet at this height."""
    from weasyprint.draw import draw_page

    with stream.stacked():
        stream.transform(a=scale, d=scale, f=(at - start) * scale)
        stream.rectangle(0, start, page.width, end - start)
        stream.clip()
        stream.end()
        draw_page(page._page_box, stream)
