"""The FastAGI service of a gateway: `python -m agi.main`."""

import signal
import threading

from agi.inbound import on_inbound_done, on_inbound_start
from agi.outcome import on_outcome
from agi.server import AgiServer
from agi.sweep import keep_sweeping
from netfax import telephony
from netfax.log import set_up_log
from netfax.monitor.beating import keep_beating
from netfax.settings import settings

HANDLERS = {
    telephony.AGI_INBOUND_START: on_inbound_start,
    telephony.AGI_INBOUND_DONE: on_inbound_done,
    telephony.AGI_OUTCOME: on_outcome,
}


def main() -> None:
    """Serve until SIGTERM."""
    set_up_log("agi")
    server = AgiServer(("127.0.0.1", settings().port("agi")), HANDLERS, secret=settings().secret("agi"))
    stop = keep_beating("agi")
    threading.Thread(target=keep_sweeping, args=(stop,), name="sweep", daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.close).start())
    server.serve_forever()
    stop.set()


if __name__ == "__main__":
    main()
