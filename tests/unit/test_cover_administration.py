"""Who may choose, see and change which template (R3.4, R6.2, R8.6)."""

import pytest
from sqlalchemy import Engine

from netfax.covers import errors
from netfax.covers.administration import (
    Edit,
    copy_template,
    delete_template,
    enable_template,
    find_template,
    list_templates,
    save_template,
)
from netfax.covers.builtin import BUILT_IN
from netfax.covers.choice import covers_of, default_cover, find_cover, set_default_cover
from netfax.covers.models import LONGEST_NAME
from netfax.db import reading, unit_of_work
from netfax.errors import NotFound
from netfax.org.models import Role, User
from netfax.org.personal import LONGEST, PersonalRefused, personal, set_personal
from netfax.org.service import add_domain
from netfax.org.viewer import Viewer
from tests.factories import World, make_user, make_world

PAGE = "<!doctype html><p>{$TEXT}"


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


@pytest.fixture
def stranger(world: World) -> Viewer:
    """The administrator of another domain."""
    with unit_of_work() as uow:
        return Viewer.of(make_user(uow, add_domain(uow, "other", "Other").id, "eve", Role.DOMAIN_ADMIN))


def copy(viewer: Viewer, key: str = "plain") -> str:
    with unit_of_work() as uow:
        return copy_template(uow, viewer, key)


def save(viewer: Viewer, key: str, name: str = "Ours", html: str = PAGE, version: int = 1) -> None:
    with unit_of_work() as uow:
        save_template(uow, viewer, key, Edit(name, html, version))


def chosen_from(viewer: Viewer) -> list[str]:
    with reading() as uow:
        return [cover.key for cover in covers_of(uow, viewer) if cover.key not in BUILT_IN]


def usual(viewer: Viewer) -> str | None:
    with reading() as uow:
        return default_cover(uow, viewer)


def refused(viewer: Viewer, key: str) -> bool:
    """Whether every act on a template ends as if there were none."""
    acts = (
        lambda uow: find_template(uow, viewer, key),
        lambda uow: copy_template(uow, viewer, key),
        lambda uow: save_template(uow, viewer, key, Edit("Theirs", PAGE, 1)),
        lambda uow: enable_template(uow, viewer, key, False),
        lambda uow: delete_template(uow, viewer, key),
    )
    for act in acts:
        with pytest.raises(NotFound), unit_of_work() as uow:
            act(uow)
    return True


# --- Whose it is ---


def test_a_domains_template_is_for_its_users_and_nobody_else(world: World, stranger: Viewer) -> None:
    key = copy(world.alice)
    assert chosen_from(world.bob) == chosen_from(world.alice) == [key]
    assert chosen_from(stranger) == chosen_from(world.admin) == []
    with reading() as uow, pytest.raises(errors.NoSuchCover):
        find_cover(uow, stranger, key)


def test_the_systems_template_is_for_all(world: World, stranger: Viewer) -> None:
    key = copy(world.admin)
    assert chosen_from(world.bob) == chosen_from(stranger) == [key]


def test_an_administrator_keeps_those_of_his_domain_the_systems_all(world: World, stranger: Viewer) -> None:
    hers, theirs, the_systems = copy(world.alice), copy(stranger), copy(world.admin)
    with reading() as uow:
        assert [each.uuid for each in list_templates(uow, world.alice)] == [hers]
        assert {each.uuid for each in list_templates(uow, world.admin)} == {hers, theirs, the_systems}
    assert refused(world.alice, theirs) and refused(world.alice, the_systems) and refused(stranger, hers)
    save(world.admin, hers, name="By the system")
    with reading() as uow:
        assert find_template(uow, world.alice, hers).changed_by == "admin"


def test_a_user_keeps_none(world: World) -> None:
    assert refused(world.bob, copy(world.alice))
    with reading() as uow:
        for act in (lambda: list_templates(uow, world.bob), lambda: find_template(uow, world.bob, "standard")):
            with pytest.raises(NotFound):
                act()


@pytest.mark.parametrize("key", BUILT_IN)
def test_ours_are_looked_at_and_copied_and_never_changed(world: World, key: str) -> None:
    with reading() as uow:
        assert find_template(uow, world.alice, key).is_ours
    for act in (
        lambda uow: save_template(uow, world.admin, key, Edit("x", PAGE, 0)),
        lambda uow: enable_template(uow, world.admin, key, False),
        lambda uow: delete_template(uow, world.admin, key),
    ):
        with pytest.raises(NotFound), unit_of_work() as uow:
            act(uow)
    with reading() as uow:
        made = find_template(uow, world.alice, copy(world.alice, key))
    assert (made.html, made.name) == (BUILT_IN[key].html, f"{BUILT_IN[key].en} 2")


# --- Editing ---


def test_a_copy_of_a_copy_has_a_name_of_its_own(world: World) -> None:
    copy(world.alice), copy(world.alice)
    with reading() as uow:
        assert [each.name for each in list_templates(uow, world.alice)] == ["Plain (Chinese) 2", "Plain (Chinese) 3"]


def test_an_edit_upon_anothers_edit_is_refused_and_says_whose(world: World) -> None:
    key = copy(world.alice)
    save(world.admin, key, html=PAGE + "first")
    with pytest.raises(errors.EditedMeanwhile) as refusal:
        save(world.alice, key, html=PAGE + "second", version=1)
    assert "admin" in refusal.value.text("zh")
    with reading() as uow:
        assert find_template(uow, world.alice, key).html == PAGE + "first"
    save(world.alice, key, html=PAGE + "second", version=2)
    with reading() as uow:
        assert (template := find_template(uow, world.alice, key)).html == PAGE + "second"
    assert (template.version, template.changed_by) == (3, "alice@demo")


def test_names_are_told_apart_within_a_tenant(world: World, stranger: Viewer) -> None:
    one, other, theirs = copy(world.alice), copy(world.alice), copy(stranger)
    save(world.alice, one, name="Letterhead")
    save(stranger, theirs, name="Letterhead")
    with pytest.raises(errors.TemplateNameTaken):
        save(world.alice, other, name=" Letterhead ")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\u202eb", "x" * (LONGEST_NAME + 1)])
def test_a_name_is_one_line_of_some_length(world: World, name: str) -> None:
    with pytest.raises(errors.BadTemplateName):
        save(world.alice, copy(world.alice), name=name)


def test_what_has_a_problem_is_not_saved(world: World) -> None:
    key = copy(world.alice)
    with pytest.raises(errors.TemplateRefused):
        save(world.alice, key, html=PAGE + "{$NOBODY}")
    with reading() as uow:
        assert find_template(uow, world.alice, key).version == 1


# --- The default ---


def test_without_a_choice_there_is_no_cover(world: World) -> None:
    assert usual(world.bob) is None


def test_a_chosen_default_stays_until_it_is_gone_and_then_is_the_standard_one(world: World) -> None:  # R6.2
    key = copy(world.alice)
    with unit_of_work() as uow:
        set_default_cover(uow, world.bob, key)
    assert usual(world.bob) == key
    with unit_of_work() as uow:
        enable_template(uow, world.alice, key, False)
    assert chosen_from(world.bob) == []
    assert usual(world.bob) == "standard-en"
    with unit_of_work() as uow:
        enable_template(uow, world.alice, key, True)
    assert usual(world.bob) == key
    with unit_of_work() as uow:
        delete_template(uow, world.alice, key)
    assert usual(world.bob) == "standard-en"
    with unit_of_work() as uow:
        set_default_cover(uow, world.bob, None)
    assert usual(world.bob) is None


def test_anothers_template_is_no_default(world: World, stranger: Viewer) -> None:
    key = copy(stranger)
    with pytest.raises(errors.NoSuchCover), unit_of_work() as uow:
        set_default_cover(uow, world.bob, key)
    assert usual(world.bob) is None


# --- What a sender says of himself (R6.1) ---


def test_personal_information_is_kept_without_blanks_around_it(world: World) -> None:
    with unit_of_work() as uow:
        set_personal(uow, world.bob, {"company": " 湘江贸易 ", "postcode": "415000"})
    with reading() as uow:
        kept = personal(uow, world.bob)
    assert (kept["company"], kept["postcode"], kept["surname"]) == ("湘江贸易", "415000", "")


@pytest.mark.parametrize("field", LONGEST)
def test_what_is_too_long_or_of_several_lines_is_refused_and_nothing_is_changed(world: World, field: str) -> None:
    for text in ("x" * (LONGEST[field] + 1), "a\nb"):
        with pytest.raises(PersonalRefused) as refusal, unit_of_work() as uow:
            set_personal(uow, world.bob, dict.fromkeys(LONGEST, "y") | {field: text})
        assert set(refusal.value.problems) == {field}
    with reading() as uow:
        assert set(personal(uow, world.bob).values()) == {""}


@pytest.mark.parametrize(
    ("surname", "given", "whole"),
    [("李", "明", "李明"), ("Li", "Mark", "Mark Li"), ("", "Mark", "Mark"), ("Müller", "", "Müller"), ("", "", "")],
)
def test_a_name_is_written_in_the_order_of_its_language(surname: str, given: str, whole: str) -> None:
    assert User(surname=surname, given_name=given).full_name == whole


def test_the_table_keeps_what_is_promised() -> None:
    assert {name: User.__table__.c[name].type.length for name in LONGEST} == dict(LONGEST)  # type: ignore[attr-defined]
