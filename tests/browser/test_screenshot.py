"""The picture of the portal in the README."""

import os
from pathlib import Path
from typing import Any

from PIL import Image

from tests.browser.acts import sign_in, speak
from tests.browser.conftest import NewPage

PICTURE = Path(__file__).parents[2] / "docs" / "img" / "portal.png"


def test_picture_of_the_portal_shows_a_list(system: Any, new_page: NewPage, tmp_path: Path) -> None:
    """Written to docs/img with NETFAX_SCREENSHOTS=1; every run looks at one."""
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
