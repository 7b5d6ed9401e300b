"""The Flask application, put together."""

from flask import Flask
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from netfax.settings import Settings
from webapp import (
    acts,
    assets,
    cover_choice,
    covers,
    errors,
    faxes,
    health,
    identity,
    language,
    mailbox,
    pages,
    personal,
    previews,
    security,
    send,
    shown,
    signin,
)

# Of every request but an upload, which has its own limit.
LARGEST_FORM = 256 * 1024
MOST_FORM_PARTS = 60
MOST_FORM_TEXT = 512 * 1024


def create_app(settings: Settings, built: assets.Built = assets.BUILT) -> Flask:
    """The portal of an installation; `assets.NotBuilt` when its static files or translations were not made."""
    app = Flask("webapp", static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret("session"),
        MAX_CONTENT_LENGTH=LARGEST_FORM,
        MAX_FORM_PARTS=MOST_FORM_PARTS,
        MAX_FORM_MEMORY_SIZE=MOST_FORM_TEXT,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    assets.init_app(app, built)
    security.init_app(app)
    language.init_app(app, built.translations)
    identity.init_app(app)
    # After the limits and the sign-in: nothing of a form is read before they have spoken.
    CSRFProtect(app)
    shown.init_app(app)
    errors.init_app(app)
    signin.limiter.init_app(app)
    for feature in (signin, send, previews, cover_choice, mailbox, faxes, acts, pages, personal, covers, health):
        app.register_blueprint(feature.blueprint)
    hops = settings.trusted_proxies
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app
