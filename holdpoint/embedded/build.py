"""`python -m holdpoint.embedded.build [kustomize] [helm]`: build what `holdpoint up` needs, before it does.

OPA is found or built always; Kustomize and Helm, which only some changes need, where they are named.
"""

import os
import sys
from collections.abc import Sequence

from holdpoint.embedded.opa import find_from
from holdpoint.embedded.renderers import build_renderer
from holdpoint.models.errors import SettingsError


def main(names: Sequence[str] = ()) -> int:
    """Find or build with progress on stderr; return the exit code, 2 when there is no way to have one."""
    try:
        binary = find_from(os.environ, _say)
        for name in names:
            _say(f"{name}: {build_renderer(name, os.environ, _say)}")
    except SettingsError as error:
        _say(f"error: {error.message}")
        return error.exit_code
    _say(f"OPA: {binary}")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
