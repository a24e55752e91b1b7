"""`python -m holdpoint.embedded.build`: find or build what `holdpoint up` needs, before it needs it."""

import os
import sys

from holdpoint.embedded.opa import find_from
from holdpoint.models.errors import SettingsError


def main() -> int:
    """Find or build OPA with progress on stderr; return the exit code, 2 when there is no way to have one."""
    try:
        binary = find_from(os.environ, _say)
    except SettingsError as error:
        _say(f"error: {error.message}")
        return error.exit_code
    _say(f"OPA: {binary}")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
