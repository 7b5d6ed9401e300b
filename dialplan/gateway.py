"""The gateway's configuration as the database has it, written to the gateway's disk."""

from dialplan.asterisk import prepare
from dialplan.render import TrunkConfig, gateway_files, is_on_disk, write
from netfax.db import reading
from netfax.lines.models import Trunk
from netfax.lines.service import list_trunks
from netfax.settings import Settings


def write_gateway(settings: Settings) -> list[str]:
    """Render the gateway's files from its trunks and write those that changed; returns their names."""
    with reading() as uow:
        trunks = [trunk_config(trunk) for trunk in list_trunks(uow, settings.gateway)]
    prepare(settings.gateway_dir)
    return write(settings.gateway_dir, gateway_files(settings, trunks))


def is_written(settings: Settings) -> bool:
    """Whether the gateway's disk has the configuration that its trunks now ask for."""
    with reading() as uow:
        trunks = [trunk_config(trunk) for trunk in list_trunks(uow, settings.gateway)]
    return is_on_disk(settings.gateway_dir, gateway_files(settings, trunks))


def trunk_config(trunk: Trunk) -> TrunkConfig:
    """What Asterisk must know of a trunk's row."""
    return TrunkConfig(
        name=trunk.name,
        kind=trunk.kind.value,
        host=trunk.host or None,
        port=trunk.port or None,
        t38=trunk.t38,
        secret=trunk.secret or None,
        username=trunk.username or None,
        number=trunk.number or None,
        channels=len(trunk.ports),
    )
