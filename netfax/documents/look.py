"""How a fax is to look, as its sender chooses it: how fine, and what is on its pages."""

from dataclasses import dataclass
from enum import StrEnum


class Resolution(StrEnum):
    """The three of T.30 in their inch-based form; across it is always 204 dots an inch."""

    STANDARD = "standard"
    FINE = "fine"
    SUPERFINE = "superfine"

    @property
    def lines(self) -> int:
        """Lines an inch."""
        return {Resolution.STANDARD: 98, Resolution.FINE: 196, Resolution.SUPERFINE: 392}[self]


class Mode(StrEnum):
    """What a page is drawn as: letters and lines in pure black, photographs by a screen, or each by its place."""

    AUTO = "auto"
    TEXT = "text"
    MIXED = "mixed"
    PHOTO = "photo"


@dataclass(frozen=True)
class Look:
    resolution: Resolution = Resolution.FINE
    mode: Mode = Mode.AUTO


USUAL = Look()
