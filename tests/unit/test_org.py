"""Tenants and their users, the numbers that they own, and their passwords."""

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError, NoResultFound

from netfax.db import UnitOfWork, reading, unit_of_work
from netfax.org import passwords
from netfax.org.models import NumberRange, OwnedNumber, Role, Tenant, TenantKind, User
from netfax.org.numbers import (
    NumberNotOurs,
    NumberTaken,
    find_owner,
    find_range,
    give_number,
    system_operator,
)
from netfax.org.passwords import hash_password, password_matches
from netfax.org.service import (
    BadName,
    BadPassword,
    NameTaken,
    UnknownUser,
    add_domain,
    add_range,
    add_user,
    find_user,
    list_users,
    system_tenant,
)
from tests.factories import World, make_user, make_world

ALICES = "867367804001"
BOBS = "867367804002"
NOBODYS = "867367804077"


@pytest.fixture
def world(database: Engine) -> World:
    return make_world()


@pytest.fixture
def fast_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


def owner(identity: str) -> str | None:
    with reading() as uow:
        found = find_owner(uow, identity)
        return found.login if found else None


def disable(user_id: int) -> None:
    with unit_of_work() as uow:
        uow.session.get_one(User, user_id).enabled = False


def user_of(uow: UnitOfWork, login: str) -> User:
    return find_user(uow, login)


# --- Owners ---


def test_a_number_belongs_to_its_owner_and_the_rest_of_the_range_to_its_operator(world: World) -> None:
    assert (owner(BOBS), owner(ALICES), owner(NOBODYS)) == ("bob@demo", "alice@demo", "alice@demo")


@pytest.mark.parametrize("identity", ["867367804000", "867367804099"])
def test_both_ends_of_a_range_are_in_it(world: World, identity: str) -> None:
    assert owner(identity) == "alice@demo"


@pytest.mark.parametrize(
    "identity", ["867367803999", "867367804100", "86736780400", "8673678040001", "7804001", "", "x"]
)
def test_what_lies_outside_a_range_has_no_owner(world: World, identity: str) -> None:
    assert owner(identity) is None


def test_what_comes_for_a_disabled_user_goes_to_the_operator(world: World) -> None:
    disable(world.bob.user_id)
    assert owner(BOBS) == "alice@demo"


def test_nothing_goes_to_an_operator_who_is_disabled(world: World) -> None:
    disable(world.alice.user_id)
    assert owner(NOBODYS) is None


def test_a_range_without_an_operator_leaves_unowned_numbers_to_nobody(world: World) -> None:
    with unit_of_work() as uow:
        uow.session.scalars(select(NumberRange)).one().operator_id = None
    assert owner(NOBODYS) is None
    assert owner(BOBS) == "bob@demo"


def test_the_first_number_given_is_the_main_one(world: World) -> None:
    with unit_of_work() as uow:
        carol = make_user(uow, world.tenant_id, "carol", Role.USER)
        assert give_number(uow, carol, "867367804010").main
        assert not give_number(uow, carol, "867367804011").main
    assert owner("867367804011") == "carol@demo"


def test_a_number_has_one_owner(world: World) -> None:
    with pytest.raises(NumberTaken) as taken, unit_of_work() as uow:
        give_number(uow, user_of(uow, "bob@demo"), ALICES)
    assert taken.value.text("en") == f"{ALICES} belongs to alice@demo already."
    assert "alice@demo" in taken.value.text("zh")


def test_a_number_of_another_domain_or_of_nobody_is_not_given(world: World) -> None:
    with unit_of_work() as uow:
        other = add_domain(uow, "other", "Other")
        add_range(uow, other, "861064800000", "861064800099", None)
        make_user(uow, other.id, "dave", Role.USER)
    for login, identity in (("bob@demo", "861064800001"), ("dave@other", NOBODYS), ("bob@demo", "861099999999")):
        with pytest.raises(NumberNotOurs), unit_of_work() as uow:
            give_number(uow, user_of(uow, login), identity)
    with reading() as uow:
        assert uow.session.query(OwnedNumber).count() == 2


def test_a_range_that_runs_backwards_is_refused_by_the_database(world: World) -> None:
    with pytest.raises(IntegrityError), unit_of_work() as uow:
        add_range(uow, system_tenant(uow), "861064800099", "861064800000", None)


def test_ranges_of_other_lengths_do_not_mix(world: World) -> None:
    with unit_of_work() as uow:
        short = add_range(uow, system_tenant(uow), "8673678040", "8673678049", None)
        found = find_range(uow, "8673678040")
        assert found is not None
        assert found.id == short.id
        longer = find_range(uow, NOBODYS)
        assert longer is not None
        assert longer.id != short.id


def test_the_systems_operator_is_its_first_enabled_administrator(world: World) -> None:
    with unit_of_work() as uow:
        make_user(uow, system_tenant(uow).id, "second", Role.SYSTEM_ADMIN)
        assert system_operator(uow).name == "admin"
    disable(world.admin.user_id)
    with reading() as uow:
        assert system_operator(uow).name == "second"


def test_without_an_administrator_the_error_is_loud(world: World) -> None:
    disable(world.admin.user_id)
    with pytest.raises(NoResultFound), reading() as uow:
        system_operator(uow)


# --- Tenants and users ---


def test_the_system_is_one_tenant_and_domains_hang_below_it(world: World) -> None:
    with unit_of_work() as uow:
        root = system_tenant(uow)
        assert system_tenant(uow).id == root.id
        assert (root.kind, root.name, root.parent_id) == (TenantKind.SYSTEM, "", None)
        domain = uow.session.scalars(select(Tenant).where(Tenant.name == "demo")).one()
        assert (domain.kind, domain.parent_id) == (TenantKind.DOMAIN, root.id)


@pytest.mark.parametrize("name", ["", "1a", "A", "a b", "a@b", "é", "a" * 33, "a\n", "-a", "a/b", "ａ", "a'--", "a\0"])
def test_a_name_that_could_be_taken_for_another_is_refused(world: World, name: str) -> None:
    with unit_of_work() as uow:
        with pytest.raises(BadName) as refused:
            add_domain(uow, name, "x")
        with pytest.raises(BadName):
            add_user(uow, system_tenant(uow), name, "long enough", Role.USER)
    assert refused.value.text("en").isprintable()
    assert refused.value.text("zh").isprintable()


def test_a_name_is_given_once_in_its_domain(world: World, fast_hash: None) -> None:
    with unit_of_work() as uow:
        with pytest.raises(NameTaken):
            add_domain(uow, "demo", "x")
        demo = uow.session.scalars(select(Tenant).where(Tenant.name == "demo")).one()
        with pytest.raises(NameTaken):
            add_user(uow, demo, "bob", "long enough", Role.USER)
        other = add_domain(uow, "other", "x")
        assert add_user(uow, other, "bob", "long enough", Role.USER, surname="王").surname == "王"


@pytest.mark.parametrize("password", ["", "1234567", "x" * 129])
def test_a_password_that_is_too_short_or_too_long_is_refused(world: World, password: str) -> None:
    with unit_of_work() as uow, pytest.raises(BadPassword):
        add_user(uow, system_tenant(uow), "eve", password, Role.USER)


@pytest.mark.parametrize("login", ["bob@demo", "alice@demo", "admin"])
def test_a_user_is_found_by_what_he_signs_in_with(world: World, login: str) -> None:
    with reading() as uow:
        assert find_user(uow, login).login == login


@pytest.mark.parametrize(
    "login", ["", "bob", "admin@demo", "bob@", "BOB@demo", "bob@demo@x", "%", "@demo", "bob@demo "]
)
def test_nobody_else_is_found(world: World, login: str) -> None:
    with reading() as uow, pytest.raises(UnknownUser):
        find_user(uow, login)


def test_a_disabled_user_is_as_unknown_as_one_who_never_was(world: World) -> None:
    disable(world.bob.user_id)
    with reading() as uow, pytest.raises(UnknownUser):
        find_user(uow, "bob@demo")


def test_users_are_listed_by_domain_and_name(world: World) -> None:
    with reading() as uow:
        assert [user.login for user in list_users(uow)] == ["admin", "alice@demo", "bob@demo"]


# --- Passwords ---


def test_a_password_matches_its_own_hash_alone(fast_hash: None) -> None:
    stored = hash_password("right horse 马")
    assert stored.startswith("$argon2id$")
    assert stored != hash_password("right horse 马")
    assert password_matches("right horse 马", stored)
    for wrong in ("", "right horse", "right horse 马 ", "RIGHT HORSE 马", stored):
        assert not password_matches(wrong, stored)


@pytest.mark.parametrize("stored", [None, "", "-", "plain text", "$argon2id$v=19$m=65536,t=3,p=4$x$y"])
def test_what_is_no_hash_is_matched_by_nothing(stored: str | None) -> None:
    for password in ("", "-", "plain text", "nobody"):
        assert not password_matches(password, stored)


def test_a_hash_is_made_as_expensive_as_the_one_that_stands_for_nobody() -> None:
    nobody = passwords._NOBODY.split("$")
    assert hash_password("x").split("$")[1:4] == nobody[1:4]
