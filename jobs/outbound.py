"""Jobs of the queue `outbound`."""

from netfax.faxes import convert as faxes_convert


def convert(submission_uuid: str) -> None:
    """Job CONVERT: draw a submission's pages."""
    faxes_convert.convert(submission_uuid)
