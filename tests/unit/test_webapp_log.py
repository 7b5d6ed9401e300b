"""The portal's log: one JSON object a line, whatever a request or a document says."""

import json
import os
import subprocess
import sys

from netfax.settings import CHECKOUT

HOSTILE = 'x\n{"event": "forged"}\r\n\u2028{"event": "forged"}'

# As gunicorn does it: its logger first, then the application, then what goes wrong.
PROGRAM = """
import logging, sys
from gunicorn.config import Config
from webapp.log import PortalLog
from netfax.documents.sandbox import ProgramFailed

hostile = sys.argv[1]
if sys.argv[2] == "gunicorn":
    log = PortalLog(Config())
    log.info("Listening at: %s", "http://127.0.0.1:1")
    log.warning("Invalid request from %s", hostile)
else:
    from netfax.log import set_up_log
    from webapp.log import SERVICE
    set_up_log(SERVICE)
    from flask import Flask
    from webapp import errors
    app = Flask("webapp")
    errors.init_app(app)
    app.register_error_handler(500, lambda _error: ("", 500))
    @app.get("/")
    def page():
        raise ProgramFailed("worker", 1, hostile.encode())
    app.test_client().get("/")
    logging.getLogger("netfax.documents.workshop").warning("the worker died: %s", hostile)
"""


def lines(who: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, HOSTILE, who],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def test_gunicorns_lines_are_json_of_the_portal_and_a_request_forges_none() -> None:
    said = lines("gunicorn")
    assert [each["event"] for each in said] == ["Listening at: http://127.0.0.1:1", f"Invalid request from {HOSTILE}"]
    assert {each["service"] for each in said} == {"portal"}


def test_a_documents_last_words_forge_no_line() -> None:
    failed, died = lines("portal")
    assert (failed["event"], failed["method"], failed["path"]) == ("request.failed", "GET", "/")
    assert "ProgramFailed: worker ended with status 1: x" in str(failed["exception"])
    assert died["event"] == f"the worker died: {HOSTILE}"
    assert {failed["service"], died["service"]} == {"portal"}
