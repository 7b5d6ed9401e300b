"""The Chinese catalog: every text of the interface is in it, translated, with the same places to fill."""

import re
from collections.abc import Sequence

from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from webapp.assets import HERE

IN_SOURCES = [("node_modules/**", "ignore"), ("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"trimmed": "true"}}
CATALOG = HERE / "translations" / "zh_Hans" / "LC_MESSAGES" / "messages.po"
PLACES = re.compile(r"%\(\w+\)[sd]|\{\w+\}")


def catalog() -> Catalog:
    with CATALOG.open("rb") as file:
        return read_po(file)


def key(message: str | Sequence[str]) -> str:
    return message if isinstance(message, str) else message[0]


def used() -> set[str]:
    """Every text that the sources pass to `_` and `ngettext`."""
    found = extract_from_dir(str(HERE), IN_SOURCES, OPTIONS, DEFAULT_KEYWORDS)
    return {key(message) for _file, _line, message, _comments, _context in found}


def translated(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def test_no_text_is_missing_and_none_is_left_over() -> None:
    known = {key(message.id) for message in catalog() if message.id}
    assert used() == known


def test_no_translation_is_empty_or_fuzzy() -> None:
    bad = [message.id for message in catalog() if message.id and (message.fuzzy or not all(translated(message)))]
    assert bad == []


def test_translations_fill_the_same_places() -> None:
    for message in catalog():
        if message.id:
            for string in translated(message):
                assert set(PLACES.findall(string)) == set(PLACES.findall(key(message.id))), message.id


def test_words_of_the_manual_are_the_labels() -> None:
    words = {key(message.id): translated(message)[0] for message in catalog() if message.id}
    for english, chinese in {
        "Send a fax": "发传真",
        "Inbox": "收件箱",
        "Send queue": "发送队列",
        "Sent faxes": "已发传真",
        "Caller number": "来电号码",
        "Station id": "传真机标识号",
        "Title": "传真标题",
        "Priority": "优先级",
        "Details": "详细资料",
    }.items():
        assert words[english] == chinese
