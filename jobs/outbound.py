"""Jobs of the queue `outbound`."""

from netfax.documents.workshop import keep_spares
from netfax.faxes.convert import convert_next


def convert() -> None:
    """Job CONVERT: draw the pages of the submission whose turn it is."""
    convert_next()
    keep_spares()
