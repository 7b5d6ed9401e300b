"""Values into a template: plain replacement, and nothing else.

Templates are written by administrators of domains, who must not reach anything of the server: no template engine sees
them, and what is filled is opened in the sandbox alone.
"""

import html
import re
from collections.abc import Mapping

from netfax.covers.variables import PAGES

PLACE = re.compile(r"\{\$([A-Z_]+)\}")
# An element with this is left out when all the variables that it names are empty: no label stands before nothing.
ONLY_IF = re.compile(r"""\bdata-if\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
LEFT_OUT = "<style>[hidden] { display: none !important }</style>\n"
# So no value has a variable in it, and none begins another kind of file (`%PDF`).
ESCAPED = str.maketrans({"{": "&#123;", "%": "&#37;", "\n": "<br>"})
# A value's letters are read by whoever gets the fax, not by a program.
LINE_ENDS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with the values in place of its variables; those without a value stay (`{$PAGES}`).

    Values are text: what is HTML in them is shown as it is written, and their lines end where they ended.
    """
    kept = ONLY_IF.sub(lambda found: _if_any(found, values), template)
    filled = PLACE.sub(lambda found: _escaped(values[found[1]]) if found[1] in values else found[0], kept)
    return f"{filled}\n{LEFT_OUT}"


def fill_pages(filled: str, pages: int) -> str:
    """What `fill` has made, with the pages of the whole fax."""
    return filled.replace(f"{{${PAGES}}}", str(pages))


def names_in(condition: re.Match[str]) -> list[str]:
    """The variables that a `data-if` names."""
    return (condition[1] or condition[2] or "").split()


def _if_any(found: re.Match[str], values: Mapping[str, str]) -> str:
    is_empty = all(values.get(name, name) == "" for name in names_in(found))
    return "hidden" if is_empty else found[0]


def _escaped(value: str) -> str:
    return html.escape(LINE_ENDS.sub("\n", value)).translate(ESCAPED)
