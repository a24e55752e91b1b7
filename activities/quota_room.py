"""Whether the quotas of a namespace have room for more pods, as its ResourceQuotas say it themselves."""

import re
from decimal import Decimal, InvalidOperation
from math import ceil
from typing import Any

from holdpoint.clients.cluster import Cluster

Body = dict[str, Any]
Needs = dict[str, Decimal]

_SUFFIXES = {
    **{name: Decimal(1000) ** power for power, name in enumerate(("", "k", "M", "G", "T", "P", "E"))},
    **{name: Decimal(1024) ** power for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{name: Decimal(1000) ** -power for power, name in enumerate(("m", "u", "n"), 1)},
}
_QUANTITY = re.compile(r"^([+-]?[0-9.]+(?:[eE][+-]?[0-9]{1,3})?)([A-Za-z]{0,2})$")

SURGE = Decimal("0.25")
"""What a rolling update may have more of where the manifest says nothing (the API server's default)."""


async def full_quotas(cluster: Cluster, namespace: str, needs: Needs) -> list[str]:
    """Return one sentence for each limit that has no room for `needs`. Raises AccessDenied."""
    said = []
    for quota in await cluster.list("v1", "ResourceQuota", namespace):
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        if _is_scoped(quota):
            continue  # it may count none of these pods
        for name in sorted(hard.keys() & _names(needs).keys()):
            limit, now, more = amount(hard[name]), amount(used.get(name, 0)), _names(needs)[name]
            if limit is not None and now is not None and now + more > limit:
                where = quota["metadata"]["name"]
                used_up = f"{_text(now)} of {hard[name]} {name} are used"
                said.append(f"ResourceQuota {where}: {used_up}, {_text(more)} more are needed.")
    return said


def needs_of(manifest: Body, replicas: int) -> Needs:
    """Return what so many pods of a Deployment take up, with what its rolling update has more for a while."""
    spec = manifest["spec"]
    pods = Decimal(replicas + _surge(spec, replicas))
    needs: Needs = {"pods": pods}
    pod = spec["template"].get("spec") or {}
    for container in pod.get("containers") or []:
        resources = container.get("resources") or {}
        limits = resources.get("limits") or {}
        asked = {**limits, **(resources.get("requests") or {})}  # a limit alone is a request, too
        for kind, amounts in (("requests", asked), ("limits", limits)):
            for name, value in amounts.items():
                needs[f"{kind}.{name}"] = needs.get(f"{kind}.{name}", Decimal(0)) + pods * (
                    amount(value) or 0
                )
    return needs


def amount(value: object) -> Decimal | None:
    """Return what a quantity such as `500m` or `1Gi` amounts to; None when it is none."""
    found = _QUANTITY.match(str(value))
    if found is None or found[2] not in _SUFFIXES:
        return None
    try:
        return Decimal(found[1]) * _SUFFIXES[found[2]]
    except InvalidOperation:
        return None


def _names(needs: Needs) -> Needs:
    """Return the needs under every name that a quota has for them."""
    short = {"requests.cpu": "cpu", "requests.memory": "memory", "pods": "count/pods"}
    return {**needs, **{short[name]: value for name, value in needs.items() if name in short}}


def _surge(spec: Body, replicas: int) -> int:
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    stated = (strategy.get("rollingUpdate") or {}).get("maxSurge")
    if isinstance(stated, int):
        return stated
    text = str(stated or "")
    share = Decimal(text[:-1]) / 100 if re.fullmatch(r"[0-9]{1,3}%", text) else SURGE
    return ceil(replicas * share)


def _is_scoped(quota: Body) -> bool:
    spec = quota.get("spec") or {}
    return bool(spec.get("scopes") or spec.get("scopeSelector"))


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"
