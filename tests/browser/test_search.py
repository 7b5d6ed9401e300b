"""A fax whose text was read is found by it, in a real browser: the real Tesseract on the real pages."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.acts import barriers
from tests.browser.conftest import NARROW, WIDE, NewPage
from tests.system import System, eventually

LETTER = """采购合同补充协议

经甲乙双方协商一致，现就网络传真信箱的服务期限作如下补充。
本协议一式两份，双方各执一份，自签字盖章之日起生效。

Supplement to the purchase agreement, reference Rotterdam.
The delivery of the pumps is expected by the end of next week.
"""


@pytest.mark.timeout(300)
def test_a_fax_is_found_by_its_text(as_sender: NewPage, system: System, sender: str, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text(LETTER)
    system.cli("param", "set", "ocr", "on")
    try:
        own = next(row["called"] for row in system.json("inbox", "--user", sender))
        (uuid,) = system.send(sender, f"+{own}", letter)
        system.ended(sender, uuid)

        def found() -> bool:
            return all(
                [row["found_page"] for row in system.json(place, "--user", sender, "--search", "传真信箱 rotterdam")]
                == [1]
                for place in ("inbox", "sent")
            )

        eventually(found, 120, "the text of the fax is not found")
    finally:
        system.cli("param", "set", "ocr", "off")

    page = as_sender("zh")
    page.get_by_role("searchbox").fill("传真信箱")
    page.keyboard.press("Enter")
    page.wait_for_url("**/inbox?q=*")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    expect(page.locator("mark").first).to_have_text("传真信箱")
    expect(page.get_by_role("searchbox")).to_have_value("传真信箱")
    assert barriers(page) == []
    # What renews itself stays the search.
    with page.expect_response(lambda response: "/inbox/rows" in response.url) as renewed:
        pass
    assert "q=" in renewed.value.url
    expect(page.locator("mark").first).to_be_visible()

    page.set_viewport_size(NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert barriers(page) == []

    page.set_viewport_size(WIDE)
    page.get_by_role("searchbox").fill("没有这样的传真")
    page.keyboard.press("Enter")
    expect(page.locator("#empty")).to_contain_text("没有找到与“没有这样的传真”匹配的传真。")
    page.get_by_role("link", name="显示全部").click()
    page.wait_for_url("**/inbox")
    expect(page.locator("#list tbody tr").first).to_be_visible()
