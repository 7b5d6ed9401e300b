"""What the build makes beside the sources: static files with hashed names and compiled translations."""

import json
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, abort, request, send_from_directory, url_for

HERE = Path(__file__).resolve().parent
ONE_YEAR = 365 * 24 * 3600
NEEDED = ("app.css", "app.js", "theme.js", "viewer.js", "icons.svg", "favicon.svg")


class NotBuilt(RuntimeError):
    """A part of the portal that the build makes is missing."""

    def __init__(self, what: str, command: str) -> None:
        super().__init__(f"The portal's {what} are not built: run `{command}` (`make run` does it by itself).")


@dataclass(frozen=True)
class Built:
    """Where the build's results lie."""

    dist: Path
    translations: Path

    def manifest(self) -> dict[str, str]:
        """From the name that templates use to the file's hashed name; raises `NotBuilt`."""
        path = self.dist / "manifest.json"
        names: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if any(name not in names or not (self.dist / names[name]).exists() for name in NEEDED):
            raise NotBuilt("static files", "npm ci && npm run build, in webapp/")
        return names

    def check_translations(self) -> None:
        if not (self.translations / "zh_Hans" / "LC_MESSAGES" / "messages.mo").exists():
            raise NotBuilt("translations", "pybabel compile -d webapp/translations")


BUILT = Built(HERE / "static" / "dist", HERE / "translations")


def init_app(app: Flask, built: Built) -> None:
    """Serve the static files and give templates `asset(name)`, their address."""
    names = built.manifest()
    built.check_translations()

    def static_file(filename: str) -> Response:
        if filename not in names.values():
            abort(404)
        compressed = request.accept_encodings["gzip"] > 0 and (built.dist / f"{filename}.gz").exists()
        # The type is that of the name without .gz: it is the transfer that is compressed, not the file.
        response = send_from_directory(
            built.dist, f"{filename}.gz" if compressed else filename, mimetype=_mimetype(filename), max_age=ONE_YEAR
        )
        if compressed:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.cache_control.public = True
        response.cache_control.immutable = True
        return response

    def asset(name: str) -> str:
        return url_for("static", filename=names[name])

    app.add_url_rule("/static/<filename>", "static", static_file)
    app.jinja_env.globals["asset"] = asset


def _mimetype(filename: str) -> str:
    return {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[filename.rsplit(".", 1)[1]]
