"""`netfax cover list`, and `netfax send` with a cover."""

import json
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from netfax.covers.administration import copy_template
from netfax.covers.builtin import BUILT_IN
from netfax.covers.choice import set_default_cover
from netfax.db import reading, unit_of_work
from netfax.faxes.models import Submission
from tests.factories import World, make_world
from tests.fixtures.documents.build import saved
from tests.unit.command_line import run

FAR = "07367721001"


@pytest.fixture
def world(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("netfax.db.send", lambda *_: True)
    return make_world()


def last() -> tuple[str, str]:
    """The name of the last fax's cover and the text on it."""
    with reading() as uow:
        cover = uow.session.query(Submission).order_by(Submission.id.desc()).limit(1).one().cover
        return (cover.name, cover.text) if cover else ("", "")


def test_every_cover_is_listed_with_its_key(world: World) -> None:
    with unit_of_work() as uow:
        key = copy_template(uow, world.alice, "plain")
    listed = json.loads(run("cover", "list", "--json").stdout)
    assert [each["key"] for each in listed] == [*BUILT_IN, key]
    assert (listed[-1]["domain"], listed[-1]["built_in"], listed[-1]["enabled"]) == ("demo", False, True)
    table = run("cover", "list", lang="zh_CN.UTF-8").stdout
    assert "标准封面" in table and "标识" in table and "域" in table


def test_a_cover_and_its_text_are_sent_without_a_file(world: World) -> None:
    done = run("send", "--to", FAR, "--user", "bob@demo", "--cover", "plain", "--text", "您好", "--json")
    assert (done.exit_code, len(json.loads(done.stdout))) == (0, 1)
    assert last() == ("Plain (Chinese)", "您好")


def test_the_users_default_is_taken_unless_another_or_none_is_asked_for(world: World, tmp_path: Path) -> None:
    page = tmp_path / "page.png"
    page.write_bytes(saved(Image.new("1", (200, 100)), "PNG"))
    with unit_of_work() as uow:
        set_default_cover(uow, world.bob, "business")
    for asked, name in (
        ((), "Business (Chinese and English)"),
        (("--cover", "plain"), "Plain (Chinese)"),
        (
            ("--cover", "none"),
            "",
        ),
    ):
        assert run("send", str(page), "--to", FAR, "--user", "bob@demo", *asked).exit_code == 0
        assert last() == (name, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Attach at least one document, or choose a cover."),
        (("--cover", "gone"), "This cover is not there any more; choose another one."),
        (("--text", "x"), "The text would be on no page: choose a cover"),
        (("--text", "x", "--cover", "none"), "The text would be on no page: choose a cover"),
    ],
)
def test_what_would_be_no_fax_is_refused_in_words(world: World, arguments: tuple[str, ...], said: str) -> None:
    done = run("send", "--to", FAR, "--user", "bob@demo", *arguments)
    assert (done.exit_code, said in done.stderr) == (2, True)
