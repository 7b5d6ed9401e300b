"""What a sender does with his faxes, in a real browser: plan, hold, release, send now, send again, and click twice."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.acts import barriers
from tests.browser.conftest import NARROW, WIDE, NewPage
from tests.pages import make_tiff

BUSY = "7722017"
SOON = 90_000


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    return make_tiff(tmp_path / "letter.tif", "letter")


# Half past eight two days from now in the zone of the test's users: a test may run over midnight.
PLANNED = (datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(days=2)).replace(hour=8, minute=30)


def expect_state(row: Locator, state: str) -> None:
    expect(row.locator(".state")).to_have_attribute("data-state", state, timeout=SOON)


def plan(page: Page, title: str, letter: Path) -> Locator:
    """Send a fax to a busy number, in two days; its row in the queue."""
    page.goto("/send")
    page.fill("#planned_at", f"{PLANNED:%Y-%m-%dT%H:%M}")
    page.fill("#numbers", BUSY)
    page.fill("#title", title)
    page.set_input_files("#attachments", letter)
    page.click(".form-acts .btn-primary")
    page.wait_for_url("**/queue")
    row = page.locator("tr", has_text=title)
    expect_state(row, "scheduled")
    return row


@pytest.mark.timeout(180)
def test_fax_is_planned_held_released_sent_now_and_sent_again(as_sender: NewPage, letter: Path) -> None:  # R3.5, R5.1
    page = as_sender("en")
    row = plan(page, "Planned in the browser", letter)
    when = f"{PLANNED:%Y-%m-%d %H:%M}"
    expect(row).to_contain_text(f"Planned for {when}")

    row.get_by_role("button", name="Hold fax").click()
    expect(page.locator(".alert-success")).to_contain_text("is held until it is released.")
    expect(row).to_contain_text("held; release it to send")
    row.get_by_role("button", name="Release fax").click()
    expect(page.locator(".alert-success")).to_contain_text(f"is released. Planned for {when}")
    expect_state(row, "scheduled")

    row.get_by_role("link", name="Details of fax").click()
    assert barriers(page) == []
    page.click(".headline-acts button:has-text('Send now')")
    expect(page.locator(".alert-success")).to_contain_text("waits no longer.")
    page.goto("/queue")
    # This system never calls a second time.
    expect_state(row, "failed")
    row.get_by_role("button", name="again").click()
    expect(page.locator(".alert-success")).to_contain_text("1 page is sent to")
    rows = page.locator("tr", has_text="Planned in the browser")
    expect(rows).to_have_count(2)
    expect_state(rows.first, "failed")
    rows.last.get_by_role("link", name="Sent again as fax").click()
    expect(page.locator(".timeline")).to_contain_text("The line was busy.")
    assert barriers(page) == []


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_time_and_priority_are_changed_where_they_stand(
    as_sender: NewPage, letter: Path, viewport: dict[str, int]
) -> None:
    page = as_sender("en", viewport=viewport)
    title = f"Changed at {viewport['width']}"
    plan(page, title, letter).get_by_role("link", name="Details of fax").click()
    expect(page.locator(".change:has(#change-planned_at)")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.click(".change:has(#change-planned_at) summary")
    page.fill("#change-planned_at", "2020-01-01T08:30")
    page.click(".change:has(#change-planned_at) button")
    expect(page.locator("#problem-planned_at")).to_contain_text("The planned time is past")
    expect(page.locator("#change-planned_at")).to_have_value("2020-01-01T08:30")
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    later = PLANNED + timedelta(days=1)
    page.fill("#change-planned_at", f"{later:%Y-%m-%dT%H:%M}")
    page.click(".change:has(#change-planned_at) button")
    expect(page.locator(".alert-success")).to_contain_text(f"Planned for {later:%Y-%m-%d %H:%M}")

    page.click(".change:has(#change-priority) summary")
    page.select_option("#change-priority", "high")
    page.click(".change:has(#change-priority) button")
    expect(page.locator(".alert-success")).to_contain_text("priority “High”")

    page.click(".headline-acts a:has-text('Cancel')")
    page.click("main .btn-danger")
    expect(page.locator(".alert-success")).to_contain_text("is cancelled.")


def test_doubled_click_and_a_repeated_request_are_one_fax_without_scripts(as_sender: NewPage, letter: Path) -> None:
    page = as_sender("en", java_script_enabled=False)
    page.goto("/send")
    texts = {"planned_at": f"{PLANNED:%Y-%m-%dT%H:%M}", "numbers": BUSY, "title": "Clicked twice"}
    for name, text in texts.items():
        page.fill(f"#{name}", text)
    page.set_input_files("#attachments", letter)
    hidden = {name: page.locator(f"#send-form [name={name}]").input_value() for name in ("csrf_token", "nonce")}
    page.dblclick(".form-acts .btn-primary")
    page.wait_for_url("**/queue")
    # What a browser or a proxy does that has lost the answer.
    file = FilePayload(name=letter.name, mimeType="image/tiff", buffer=letter.read_bytes())
    form: dict[str, str | FilePayload] = {**hidden, **texts, "recipient_name": "", "priority": "medium"}
    answer = page.request.post("/send", multipart=form | {"attachments": file}, headers={"Referer": page.url})
    assert answer.url.endswith("/queue"), answer.text()
    page.reload()
    expect(page.locator("tr", has_text="Clicked twice")).to_have_count(1)


def test_form_that_is_sent_edited_after_going_back_is_another_fax(as_sender: NewPage, letter: Path) -> None:
    page = as_sender("en")
    plan(page, "Before the edit", letter)
    page.go_back()
    page.wait_for_url("**/send")
    page.fill("#planned_at", f"{PLANNED:%Y-%m-%dT%H:%M}")
    page.fill("#numbers", BUSY)
    page.fill("#title", "After the edit")
    page.set_input_files("#attachments", letter)
    page.click(".form-acts .btn-primary")
    page.wait_for_url("**/queue")
    for title in ("Before the edit", "After the edit"):
        expect(page.locator("tr", has_text=title)).to_have_count(1)
