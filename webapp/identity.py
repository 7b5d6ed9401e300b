"""Who asks: Flask-Login on the id of a sign-in's row, so that a session can be ended from elsewhere."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, Response, abort, g, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from netfax.covers.administration import ADMINISTRATORS
from netfax.org.models import Role
from netfax.org.signin import find_session
from netfax.org.viewer import Viewer

# Everything else is for people who are signed in.
PUBLIC = {"static", "signin.form", "signin.enter", "health.healthz"}
SEES_OTHERS = {Role.SYSTEM_ADMIN, Role.DOMAIN_ADMIN}


@dataclass(frozen=True)
class SignedIn(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    """The signed-in user; `id` is that of the session, not of the user."""

    id: str
    viewer: Viewer
    name: str
    rows_per_page: int

    @property
    def sees_others(self) -> bool:
        """Whether lists show other people's faxes, and so their senders."""
        return self.viewer.role in SEES_OTHERS

    @property
    def administers(self) -> bool:
        """Whether the places of administration are his."""
        return self.viewer.role in ADMINISTRATORS

    @property
    def sees_raw_facts(self) -> bool:
        """Whether details show what the line and the exchange said, word for word."""
        return self.viewer.role is not Role.USER


def viewer() -> Viewer:
    """The viewer of this request, whom the gate has let in."""
    return me().viewer


def me() -> SignedIn:
    """The signed-in user of this request."""
    return cast(SignedIn, current_user._get_current_object())


def load(session_id: str) -> SignedIn | None:
    if "sessions_gone" in g:
        return None
    try:
        session = find_session(session_id)
    except SQLAlchemyError:
        # The page that says so asks again who reads it.
        g.sessions_gone = True
        raise
    if session is None:
        return None
    user = session.user
    return SignedIn(session.id, Viewer.of(user), user.full_name or user.name, user.rows_per_page)


def init_app(app: Flask) -> None:
    manager = LoginManager(app)
    # The address of a phone on the move changes, and its session must not end by that.
    manager.session_protection = None
    manager.user_loader(load)
    app.before_request(_gate)


def _gate() -> AnyResponse | None:
    """Nobody passes without a sign-in but to what is public."""
    if request.endpoint is None:
        return None
    if request.endpoint in PUBLIC or current_user.is_authenticated:
        return None
    if "HX-Request" in request.headers and request.method == "GET":
        # A page that renews itself goes to the sign-in as a whole; what somebody has written stays with him.
        return Response(status=401, headers={"HX-Redirect": url_for("signin.form")})
    if request.method != "GET":
        abort(401)
    return redirect(url_for("signin.form", next=request.full_path.rstrip("?")))
