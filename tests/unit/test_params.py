"""System parameters: bounds, words in both languages, and a change that the next transaction sees."""

import pytest
from sqlalchemy import Engine

from netfax.db import reading, unit_of_work
from netfax.numbers.errors import NotAHome
from netfax.org.homes import system_home
from netfax.params.service import get_int, get_text, list_params, set_param
from netfax.params.table import (
    PARAMS,
    BadParamValue,
    Param,
    Pattern,
    Span,
    Switch,
    UnknownParam,
    Whole,
    Zone,
    read_value,
)

WHOLE = [(name, each.kind) for name, each in PARAMS.items() if isinstance(each.kind, Whole)]


def put(name: str, value: str) -> str:
    with unit_of_work() as uow:
        return set_param(uow, name, value, by="admin")


def value_of(name: str) -> str:
    with reading() as uow:
        return get_text(uow, name)


# --- The table ---


@pytest.mark.parametrize("each", PARAMS.values(), ids=str)
def test_every_default_is_a_value_that_the_parameter_takes(each: Param) -> None:
    assert read_value(each.name, each.default) == each.default


@pytest.mark.parametrize("each", PARAMS.values(), ids=lambda each: each.name)
def test_every_parameter_is_explained_in_both_languages(each: Param) -> None:
    assert each.title_en.isascii() and each.help_en.isascii() and each.help_en.endswith(".")
    assert not each.title_zh.isascii() and each.help_zh.endswith("。")


def test_the_defaults_are_those_of_the_manual() -> None:
    defaults = {name: each.default for name, each in PARAMS.items()}
    assert (defaults["extension_mark"], defaults["retry_interval"], defaults["max_attachments"]) == ("E", "180", "3")


@pytest.mark.parametrize(("name", "kind"), WHOLE)
def test_both_bounds_are_taken_and_what_lies_beyond_is_refused(name: str, kind: Whole) -> None:
    assert read_value(name, str(kind.low)) == str(kind.low)
    assert read_value(name, str(kind.high)) == str(kind.high)
    for beyond in (kind.low - 1, kind.high + 1):
        with pytest.raises(BadParamValue):
            read_value(name, str(beyond))


@pytest.mark.parametrize("text", ["", "-5", "+50", "5.0", "1e2", "５０", "0x32", "50 s", "5\n0", "9" * 5000, "\0"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(BadParamValue):
        read_value("retry_interval", text)


@pytest.mark.parametrize(("typed", "stored"), [(" 60 ", "60"), ("0060", "60"), ("60\n", "60")])
def test_a_number_is_stored_in_one_form(typed: str, stored: str) -> None:
    assert read_value("retry_interval", typed) == stored


@pytest.mark.parametrize("mark", ["", "EE", "1", "*", "é", "Ｅ", "E F", "/"])
def test_the_extension_mark_is_one_letter(mark: str) -> None:
    with pytest.raises(BadParamValue):
        read_value("extension_mark", mark)


def test_a_refusal_says_what_is_taken_in_both_languages() -> None:
    with pytest.raises(BadParamValue) as refused:
        read_value("ring_time", "5")
    assert refused.value.text("en") == "ring_time can't be '5': it takes a whole number from 15 to 180."
    assert refused.value.text("zh") == "ring_time 不能设为 '5'：应为 15 到 180 的整数。"
    with pytest.raises(UnknownParam) as unknown:
        read_value("\x1b[2J", "5")
    for language in ("en", "zh"):
        assert "netfax param list" in unknown.value.text(language)
        assert unknown.value.text(language).isprintable()


def test_a_long_value_is_cut_in_the_refusal() -> None:
    with pytest.raises(BadParamValue) as refused:
        read_value("ring_time", "9" * 100_000)
    assert len(refused.value.text("en")) < 200


def test_every_kind_says_what_it_takes() -> None:
    for each in PARAMS.values():
        assert each.kind.wanted_en and each.kind.wanted_zh
        assert isinstance(each.kind, Whole | Pattern | Zone | Span | Switch)


@pytest.mark.parametrize("value", ["08:00-20:00", "22:00-06:30", "00:00-24:00"])
def test_calling_hours_are_a_span_of_the_day(value: str) -> None:
    assert read_value("calling_hours", value) == value


@pytest.mark.parametrize(
    "value",
    ["", "08:00-08:00", "8-20", "08:00", "24:00-08:00", "08:00-24:01", "08:60-20:00", "08:00-20:00 "[:-1] + "x"],
)
def test_what_is_no_span_of_the_day_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(BadParamValue, match="08:00-20:00"):
        read_value("calling_hours", value)


def test_a_time_zone_is_one_that_the_machine_knows() -> None:
    assert read_value("time_zone", "Europe/Paris") == "Europe/Paris"
    with pytest.raises(BadParamValue, match="Asia/Shanghai"):
        read_value("time_zone", "Mars/Olympus")


# --- In the database ---


def test_a_value_that_was_never_set_is_the_default(database: Engine) -> None:
    assert value_of("retry_interval") == "180"


def test_a_change_is_seen_by_the_next_transaction_and_not_by_one_that_rolls_back(database: Engine) -> None:
    assert put("retry_interval", " 60 ") == "60"
    assert value_of("retry_interval") == "60"
    with reading() as uow:
        assert get_int(uow, "retry_interval") == 60
    with pytest.raises(RuntimeError, match="changed my mind"), unit_of_work() as uow:
        set_param(uow, "retry_interval", "90", by="admin")
        raise RuntimeError("changed my mind")
    assert value_of("retry_interval") == "60"


def test_a_refused_value_leaves_the_one_in_force(database: Engine) -> None:
    put("retry_count", "5")
    with pytest.raises(BadParamValue):
        put("retry_count", "21")
    assert value_of("retry_count") == "5"


def test_a_name_that_is_no_parameter_can_neither_be_read_nor_set(database: Engine) -> None:
    with pytest.raises(UnknownParam):
        put("no_such", "1")
    with pytest.raises(UnknownParam):
        value_of("no_such")


def test_the_list_has_every_parameter_and_who_changed_it(database: Engine) -> None:
    put("ring_time", "30")
    put("ring_time", "45")
    with reading() as uow:
        listed = {each.name: (value, stored.changed_by if stored else None) for each, value, stored in list_params(uow)}
    assert list(listed) == list(PARAMS)
    assert listed.pop("ring_time") == ("45", "admin")
    assert listed == {name: (PARAMS[name].default, None) for name in listed}


def test_the_area_must_exist_in_the_country(database: Engine) -> None:
    put("area_code", "10")
    with pytest.raises(NotAHome) as refused:
        put("area_code", "19")
    assert "19" in refused.value.text("en") and "19" in refused.value.text("zh")
    with reading() as uow:
        assert (system_home(uow).country, system_home(uow).area) == ("86", "10")


def test_a_country_that_does_not_exist_is_refused(database: Engine) -> None:
    with pytest.raises(NotAHome):
        put("country_code", "999")
    assert value_of("country_code") == "86"
    assert put("country_code", "44") == "44"
