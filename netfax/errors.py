"""Errors that people read: each has a code, one clear sentence in both languages, and no traceback for users."""

from typing import ClassVar

LANGUAGES = ("zh", "en")


class NetFaxError(Exception):
    """An error with a code and a sentence for people; `values` fill the templates `en` and `zh`."""

    code: ClassVar[str]
    en: ClassVar[str]
    zh: ClassVar[str]

    def __init__(self, **values: object) -> None:
        self.values = values
        super().__init__(self.text("en"))

    def text(self, language: str) -> str:
        """The sentence in `zh` or `en`; any other language reads English."""
        template = self.zh if language.startswith("zh") else self.en
        return template.format(**self.values)


class UserError(NetFaxError):
    """What somebody asked for can't be done as asked; the sentence says what to do instead."""


class NotFound(UserError):
    """The thing is not there, or not this viewer's to see; the two are never told apart."""

    code = "not_found"
    en = "There is no such entry, or it is not yours to see."
    zh = "没有这条记录，或者您无权查看。"
