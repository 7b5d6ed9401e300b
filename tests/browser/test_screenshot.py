"""The picture of the portal in the README."""

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.acts import sign_in, speak
from tests.browser.conftest import NewPage
from tests.pages import make_tiff
from tests.system import System

PICTURE = Path(__file__).parents[2] / "docs" / "img" / "portal.png"


# Number, title.
FAXES = (
    ("7721011", "三季度对账单"),
    ("7722017", "会议通知"),
    ("0736-7721012", "供货合同（第 2 稿）"),
    ("64802994E801", "报价单 A-1107"),
    ("7722001", "发票查询"),
    ("7721014", "Purchase order 4711"),
)


def send_a_few(system: System, folder: Path) -> None:
    """Faxes of the demo user, some of which arrive."""
    accepted = []
    for number, title in FAXES:
        page = make_tiff(folder / f"{number}.tif", title, pages=1 + len(accepted) % 2)
        accepted += system.json("send", page, "--to", number, "--user", system.demo_user, "--title", title)
    states = {system.ended(system.demo_user, uuid)["state"] for uuid in accepted}
    assert {"sent", "failed"} <= states


@pytest.mark.timeout(300)
def test_picture_of_the_portal_shows_a_list(system: System, new_page: NewPage, tmp_path: Path) -> None:
    """Written to docs/img with NETFAX_SCREENSHOTS=1; every run looks at one."""
    send_a_few(system, tmp_path)
    page = new_page(viewport={"width": 1280, "height": 720}, device_scale_factor=2)
    sign_in(page, system.demo_user, system.users[system.demo_user])
    speak(page, "zh")
    page.goto("/sent")
    page.wait_for_load_state("networkidle")
    target = PICTURE if os.environ.get("NETFAX_SCREENSHOTS") == "1" else tmp_path / PICTURE.name
    target.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target)
    with Image.open(target) as image:
        assert image.size == (2560, 1440)
        # A blank page has a handful of colours.
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
    assert colours is not None
    assert len(colours) > 100
