from tests.system_plugin import *  # noqa: F403
