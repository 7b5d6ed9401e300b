"""`netfax …` for people and for programs: tables, JSON, one sentence and exit code 2 for what can't be done."""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from sqlalchemy import Engine, select, update

from cli import act_commands, admin_commands, demonstration, fax_commands
from cli.main import main
from cli.output import language
from dialplan.asterisk import AsteriskRootError
from netfax.alarms import OUR_FAULT, Said, raise_alarm
from netfax.db import unit_of_work
from netfax.faxes import live
from netfax.faxes.dial import claim_attempts
from netfax.faxes.finish import finish_attempt
from netfax.faxes.live import Progress
from netfax.faxes.models import Attempt, Delivery, Direction, MailboxItem, Reception, Submission
from netfax.faxes.receive import InboundCall, decide
from netfax.faxes.results import CallOutcome
from netfax.faxes.states import DeliveryState, ReceptionState
from netfax.lines.models import Trunk, TrunkKind
from netfax.org.models import OwnedNumber
from netfax.params.table import PARAMS
from netfax.settings import settings
from netfax.storage.disk import store_file
from netfax.storage.service import FAX_TIFF, add_blob
from netfax.telephony import DECISION_ACCEPT
from tests.factories import World, delivery_of, dispatch_now, make_delivery, make_world, only_attempt
from tests.fixtures.documents.build import encrypted_pdf, saved, tiff

# What differs between the databases is tested in the flow of a fax.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;t\x07 a\r\nb \u202e123 \x9b31m <svg>"
FAR = "07367721001"


@pytest.fixture
def world(database: Engine, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(admin_commands, "registrations", lambda _settings: {"pstn": "reachable"})
    monkeypatch.setattr(admin_commands, "apply_gateway", lambda _settings, removed=(): "Saved.")
    # No Redis runs here; its absence is tested with the live progress.
    monkeypatch.setattr(live, "watch", lambda _ids: None)
    monkeypatch.setattr(live, "progress", lambda _ids: {})
    return make_world()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.png"
    path.write_bytes(saved(Image.new("1", (200, 100)), "PNG"))
    return path


def run(*arguments: str, lang: str = "C.UTF-8") -> Result:
    environment = {"LANG": lang, "LC_ALL": None, "LC_MESSAGES": None, "COLUMNS": "400"}
    result = CliRunner().invoke(main, arguments, env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def rows(*arguments: str) -> list[dict[str, Any]]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout))


def refused(*arguments: str, lang: str = "C.UTF-8") -> str:
    """The one sentence of a refusal."""
    result = run(*arguments, lang=lang)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    return sentence


def received(world: World, *, station: str = "+86 736 7721003", content: Path | None = None) -> str:
    """A fax in bob's inbox; its public id."""
    with unit_of_work() as uow:
        blob = None
        if content is not None:
            blob = add_blob(uow, store_file(content), tenant_id=world.tenant_id, media_type=FAX_TIFF)
        reception = Reception(
            id="6b1f6f3e-0000-4000-8000-000000000001",
            gateway="gw1",
            tenant_id=world.tenant_id,
            user_id=world.bob.user_id,
            caller="867367721003",
            called="867367804002",
            state=ReceptionState.RECEIVED,
            pages=1,
            remote_station_id=station,
            blob_id=blob.id if blob else None,
            ended_at=datetime.fromisoformat("2026-03-01T08:00:00+00:00"),
        )
        uow.session.add(reception)
        uow.session.flush()
        item = MailboxItem(
            tenant_id=world.tenant_id, user_id=world.bob.user_id, direction=Direction.IN, reception_id=reception.id
        )
        uow.session.add(item)
        uow.session.flush()
        return item.uuid


def item_of(delivery_uuid: str) -> str:
    with unit_of_work() as uow:
        query = select(MailboxItem.uuid).join(Delivery, Delivery.id == MailboxItem.delivery_id)
        return uow.session.scalars(query.where(Delivery.uuid == delivery_uuid)).one()


# --- Tables and JSON ---


def test_a_table_has_a_heading_and_a_line_a_row(world: World) -> None:
    result = run("user", "list")
    assert result.exit_code == 0
    heading, *lines = result.stdout.splitlines()
    assert heading.split() == ["login", "role", "numbers"]
    assert [line.split() for line in lines] == [
        ["admin", "system_admin"],
        ["alice@demo", "domain_admin", "867367804001"],
        ["bob@demo", "user", "867367804002"],
    ]


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("user", "list"), {"login", "role", "numbers"}),
        (("number", "list"), {"number", "owner", "since"}),
        (("trunk", "list"), {"name", "kind", "registered", "channels", "busy", "t38", "prefix"}),
        (("param", "list"), {"name", "value", "default", "unit", "title", "help", "changed_by"}),
        (("queue", "--user", "bob@demo"), {"uuid", "to", "state", "cause", "tries", "pages", "progress", "attempts"}),
    ],
)
def test_every_list_is_json_for_programs(world: World, arguments: tuple[str, ...], keys: set[str]) -> None:
    make_delivery(world.bob)
    found = rows(*arguments)
    assert found
    assert all(keys <= set(row) for row in found)


@pytest.mark.parametrize("command", ["queue", "sent", "inbox", "receiving"])
def test_an_empty_list_is_a_sentence_for_people_and_an_empty_array_for_programs(world: World, command: str) -> None:
    assert rows(command, "--user", "bob@demo") == []
    said = run(command, "--user", "bob@demo").stdout
    assert said.strip().endswith(".")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("user", "list"), "用户 角色 传真号码"),
        (("number", "list"), "号码 所有者 开始时间"),
        (("trunk", "list"), "可达"),
        (("param", "list"), "名称 值 单位 默认值 含义"),
        (("alarm", "list"), "编号 发生时间 告警 对象 说明"),
        (("queue", "--user", "bob@demo"), "等待发送 对方占线。"),
        (("sent", "--user", "bob@demo"), "发送失败"),
        (("inbox", "--user", "bob@demo"), "已接收"),
        (("receiving", "--user", "bob@demo"), "主叫号码 被叫号码 收件人 线路 开始时间 页数 速率"),
    ],
)
def test_lists_speak_chinese_to_who_reads_it(world: World, arguments: tuple[str, ...], words: str) -> None:
    make_delivery(world.bob)
    make_delivery(world.bob, state=DeliveryState.FAILED)
    received(world)
    with unit_of_work() as uow:
        uow.session.execute(update(Delivery).where(Delivery.state == DeliveryState.QUEUED).values(cause="busy"))
        raise_alarm(uow, OUR_FAULT, "x", Said("text", "文字"))
        assert decide(uow, InboundCall(str(uuid4()), "gw1", "pstn", "c", "1.1", FAR, "7804002")) == DECISION_ACCEPT
    lines = run(*arguments, lang="zh_CN.UTF-8").stdout.splitlines()
    assert words in " ".join(" ".join(lines).split())
    # What a script asks for has one name in every language.
    english = {key for row in json.loads(run(*arguments, "--json").stdout) for key in row}
    assert english == {key for row in json.loads(run(*arguments, "--json", lang="zh_CN.UTF-8").stdout) for key in row}


def test_times_are_iso_with_their_zone_for_programs(world: World) -> None:
    make_delivery(world.bob)
    (row,) = rows("queue", "--user", "bob@demo")
    assert datetime.fromisoformat(row["submitted_at"]).tzinfo is not None
    assert row["ended_at"] is None


def test_the_queue_shows_where_a_call_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_delivery(world.bob, pages=3)
    dispatch_now()
    news = {only_attempt(): Progress("T38", 14400, 2, "")}
    monkeypatch.setattr(live, "progress", lambda _ids: news)
    (row,) = rows("queue", "--user", "bob@demo")
    assert (row["state"], row["progress"], row["attempts"]) == ("dialing", "page 2 of 3, 14400 bit/s, T.38", 1)
    assert "page 2 of 3" in run("queue", "--user", "bob@demo").stdout


def test_a_received_fax_is_in_the_inbox_with_who_sent_it(world: World) -> None:
    received(world)
    (row,) = rows("inbox", "--user", "bob@demo")
    assert (row["caller"], row["station_id"], row["state"]) == ("867367721003", "+86 736 7721003", "received")
    assert rows("inbox", "--user", "alice@demo") == []


def test_the_sent_list_is_of_ended_faxes_and_says_why(world: World) -> None:
    uuid = make_delivery(world.bob, state=DeliveryState.FAILED)
    with unit_of_work() as uow:
        uow.session.execute(update(Delivery).values(cause="busy", cause_detail="User busy"))
    (row,) = rows("sent", "--user", "bob@demo")
    assert (row["delivery"], row["cause"], row["cause_text"]) == (uuid, "busy", "The line was busy.")
    assert rows("queue", "--user", "bob@demo") == []


def test_a_page_of_a_list_is_what_was_asked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fax_commands, "PAGE_SIZE", 2)
    for last in range(3):
        make_delivery(world.bob, f"86736772100{last}")
    assert [row["to"][-1] for row in rows("queue", "--user", "bob@demo", "--page", "1")] == ["2", "1"]
    assert [row["to"][-1] for row in rows("queue", "--user", "bob@demo", "--page", "2")] == ["0"]
    for beyond in ("0", "1000001", "9" * 30):
        assert run("queue", "--user", "bob@demo", "--page", beyond).exit_code == 2
    assert rows("queue", "--user", "bob@demo", "--page", "1000000") == []


# --- What is done ---


def test_a_fax_is_sent_to_each_number(world: World, page: Path) -> None:
    accepted = rows("send", str(page), "--to", f"{FAR},7721002E801", "--user", "bob@demo", "--title", "报价")
    assert len(accepted) == 2
    assert {row["delivery"] for row in rows("queue", "--user", "bob@demo")} == set(accepted)
    said = run("send", str(page), "--to", FAR, "--user", "bob@demo").stdout
    assert said.startswith("Accepted: 1 fax(es).")


def test_a_waiting_fax_is_cancelled_once(world: World) -> None:
    uuid = make_delivery(world.bob)
    assert run("cancel", item_of(uuid), "--user", "bob@demo").stdout.strip() == "Cancelled"
    assert delivery_of(uuid).state is DeliveryState.CANCELLED
    assert refused("cancel", item_of(uuid), "--user", "bob@demo") == "This fax has ended already: Cancelled."


def test_nobody_cancels_or_saves_another_ones_fax(world: World, tmp_path: Path) -> None:
    item = item_of(make_delivery(world.alice))
    for command in (("cancel", item), ("save", item, "--out", str(tmp_path / "x.pdf"))):
        assert "not yours to see" in refused(*command, "--user", "bob@demo")
    assert not (tmp_path / "x.pdf").exists()


@pytest.mark.parametrize(("name", "begin"), [("fax.pdf", b"%PDF"), ("FAX.PDF", b"%PDF"), ("fax.tif", b"II*")])
def test_a_fax_is_saved_by_the_end_of_the_files_name(world: World, tmp_path: Path, name: str, begin: bytes) -> None:
    source = tmp_path / "source.tif"
    source.write_bytes(tiff(Image.new("1", (1728, 100), 1)))
    item = received(world, content=source)
    result = run("save", item, "--user", "bob@demo", "--out", str(tmp_path / name))
    assert result.exit_code == 0, result.output
    assert (tmp_path / name).read_bytes().startswith(begin)


@pytest.mark.parametrize("name", ["x.png", "x", "x.pdf.exe", "pdf", "tif"])
def test_a_fax_is_saved_as_pdf_or_tiff_alone(world: World, tmp_path: Path, name: str) -> None:
    source = tmp_path / "source.tif"
    source.write_bytes(tiff(Image.new("1", (1728, 100), 1)))
    item = received(world, content=source)
    target = tmp_path / name
    assert ".pdf or .tif" in refused("save", item, "--user", "bob@demo", "--out", str(target))
    assert not target.exists()


@pytest.mark.parametrize("name", ["nowhere/x.pdf", "nowhere/x.tif"])
def test_what_the_system_refuses_is_one_sentence_and_exit_code_one(world: World, tmp_path: Path, name: str) -> None:
    source = tmp_path / "source.tif"
    source.write_bytes(tiff(Image.new("1", (1728, 100), 1)))
    item = received(world, content=source)
    for lang, words in (("C.UTF-8", "The system refuses"), ("zh_CN.UTF-8", "系统拒绝操作")):
        result = run("save", item, "--user", "bob@demo", "--out", str(tmp_path / name), lang=lang)
        assert (result.exit_code, result.stdout) == (1, "")
        (sentence,) = result.stderr.splitlines()
        assert words in sentence
        assert "nowhere" in sentence


def test_what_netfax_itself_can_not_do_is_one_sentence_and_exit_code_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_settings: object) -> None:
        raise AsteriskRootError(why="no network")

    monkeypatch.setattr(demonstration, "demonstrate", fail)
    assert "does not run" in refused("demo")
    monkeypatch.setattr("cli.runstate.is_running", lambda _: True)
    result = run("demo")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("The private Asterisk root could not be made: no network.")


def test_a_fax_without_pages_has_nothing_to_save(world: World, tmp_path: Path) -> None:
    item = item_of(make_delivery(world.bob, state=DeliveryState.CONVERTING))
    assert "no pages" in refused("save", item, "--user", "bob@demo", "--out", str(tmp_path / "x.pdf"))


def test_a_parameter_is_set_and_listed_with_who_set_it(world: World) -> None:
    assert run("param", "set", "retry_interval", "60").stdout.strip() == "retry_interval = 60"
    listed = {row["name"]: row for row in rows("param", "list")}
    assert list(listed) == list(PARAMS)
    assert (listed["retry_interval"]["value"], listed["retry_interval"]["changed_by"]) == ("60", "command line")
    assert listed["retry_count"]["changed_by"] is None


def test_a_number_is_given_in_any_spelling(world: World) -> None:
    assert run("number", "give", "0736-780 4055", "bob@demo").stdout.strip() == "867367804055 → bob@demo"
    with unit_of_work() as uow:
        assert uow.session.get_one(OwnedNumber, "867367804055").user_id == world.bob.user_id


def test_trunks_are_added_with_what_their_kind_needs(world: World) -> None:
    assert run("trunk", "add", "--kind", "sip", "--name", "backup", "--host", "sip.example.net").exit_code == 0
    modem = ("--name", "modem1", "--secret", "s3cret", "--number", FAR)
    assert run("trunk", "add", "--kind", "iax2", *modem).stdout.strip() == "Saved."
    with unit_of_work() as uow:
        kept = {trunk.name: trunk for trunk in uow.session.scalars(select(Trunk))}
        assert (kept["backup"].kind, len(kept["backup"].ports), kept["backup"].t38) == (TrunkKind.SIP, 30, True)
        assert (kept["modem1"].number, len(kept["modem1"].ports)) == ("867367721001", 1)
        assert (kept["modem1"].t38, kept["modem1"].port) == (False, 0)
    listed = {row["name"]: row["registered"] for row in rows("trunk", "list")}
    assert listed == {"pstn": "reachable", "backup": "no", "modem1": "no"}
    assert "s3cret" not in run("trunk", "list").stdout + run("trunk", "list", "--json").stdout


def test_a_trunk_is_removed_and_its_name_free_again(world: World) -> None:
    sip = ("trunk", "add", "--kind", "sip", "--name", "backup", "--host", "sip.example.net")
    assert run(*sip, "--position", "9" * 10).exit_code == 2
    assert run(*sip, "--position", "1000000").exit_code == 0
    make_delivery(world.alice)
    dispatch_now()
    assert "Calls are on trunk pstn (1)" in refused("trunk", "remove", "pstn")
    assert run("trunk", "remove", "backup").exit_code == 0
    assert {row["name"] for row in rows("trunk", "list")} == {"pstn"}
    assert "no such entry" in refused("trunk", "remove", "backup")
    assert run(*sip).exit_code == 0
    with unit_of_work() as uow:
        finish_attempt(uow, only_attempt(), CallOutcome(answered=False, hangup_cause=1), actor="test")
    assert run("trunk", "remove", "pstn").exit_code == 0
    with unit_of_work() as uow:
        (attempt,) = uow.session.scalars(select(Attempt))
        assert attempt.trunk.name == "pstn"


# --- What is refused ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("queue", "--user", "nobody@demo"), "no user nobody@demo"),
        (("param", "set", "no_such", "1"), "no parameter"),
        (("param", "set", "ring_time", "5"), "a whole number from 15 to 180"),
        (("param", "set", "area_code", "19"), "does not exist"),
        (("number", "give", "12@34", "bob@demo"), "not a fax number"),
        (("number", "give", "07367804001", "bob@demo"), "belongs to alice@demo"),
        (("number", "give", "01064802994", "bob@demo"), "in no range"),
        (("trunk", "add", "--kind", "sip", "--name", "x"), "needs --host"),
        (("trunk", "add", "--kind", "sip", "--name", "pstn", "--host", "a.b"), "one named pstn already"),
        (("trunk", "add", "--kind", "sip", "--name", "A b", "--host", "a.b"), "small letters"),
        (("trunk", "add", "--kind", "sip", "--name", "general", "--host", "a.b"), "Asterisk"),
        (("trunk", "add", "--kind", "sip", "--name", "x", "--host", "999.1.1.1"), "needs --host"),
        (("trunk", "add", "--kind", "sip", "--name", "x", "--host", "a.b", "--number", "7720001"), "soft modem"),
        (("trunk", "add", "--kind", "sip", "--name", "x", "--host", "a.b\nallow=all"), "needs --host"),
        (("trunk", "add", "--kind", "sip", "--name", "x", "--host", "a.b:5070"), "--port"),
        (("trunk", "add", "--kind", "sip", "--name", "x", "--host", "a.b", "--channels", "0"), "from 1 to"),
        (("trunk", "add", "--kind", "sip", "--name", "x", "--host", "a.b", "--prefix", "8x"), "15 digits"),
        (("trunk", "add", "--kind", "sip", "--name", "x", "--host", "a.b", "--secret", "a;b"), "secret"),
        (("trunk", "add", "--kind", "iax2", "--name", "x"), "needs --secret and --number"),
        (("cancel", "no-such", "--user", "bob@demo"), "no such entry"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_two(
    world: World, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused(*arguments)
    chinese = refused(*arguments, lang="zh_CN.UTF-8")
    assert not chinese.isascii()
    assert chinese.endswith("。")


@pytest.mark.parametrize(
    ("content", "numbers", "user", "words"),
    [
        (b"", FAR, "bob@demo", "empty"),
        (b"MZ\x90", FAR, "bob@demo", "can't be faxed"),
        (encrypted_pdf(), FAR, "bob@demo", "password"),
        (b"text", "77210@1", "bob@demo", "not a fax number"),
        (b"text", "", "bob@demo", "at least one fax number"),
        (b"text", FAR, "admin", "no fax number"),
    ],
)
def test_a_fax_that_cannot_be_sent_is_refused_and_nothing_is_kept(
    world: World, tmp_path: Path, content: bytes, numbers: str, user: str, words: str
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    assert words in refused("send", str(path), "--to", numbers, "--user", user)
    with unit_of_work() as uow:
        assert uow.session.query(Submission).count() == 0
    assert not settings().blobs_dir.exists()


def test_a_file_that_is_not_there_is_refused(world: World, tmp_path: Path) -> None:
    pipe, endless = tmp_path / "pipe", Path("/dev/zero")
    os.mkfifo(pipe)
    for path in (pipe, endless):
        assert "is no file" in refused("send", str(path), "--to", FAR, "--user", "bob@demo")
    result = run("send", str(tmp_path / "none.pdf"), "--to", FAR, "--user", "bob@demo")
    assert (result.exit_code, result.stdout) == (2, "")


# --- The terminal ---


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
        ({}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
    ],
)
def test_the_language_is_that_of_the_terminal(
    database: Engine, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_a_chinese_terminal_reads_chinese(world: World) -> None:
    assert "传真重发间隔" in run("param", "list", lang="zh_CN.UTF-8").stdout
    assert "Interval between tries" in run("param", "list").stdout
    item = item_of(make_delivery(world.bob))
    assert run("cancel", item, "--user", "bob@demo", lang="zh_CN.UTF-8").stdout.strip() == "已取消"


def test_a_chinese_terminal_reads_chinese_of_what_is_done(world: World, page: Path) -> None:
    said = run("send", str(page), "--to", FAR, "--user", "bob@demo", lang="zh_CN.UTF-8").stdout
    assert said.startswith("已接受 1 份传真")
    assert "收件箱为空" in run("inbox", "--user", "bob@demo", lang="zh_CN.UTF-8").stdout


def test_a_chinese_terminal_reads_chinese_of_a_call_that_is_hung_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = make_delivery(world.bob, pages=3, pages_confirmed=2)
    dispatch_now()
    with unit_of_work() as uow:
        assert claim_attempts(uow, [only_attempt()], "boot")
    monkeypatch.setattr(act_commands, "HANG_UP_SECONDS", 0)
    said = run("cancel", item_of(uuid), "--user", "bob@demo", lang="zh_CN.UTF-8").stdout
    assert said.splitlines() == ["正在挂断通话…", "正在拨号：取消前已确认 2/3 页"]


def assert_harmless(text: str) -> None:
    assert {character for character in text if not character.isprintable()} <= {"\n", "\u3000"}


def test_text_from_outside_is_neither_markup_nor_a_command_to_the_terminal(world: World) -> None:
    received(world, station=HOSTILE)
    uuid = make_delivery(world.bob)
    with unit_of_work() as uow:
        uow.session.execute(update(Submission).values(title=HOSTILE))
        uow.session.execute(update(Delivery).where(Delivery.uuid == uuid).values(cause_detail=HOSTILE))
    for command in ("inbox", "queue"):
        shown = run(command, "--user", "bob@demo").stdout
        assert_harmless(shown)
        assert "[bold red]x[/]" in shown
        assert len(shown.splitlines()) == 2
        as_json = run(command, "--user", "bob@demo", "--json").stdout
        assert_harmless(as_json)
        (row,) = json.loads(as_json)
        assert row.get("title", row.get("station_id")) == HOSTILE


def test_the_space_of_chinese_texts_is_shown_as_it_is(world: World) -> None:
    make_delivery(world.bob)
    with unit_of_work() as uow:
        uow.session.execute(update(Submission).values(title="关于\u3000报价"))
    assert "关于\u3000报价" in run("queue", "--user", "bob@demo").stdout


@pytest.mark.parametrize("name", ["\x1b[2J.pdf", "a\nb.pdf", "\u202efdp.pdf", "\x9b2J.pdf"])
def test_a_refusal_that_quotes_a_hostile_name_is_harmless_too(world: World, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    sentence = refused("send", str(path), "--to", FAR, "--user", "bob@demo")
    assert_harmless(sentence)
    assert_harmless(refused("queue", "--user", name))


def test_a_file_name_that_is_no_utf8_is_taken_all_the_same(world: World, page: Path) -> None:
    odd = page.rename(page.with_name("\udcff\udcfe.png"))
    result = run("send", str(odd), "--to", FAR, "--user", "bob@demo")
    assert result.exit_code == 0, result.output


def test_no_column_of_a_list_is_cut_however_narrow_the_terminal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    uuid = make_delivery(world.bob, state=DeliveryState.FAILED)
    with unit_of_work() as uow:
        uow.session.execute(update(Submission).values(title="很长的标题" * 40))
    said = run("sent", "--user", "bob@demo").stdout
    assert uuid in said and "很长的标题" * 40 in said and "Failed" in said


def test_bytes_that_are_no_text_are_one_sentence(world: World) -> None:
    assert "UTF-8" in refused("queue", "--user", "al\udcff")
