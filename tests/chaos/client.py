"""A user at the portal, as a program: it signs in, sends faxes, and repeats what was not answered."""

import http.client
import http.cookiejar
import re
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

# A person waits no longer for a page.
ANSWER_SECONDS = 10.0
PAUSE_SECONDS = 1.0
_TOKEN = re.compile(r'name="(csrf_token|nonce)"[^>]*value="([^"]+)"')


class Refused(Exception):
    """The portal has said no: the fax was not accepted, and the sender was told."""


class PortalClient:
    """One browser of one user; every form it sends has a nonce of its own, and repeated it is the same fax."""

    def __init__(self, url: str, login: str, password: str) -> None:
        self._url = url
        self._login = login
        self._password = password
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), _StayHere
        ).open

    def send(self, number: str, title: str, tiff: Path, *, give_up: float) -> None:
        """Send a fax and return when the portal has accepted it; `Refused` when it has not and says so.

        What brings no answer is sent again, the very same form, until `give_up` (monotonic seconds): TimeoutError.
        """
        form: dict[str, str] = {}
        while time.monotonic() < give_up:
            try:
                form = form or self._new_form()
                if self._submit(form, number, title, tiff):
                    return
                # Signed out by what happened: the form's own name stays.
                form = {**self._new_form(), "nonce": form["nonce"]}
            except (OSError, http.client.HTTPException):
                time.sleep(PAUSE_SECONDS)
        raise TimeoutError(f"{title}: no answer")

    def _new_form(self) -> dict[str, str]:
        status, _, page = self._ask("/send")
        if status == http.client.FOUND:
            self._sign_in()
            status, _, page = self._ask("/send")
        if status != http.client.OK:
            raise OSError(f"/send answers {status}")
        return {name: value for name, value in _TOKEN.findall(page)}  # noqa: C416

    def _sign_in(self) -> None:
        _, _, page = self._ask("/signin")
        fields = {"login": self._login, "password": self._password, **dict(_TOKEN.findall(page))}
        status, _, _ = self._ask("/signin", fields)
        if status != http.client.FOUND:
            raise OSError(f"/signin answers {status}")

    def _submit(self, form: dict[str, str], number: str, title: str, tiff: Path) -> bool:
        """True when it is accepted, False when the form is no longer valid; OSError when nobody knows."""
        with tiff.open("rb") as file:
            fields = {"numbers": number, "title": title, "priority": "medium"}
            status, headers, page = self._ask("/send", {**form, **fields, "attachments": FileStorage(file, tiff.name)})
        if status == http.client.FOUND and headers["Location"].endswith("/queue"):
            return True
        if status == http.client.UNPROCESSABLE_ENTITY:
            problems = re.findall(r'class="(?:problem|alert)[^>]*>(.*?)</', page, re.DOTALL)
            raise Refused(re.sub(r"<[^>]+>|\s+", " ", " ".join(problems)).strip())
        if status in (http.client.BAD_REQUEST, http.client.UNAUTHORIZED, http.client.FOUND):
            return False
        raise OSError(f"/send answers {status}")

    def _ask(self, path: str, form: dict[str, str | FileStorage] | None = None) -> tuple[int, Message, str]:
        request = urllib.request.Request(self._url + path)  # noqa: S310 - the portal under test
        if form is not None:
            boundary, request.data = encode_multipart(form)
            request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
        try:
            with self._open(request, timeout=ANSWER_SECONDS) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, answer.read().decode()


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Where a form leads is its answer."""

    def redirect_request(self, *_: object) -> None:
        return None
