"""How a page was made, which is known before it is drawn. Without NumPy, for which who only looks at a file does not
wait: it takes 40 ms to load.
"""

from dataclasses import dataclass

from netfax.documents.look import Look, Resolution

WHITE = 255


@dataclass(frozen=True)
class Manner:
    """How a page was made, which decides what is ink and what is paper on it.

    Ink is what is darker than the share `ink` of the ground it stands on; ground that is not as bright as `paper`
    (0 to 255) is none, but a photograph or a shade. `noisy` pages have specks that nobody meant.
    """

    ink: float
    paper: int
    noisy: bool


# What a program drew has no soft edges, its light grey and yellow are meant, and so are its shades.
DRAWN = Manner(ink=0.90, paper=215, noisy=False)
# In a picture the edges of letters are half paper, and paper under a lamp is grey.
PICTURED = Manner(ink=0.68, paper=170, noisy=True)


def drawn_lines(look: Look) -> int:
    """The lines an inch at which pages are drawn: those of standard resolution at twice as many, then `Bits.halved`."""
    return max(look.resolution.lines, Resolution.FINE.lines)
