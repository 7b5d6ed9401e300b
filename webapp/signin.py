"""Signing in and out (R2)."""

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from netfax.db import unit_of_work
from netfax.errors import LANGUAGES, UserError
from netfax.org.options import set_language
from netfax.org.signin import end_session, sign_in
from webapp.addresses import own_address
from webapp.identity import load, me, viewer
from webapp.language import language, remember

blueprint = Blueprint("signin", __name__)
# In each process, for the flood; what locks accounts and addresses is in the database.
limiter = Limiter(key_func=get_remote_address, storage_uri="memory://")


@blueprint.get("/signin")
def form() -> str | Response:
    if current_user.is_authenticated:
        return redirect(url_for("mailbox.inbox"))
    return _page("", None)


@blueprint.post("/signin")
@limiter.limit("30 per minute")
def enter() -> str | Response | tuple[str, int]:
    login = request.form.get("login", "")
    try:
        session_id = sign_in(login, request.form.get("password", ""), request.remote_addr or "")
    except UserError as error:
        return _page(login, error), 422
    # Nothing of the cookie from before the sign-in lives on.
    session.clear()
    login_user(load(session_id))
    chosen = request.args.get("lang", "")
    if chosen in LANGUAGES:
        # He has just asked for it by the link of this page.
        with unit_of_work() as uow:
            set_language(uow, viewer(), chosen)
    return redirect(own_address(request.args.get("next", ""), url_for("mailbox.inbox")))


@blueprint.post("/signout")
def leave() -> Response:
    end_session(me().id)
    logout_user()
    session.clear()
    return redirect(url_for("signin.form"))


@blueprint.post("/language")
def choose_language() -> Response:
    """Change the language of the signed-in user, here and everywhere."""
    chosen = request.form.get("language", "")
    response = redirect(own_address(request.form.get("next", ""), url_for("mailbox.inbox")))
    if chosen in LANGUAGES:
        with unit_of_work() as uow:
            set_language(uow, viewer(), chosen)
        remember(response, chosen)
    return response


def _page(login: str, error: UserError | None) -> str:
    return render_template("signin.html", login=login[:140], error=error.text(language()) if error else "")
