"""The peers of the inbound decision, as programs.

`python -m bench.scripts empty PORT`: a FastAGI service that decides nothing. `python -m bench.scripts once`: a classic
AGI script, which Asterisk starts anew for every call and speaks to by its standard input and output.
"""

import sys

from agi.server import AgiServer
from agi.session import AgiSession
from netfax import telephony
from netfax.db import unit_of_work
from netfax.faxes.receive import InboundCall, decide
from netfax.settings import settings


def answer_at_once(session: AgiSession) -> None:
    session.set_variable(telephony.DECISION, telephony.DECISION_ACCEPT)


def decide_once() -> None:
    """Read the environment, decide, set the variable, read Asterisk's answer."""
    values = dict(line.rstrip("\n").partition(": ")[::2] for line in iter(sys.stdin.readline, "\n"))
    call = InboundCall(
        reception_id=values["agi_arg_1"],
        gateway=settings().gateway,
        trunk=values["agi_arg_2"],
        channel=values["agi_channel"],
        channel_uid=values["agi_uniqueid"],
        caller=values["agi_callerid"],
        called=values["agi_arg_3"],
    )
    with unit_of_work() as uow:
        decision = decide(uow, call)
    print(f'SET VARIABLE {telephony.DECISION} "{decision}"', flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["empty", port]:
            AgiServer(("127.0.0.1", int(port)), {telephony.AGI_INBOUND_START: answer_at_once}).serve_forever()
        case ["once"]:
            decide_once()
