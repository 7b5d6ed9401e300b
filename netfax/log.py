"""Logs: one JSON object a line on standard output, so that nothing from outside can forge a line."""

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict


def set_up_log(service: str) -> None:
    """Log as this service from now on; the libraries' own warnings come the same way."""

    def with_service(_logger: object, _method: str, entry: EventDict) -> EventDict:
        return {"service": service, **entry}

    structlog.configure(
        processors=[
            with_service,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=True, default=repr),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=_lenient(sys.stdout)),
    )
    handler = logging.StreamHandler(_lenient(sys.stdout))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                with_service,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(ensure_ascii=True, default=repr),
            ],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.add_log_level],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def set_up_terminal_log() -> None:
    """For commands: warnings and worse, on standard error; what a command prints is its answer alone."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.WriteLoggerFactory(file=_lenient(sys.stderr)),
    )


class _Lenient:
    """A stream whose disk may be full: what can't be written is lost, and whoever tells of it goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def _lenient(stream: TextIO) -> TextIO:
    return cast(TextIO, _Lenient(stream))
