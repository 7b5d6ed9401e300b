"""How values look on a page: foreign text made harmless, sizes, times, rates, states."""

import unicodedata
from dataclasses import dataclass

from flask import Flask

from netfax.documents.look import Mode, Resolution
from netfax.faxes.models import Priority
from netfax.faxes.results import CAUSES, Cause
from netfax.faxes.states import STATE_INFO, DeliveryState, ReceptionState, Tone
from webapp.language import language
from webapp.times import clock, exact, field_value, minute
from webapp.words import _

ICONS = {
    Tone.WAITING: "clock",
    Tone.ACTIVE: "activity",
    Tone.GOOD: "circle-check",
    Tone.DOUBTFUL: "alert-triangle",
    Tone.BAD: "circle-x",
    Tone.OFF: "circle-minus",
}
# Categories of characters that show nothing or turn the direction of what stands around them.
INVISIBLE = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"}


@dataclass(frozen=True)
class StateShown:
    """A state as a word, a colour and a shape: never colour alone."""

    key: str
    word: str
    tone: str
    icon: str


def state_shown(state: DeliveryState | ReceptionState) -> StateShown:
    info = STATE_INFO[state]
    return StateShown(state.value, info.text(language()), info.tone.value, ICONS[info.tone])


def cause_text(cause: Cause | None) -> str:
    """A cause in the reader's language; empty for none."""
    return "" if cause is None else CAUSES[cause].text(language())


def priorities() -> dict[str, str]:
    """The words of the priorities, the highest first."""
    return {Priority.HIGH: _("High"), Priority.MEDIUM: _("Medium"), Priority.LOW: _("Low")}


def resolutions() -> dict[str, str]:
    """The words of the resolutions, the coarsest first."""
    return {Resolution.STANDARD: _("Standard"), Resolution.FINE: _("Fine"), Resolution.SUPERFINE: _("Superfine")}


def modes() -> dict[str, str]:
    """The words of what a page is drawn as."""
    return {
        Mode.AUTO: _("Automatic"),
        Mode.TEXT: _("Text"),
        Mode.MIXED: _("Text and pictures"),
        Mode.PHOTO: _("Photograph"),
    }


def joined(*parts: str) -> str:
    """Parts of one sentence in a row."""
    return ("，" if language() == "zh" else ", ").join(part for part in parts if part)


def clauses(*parts: str) -> str:
    """Parts that make one whole sentence: the first begins it."""
    text = joined(*parts)
    return text[:1].upper() + text[1:]


def sentences(*parts: str) -> str:
    """Sentences in a row; Chinese has no space between them."""
    return ("" if language() == "zh" else " ").join(part for part in parts if part)


def foreign(text: str) -> str:
    """Text from a far end or a stranger: every invisible character becomes a visible one."""
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if ord(character) < 0x20:
        return chr(0x2400 + ord(character))
    return "\ufffd" if unicodedata.category(character) in INVISIBLE else character


def size(count: int) -> str:
    """Bytes as the manual's lists show them: 39K."""
    return f"{-(-count // 1024)}K"


def mode_words(mode: str) -> str:
    """How a call carried its fax."""
    return {"T38": "T.38", "audio": _("audio")}.get(mode, foreign(mode))


def grouped(count: int) -> str:
    """A count in groups of three digits: 7,749; the manual's footer has none in Chinese."""
    return str(count) if language() == "zh" else f"{count:,}"


def duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    if minutes:
        return _("%(minutes)d min %(seconds)d s", minutes=minutes, seconds=rest)
    return _("%(seconds)d s", seconds=rest)


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        exact=exact,
        clock=clock,
        minute=minute,
        field_value=field_value,
        foreign=foreign,
        size=size,
        mode_words=mode_words,
        duration=duration,
        grouped=grouped,
    )
