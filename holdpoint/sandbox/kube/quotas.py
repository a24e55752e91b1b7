"""Quotas on the number of objects in a namespace; one on CPU, memory or storage is kept and bounds nothing.

Counted at the write itself: a real cluster notices some deletions a moment later.
"""

from holdpoint.sandbox.kube.kinds import KINDS, RESOURCE_QUOTAS, Kind
from holdpoint.sandbox.kube.quantities import amount
from holdpoint.sandbox.kube.status import Refusal
from holdpoint.sandbox.store import Object, Store

_PLAIN = ("configmaps", "pods", "resourcequotas", "secrets", "services")
"""Resources that a quota may also name without `count/`."""


def check(store: Store, kind: Kind, namespace: str, name: str) -> None:
    """Raise 403 when one more object of the kind would exceed a quota of its namespace."""
    for quota in store.all(RESOURCE_QUOTAS, namespace) if kind.namespaced else []:
        hard, used = _hard(quota), _used(store, quota)
        exceeded = sorted(
            key for key in _keys(kind) if key in hard and used[key] + 1 > (amount(hard[key]) or 0)
        )
        if not exceeded:
            continue
        columns = {
            "requested": ",".join(f"{key}=1" for key in exceeded),
            "used": ",".join(f"{key}={used[key]}" for key in exceeded),
            "limited": ",".join(f"{key}={hard[key]}" for key in exceeded),
        }
        listed = ", ".join(f"{label}: {text}" for label, text in columns.items())
        group = {"group": kind.group} if kind.group else {}
        raise Refusal(
            403,
            "Forbidden",
            f'{kind.resource} "{name}" is forbidden: exceeded quota: {quota["metadata"]["name"]}, {listed}',
            {"name": name, **group, "kind": kind.plural},
        )


def observe(store: Store) -> None:
    """Write what is used into the status of every quota."""
    for quota in store.all(RESOURCE_QUOTAS):
        used = {key: str(number) for key, number in _used(store, quota).items()}
        status = {"hard": {key: _hard(quota)[key] for key in used}, "used": used}
        if quota.get("status") != status:
            store.put(RESOURCE_QUOTAS, {**quota, "status": status})


def _hard(quota: Object) -> dict[str, str]:
    found: dict[str, str] = (quota.get("spec") or {}).get("hard") or {}
    return found


def _used(store: Store, quota: Object) -> dict[str, int]:
    """Return the number of objects of each resource that the quota bounds and the sandbox serves."""
    namespace, hard = quota["metadata"]["namespace"], _hard(quota)
    from_kind = {key: kind for kind in KINDS if kind.namespaced for key in _keys(kind)}
    return {key: len(store.all(from_kind[key], namespace)) for key in hard if key in from_kind}


def _keys(kind: Kind) -> tuple[str, ...]:
    counted = f"count/{kind.resource}"
    return (counted, kind.plural) if not kind.group and kind.plural in _PLAIN else (counted,)
