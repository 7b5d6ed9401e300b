"""The rendered configuration: its names are telephony's, its secrets are closed, and nothing lets a caller in."""

import os
import re
import stat
from pathlib import Path

import pytest

from dialplan import asterisk, network, render
from netfax import telephony as tel
from netfax.settings import CHECKOUT, SECRET_NAMES, Settings, make_secrets

ALL_TEMPLATES = sorted(render.TEMPLATES.rglob("*.j2"))


def known_names(module: object) -> set[str]:
    """Every string that a module of names holds, also as an element or key."""
    found: set[str] = set()
    for value in vars(module).values():
        parts = value if isinstance(value, (dict, tuple)) else (value,)
        found |= {part for part in parts if isinstance(part, str)}
    return found


KNOWN = known_names(tel)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    make_secrets(tmp_path)
    return Settings(home=tmp_path, port_base=21000, asterisk_root=tmp_path / "no-root")


def sip(name: str = "provider", **changes: object) -> render.TrunkConfig:
    values = {
        "host": "127.0.0.2",
        "port": 5060,
        "t38": True,
        "secret": None,
        "username": None,
        "number": None,
        "channels": 4,
    }
    return render.TrunkConfig(**({"name": name, "kind": "sip"} | values | changes))  # type: ignore[arg-type]


def modem(name: str = "modem1", **changes: object) -> render.TrunkConfig:
    values = {
        "host": None,
        "port": None,
        "t38": False,
        "secret": "s3cret",
        "username": None,
        "number": "7720001",
        "channels": 1,
    }
    return render.TrunkConfig(**({"name": name, "kind": "iax2"} | values | changes))  # type: ignore[arg-type]


@pytest.fixture
def gateway(settings: Settings) -> dict[str, str]:
    return render.gateway_files(settings, [sip(), sip("registers", username="u1", secret="pw-1"), modem()])


@pytest.fixture
def telephone_network(settings: Settings) -> dict[str, str]:
    return render.network_files(settings)


def test_every_variable_of_the_gateway_is_known_to_telephony(gateway: dict[str, str]) -> None:
    used = set(re.findall(r"NETFAX_[A-Z0-9_]+", "".join(gateway.values())))
    assert used <= KNOWN
    assert {tel.ATTEMPT_ID, tel.DECISION, tel.RECEPTION_ID, tel.SEND_MODE, tel.SEND_MODEM, tel.CALL_LIMIT} <= used


def test_every_context_of_the_gateway_is_known_to_telephony(gateway: dict[str, str]) -> None:
    contexts = set(re.findall(r"^\[([^\]]+)\]", gateway["etc/extensions.conf"], re.MULTILINE)) - {"general"}
    trunk_contexts = {tel.trunk_context(name) for name in ("provider", "registers", "modem1")}
    assert contexts == {tel.CONTEXT_OUT, tel.CONTEXT_IN, tel.CONTEXT_NUMBERS, tel.CONTEXT_REFUSE} | trunk_contexts
    lines = (gateway["etc/pjsip.conf"] + gateway["etc/iax.conf"]).splitlines()
    entered = {line.removeprefix("context = ") for line in lines if line.startswith("context")}
    # Who asks whether SIP lives may call nobody.
    assert entered == trunk_contexts | {tel.CONTEXT_REFUSE}


def test_every_agi_script_is_known_to_telephony(gateway: dict[str, str]) -> None:
    scripts = set(re.findall(r"agi://127\.0\.0\.1:21002/(\w+)", gateway["etc/extensions.conf"]))
    assert scripts == {tel.AGI_INBOUND_START, tel.AGI_INBOUND_DONE, tel.AGI_OUTCOME}


def test_agi_is_asked_with_its_secret(settings: Settings, gateway: dict[str, str]) -> None:
    asked = re.findall(r"AGI\(agi://[^)]*\)", gateway["etc/extensions.conf"])
    assert len(asked) == 3
    assert all(each.endswith(f",{settings.secret('agi')})") for each in asked)


def test_refusals_have_the_causes_of_telephony(gateway: dict[str, str]) -> None:
    found = re.findall(r"^exten => (\w+),1,Hangup\((\d+)\)", gateway["etc/extensions.conf"], re.MULTILINE)
    assert {decision: int(cause) for decision, cause in found} == tel.REFUSAL_CAUSES


@pytest.mark.parametrize(
    ("context", "prefix", "table"),
    [
        (tel.CONTEXT_OUT, tel.JOURNAL_OUT_PREFIX, tel.JOURNAL_FIELDS_OUT),
        (tel.CONTEXT_IN, tel.JOURNAL_IN_PREFIX, tel.JOURNAL_FIELDS_IN),
    ],
)
def test_journal_has_the_fields_of_telephony_in_one_append_before_agi(
    gateway: dict[str, str], context: str, prefix: str, table: dict[str, tuple[str, bool]]
) -> None:
    body = section(gateway, context)
    ending = body[body.index("exten => h,") :]
    line = "${" + tel.JOURNAL_LINE + "}"
    assert re.findall(re.escape(f"Set({tel.JOURNAL_LINE}={line}") + r"(\w+)=", ending) == list(table)
    (append,) = [text for text in ending.splitlines() if "FILE(" in text]
    assert f"FILE({tel.HOME}/{tel.JOURNAL}/{prefix}" in append
    assert append.endswith(f"={line}{tel.JOURNAL_END})")
    assert ending.index("FILE(") < ending.index("AGI(")
    for source, encoded in table.values():
        assert (f"REPLACE({source},:,.)" in ending) == encoded


def test_templates_spell_no_name_of_telephony_themselves() -> None:
    names = [
        name
        for name in KNOWN | known_names(network)
        if re.match(r"NETFAX_|netfax-|net-|NET_|inbound_|/netfax|spool/|cel/", name)
        or name in network.spellings("7721001")
    ]
    assert len(names) > 40
    for template in ALL_TEMPLATES:
        assert not [name for name in names if name in template.read_text()], template


def test_no_pattern_takes_more_than_digits_and_exten_is_always_filtered(
    gateway: dict[str, str], telephone_network: dict[str, str]
) -> None:
    for files in (gateway, telephone_network):
        text = files["etc/extensions.conf"]
        for pattern in re.findall(r"^exten => _([^,]+),", text, re.MULTILINE):
            assert re.fullmatch(r"\+?[0-9X]+", pattern)
        assert "${EXTEN" not in text.replace("${FILTER(0-9+,${EXTEN})}", "")


def test_a_call_from_outside_is_filtered_before_anything_else(gateway: dict[str, str]) -> None:
    steps = [
        line for line in section(gateway, tel.CONTEXT_IN).splitlines() if line.lstrip().startswith(("exten", "same"))
    ]
    assert ["FILTER" in step for step in steps[:4]] == [True] * 4
    assert [re.search(r"CALLERID\((\w+)\)", step)[1] for step in steps[:4]] == ["num", "name", "dnid", "rdnis"]  # type: ignore[index]
    assert "AGISTATUS" not in "".join(gateway.values())


def test_page_header_is_never_left_to_spandsp(gateway: dict[str, str]) -> None:
    assert "headerinfo" not in "".join(gateway.values())


def test_failed_call_decides_nothing(gateway: dict[str, str]) -> None:
    body = section(gateway, tel.CONTEXT_OUT)
    assert re.findall(r"^exten => failed,.*$", body, re.MULTILINE) == ["exten => failed,1,NoOp()"]
    assert re.search(r"^exten => h,1,GotoIf.*UNIQUEID.*!=.*" + tel.ATTEMPT_ID, body, re.MULTILINE)


def test_bridge_has_no_dangerous_class_and_sees_only_our_calls(gateway: dict[str, str], settings: Settings) -> None:
    user = section(gateway, tel.AMI_USER_BRIDGE, "etc/manager.conf")
    assert re.search(r"^write = (.*)$", user, re.MULTILINE)[1] == "call,originate,reporting"  # type: ignore[index]
    assert "bindaddr = 127.0.0.1" in gateway["etc/manager.conf"]
    for line in user.splitlines():
        if line.startswith("eventfilter") and "name(FullyBooted)" not in line and "name(Shutdown)" not in line:
            assert line.endswith(settings.secret("attempt_prefix"))


def test_soft_modem_port_stands_before_its_address(gateway: dict[str, str]) -> None:
    iax = gateway["etc/iax.conf"]
    assert iax.index("\nbindport") < iax.index("\nbindaddr")
    assert "secret = s3cret" in section(gateway, "modem1", "etc/iax.conf")


def test_trunk_with_a_username_registers(gateway: dict[str, str]) -> None:
    pjsip = gateway["etc/pjsip.conf"]
    assert pjsip.count("type = registration") == pjsip.count("type = auth\n") == 1
    assert "client_uri = sip:u1@127.0.0.2" in pjsip


def test_trunks_render_the_same_in_any_order(settings: Settings) -> None:
    one, two = sip("a"), sip("b", t38=False)
    assert render.gateway_files(settings, [one, two]) == render.gateway_files(settings, [two, one])


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a]\n[general"},
        {"name": "a=b"},
        {"host": "127.0.0.1\nexec=x"},
        {"host": "a;b"},
        {"host": "a b"},
        {"secret": "a;b"},
        {"secret": "a\nb"},
        {"secret": "a\n"},
        {"username": "u,h"},
        {"number": "1${X}"},
    ],
)
def test_trunk_value_that_would_break_out_never_reaches_a_file(changes: dict[str, object]) -> None:
    with pytest.raises(render.UnsafeSettingError) as refused:
        sip(**changes)  # type: ignore[arg-type]
    assert refused.value.text("zh") != refused.value.text("en")


def test_written_files_are_closed_to_others(
    settings: Settings, gateway: dict[str, str], telephone_network: dict[str, str]
) -> None:
    for folder, files in ((settings.gateway_dir, gateway), (settings.network_dir, telephone_network)):
        render.write(folder, files)
        for name in files:
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    used = [
        name
        for name in SECRET_NAMES
        if settings.secret(name) in "".join([*gateway.values(), *telephone_network.values()])
    ]
    assert used == ["agi", "ami_bridge", "ami_apply", "ami_network", "attempt_prefix"]


def test_only_changed_files_are_written(settings: Settings, gateway: dict[str, str]) -> None:
    assert render.write(settings.gateway_dir, gateway) == sorted(gateway)
    before = (settings.gateway_dir / "etc/cel.conf").stat().st_ino
    more = render.gateway_files(settings, [sip(), sip("registers", username="u1", secret="pw-1"), modem(), sip("new")])
    assert render.write(settings.gateway_dir, more) == ["etc/extensions.conf", "etc/pjsip.conf"]
    assert (settings.gateway_dir / "etc/cel.conf").stat().st_ino == before
    assert not list(settings.gateway_dir.rglob("*.new"))


def test_subscribers_answer_to_every_spelling(telephone_network: dict[str, str]) -> None:
    text = telephone_network["etc/extensions.conf"]
    for subscriber in network.SUBSCRIBERS:
        for number in ("", "0736", "86736", "0086736"):
            assert f"\nexten => {number}{subscriber.number},1," in text
    behaviours = re.findall(r"^exten => ([a-z0-9-]+),1", section(telephone_network, network.CONTEXT_LINE), re.MULTILINE)
    assert sorted(behaviours) == sorted(network.Behaviour)


def test_a_number_that_misbehaves_at_first_counts_the_calls_of_all_its_spellings(
    telephone_network: dict[str, str],
) -> None:
    text = section(telephone_network, network.CONTEXT_SUBSCRIBERS)
    counted = [subscriber for subscriber in network.SUBSCRIBERS if subscriber.first_calls]
    assert {subscriber.first_calls for subscriber in counted} == {1, 2}
    for subscriber in counted:
        calls = f"GLOBAL({network.CALLS}{subscriber.number})"
        spellings = len(network.spellings(subscriber.number))
        assert text.count(f"Set({calls}=$[0${{{calls}}} + 1])") == spellings
        good = f"{network.CONTEXT_LINE},{network.Behaviour.FAX},1"
        assert text.count(f"GotoIf($[${{{calls}}} > {subscriber.first_calls}]?{good})") == spellings


def test_the_readme_lists_the_numbers_of_the_network() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    for subscriber in network.SUBSCRIBERS:
        if subscriber.number not in {f"77210{last}" for last in range(11, 20)}:
            assert f"| {subscriber.number} | {subscriber.description} |" in readme


def test_prepared_folders_are_closed_and_asterisks_own(tmp_path: Path) -> None:
    asterisk.prepare(tmp_path / "home")
    # As an earlier version, or a copy, has left it.
    (tmp_path / "home" / tel.SPOOL_IN / "pages.tif").touch()
    asterisk.prepare(tmp_path / "home")
    owner = asterisk.OWN_ID if os.geteuid() == 0 else os.geteuid()
    for name in asterisk.WRITTEN:
        found = (tmp_path / "home" / name).stat()
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o700, owner)
    assert (tmp_path / "home" / tel.SPOOL_IN / "pages.tif").stat().st_uid == owner


def fake_mmdebstrap(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "mmdebstrap"
    program.write_text(f"#!/bin/sh\nfor last; do :; done\n{script}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


MAKES_ROOT = 'cd "${last%/*}" && mkdir -p usr/sbin && touch usr/sbin/asterisk && tar -cf "$last" ./usr'
EXPIRED = (
    f"case \"$*\" in *Check-Valid-Until*) {MAKES_ROOT} ;; *) echo 'E: Release file for x is expired'; exit 25 ;; esac"
)


def test_root_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_mmdebstrap(tmp_path, monkeypatch, MAKES_ROOT)
    said: list[str] = []
    asterisk.make_root(tmp_path / "root", said.append)
    assert (tmp_path / "root" / asterisk.PROGRAM).exists()
    assert not any("Valid-Until" in line for line in said)
    said.clear()
    asterisk.make_root(tmp_path / "root", said.append)
    assert said == []


def test_expired_release_is_accepted_only_after_it_was_refused_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_mmdebstrap(tmp_path, monkeypatch, EXPIRED)
    said: list[str] = []
    asterisk.make_root(tmp_path / "root", said.append)
    assert (tmp_path / "root" / asterisk.PROGRAM).exists()
    assert any("Valid-Until" in line for line in said)


def test_failed_root_leaves_nothing_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_mmdebstrap(tmp_path, monkeypatch, 'touch "$last"; echo E: no network; exit 100')
    with pytest.raises(asterisk.AsteriskRootError, match="no network"):
        asterisk.make_root(tmp_path / "root", lambda line: None)
    assert not (tmp_path / "root").exists()


def section(files: dict[str, str], name: str, file: str = "etc/extensions.conf") -> str:
    """The text of one section of a rendered file."""
    return re.split(r"^\[", files[file].split(f"\n[{name}]\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
