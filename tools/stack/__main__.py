"""`python -m tools.stack`: build the real servers, start and stop them, steer the workload.

What only one command needs is imported there: the clients of the servers take most of a second to load.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from holdpoint.embedded.detached import leave_failure
from holdpoint.embedded.folder import folder_at, read_document
from holdpoint.models.errors import HoldpointError, SettingsError
from tools.stack import detached, parts, selection, trial
from tools.stack.build import build, missing

DIRECTORY = Path(__file__).parents[2] / ".real"


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line asks for; return the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.do(asked) or 0)
    except HoldpointError as error:
        _say(f"error: {error.message}")
        if asked.do is _run:
            leave_failure(detached.folder_of(asked.dir), error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.stack", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("build", help="build what the cache lacks")
    command.add_argument(
        "part", nargs="*", help=f"{', '.join(part.name for part in parts.PARTS)}; all if none"
    )
    command.set_defaults(do=_build)
    for name, do, text in (
        ("up", _up, "start the stack and return when it is ready"),
        ("run", _run, "start the stack and stay until a signal"),
    ):
        command = commands.add_parser(name, help=text)
        _add_directory(command)
        command.add_argument("--only", default="", help=f"some of {','.join(selection.BUILT)}")
        command.set_defaults(do=do)
    command = commands.add_parser("down", help="stop the stack")
    _add_directory(command)
    command.set_defaults(do=_down)
    command = commands.add_parser("test", help="start a stack, run the tests marked `real`, stop it")
    command.add_argument("pytest", nargs="*", help="more arguments for pytest, after --")
    command.set_defaults(do=_test)
    command = commands.add_parser("behave", help="set how the pods of one image behave")
    _add_directory(command)
    command.add_argument("--image", required=True)
    for name in ("error-rate", "latency-ms", "rps", "after"):
        command.add_argument(f"--{name}", type=float, help="seconds" if name == "after" else None)
    command.add_argument("--never-ready", action="store_true")
    command.set_defaults(do=_behave)
    return parser


def _add_directory(command: argparse.ArgumentParser) -> None:
    command.add_argument("--dir", type=Path, default=DIRECTORY, help="the stack's folder (.real)")


def _build(asked: argparse.Namespace) -> int:
    wanted = [parts.named(name) for name in asked.part]
    build(wanted, parts.cache(), _say)
    return 0


def _up(asked: argparse.Namespace) -> int:
    names = selection.chosen(_names(asked))
    _build_missing(selection.built_parts_of(names))
    found = detached.up(asked.dir, names, _say)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


def _run(asked: argparse.Namespace) -> int:
    from tools.stack.stack import run_stack

    asyncio.run(run_stack(detached.folder_of(asked.dir), selection.chosen(_names(asked)), _say))
    return 0


def _down(asked: argparse.Namespace) -> int:
    if not detached.down(asked.dir, _say):
        _say(f"no stack is up in {asked.dir}")
    return 0


def _test(asked: argparse.Namespace) -> int:
    # The contract tests start a Prometheus and others render charts: every part is needed but the peer.
    _build_missing([part.name for part in parts.PARTS if part.name != "argo-rollouts"])
    return trial.run(asked.pytest, _say)


def _behave(asked: argparse.Namespace) -> int:
    import httpx

    found = read_document(detached.ready_file(folder_at(asked.dir)))
    if found is None or "workload" not in found:
        raise SettingsError(f"No stack with a workload is up in {asked.dir}. Start it: make real-up")
    names = ("image", "error_rate", "latency_ms", "rps", "after", "never_ready")
    body = {name: value for name in names if (value := getattr(asked, name)) is not None}
    answer = httpx.post(f"{found['workload']['url']}/behave", json=body, timeout=30, trust_env=False)
    if answer.is_error:
        raise SettingsError(f"The workload refused: {answer.json()['error']}")
    sys.stdout.write(json.dumps(answer.json(), indent=1) + "\n")
    return 0


def _names(asked: argparse.Namespace) -> list[str]:
    return [name for name in asked.only.split(",") if name]


def _build_missing(names: list[str]) -> None:
    """Build what is missing before anything starts: the supervisor's own limits are for starting only."""
    wanted = [parts.named(name) for name in names]
    if wanted and missing(wanted, parts.cache()):
        build(wanted, parts.cache(), _say)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
