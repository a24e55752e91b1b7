"""`holdpoint policy`: test the policies, and see what they would decide on a change."""

from pathlib import Path
from typing import Annotated, Any

import typer

from holdpoint.cli import exit_codes, options
from holdpoint.cli.output import Format, Output

app = typer.Typer(help="Test the policies; see what they decide.", rich_markup_mode=None)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The change file; - is standard input.")],
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> None:
    """Show what the policy would decide on a change. Nothing is submitted."""
    from holdpoint.cli.change_input import read_change_file
    from holdpoint.cli.connection import connect

    change = read_change_file(file)
    with connect(data) as api:
        _, decision = api.post("policy/check", change.body())
        Output(output).answer(decision, decision_text)


def decision_text(decision: dict[str, Any]) -> str:
    """Return a decision in words."""
    from holdpoint.cli.ticket_text import risk_text

    need, duties = decision.get("approvals") or {}, decision.get("obligations") or {}
    groups = f" from {' or '.join(need['groups'])}" if need.get("groups") else ""
    lines = [
        f"  decision   {'DENIED' if decision.get('deny') else 'allowed'}",
        *(f"  deny       {one}" for one in decision.get("deny") or []),
        *(f"  warn       {one}" for one in decision.get("warn") or []),
        f"  risk       {risk_text(decision.get('risk'))}",
        f"  approvals  {need.get('count', 0)}{groups}",
    ]
    if duties.get("window"):
        lines.append("  window     waits for the service's change window")
    if duties.get("smallest_canary") is not None:
        lines.append(f"  canary     begins with at most {duties['smallest_canary']} %")
    if duties.get("review_within"):
        from holdpoint.models.durations import format_duration

        lines.append(f"  review     due {format_duration(duties['review_within'])} after it begins")
    lines += [f"  precheck   {one}" for one in duties.get("checks") or []]
    return "\n".join([*lines, f"  policy     revision {decision.get('revision')}"])


@app.command("test")
def run_tests(
    policies: Annotated[
        Path | None,
        typer.Option(
            "--policies",
            metavar="FOLDER",
            help="The policies. Default: those of the data folder, else those that come with Holdpoint.",
        ),
    ] = None,
    output: options.Output = Format.TEXT,
    data: options.Data = options.DEFAULT_DATA,
) -> int:
    """Run the policies' own tests with OPA. Exit 0 if all pass, 1 if one fails, 2 if they do not compile."""
    from holdpoint.cli.policy_tests import run_policy_tests

    out = Output(output)
    report = run_policy_tests(policies, data, report=out.say)
    out.answer(report, tests_text)
    return exit_codes.UNCHANGED if report["failed"] else exit_codes.SUCCEEDED


def tests_text(report: dict[str, Any]) -> str:
    """Return the failed tests and the count."""
    lines = [f"FAIL {one['package']}.{one['name']}" for one in report["tests"] if one["outcome"] == "failed"]
    return "\n".join(
        [*lines, f"{report['passed']} passed, {report['failed']} failed in {report['policies']}"]
    )
