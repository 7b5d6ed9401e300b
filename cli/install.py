"""Make the private Asterisk root before anything runs: `python -m cli.install`; nothing when it is there."""

import sys

from dialplan.asterisk import AsteriskRootError, make_root
from netfax.settings import settings


def main() -> int:
    """0, or 1 with the reason on standard error."""
    try:
        make_root(settings().asterisk, lambda line: print(line, flush=True))
    except AsteriskRootError as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
