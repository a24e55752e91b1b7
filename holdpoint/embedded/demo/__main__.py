"""`python -m holdpoint.embedded.demo [--keep]`: what `make demo` runs."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from holdpoint.embedded.demo.command_line import Failed
from holdpoint.embedded.demo.narrator import Narrator
from holdpoint.embedded.demo.play import Demo

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C has ended."""


def main() -> int:
    """Play the demo; return 0 only if everything came out as expected."""
    parser = argparse.ArgumentParser(
        prog="python -m holdpoint.embedded.demo",
        description="The life of a change ticket in seven scenarios, on one machine.",
    )
    parser.add_argument("--keep", action="store_true", help="leave the stack running (also KEEP=1)")
    parser.add_argument("--folder", type=Path, default=Path("build/demo"), help="made anew at each run")
    asked = parser.parse_args()
    narrator = Narrator()
    keep = asked.keep or os.environ.get("KEEP", "") not in ("", "0")
    try:
        good = asyncio.run(Demo(asked.folder.absolute(), narrator).run(keep=keep))
    except Failed as error:
        narrator.say(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    narrator.say("all as expected" if good else "NOT all as expected")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
