"""The templates that come with the program: to be looked at and copied, not changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("builtin")


@dataclass(frozen=True)
class BuiltIn:
    """A template of ours; `key` is its file's name and what submissions and users know it by."""

    key: str
    en: str
    zh: str

    def text(self, language: str) -> str:
        return self.zh if language == "zh" else self.en

    @property
    def html(self) -> str:
        return _read(self.key)


# In the order in which they are offered; R8.2 names the first.
BUILT_IN: Mapping[str, BuiltIn] = {
    each.key: each
    for each in (
        BuiltIn("standard", "Standard (Chinese)", "标准封面"),
        BuiltIn("standard-en", "Standard (English)", "标准封面（英文）"),
        BuiltIn("business", "Business (Chinese and English)", "商务封面（中英文）"),
        BuiltIn("plain", "Plain (Chinese)", "简洁封面"),
        BuiltIn("plain-en", "Plain (English)", "简洁封面（英文）"),
    )
}
# By the sender's language.
STANDARD = {"zh": "standard", "en": "standard-en"}


@cache
def _read(key: str) -> str:
    return (FOLDER / f"{key}.html").read_text("utf-8")
