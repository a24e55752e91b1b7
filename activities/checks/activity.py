"""The activity of one attempt of one check. It reads, and never writes."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from temporalio import activity

from activities.beat import beating
from activities.checks.kind import CheckKind, Found, Means, Scene
from activities.checks.registry import check_kind_of
from activities.manifests import Files
from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tickets import change_of
from holdpoint.models import contracts
from holdpoint.models.activity_calls import CheckCall
from holdpoint.models.checks import CheckAttempt, PlannedCheck
from holdpoint.models.durations import format_duration
from holdpoint.models.errors import PermanentError, UpstreamUnavailable
from holdpoint.models.redact import redact

LONGEST_MESSAGE = 500

NO_DATA = "no_data"
"""Names the hold of a ticket while a postcheck has no data: that is no reason to take good code back."""


class CheckActivities:
    """Looks once for each call, with the clients that it takes."""

    def __init__(self, *, ledger: Ledger, repositories: Files, clusters: Clusters, means: Means) -> None:
        self._ledger, self._repositories = ledger, repositories
        self._clusters, self._means = clusters, means

    @activity.defn(name=contracts.CHECK.name)
    async def check(self, call: CheckCall) -> CheckAttempt:
        """Look once, and say what was found. Raises UpstreamUnavailable where nobody answers."""
        async with beating():
            stored = (await self._ledger.read(change_of, call.ticket)).at(call.target)
            cluster = stored.change.spec.place.cluster
            scene = Scene(
                stored=stored,
                cluster=self._clusters.forward(cluster),
                metrics=self._clusters.metrics(cluster),
                repositories=self._repositories,
                means=self._means,
                now=datetime.now(UTC),
            )
            found = await look(call.check, scene)
        if found.passed is None and call.when == "after":
            raise UpstreamUnavailable(f"{call.check.name}: {found.message}", upstream=NO_DATA)
        return CheckAttempt(
            passed=found.passed is True,
            message=redact(found.message)[:LONGEST_MESSAGE],
            at=scene.now,
            answer=found.answer,
        )


async def look(check: PlannedCheck, scene: Scene) -> Found:
    """Look once, for at most as long as the check allows. Raises UpstreamUnavailable."""
    kind: CheckKind[Any] = check_kind_of(check.kind)
    config = kind.config.model_validate(check.config)
    if (why := kind.refusal(config, scene.means)) is not None:
        return Found(False, f"It cannot run: {why}")
    try:
        async with asyncio.timeout(check.timeout):
            return await kind.look(config, scene)
    except TimeoutError as error:
        late = f"no answer within {format_duration(check.timeout)}"
        if kind.asks is None:
            return Found(False, f"There was {late}.")
        raise UpstreamUnavailable(f"{check.name}: {late}.", upstream=kind.asks) from error
    except PermanentError as error:
        return Found(False, error.message)
