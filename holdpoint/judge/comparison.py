"""One metric of a canary against the fleet that it runs beside, looked at after every scrape.

A metric is a share of requests: those that failed, or those slower than an edge of a histogram. Latency has
several edges, and the average of their evidence is evidence again. What decides, in this order: a fail by the
evidence that the canary is worse than tolerated; a pass by the evidence that it is less than twice as bad;
and at the deadline a pass by either that or how few of its requests were bad at all. Where stable is never
bad there is no ratio, and how few were bad decides at once: else nothing would pass before the deadline.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

from holdpoint.judge.noise import TOLERATED, UNKNOWN, Clumps
from holdpoint.judge.ratio import HEALTHY, AbsoluteProcess, RatioProcess, Scrape, mean
from holdpoint.judge.share import ALPHA, MIN_BAD, MIN_REQUESTS, Finding

TWICE = 2.0
"""A canary that may be this many times as bad is not passed."""

HELD = 20.0
"""Evidence against the canary from which on its weight does not rise, though it does not fail yet."""

PASSES = 20.0
PASSES_WHEN_CLUMPED = 50.0
CLUMPED = 1.5
"""Beyond this overdispersion a pass needs more: a quiet minute between two bursts looks healthy."""

WITHOUT_ANY_POD = 3.0
"""Evidence that must be left when any one canary pod is left out; else that pod is suspected, not the
version."""

BURSTY = 3.0
"""Beyond this overdispersion, moments as bad as a bad version's are usual here, and one alone is none."""

WITHOUT_ANY_MOMENT = 3.0
"""Evidence that must be left, where it is bursty, when any one burst's length is left out."""

Pods = Mapping[str, tuple[float, float]]
"""Requests and bad ones since the last scrape, of each canary pod."""


@dataclass(frozen=True)
class Look:
    """What one scrape adds at one edge: the canary's pods, and the baseline in all (requests, bad)."""

    canary: Pods
    baseline: tuple[float, float]


@dataclass(frozen=True)
class Compared:
    """A finding with the evidence for it: `against` fails at K/alpha, `healthy` passes at 20.

    `stable` is the requests and bad ones of stable, `scrapes` in how many the canary had a request.
    """

    name: str
    finding: Finding
    against: float
    healthy: float
    requests: float
    bad: float
    stable: tuple[float, float]
    phi: float
    scrapes: int
    suspect: str | None = None

    @property
    def held(self) -> bool:
        """Tell whether the weight must not rise: something speaks against the canary."""
        return self.finding is not Finding.PASS or self.against >= HELD


class Edge:
    """The processes of one edge: against the canary, for it, and against it without each of its pods."""

    def __init__(self, tolerated: float) -> None:
        self.worse = RatioProcess.beyond(tolerated)
        self.healthy = RatioProcess(TWICE, HEALTHY)
        self.without: dict[str, RatioProcess] = {}
        self.requests = self.bad = 0.0
        self.stable = (0.0, 0.0)

    def add(self, look: Look) -> None:
        """Take in one scrape."""
        requests, bad = sum(n for n, _ in look.canary.values()), sum(k for _, k in look.canary.values())
        for pod in look.canary.keys() - self.without.keys():
            self.without[pod] = deepcopy(self.worse)  # until now nothing of it was in there
        for pod, process in self.without.items():
            n, k = look.canary.get(pod, (0.0, 0.0))
            process.add(Scrape(requests - n, bad - k, *look.baseline))
        whole = Scrape(requests, bad, *look.baseline)
        self.worse.add(whole)
        self.healthy.add(whole)
        self.requests += requests
        self.bad += bad
        self.stable = (self.stable[0] + look.baseline[0], self.stable[1] + look.baseline[1])


class Comparison:
    """One metric over one canary.

    `allowed` is the largest share of bad requests at the last of the edges; `every`, the seconds of a scrape;
    `quiet` says that stable's history has not one bad request.
    """

    def __init__(
        self,
        name: str,
        *,
        allowed: float,
        edges: int = 1,
        every: float = 5.0,
        tolerated: float = TOLERATED,
        clumps: Clumps = UNKNOWN,
        quiet: bool = False,
    ) -> None:
        self.name, self.phi, self._quiet = name, clumps.phi, quiet
        self._burst = max(1, round(clumps.seconds / every))
        self._edges = [Edge(tolerated) for _ in range(edges)]
        self._absolute = AbsoluteProcess(allowed)
        self._scrapes = 0

    def add(self, looks: Sequence[Look]) -> None:
        """Take in one scrape: a look for each edge."""
        self._scrapes += any(requests for look in looks for requests, _ in look.canary.values())
        for edge, look in zip(self._edges, looks, strict=True):
            edge.add(look)

    def finding(self, *, baked: bool, deadline: bool = False, metrics: int = 1) -> Compared:
        """Return what is found now.

        `baked`: the step's shortest time is over. `deadline`: there is no more time, and no later question.
        `metrics`: how many are judged together, which divides the chance of a false fail among them.
        """
        against = mean([edge.worse.evidence(self.phi) for edge in self._edges])
        healthy = mean([edge.healthy.evidence(self.phi) for edge in self._edges])
        finding, suspect = self._decided(against, healthy, baked=baked, deadline=deadline, metrics=metrics)
        last = self._edges[-1]
        seen = (last.requests, last.bad, last.stable, self.phi, self._scrapes)
        return Compared(self.name, finding, against, healthy, *seen, suspect)

    def _decided(
        self, against: float, healthy: float, *, baked: bool, deadline: bool, metrics: int
    ) -> tuple[Finding, str | None]:
        last = self._edges[-1]
        if last.requests == 0:
            return Finding.NO_DATA, None
        if against >= metrics / ALPHA and max(edge.bad for edge in self._edges) >= MIN_BAD:
            suspect = self._suspect()
            if suspect is not None:
                return Finding.SUSPECT_POD, suspect
            return (Finding.INCONCLUSIVE if self._a_burst() else Finding.FAIL), None
        if last.requests < MIN_REQUESTS:
            return Finding.LOW_SAMPLE, None
        passes = (baked and self._healthy(healthy)) or (deadline and self._few_enough(healthy))
        return (Finding.PASS if passes and against < HELD else Finding.INCONCLUSIVE), None

    def _healthy(self, healthy: float) -> bool:
        if self._quiet and not any(edge.stable[1] for edge in self._edges):
            last = self._edges[-1]
            # Nothing was ever bad, so nothing tells how bad requests clump either.
            return self._absolute.evidence(last.requests, last.bad, UNKNOWN.phi) >= PASSES
        return healthy >= (PASSES_WHEN_CLUMPED if self.phi > CLUMPED else PASSES)

    def _few_enough(self, healthy: float) -> bool:
        last = self._edges[-1]
        return (healthy + self._absolute.evidence(last.requests, last.bad)) / 2 >= PASSES

    def _a_burst(self) -> bool:
        """Tell whether what speaks against the canary is one burst, where stable has such bursts too."""
        if self.phi <= BURSTY:
            return False
        left = mean([edge.worse.without_any(self._burst, self.phi) for edge in self._edges])
        return left < WITHOUT_ANY_MOMENT

    def _suspect(self) -> str | None:
        """Return the pod without which too little speaks against the version; a single pod is the version."""
        pods = self._edges[0].without.keys()
        if len(pods) < 2:
            return None
        left = {pod: mean([edge.without[pod].evidence(self.phi) for edge in self._edges]) for pod in pods}
        least = min(left, key=lambda pod: left[pod])
        return least if left[least] < WITHOUT_ANY_POD else None
