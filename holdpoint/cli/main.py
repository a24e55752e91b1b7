"""The `holdpoint` command: its parts, and how every error leaves it.

Nothing heavy is imported before the command that needs it runs, so that `--help` and a mistyped option answer
at once.
"""

import sys
import traceback
from collections.abc import Sequence

import typer

from holdpoint.cli import (
    audit,
    ban,
    confirm,
    control,
    decide,
    diff,
    exit_codes,
    explain,
    freeze,
    history,
    list_tickets,
    login,
    migrate,
    policy,
    processes,
    rehearse,
    sandbox,
    schema,
    show,
    stack,
    submit,
    takeover,
    validate,
    watch,
)
from holdpoint.cli.output import Format, Output, asked_for_json
from holdpoint.cli.problems import make_problem, problem_of
from holdpoint.models.errors import HoldpointError

app = typer.Typer(
    name="holdpoint",
    help="Make a production change pass its hold points, run it, prove it, and undo it when the proof fails.",
    add_completion=False,
    rich_markup_mode=None,  # plain text: quick to start, and what the documents quote
    pretty_exceptions_enable=False,
)

COMMANDS = (
    ("up", stack.up),
    ("down", stack.down),
    ("status", stack.status),
    ("login", login.login),
    ("validate", validate.validate),
    ("submit", submit.submit),
    ("rehearse", rehearse.rehearse),
    ("list", list_tickets.list_tickets),
    ("show", show.show),
    ("diff", diff.diff),
    ("history", history.history),
    ("explain", explain.explain),
    ("watch", watch.watch),
    ("approve", decide.approve),
    ("reject", decide.reject),
    ("pause", control.pause),
    ("resume", control.resume),
    ("abort", control.abort),
    ("rollback", control.rollback),
    ("retry", control.retry),
    ("promote", decide.promote),
    ("confirm", confirm.confirm),
    ("takeover", takeover.takeover),
    ("migrate", migrate.migrate),
    ("worker", processes.worker),
    ("api", processes.api),
)
GROUPS = (
    ("freeze", freeze.app),
    ("ban", ban.app),
    ("audit", audit.app),
    ("policy", policy.app),
    ("schema", schema.app),
    ("sandbox", sandbox.app),
)
for _name, _function in COMMANDS:
    _settings = _name in ("migrate", "worker", "api")
    app.command(_name, cls=processes.WithSettings if _settings else None)(_function)
for _name, _group in GROUPS:
    app.add_typer(_group, name=_name)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        Output().answer({}, lambda _: f"holdpoint {installed('holdpoint')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        Output().answer({}, lambda _: context.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. It never raises."""
    out = Output(Format.JSON if asked_for_json(arguments) else Format.TEXT)
    try:
        code = app(args=list(arguments), prog_name="holdpoint", standalone_mode=False)
    except typer.TyperException as error:
        out.problem(make_problem(400, "usage", error.format_message(), {}))
        return exit_codes.USAGE
    except HoldpointError as error:
        out.problem(problem_of(error))
        return exit_codes.of_error(error)
    except (KeyboardInterrupt, typer.Abort):
        out.problem(make_problem(400, "interrupted", "Interrupted.", {}))
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a bug of ours; exit 1 would claim that production is as it was
        out.say(traceback.format_exc())
        message = f"The command broke ({type(error).__name__}: {error}). This is a mistake in Holdpoint."
        out.problem(make_problem(500, "internal_error", message, {}))
        return exit_codes.PERSON_NEEDED
    return code if isinstance(code, int) else exit_codes.SUCCEEDED


def main() -> None:
    """Run the command of this process and exit by its code."""
    exit_codes.leave(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
