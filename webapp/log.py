"""The portal's log: gunicorn's own lines in the form of all services, so that no request can forge one."""

from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from netfax.log import set_up_log

SERVICE = "portal"


class PortalLog(Logger):  # type: ignore[misc]
    """For `gunicorn --logger-class`: what gunicorn says goes to the log of the service, and nowhere else."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        set_up_log(SERVICE)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
