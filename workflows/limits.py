"""Every time limit, heartbeat and retry of the workflows, each with its reason.

A limit covers one *round* of attempts. When a round ends because something outside did not answer, the
workflow shows a hold and begins another one later (see `record_keeping.py`); how long that goes on is a
bound below.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from holdpoint.models import contracts

HEARTBEAT = timedelta(seconds=10)
"""Before the rollout, and after it: nobody waits for seconds there, and parsing a large repository may keep
a loaded 2-core machine from beating for some."""
IN_ROLLOUT = timedelta(seconds=2.5)
"""In a rollout a killed worker's activity is begun again this long after its last beat. Activities beat every
0.75 s, so three lost beats decide. A machine that stands still for so long is taken for dead though it lives:
that costs one more attempt, which looks at the world first, and the old one is cancelled at its next beat."""

QUICK_ROUND = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=3.0,
    maximum_interval=timedelta(seconds=5),
    maximum_attempts=4,
)
"""0.2 + 0.6 + 1.8 s: rides out a restart of the ledger, of OPA or of the sandbox (1 to 3 s) without showing
a hold. The first is short, for it also stands between a worker's death and the next one's attempt."""

UNDO_ROUND = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=3.0,
    maximum_interval=timedelta(seconds=3),
    maximum_attempts=8,
)
"""An undo is worth a few more attempts (15 s in all) before people are told that it waits; none is far from
the one before, so that it goes on soon after the cluster is back."""

ONCE = RetryPolicy(maximum_attempts=1)


@dataclass(frozen=True)
class Limit:
    """How long a round may take, how often it is tried, and how its cancellation is awaited."""

    attempt: timedelta
    retry: RetryPolicy = field(default_factory=lambda: QUICK_ROUND)
    heartbeat: timedelta | None = None
    round: timedelta | None = None
    cancellation: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL

    def options(self) -> dict[str, Any]:
        """Return this as keyword arguments of `workflow.start_activity`."""
        return {
            "start_to_close_timeout": self.attempt,
            "schedule_to_close_timeout": self.round,
            "heartbeat_timeout": self.heartbeat,
            "retry_policy": self.retry,
            "cancellation_type": self.cancellation,
        }

    def over(self, seconds: float) -> "Limit":
        """Return this limit for an activity that is asked to watch for so many seconds on top."""
        return replace(self, attempt=self.attempt + timedelta(seconds=seconds))

    def once(self) -> "Limit":
        """Return this limit for a round of one attempt: quick ones have been seen not to help."""
        return replace(self, retry=ONCE)


# An activity that writes is waited for after its cancellation, so that nothing of it lands after what
# comes next. Its heartbeat bounds that wait. One that only reads is let go at once.
_AWAITED = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED

_LEDGER = Limit(attempt=timedelta(seconds=20), cancellation=_AWAITED)
"""One short transaction: milliseconds; SQLite's busy timeout alone may take 10 s."""

LIMITS: dict[str, Limit] = {
    # A first fetch of a large repository, the dry run of every object, one policy decision.
    contracts.EVALUATE.name: Limit(attempt=timedelta(seconds=120), heartbeat=HEARTBEAT),
    contracts.RECORD.name: _LEDGER,
    contracts.SCHEDULE.name: _LEDGER,
    contracts.LEAVE.name: _LEDGER,
    contracts.GATE.name: _LEDGER,
    contracts.FINISH.name: _LEDGER,
    contracts.INSPECT.name: _LEDGER,
    # Flaky checks have their own bounded attempts inside, seconds apart.
    contracts.PRECHECK.name: Limit(attempt=timedelta(minutes=5), heartbeat=HEARTBEAT),
    # One look of one check; what its own time limit allows comes on top.
    contracts.CHECK.name: Limit(attempt=timedelta(seconds=30), heartbeat=HEARTBEAT),
    # Reads every object that will be touched; in undo mode it also fences what is in doubt.
    contracts.BEGIN.name: Limit(attempt=timedelta(minutes=3), heartbeat=IN_ROLLOUT, cancellation=_AWAITED),
    # Waits until the objects are ready: an `apply` step may ask for hours, so the attempt is bounded by the
    # step's own timeout and this is only the fence behind it.
    contracts.APPLY_STEP.name: Limit(
        attempt=timedelta(minutes=30), heartbeat=IN_ROLLOUT, cancellation=_AWAITED
    ),
    # The window that is watched comes on top; what is left is for the queries.
    contracts.JUDGE.name: Limit(attempt=timedelta(seconds=60), heartbeat=IN_ROLLOUT),
    # Reads and dry-runs every object once.
    contracts.POSTCHECK.name: Limit(attempt=timedelta(minutes=3), heartbeat=IN_ROLLOUT),
    contracts.UNDO.name: Limit(
        attempt=timedelta(minutes=30), retry=UNDO_ROUND, heartbeat=IN_ROLLOUT, cancellation=_AWAITED
    ),
    contracts.COMPARE.name: Limit(attempt=timedelta(minutes=3), retry=UNDO_ROUND, heartbeat=IN_ROLLOUT),
    # The same, after the fences of what was left in doubt.
    contracts.HAND_BACK.name: Limit(attempt=timedelta(minutes=5), retry=UNDO_ROUND, heartbeat=HEARTBEAT),
    # Exports, redacts and signs a whole history.
    contracts.ARCHIVE.name: Limit(attempt=timedelta(minutes=2), heartbeat=HEARTBEAT),
}

FLUSH_BEFORE_UNDO = Limit(
    attempt=timedelta(seconds=5), retry=ONCE, round=timedelta(seconds=5), cancellation=_AWAITED
)
"""The record is asked once, for 5 s: an undo never waits for a record store that is down."""

LOOK_AGAIN = timedelta(minutes=15)
"""Waits are woken by the ledger's outbox; this is for the wake-up that is lost (design decision 8)."""
LOOK_JITTER = 0.2
"""Share of `LOOK_AGAIN` by which looks are spread, so that a thousand waiting tickets do not ask at once."""


def look_again() -> timedelta:
    """Return how long to wait for a wake-up this time."""
    return LOOK_AGAIN * (1 + LOOK_JITTER * (workflow.random().random() - 0.5))


SHORTEST_LOOK = timedelta(seconds=1)
"""No wait is shorter, whatever an activity names: a moment in the past must not make the ticket spin."""

FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=5)
PAUSE_SHARE = 0.1
"""Between two rounds against something that does not answer: a tenth of the time that it has been away, from
the first to the longest. So an outage is made a tenth longer at most, and one of half a minute by 3 s. A week
of it is 2,100 rounds and 23,000 events, under Temporal's 51,200."""


def pause_after(away: timedelta) -> timedelta:
    """Return how long to wait before something is asked again that has not answered for so long."""
    return max(FIRST_PAUSE, min(LONGEST_PAUSE, away * PAUSE_SHARE))


FIRST_CHECK_PAUSE = timedelta(seconds=2)
LONGEST_CHECK_PAUSE = timedelta(seconds=60)
"""Between two attempts of a check: twice as long each time. Three attempts ride out 6 s, ten of them 5
minutes: longer than a pod that restarts or a scrape that is missed, and a person still waits for it."""


def pause_before_attempt(failed: int) -> timedelta:
    """Return how long to wait after a check has failed so often."""
    return min(LONGEST_CHECK_PAUSE, FIRST_CHECK_PAUSE * (1 << (failed - 1)))


UNDO_BOUND = timedelta(days=7)
"""How long an undo goes on trying before a person is asked: a cluster that is away for a week is gone."""
CLOSE_BOUND = timedelta(days=7)
"""How long a ticket tries to give back its target and to be archived before its workflow ends without."""

UNDO_ROUNDS = 2
"""Undo and comparison together, while the comparison says `partial`: controllers may need a moment to
follow."""
UNDO_ROUND_PAUSE = timedelta(seconds=2)
UNDO_TRIES = 3
"""Undos of one round while something is left undone: with pauses of 2 and 4 s it rides out a restart of
the API server; what is refused for good is then left to the comparison, and to a person."""

START_TRIES = 12
"""Starts of a child whose ID is still running: with pauses of 1 to 60 s that is about 6 minutes, and 120
events. A rollout that ends takes seconds; then the ticket goes back to the lane."""
LONGEST_START_PAUSE = timedelta(seconds=60)
LOST_ROLLOUTS = 10
"""How often a lost rollout is replaced by one that undoes; each may be terminated by a person again."""

FIRST_WINDOW = 15.0
"""Seconds that one judge call watches at first; it is also the longest wait for a new verdict on the
screen."""
LONGEST_WINDOW = 60.0
"""Seconds per judge call in long bakes: each costs 6 events, and a `fail` returns at once anyway."""
HELD_WINDOW = 3.0
"""Seconds per judge call at first while the analysis holds the canary, so that it goes on soon after data
is back."""
LONGEST_HELD_WINDOW = 300.0
"""Seconds per judge call under a long hold: a day of it is 300 calls and 2,000 events."""
WINDOWS_PER_BAKE = 120
"""A bake of days may stretch its windows beyond that, so that one weight stays near 700 events."""
CLOCK_SLACK = 3.0
"""Seconds more for the last look of a bake: the judge tells by its own clock when the bake is over, and
answers a `pass` at once then. Without it a worker's slow clock would show as a hold for want of a verdict."""
BRIEF = 15.0
"""Seconds. A Verifying no longer than this is neither told to the ticket's workflow (9 events in the two
histories; the ledger's view has it all the same) nor, without an analysis, waited for with a timer and
recorded by itself (11 more): the activity that looks at its end waits it out."""
SHORTEST_WINDOW = 1.0
"""Seconds; a scrape takes one, so less cannot see anything new."""
