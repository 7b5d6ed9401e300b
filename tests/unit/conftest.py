"""What the unit tests share."""

import pytest

from tests.unit.webapp_portal import make_built
from webapp.assets import Built


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What the portal's build would make; nothing changes it."""
    return make_built(tmp_path_factory.mktemp("built"))
