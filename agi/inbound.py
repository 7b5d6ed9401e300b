"""An inbound call: the decision before the answer, and the record after the end."""

import structlog

from agi.channel import read_channel
from agi.session import AgiSession
from agi.told import record_or_keep
from netfax import telephony
from netfax.db import unit_of_work
from netfax.faxes.journal import BrokenJournal
from netfax.faxes.receive import InboundCall, decide
from netfax.faxes.recording import checked_reception_id, record_inbound
from netfax.settings import settings

log = structlog.get_logger()


def on_inbound_start(session: AgiSession) -> None:
    """AGI `inbound_start RECEPTION TRUNK CALLED`: the decision goes into `telephony.DECISION`, set last."""
    reception_id, trunk, called = session.arguments
    call = InboundCall(
        reception_id=checked_reception_id(reception_id),
        gateway=settings().gateway,
        trunk=trunk,
        channel=session.channel,
        channel_uid=session.unique_id,
        caller=session.caller,
        called=called,
    )
    with unit_of_work() as uow:
        decision = decide(uow, call)
    log.info("inbound.decided", reception=reception_id, trunk=trunk, called=called, decision=decision)
    session.set_variable(telephony.DECISION, decision)


def on_inbound_done(session: AgiSession) -> None:
    """AGI `inbound_done RECEPTION`: journal and pages lie on disk already, so that a failure here loses nothing.

    Where the disk took no journal, the channel itself still knows how its call ended.
    """
    (reception_id,) = session.arguments
    try:
        record_inbound(reception_id)
    except (BrokenJournal, FileNotFoundError) as error:
        log.warning("inbound.no_journal", reception=reception_id, error=str(error))
        record_or_keep(reception_id, read_channel(session, telephony.JOURNAL_FIELDS_IN))
