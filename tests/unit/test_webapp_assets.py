"""The portal's static files: named by their content, kept for a year, compressed; and a clear word when not built."""

import gzip
import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from netfax.settings import settings
from tests.unit.webapp_portal import make_built, open_portal
from webapp.assets import Built, NotBuilt
from webapp.factory import create_app


@pytest.fixture
def built(sqlite: Engine, tmp_path: Path) -> Built:
    return make_built(tmp_path / "built")


def test_page_names_files_of_the_manifest_and_they_are_served_for_a_year(built: Built) -> None:
    portal = open_portal(built)
    page = portal.get("/signin").text
    for name in ("app.css", "app.js", "theme.js", "favicon.svg"):
        address = f"/static/{built.manifest()[name]}"
        assert address in page
        answer = portal.get(address)
        assert answer.status_code == 200
        assert "max-age=31536000" in answer.headers["Cache-Control"]
        assert "immutable" in answer.headers["Cache-Control"]
    assert portal.get(f"/static/{built.manifest()['app.js']}").mimetype == "text/javascript"


def test_compressed_file_goes_to_whoever_takes_it(built: Built) -> None:
    name = built.manifest()["app.css"]
    (built.dist / f"{name}.gz").write_bytes(gzip.compress(b"body {}"))
    portal = open_portal(built)
    answer = portal.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.mimetype == "text/css"
    assert gzip.decompress(answer.data) == b"body {}"
    plain = portal.get(f"/static/{name}", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize("name", ["manifest.json", "../secrets.json", "app.css", "%2e%2e/factory.py"])
def test_only_files_of_the_manifest_are_served(built: Built, name: str) -> None:
    assert open_portal(built).get(f"/static/{name}").status_code in (302, 404)


def test_missing_bundle_is_a_clear_error_that_names_the_command(built: Built, tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match=r"static files are not built: run `npm ci && npm run build, in webapp/`"):
        create_app(settings(), Built(tmp_path / "nowhere", built.translations))
    names = json.loads((built.dist / "manifest.json").read_text())
    (built.dist / names["app.js"]).unlink()
    with pytest.raises(NotBuilt, match="static files"):
        create_app(settings(), built)


def test_missing_translations_are_a_clear_error(built: Built, tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match=r"pybabel compile -d webapp/translations"):
        create_app(settings(), Built(built.dist, tmp_path))
