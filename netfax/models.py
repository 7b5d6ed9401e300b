"""Every model, so that metadata, migrations and relationships know them all."""

import netfax.alarms
import netfax.clock
import netfax.covers.models
import netfax.faxes.models
import netfax.lease
import netfax.lines.models
import netfax.monitor.models
import netfax.ocr.models
import netfax.org.models
import netfax.params.models
import netfax.storage.models  # noqa: F401 - importing them is what this module is for
from netfax.db import Base


def table_names() -> list[str]:
    """The names of all tables, in an order in which they can be created."""
    return [table.name for table in Base.metadata.sorted_tables]
