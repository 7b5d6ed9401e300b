"""What every answer carries, how cookies are set, and how much a request may bring."""

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface
from flask_login import current_user

from netfax.db import reading
from netfax.params.service import get_int

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Tabler draws ticks and arrows as data: images.
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
UPLOAD_ENDPOINTS = ("send.submit", "send.preview")
# Beside the files: the texts of the form.
FORM_TEXT = 1024 * 1024


class CookieSessions(SecureCookieSessionInterface):
    """The session's cookie: over TLS it is `__Host-` and Secure; over plain HTTP it works as well (R2.1)."""

    def get_cookie_name(self, app: Flask) -> str:
        return "__Host-netfax" if request.is_secure else "netfax"

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure

    def get_cookie_httponly(self, app: Flask) -> bool:
        return True

    def get_cookie_samesite(self, app: Flask) -> str:
        return "Lax"


def init_app(app: Flask) -> None:
    app.session_interface = CookieSessions()
    app.before_request(_limit_upload)
    app.after_request(_add_headers)


def largest_upload() -> int:
    """How many bytes one fax may bring: R8.3's attachments and the form's texts."""
    with reading() as uow:
        return get_int(uow, "max_attachments") * get_int(uow, "max_attachment") * 1024 + FORM_TEXT


def _limit_upload() -> None:
    """Somebody who is signed in may upload; everybody else keeps to the limit of a form."""
    if request.endpoint in UPLOAD_ENDPOINTS and current_user.is_authenticated:
        request.max_content_length = largest_upload()


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
