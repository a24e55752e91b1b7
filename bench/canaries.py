"""Fifty canaries at once on a real control plane, over the Argo Rollouts controller with the same fifty.

Same weights, pauses and pods. What a canary of ours does beside that: it is evaluated by the policy, waits
for its lane, has prechecks with a dry run, a snapshot, intents, an analysis at each weight, a verification
and an archive; Argo's has none of these.
"""

from bench import argo_runs, our_runs
from bench.cases import Case, against, bounded, none_of
from bench.control_plane import control_plane
from bench.taken import CANARIES, Taken

MOST_SECONDS, MOST_REQUESTS, MOST_LATE = 8.0, 14.0, 2.0
"""What issue 4 aims at: for all of them, for each of them, and for going on after a SIGKILL."""
OF_EACH = "mutating requests of each"


async def measure() -> list[Case]:
    """Let Argo do them tuned, at its defaults, and with a SIGKILL; then us, without one and with one."""
    async with control_plane() as plane:
        theirs = await argo_runs.run(plane)
        ours = await our_runs.run(plane)
    stopped = f"a SIGKILL amid {CANARIES} canaries"
    return [
        *_compared(ours.taken, theirs.tuned, "tuned"),
        *_compared(ours.taken, theirs.default, "at its defaults"),
        bounded(f"{CANARIES} canaries: wall time", ours.taken.seconds, MOST_SECONDS, unit="s"),
        bounded(f"{CANARIES} canaries: {OF_EACH}", ours.taken.per_canary, MOST_REQUESTS, unit="requests"),
        against(f"{stopped}: until a write, Argo tuned", ours.silent, theirs.silent, unit="s"),
        bounded(f"{stopped}: how late the slowest goes on", ours.late, MOST_LATE, unit="s"),
        none_of(f"{stopped}: what `audit reconcile` finds", len(ours.findings), unit="findings"),
    ]


def _compared(ours: Taken, theirs: Taken, how: str) -> list[Case]:
    """Return the comparisons with one way to run Argo's controller."""
    name = f"{CANARIES} canaries, Argo {how}"
    return [
        against(f"{name}: wall time", ours.seconds, theirs.seconds, unit="s"),
        against(f"{name}: {OF_EACH}", ours.per_canary, theirs.per_canary, unit="requests"),
        against(f"{name}: events of each", ours.events, theirs.events, unit="requests"),
        against(f"{name}: CPU", ours.cpu, theirs.cpu, unit="s"),
        against(f"{name}: memory", ours.memory, theirs.memory, unit="MB"),
    ]
