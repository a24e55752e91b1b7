"""`python -m holdpoint.embedded --data DIR`: the supervisor of a detached stack."""

import argparse
import sys
from pathlib import Path

from holdpoint.embedded.detached import leave_failure
from holdpoint.embedded.folder import folder_at
from holdpoint.embedded.stack import up
from holdpoint.models.errors import HoldpointError


def main() -> int:
    """Run the stack until it is stopped; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m holdpoint.embedded", description="Supervise a stack.")
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    try:
        up(data, detach=False, report=_say)
    except HoldpointError as error:
        leave_failure(folder_at(data), error)
        return error.exit_code
    return 0


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
