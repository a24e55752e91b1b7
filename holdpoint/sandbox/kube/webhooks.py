"""Validating admission webhooks: each that a configuration names is asked over HTTPS before a write.

Asked with what a dry run gives, so what the server itself refuses reaches no webhook. In this subset a
webhook is named by its URL, rules match groups, versions, operations and resources, selectors match labels.
Pods that a ReplicaSet makes are not shown to any.
"""

import base64
import ssl
import uuid
from dataclasses import replace
from typing import Any

import httpx

from holdpoint.sandbox.kube import verbs
from holdpoint.sandbox.kube.call import Call
from holdpoint.sandbox.kube.kinds import NAMESPACES, WEBHOOKS
from holdpoint.sandbox.kube.status import Refusal
from holdpoint.sandbox.store import Object, Store

_OPERATION = {"create": "CREATE", "update": "UPDATE", "patch": "UPDATE", "delete": "DELETE"}


async def review(store: Store, call: Call, user: str) -> None:
    """Ask every webhook that the write concerns; raises what the first one refuses, or that it failed."""
    if not call.mutates or call.kind == WEBHOOKS:
        return
    named = [hook for found in store.all(WEBHOOKS) for hook in found.get("webhooks") or []]
    live = store.get(call.kind, call.namespace, call.name) if call.name else None
    operation = "CREATE" if live is None else _OPERATION.get(call.verb, "")
    named = [hook for hook in named if _concerns(hook, call, operation)]
    if not named:
        return
    after = None if operation == "DELETE" else verbs.perform(store, _dry(call))[1]
    for hook in named:
        if _selected(store, hook, call, after or live or {}):
            await _ask(hook, _request(call, operation, user, after, live))


def _concerns(hook: dict[str, Any], call: Call, operation: str) -> bool:
    resource = "/".join(filter(None, (call.kind.plural, call.subresource)))
    wanted = {
        "apiGroups": call.kind.group,
        "apiVersions": call.kind.version,
        "operations": operation,
        "resources": resource,
    }
    rules = hook.get("rules") or []
    return any(
        all({"*", value} & set(rule.get(name) or []) for name, value in wanted.items()) for rule in rules
    )


def _selected(store: Store, hook: dict[str, Any], call: Call, body: Object) -> bool:
    namespace = store.get(NAMESPACES, "", call.namespace) or {"metadata": {}}
    pairs = ((hook["namespaceSelector"], namespace), (hook["objectSelector"], body))
    return all(
        (selector.get("matchLabels") or {}).items() <= (found["metadata"].get("labels") or {}).items()
        for selector, found in pairs
    )


def _dry(call: Call) -> Call:
    body = {**call.body, "dryRun": ["All"]} if call.verb == "delete" and call.body else call.body
    return replace(call, query={**call.query, "dryRun": "All"}, body=body, warnings=[])


def _request(call: Call, operation: str, user: str, after: Object | None, live: Object | None) -> Object:
    kind = {"group": call.kind.group, "version": call.kind.version}
    return {
        "uid": str(uuid.uuid4()),
        "kind": {**kind, "kind": call.kind.kind},
        "resource": {**kind, "resource": call.kind.plural},
        "subResource": call.subresource,
        "name": call.name,
        "namespace": call.namespace,
        "operation": operation,
        "userInfo": {"username": user},
        "object": after,
        "oldObject": live,
        "dryRun": call.dry_run,
    }


async def _ask(hook: dict[str, Any], request: Object) -> None:
    """Raise when the webhook refuses, or gives no answer and its `failurePolicy` is not `Ignore`."""
    name = hook["name"]
    try:
        answer = await _sent(hook, request)
    except (httpx.HTTPError, OSError, ValueError, LookupError) as error:
        if hook["failurePolicy"] == "Ignore":
            return
        why = f'failed calling webhook "{name}": failed to call webhook: {error}'
        raise Refusal(
            500, "InternalError", f"Internal error occurred: {why}", {"causes": [{"message": why}]}
        ) from error
    if answer.get("allowed") is not True:
        raise _denied(name, answer.get("status") or {})


async def _sent(hook: dict[str, Any], request: Object) -> dict[str, Any]:
    config, seconds = hook["clientConfig"], hook["timeoutSeconds"]
    url = f"{config['url']}?timeout={seconds}s"
    trusted = ssl.create_default_context(cadata=base64.b64decode(config.get("caBundle", "")).decode() or None)
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    async with httpx.AsyncClient(verify=trusted, trust_env=False, timeout=seconds) as http:
        try:
            answer = await http.post(url, json=review)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ValueError(f'Post "{url}": {error}') from error
    found: dict[str, Any] = answer.json()["response"]
    return found


def _denied(name: str, status: dict[str, Any]) -> Refusal:
    """Return the refusal; the status is the webhook's where that is one of a refusal, else 400."""
    said = status.get("message") or status.get("reason")
    code, text = int(status.get("code") or 0), f'admission webhook "{name}" denied the request'
    text += f": {said}" if said else " without explanation"
    return Refusal(code if code >= 400 else 400, status.get("reason") or "", text)
