"""This side of the worker: start it in the sandbox, understand its answer, and trust nothing that it says."""

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from netfax.documents import sandbox
from netfax.documents.errors import WORKER_ERRORS, FileTooLarge, NotDrawable, TooHeavy
from netfax.documents.limits import MAX_FILE_BYTES, WORKER_MEMORY, WORKER_OUTPUT_BYTES
from netfax.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]
Answer = dict[str, object]
log = logging.getLogger(__name__)


class DocumentsClosed(UserError, sandbox.SandboxUnavailable):
    """This machine has no sandbox, for the reason that is its cause: no fault of the document."""

    code = "documents_closed"
    en = "Documents can't be opened at the moment. Nothing was stored; please try again later."
    zh = "系统暂时无法打开文档，本次内容未保存，请稍后再试。"


def check_sizes(files: Sequence[Path], names: Sequence[str]) -> None:
    """Refuse files over the limit before they are copied anywhere."""
    for path, name in zip(files, names, strict=True):
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FileTooLarge(name=name)


def ask(
    verb: str,
    *arguments: object,
    files: Sequence[Path],
    names: Sequence[str],
    timeout: float,
    outputs: Sequence[BinaryIO] = (),
) -> Answer:
    """The worker's answer to a verb; `names` are the people's names of the files, for the sentence of an error.

    Raises the error that the worker names, TooHeavy at a limit, NotDrawable when it died without an answer, and
    DocumentsClosed when the machine has no sandbox.
    """
    try:
        completed = sandbox.run(
            [sys.executable, "-P", "-s", "-B", "-m", "netfax.documents.worker", verb, *map(str, arguments)],
            timeout=timeout,
            memory=WORKER_MEMORY,
            inputs=files,
            outputs=outputs,
            readable=[*sandbox.python_folders(), PACKAGE],
            environment={"PYTHONPATH": str(PACKAGE.parent)},
            max_output=WORKER_OUTPUT_BYTES,
        )
    except sandbox.SandboxUnavailable as reason:
        log.error("no document can be opened: %s", reason)
        raise DocumentsClosed() from reason
    except sandbox.ProgramTimedOut as late:
        raise TooHeavy(name=", ".join(names)) from late
    except sandbox.ProgramFailed as failure:
        log.warning("the document worker died: %s", failure)
        raise NotDrawable(name=", ".join(names)) from failure
    return _understood(completed.stdout, names)


def _understood(said: bytes, names: Sequence[str]) -> Answer:
    """What the last line says; a worker that a document took over may say anything."""
    try:
        answer = json.loads(said.strip().rpartition(b"\n")[2])
    except ValueError as fault:
        raise NotDrawable(name=", ".join(names)) from fault
    if not isinstance(answer, dict):
        raise NotDrawable(name=", ".join(names))
    done = answer.get("done")
    if isinstance(done, dict):
        return done
    error = WORKER_ERRORS.get(str(answer.get("refused")), NotDrawable)
    index = answer.get("file")
    if isinstance(index, int) and 0 <= index < len(names):
        raise error(name=names[index])
    raise error(name=", ".join(names))
