"""`python -m worker --data DIR`: the same as `holdpoint worker`, for a container without the command line."""

import argparse
import os
from pathlib import Path

from holdpoint.service.settings import load_settings
from worker.main import run


def main() -> None:
    """Read the settings of the data folder that was named and run the worker."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="Run a Holdpoint worker.")
    parser.add_argument("--data", type=Path, default=None, help="data folder (default: HOLDPOINT_DATA)")
    run(load_settings(parser.parse_args().data, os.environ))


if __name__ == "__main__":
    main()
