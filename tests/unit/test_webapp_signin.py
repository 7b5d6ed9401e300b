"""Signing in and out of the portal (R2.1, R2.2), and what every answer carries."""

import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from netfax.db import Base, now, reading, unit_of_work
from netfax.org import signin
from netfax.org.models import SignIn, SignInFailure, User
from tests.factories import World, make_world
from tests.unit.webapp_portal import PASSWORD, Portal, let_in, open_portal
from webapp.assets import Built

WRONG = "User name and password do not match"
LOCKED = "Too many failed tries"
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def world(sqlite: Engine) -> World:
    world = make_world()
    let_in(world.alice)
    let_in(world.admin)
    return world


@pytest.fixture
def portal(world: World, built: Built) -> Portal:
    portal = open_portal(built)
    portal.get("/signin?lang=en")
    return portal


def count(model: type[Base]) -> int:
    with reading() as uow:
        return len(uow.session.scalars(select(model)).all())


@pytest.mark.parametrize("login", ["alice@demo", "admin", "  alice@demo "])
def test_user_of_a_domain_and_of_the_system_sign_in(portal: Portal, login: str) -> None:  # R2.1
    answer = portal.sign_in(login)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/inbox")
    assert portal.get("/inbox").status_code == 200


@pytest.mark.parametrize(
    "login", ["alice@demo", "nobody@demo", "alice", "alice@other", "admin@", "@demo", "", "a\x00b@demo", "龙" * 200]
)
def test_refusal_does_not_tell_which_part_was_wrong(portal: Portal, login: str) -> None:  # R2.2
    answer = portal.sign_in(login, "wrong" if login not in ("alice", "admin@") else "x" * 2000)
    assert answer.status_code == 422
    assert WRONG in answer.text
    assert portal.get("/inbox").status_code == 302


def test_fifth_failure_locks_the_account_even_for_the_right_password(portal: Portal) -> None:  # R2.2
    for _ in range(signin.TRIES_OF_AN_ACCOUNT):
        assert WRONG in portal.sign_in("alice@demo", "wrong").text
    assert LOCKED in portal.sign_in("alice@demo").text
    assert portal.sign_in("admin").status_code == 302


def test_unknown_account_locks_like_a_known_one(portal: Portal) -> None:
    for _ in range(signin.TRIES_OF_AN_ACCOUNT):
        assert WRONG in portal.sign_in("nobody@demo", "wrong").text
    assert LOCKED in portal.sign_in("Nobody@Demo", "wrong").text


def test_lock_ends_after_fifteen_minutes(portal: Portal) -> None:
    for _ in range(signin.TRIES_OF_AN_ACCOUNT):
        portal.sign_in("alice@demo", "wrong")
    with time_machine.travel(now() + timedelta(minutes=16)):
        assert portal.sign_in("alice@demo").status_code == 302


def test_hundred_tries_from_one_address_evaluate_at_most_twenty_passwords(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []

    def no_match(password: str, _stored: str | None) -> bool:
        looked_at.append(password)
        return False

    monkeypatch.setattr(signin, "password_matches", no_match)
    for number in range(100):
        with pytest.raises((signin.WrongSignIn, signin.SignInLocked)):
            signin.sign_in(f"user{number}@demo", str(number), "192.0.2.1")
    assert len(looked_at) == signin.TRIES_OF_AN_ADDRESS


def test_success_forgets_the_failures_of_that_account(portal: Portal) -> None:
    portal.sign_in("alice@demo", "wrong")
    portal.sign_in("nobody@demo", "wrong")
    portal.sign_in("alice@demo")
    with reading() as uow:
        assert uow.session.scalars(select(SignInFailure.login)).all() == ["nobody@demo"]


def test_disabled_user_can_neither_sign_in_nor_stay(portal: Portal, world: World) -> None:
    portal.sign_in("alice@demo")
    with unit_of_work() as uow:
        uow.session.get_one(User, world.alice.user_id).enabled = False
    assert portal.get("/inbox").status_code == 302
    assert WRONG in portal.sign_in("alice@demo").text


def test_each_sign_in_gives_a_new_session_and_signing_out_ends_it(portal: Portal) -> None:
    portal.sign_in("alice@demo")
    cookie = portal.client.get_cookie("netfax")
    assert cookie is not None
    portal.post("/signout", {}, page="/inbox")
    assert portal.get("/inbox").status_code == 302
    # The cookie from before is worth nothing: its row has ended.
    portal.client.set_cookie("netfax", cookie.value)
    assert portal.get("/inbox").status_code == 302
    portal.client.delete_cookie("netfax")
    portal.sign_in("alice@demo")
    assert count(SignIn) == 2


def test_session_ends_after_twelve_idle_hours_and_after_a_week(portal: Portal) -> None:
    portal.sign_in("alice@demo")
    start = now()
    for hours in range(0, 7 * 24, 11):
        with time_machine.travel(start + timedelta(hours=hours, minutes=1)):
            assert portal.get("/inbox").status_code == 200, hours
    with time_machine.travel(start + signin.LONGEST + timedelta(minutes=5)):
        assert portal.get("/inbox").status_code == 302


def test_idle_session_ends(portal: Portal) -> None:
    portal.sign_in("alice@demo")
    with time_machine.travel(now() + signin.IDLE + timedelta(minutes=1)):
        assert portal.get("/inbox").status_code == 302


def test_signed_out_reader_comes_back_to_where_he_wanted(portal: Portal) -> None:
    wanted = portal.get("/sent?page=2").headers["Location"]
    assert wanted == "/signin?next=/sent?page%3D2"
    answer = portal.post(wanted, {"login": "alice@demo", "password": PASSWORD})
    assert answer.headers["Location"] == "/sent?page=2"


@pytest.mark.parametrize(
    "address", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_sign_in_never_leads_to_another_site(portal: Portal, address: str) -> None:
    answer = portal.post("/signin", {"login": "alice@demo", "password": PASSWORD}, query_string={"next": address})
    assert answer.headers["Location"] == "/inbox"


@pytest.mark.parametrize("path", ["/signin", "/signout", "/language", "/send"])
def test_post_without_token_is_refused(portal: Portal, path: str) -> None:
    portal.sign_in("alice@demo")
    answer = portal.client.post(path, data={"login": "alice@demo", "password": PASSWORD})
    assert answer.status_code == 400
    assert "no longer valid" in answer.text


def test_page_that_renews_itself_goes_to_the_sign_in(portal: Portal) -> None:
    answer = portal.get("/queue/rows", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/signin")


def test_every_route_but_the_public_ones_needs_a_sign_in(portal: Portal) -> None:
    fax = "00000000-0000-4000-8000-000000000000"
    public = {"/static/<filename>", "/signin", "/healthz"}
    for rule in portal.client.application.url_map.iter_rules():
        if rule.rule in public:
            continue
        path = re.sub(r"<uuid:\w+>", fax, rule.rule).replace("<int:page>", "1")
        method = "POST" if "POST" in (rule.methods or set()) else "GET"
        data = {"csrf_token": portal.token("/signin")} if method == "POST" else None
        answer = portal.client.open(path, method=method, data=data)
        assert answer.status_code in (302, 401), rule.rule
        assert answer.headers.get("Location", "/signin").startswith("/signin"), rule.rule


@pytest.mark.parametrize("path", ["/signin", "/healthz", "/nowhere", "/inbox"])
def test_every_answer_carries_the_security_headers(portal: Portal, path: str) -> None:
    headers = portal.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


def test_pages_have_no_inline_script_and_no_inline_style(portal: Portal) -> None:
    portal.sign_in("alice@demo")
    for path in ("/signin", "/inbox", "/queue", "/sent", "/send", "/nowhere"):
        page = portal.get(path).text
        assert "<script>" not in page, path
        assert " style=" not in page, path
        assert " onclick=" not in page, path


def test_cookie_is_kept_from_scripts_and_is_secure_over_tls(portal: Portal) -> None:
    portal.client.delete_cookie("netfax")
    plain = portal.get("/signin").headers["Set-Cookie"]
    assert plain.startswith("netfax=")
    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    over_tls = portal.get("/signin", base_url="https://fax.example").headers["Set-Cookie"]
    assert over_tls.startswith("__Host-netfax=")
    assert "Secure" in over_tls


@pytest.mark.parametrize(("proxies", "address", "cookie"), [(0, "127.0.0.1", "netfax="), (1, "192.0.2.7", "__Host-")])
def test_only_as_many_proxies_as_are_set_are_believed(
    world: World, built: Built, proxies: int, address: str, cookie: str
) -> None:
    portal = open_portal(built, trusted_proxies=proxies)
    portal.client.environ_base |= {
        "HTTP_X_FORWARDED_FOR": "198.51.100.66, 192.0.2.7",
        "HTTP_X_FORWARDED_PROTO": "https",
    }
    assert portal.get("/signin").headers["Set-Cookie"].startswith(cookie)
    assert portal.sign_in("alice@demo", "wrong").status_code == 422
    with reading() as uow:
        assert uow.session.scalars(select(SignInFailure.address)).all() == [address]


def test_health_needs_no_sign_in_and_writes_nothing(portal: Portal) -> None:
    before = (count(SignIn), count(SignInFailure))
    answer = portal.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert "Set-Cookie" not in answer.headers
    assert (count(SignIn), count(SignInFailure)) == before


def test_health_says_when_the_database_is_gone(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.health.text", lambda _query: text("SELECT * FROM gone"))
    assert portal.get("/healthz").status_code == 503


def test_language_is_chinese_unless_something_asks_for_english(world: World, built: Built) -> None:
    portal = open_portal(built)
    assert "用户名" in portal.get("/signin").text
    assert "用户名" in portal.get("/signin", headers={"Accept-Language": "fr"}).text
    assert "User name" in portal.get("/signin", headers=ENGLISH).text
    assert "User name" in portal.get("/signin?lang=en").text
    assert "User name" in portal.get("/signin", headers={"Accept-Language": "zh"}).text  # the choice was kept
    assert 'lang="en"' in portal.get("/signin").text


def test_language_chosen_at_the_sign_in_is_the_users_from_then_on(portal: Portal, world: World) -> None:
    let_in(world.alice, language="zh")
    assert "/signin?next=&amp;lang=en" in portal.get("/signin?lang=en").text
    portal.post("/signin?lang=en", {"login": "alice@demo", "password": PASSWORD}, page="/signin")
    assert "Inbox" in portal.get("/inbox").text
    portal.post("/signout", {}, page="/inbox")
    portal.sign_in("alice@demo")
    assert "Inbox" in portal.get("/inbox").text


def test_users_language_goes_before_the_browsers_and_can_be_changed(portal: Portal, world: World) -> None:
    let_in(world.alice, language="zh")
    portal.sign_in("alice@demo")
    assert "收件箱" in portal.get("/inbox?lang=en", headers=ENGLISH).text
    answer = portal.post("/language", {"language": "en", "next": "/sent"}, page="/inbox")
    assert answer.headers["Location"] == "/sent"
    assert "Sent faxes" in portal.get("/sent").text


def test_a_database_that_does_not_answer_is_a_page_of_ours(
    portal: Portal, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_session_id: str) -> None:
        raise OperationalError("select", {}, Exception("connection refused"))

    portal.sign_in("alice@demo")
    portal.client.application.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr("webapp.identity.find_session", gone)
    # The terminal's log would show every variable, the user among them.
    with capture_logs():
        answer = portal.get("/inbox", headers=ENGLISH)
    assert answer.status_code == 500
    assert "Something went wrong on our side." in answer.text


def test_an_account_locks_under_every_spelling(portal: Portal, world: World) -> None:
    for login in ("admin", "admin@", "ADMIN", "admin@", "admin"):
        portal.sign_in(login, "wrong")
    assert LOCKED in portal.sign_in("admin@").text
