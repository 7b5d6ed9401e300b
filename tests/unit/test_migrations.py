"""Migrations bring an empty database to exactly the models' schema, and back."""

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, inspect, text

from netfax.db import Base, unit_of_work
from netfax.faxes.draw_queue import count_ready
from netfax.faxes.models import MailboxItem, Submission
from netfax.faxes.states import DeliveryState
from netfax.migrate import NewerDatabase, alembic_config, is_current, migrate
from netfax.models import table_names
from tests.factories import make_delivery, make_world


@pytest.fixture
def empty(database: Engine) -> Iterator[Engine]:
    """A database without a table."""
    Base.metadata.drop_all(database)
    yield database
    with database.begin() as connection:
        connection.execute(text("drop table if exists alembic_version"))


def schema(engine: Engine) -> dict[str, Any]:
    """All that the database says of its tables, in an order of its own."""
    found = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"] is not None)
                for column in found.get_columns(table)
            },
            "primary key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(
                (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                for key in found.get_foreign_keys(table)
            ),
            "unique": sorted(
                (constraint["name"] or "", constraint["column_names"])
                for constraint in found.get_unique_constraints(table)
            ),
            "checks": sorted((check["name"] or "", check["sqltext"]) for check in found.get_check_constraints(table)),
            "indexes": sorted(
                (index["name"] or "", index["column_names"], bool(index["unique"]))
                for index in found.get_indexes(table)
            ),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def test_an_empty_database_gets_exactly_the_models_schema(database: Engine) -> None:
    wanted = schema(database)
    Base.metadata.drop_all(database)
    assert schema(database) == {}
    migrate(database)
    assert schema(database) == wanted
    assert set(wanted) == set(table_names())


def test_alembic_finds_nothing_to_add(empty: Engine) -> None:
    migrate(empty)
    with empty.begin() as connection:
        command.check(alembic_config(connection))


def test_to_migrate_again_is_harmless_and_keeps_every_row(empty: Engine) -> None:
    migrate(empty)
    world = make_world()
    make_delivery(world.alice)
    before = schema(empty)
    migrate(empty)
    migrate()
    assert schema(empty) == before
    with unit_of_work() as uow:
        assert uow.session.query(MailboxItem).count() == 1


def test_a_database_knows_whether_it_is_up_to_date(empty: Engine) -> None:
    with empty.begin() as connection:
        assert not is_current(connection)
    migrate(empty)
    with empty.begin() as connection:
        assert is_current(connection)


def test_the_way_back_leaves_no_table_and_can_be_gone_again(empty: Engine) -> None:
    migrate(empty)
    there = schema(empty)
    with empty.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert schema(empty) == {}
    migrate(empty)
    assert schema(empty) == there


def test_what_waits_to_be_drawn_is_still_drawn_after_the_migration(empty: Engine) -> None:
    migrate(empty)
    world = make_world()
    for state in (DeliveryState.CONVERTING, DeliveryState.QUEUED):
        make_delivery(world.alice, state=state)
    with empty.begin() as connection:
        command.downgrade(alembic_config(connection), "0002_life_of_a_fax")
    migrate(empty)
    with unit_of_work() as uow:
        assert [each.draw_turn for each in uow.session.query(Submission).order_by(Submission.id)] == [0, None]
        assert count_ready(uow) == 1


def test_a_running_number_is_never_used_again(empty: Engine) -> None:
    migrate(empty)
    world = make_world()
    numbers = []
    for _ in range(2):
        make_delivery(world.alice)
        with unit_of_work() as uow:
            item = uow.session.query(MailboxItem).one()
            numbers.append(item.id)
            uow.session.delete(item)
    assert numbers[0] < numbers[1]


def test_a_database_of_a_newer_version_is_left_alone(empty: Engine) -> None:
    migrate(empty)
    there = schema(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="9999"):
        migrate(empty)
    assert schema(empty) == there
