"""Follow a ticket to its end: long-poll its entries, and tell what changed since the last look."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from holdpoint.cli.client import PATIENCE, Api, ApiProblem, NoAnswer, patiently, segment
from holdpoint.cli.output import cleaned
from holdpoint.cli.ticket_text import (
    View,
    approvals_text,
    hold_text,
    left_text,
    percent,
    rollback_text,
    step_warnings,
    verdict_text,
)
from holdpoint.models.phases import TERMINAL

POLL = 20.0
"""Seconds one request waits for news: shorter than what proxies between us allow."""

QUIETEST = 0.5
"""Seconds between two requests that bring no news."""

GRACE = 5.0
"""Seconds that an answer may be late; a timeout is overrun by no more than this."""

OUTAGE = 90.0
"""Seconds without an answer after which watching is given up; a stack that restarts takes fifteen."""


OVER = ("succeeded", "failed", "undone")
"""How a step stands that nothing is done for any more."""


class Progress(Protocol):
    """Where news of a ticket goes."""

    def line(self, text: str) -> None:
        """Tell one thing that happened."""

    def show(self, view: View) -> None:
        """Show how the ticket stands now."""


class Follower:
    """Follows one ticket. `view` is the last one seen; None as long as none was."""

    def __init__(self, api: Api, ticket: str, view: View | None = None) -> None:
        self.view = view
        self._api = api
        self._path = f"changes/{segment(ticket)}"
        self._after = 0
        self._shown: View = {}

    def follow(self, timeout: float, progress: AbstractContextManager[Progress]) -> bool:
        """Follow for `timeout` seconds; return whether the ticket ended. Raises what the API raises."""
        deadline = time.monotonic() + timeout
        with progress as told:
            try:
                self._see(self._patiently(self._now, deadline, told), told)
                while not self._ended() and time.monotonic() < deadline:
                    asked = time.monotonic()
                    page = self._patiently(self._news(deadline), deadline, told)
                    self._after = max([self._after, *(entry["seq"] for entry in page["entries"])])
                    self._see(page["view"], told)
                    if not page["entries"]:
                        # A server that is about to stop lets long polls go at once.
                        quiet = min(QUIETEST - (time.monotonic() - asked), deadline - asked)
                        time.sleep(max(0.0, quiet))  # so that it is not flooded with the next ones
            except (NoAnswer, ApiProblem):
                # Out of time and out of reach at once: what was asked for is the timeout.
                if self.view is None or time.monotonic() < deadline - 1.0:
                    raise
            return self._ended()

    def _ended(self) -> bool:
        return self.view is not None and self.view["phase"] in TERMINAL

    def _see(self, view: View, told: Progress) -> None:
        """Tell what is new; as told, a stranger's text cannot steer a terminal."""
        now: View = cleaned(view)
        for line in changes(self._shown, now):
            told.line(line)
        told.show(now)
        self.view, self._shown = view, now

    def _now(self, left: float) -> Any:
        return self._api.get(self._path, patience=min(left, PATIENCE))

    def _news(self, deadline: float) -> Callable[[float], Any]:
        """Return the request that waits for news, never past the deadline."""

        def poll(left: float) -> Any:
            wait = max(min(POLL, left, deadline - time.monotonic()), 0.0)
            return self._api.get(
                f"{self._path}/entries",
                {"after": self._after, "wait": round(wait, 1), "limit": 500},
                patience=wait + GRACE,
            )

        return poll

    def _patiently(self, call: Callable[[float], Any], deadline: float, told: Progress) -> Any:
        bound = min(OUTAGE, max(deadline - time.monotonic(), 0.1))
        return patiently(call, bound=bound, say=told.line)


def changes(before: View, after: View) -> Iterator[str]:
    """Yield a line for each thing new in `after`: everything that matters, where `before` is empty."""
    moved = before.get("phase") != after["phase"]
    yield from _changed_steps(before, after, over=True)
    if moved and after["phase"] not in TERMINAL:
        yield str(after["phase"])
    if before.get("approvals") != after.get("approvals") and (after.get("approvals") or {}).get("required"):
        yield f"approvals: {approvals_text(after['approvals'])}"
    yield from (f"warning: {one}" for one in _new(before, after, "warnings"))
    yield from _hold_changes(before, after)
    yield from _changed_steps(before, after, over=False)
    yield from _target_changes(before, after)
    if rollback_text(before.get("rollback")) != (now := rollback_text(after.get("rollback"))) and now:
        yield f"rollback: {now}"
        yield from (f"  differs: {one}" for one in after["rollback"].get("differences") or [])
    if moved and after["phase"] in TERMINAL:
        yield _end(after)


def _end(view: View) -> str:
    """Return how it ended; the last line of a log is the one that is read."""
    reason = view.get("reason") or {}
    code = reason.get("code", "")
    named = f" ({code})" if code.replace("_", "") not in ("", view["phase"].lower()) else ""
    return f"{view['phase']}{named}" + (f": {reason['message']}" if reason.get("message") else "")


def _new(before: View, after: View, name: str) -> list[Any]:
    return [one for one in after.get(name) or [] if one not in (before.get(name) or [])]


def _hold_changes(before: View, after: View) -> Iterator[str]:
    was, now = ({_name(hold): hold for hold in view.get("holds") or []} for view in (before, after))
    yield from (f"held by {hold_text(now[key])}" for key in now if key not in was)
    for key in was:
        if key not in now:
            yield f"{_of(was[key].get('target'))}no longer held by {was[key]['code']}"


def _name(hold: View) -> tuple[Any, ...]:
    return hold["code"], hold.get("ref"), hold.get("target")


def _of(target: str | None) -> str:
    """Return what begins a line about one of many targets: its cluster."""
    return f"{target.partition('/')[0]}: " if target else ""


def _target_changes(before: View, after: View) -> Iterator[str]:
    """Yield what is new on each of many targets; each line begins with the cluster."""
    known = {one["target"]: one for one in before.get("targets") or []}
    said = after.get("warnings") or []
    for one in after.get("targets") or []:
        was, of = known.get(one["target"], {}), _of(one["target"])
        steps = {**one, "warnings": said}
        yield from (of + line for line in _changed_steps(was, steps, over=True))
        if one.get("phase") and was.get("phase") != one["phase"]:
            why = (one.get("reason") or {}).get("message")
            yield f"{of}{one['phase']}" + (f": {why}" if why else "")
        yield from (of + line for line in _changed_steps(was, steps, over=False))


def _changed_steps(before: View, after: View, *, over: bool) -> Iterator[str]:
    """Yield what is new in steps that are over, which comes before a new phase, or in the others."""
    known = {step["name"]: step for step in before.get("steps") or []}
    for step in [] if after.get("targets") else after.get("steps") or []:
        if (step["status"] in OVER) is over:
            yield from _step_changes(known.get(step["name"], {}), step, after.get("warnings") or [])


def _step_changes(before: View, after: View, said: list[str]) -> Iterator[str]:
    verdicts = [f"{after['name']}: {verdict_text(one)}" for one in _new(before, after, "verdicts")]
    if after["status"] in OVER:
        yield from verdicts
    weight = after.get("weight")
    moved = before.get("status") != after["status"] or before.get("weight") != weight
    if moved and (after["status"] != "pending"):
        where = "" if weight is None else f" at {percent(weight)}"
        yield f"{after['name']}: {after['status']}{where}{left_text(after)}"
    fresh = {**after, "warnings": _new(before, after, "warnings")}
    yield from (f"{after['name']}: warning: {one}" for one in step_warnings(fresh, said))
    if after["status"] not in OVER:
        yield from verdicts
