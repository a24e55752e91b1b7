"""A ticket in words: the whole of it for `show`, and what changed in it for those who watch."""

from datetime import UTC, datetime
from typing import Any

from holdpoint.cli.diff_text import summary_lines

View = dict[str, Any]


def ticket_text(view: View) -> str:
    """Return the ticket as `show` prints it."""
    lines = [
        f"{view['id']}  {view['title']}",
        *_facts(
            {
                "phase": view["phase"],
                "reason": reason_text(view.get("reason")),
                "change": f"{view['type']} change of {view['service']} in {view['environment']}",
                "from": f"{view.get('repository')} {view.get('revision')} ({short(view.get('commit'))})",
                "artifact": artifact_text(view.get("artifact")),
                "target": "" if view.get("targets") else view.get("target"),
                "requester": view.get("requester"),
                "risk": risk_text(view.get("risk")),
                "approvals": approvals_text(view.get("approvals")) if view.get("risk") else "",
                "digest": view.get("digest"),
                "created": view.get("created_at"),
                "closed": view.get("closed_at"),
                "rollback": rollback_text(view.get("rollback")),
                "rehearsal": rehearsal_text(view),
                "in hand": takeover_text(view.get("takeover")),
                "review": review_text(view.get("review")),
                "depends on": ", ".join(view.get("depends_on") or []),
                "replaces": ", ".join(view.get("supersedes") or []),
                "replaced by": view.get("superseded_by"),
                "promoted": view.get("promoted_from"),
                "earlier": view.get("previous"),
                "run again by": view.get("retried_by"),
                "rolls back": _way_back(view),
                "rolled back by": view.get("rolled_back_by"),
            }
        ),
    ]
    lines += summary_lines(view)
    if voided := (view.get("approvals") or {}).get("voided"):
        lines.append(f"  void       {voided}")
    lines += [f"  held       {hold_text(hold)}" for hold in view.get("holds") or []]
    lines += [f"  warning    {warning}" for warning in view.get("warnings") or []]
    for one in view.get("targets") or []:
        lines += target_lines(one, view.get("warnings") or [])
    for step in [] if view.get("targets") else view.get("steps") or []:
        lines += step_lines(step, view.get("warnings") or [])
    lines += [f"  check      {check_text(check)}" for check in view.get("checks") or []]
    lines += [f"  differs    {one}" for one in (view.get("rollback") or {}).get("differences") or []]
    lines += [f"  stays      {one}" for one in (view.get("rollback") or {}).get("stays") or []]
    return "\n".join(lines)


def artifact_text(artifact: View | None) -> str:
    """Return what the ticket brings: its digest, and the images that it is of."""
    if not artifact:
        return ""
    images = ", ".join(artifact.get("images") or []) or "no image"
    return f"{artifact['digest'][:19]} ({images})"


def check_text(check: View) -> str:
    """Return one check: who asks for it, what came of it, and how often it was tried."""
    asked = "" if check["by"] == "plan" else f", asked for by the {check['by']}"
    where = "before the first write" if check["when"] == "before" else "at the end of Verifying"
    tried = f" at attempt {check['attempts']}" if check.get("attempts", 0) > 1 else ""
    said = f": {check['message']}" if check.get("message") else ""
    return f"{check['name']} ({check['kind']}, {where}{asked}): {check['status']}{tried}{said}"


def _facts(facts: dict[str, Any]) -> list[str]:
    return [f"  {name:<10} {value}" for name, value in facts.items() if value]


def _way_back(view: View) -> str:
    """Return what a rollback after success undoes, and what it brings back."""
    return f"{view['rolls_back']}, back to {view.get('restores')}" if view.get("rolls_back") else ""


def target_lines(one: View, said: list[str]) -> list[str]:
    """Return one of many targets with its steps."""
    why = f", {reason_text(one['reason'])}" if one.get("reason") else ""
    rollback = f", {rollback_text(one['rollback'])}" if rollback_text(one.get("rollback")) else ""
    head = (
        f"  target     {one['target']} (wave {one['wave']}): {one.get('phase') or 'not begun'}{rollback}{why}"
    )
    return [head, *(f"  {line}" for step in one.get("steps") or [] for line in step_lines(step, said))]


def step_lines(step: View, said: list[str]) -> list[str]:
    """Return one step with its planned weights, verdicts, and the warnings that are not `said` already."""
    weight = f" at {percent(step['weight'])}" if step.get("weight") is not None else ""
    lines = [f"  step       {step['name']} ({step['kind']}): {step['status']}{weight}{left_text(step)}"]
    lines += [f"               {step['does']}"] if step.get("does") else []
    lines += [f"               {planned_text(one)}" for one in step.get("planned") or []]
    lines += [f"               warning: {one}" for one in step_warnings(step, said)]
    lines += [f"               {verdict_text(verdict)}" for verdict in step.get("verdicts") or []]
    return lines


def left_text(step: View) -> str:
    """Return what a step that only takes time has left; while it is held that does not run."""
    from holdpoint.models.durations import format_duration

    if step.get("ends_at"):
        ends = datetime.fromisoformat(step["ends_at"])
        left = max(0, round((ends - datetime.now(UTC)).total_seconds()))
        return f", {format_duration(left)} left, until {ends:%Y-%m-%dT%H:%M:%SZ}"
    if step.get("left"):
        return f", {format_duration(round(step['left']))} left when it goes on"
    return ""


def step_warnings(step: View, said: list[str]) -> list[str]:
    """Return the step's warnings without those that the ticket's own name, the step before them."""
    return [one for one in step.get("warnings") or [] if not any(text.endswith(one) for text in said)]


def planned_text(planned: View) -> str:
    """Return one weight of the plan: what was asked for, and what the replicas can give."""
    replicas = f"{planned.get('canary', 0):g} new beside {planned.get('stable', 0):g} old"
    return f"asked {percent(planned.get('asked'))}, reaches {percent(planned.get('reached'))} ({replicas})"


def verdict_text(verdict: View) -> str:
    """Return one verdict with the weight it was given at."""
    return f"{verdict.get('verdict')} at {percent(verdict.get('weight'))}: {verdict.get('message')}"


def hold_text(hold: View) -> str:
    """Return one hold: why, by whom, until when, and what lifts it."""
    until = f", until {hold['until']}" if hold.get("until") else ""
    return (
        f"{hold['code']}: {hold['message']} (by {hold['by']} since {hold['since']}{until}; "
        f"lifted by: {hold['lift']})"
    )


def approvals_text(approvals: View | None) -> str:
    """Return how many approvals count against how many are needed, and by whom."""
    if not approvals:
        return ""
    given = approvals.get("given") or []
    said = [f"{one['decision']} by {one['by']}{' (void)' if one.get('void') else ''}" for one in given]
    if not approvals.get("required") and not said:
        return "none needed"
    counted = sum(one["decision"].startswith("approve") and not one.get("void") for one in given)
    groups = f" of {' or '.join(approvals['groups'])}" if approvals.get("groups") else ""
    text = f"{counted} of {approvals.get('required', 0)}{groups}"
    return ", ".join([text, *said])


def risk_text(risk: View | None) -> str:
    """Return the level with its reasons."""
    if not risk:
        return ""
    reasons = "; ".join(reason.rstrip(".") for reason in risk.get("reasons") or [])
    return f"{risk['level']} ({reasons})" if reasons else str(risk["level"])


def reason_text(reason: View | None) -> str:
    """Return why the ticket is in its phase."""
    return f"{reason['code']}: {reason['message']}" if reason else ""


def rollback_text(rollback: View | None) -> str:
    """Return what the comparison with the snapshot said, if there was one."""
    if not rollback or not rollback.get("result"):
        return ""
    count = len(rollback.get("differences") or [])
    return f"{rollback['result']}, {count} difference{'' if count == 1 else 's'}"


def rehearsal_text(view: View) -> str:
    """Return that the ticket is a rehearsal, or what the last one of it came to."""
    if view.get("is_rehearsal"):
        return "this is one: when everything has run, it is undone"
    found = view.get("rehearsal")
    if not found:
        return ""
    did = "passed" if found.get("passed") else "did not pass"
    return f"{found['ticket']} {did} on {found['target']} at {found['at']}"


def takeover_text(takeover: View | None) -> str:
    """Return who has the target in hand after a failed rollback, or had, and what came of it."""
    if not takeover:
        return ""
    text = f"of {takeover['by']} since {takeover['since']}: {takeover['reason']}"
    if takeover.get("done_at"):
        done = f"{takeover.get('done_by')} at {takeover['done_at']}: {takeover.get('done_reason')}"
        return f"{text}; given back {takeover.get('result')} by {done}"
    if takeover.get("done_by"):
        return f"{text}; {takeover['done_by']} is done, and it is being compared"
    late = ", ".join(takeover.get("in_doubt") or [])
    return f"{text}; a late write of ours may still come to: {late}" if late else text


def review_text(review: View | None) -> str:
    """Return the review that an emergency owes."""
    return f"{review.get('state', 'due')}, due {review.get('due_at')}" if review else ""


def percent(value: Any) -> str:
    """Return a share in percent, as short as it is exact."""
    return f"{value:.4g} %" if isinstance(value, int | float) else "? %"


def short(commit: Any) -> str:
    """Return a commit as people quote it."""
    return str(commit or "")[:12]
