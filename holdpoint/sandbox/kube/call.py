"""One request to the Kubernetes API, taken apart before it is carried out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from holdpoint.sandbox.kube import patches
from holdpoint.sandbox.kube.kinds import BY_PATH, Kind
from holdpoint.sandbox.kube.status import Refusal, bad_request, no_such_path, unsupported_media_type

MAX_BODY = 3 * 1024 * 1024
"""Bytes; the limit of an API server."""

MAX_DEPTH = 100
"""No object of a served kind is nested as deep; what is would only exhaust the recursion."""


@dataclass(frozen=True)
class Call:
    """A request for a resource. `body` is None where none was sent."""

    verb: str
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    body: Any = None
    user_agent: str = ""
    warnings: list[str] = field(default_factory=list)
    """What the answer shall warn of; filled while the request is carried out."""

    @property
    def dry_run(self) -> bool:
        """Tell whether nothing may be stored."""
        return self.option("dryRun") in ("All", ["All"])

    @property
    def mutates(self) -> bool:
        """Tell whether the verb writes."""
        return self.verb not in ("get", "list", "watch")

    @property
    def manager(self) -> str:
        """Return the field manager: as given, else from the user agent as an API server does."""
        return self.query.get("fieldManager") or self.user_agent.partition("/")[0] or "unknown"

    def option(self, name: str) -> Any:
        """Return an option of a delete (its body wins) or of another write (the query)."""
        if self.verb == "delete" and isinstance(self.body, dict) and name in self.body:
            return self.body[name]
        return self.query.get(name)

    def object_ref(self) -> dict[str, str]:
        """Return the audit log's reference to what the request is about."""
        pairs = {
            "resource": self.kind.plural,
            "namespace": self.namespace,
            "name": self.name or _body_name(self.body),
            "apiGroup": self.kind.group,
            "apiVersion": self.kind.version,
            "subresource": self.subresource,
        }
        return {key: value for key, value in pairs.items() if value}


def route(path: str) -> tuple[Kind, str, str, str]:
    """Return kind, namespace, name and subresource of a path under /api or /apis; raises 404."""
    match [part for part in path.split("/") if part]:
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            raise no_such_path()
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and (group, version, rest[2]) in BY_PATH:
        namespace, rest = rest[1], rest[2:]
    kind = BY_PATH.get((group, version, rest[0])) if rest else None
    if kind is None or len(rest) > 3 or (namespace and not kind.namespaced):
        raise no_such_path()
    name, subresource = [*rest[1:], "", ""][:2]
    if (subresource and subresource not in kind.subresources) or (name and kind.namespaced and not namespace):
        raise no_such_path()
    return kind, namespace, name, subresource


def verb_of(method: str, name: str, query: Mapping[str, str]) -> str:
    """Return the Kubernetes verb of an HTTP method."""
    match method:
        case "GET" | "HEAD":
            if query.get("watch") in ("1", "true", "True"):
                return "watch"
            return "get" if name else "list"
        case "POST" if not name:
            return "create"
        case "PUT" if name:
            return "update"
        case "PATCH" if name:
            return "patch"
        case "DELETE":
            return "delete" if name else "deletecollection"
    return method.lower()


def parse_body(raw: bytes, content_type: str, verb: str) -> Any:
    """Return the decoded body; raises 400, 413 or 415."""
    if len(raw) > MAX_BODY:
        raise Refusal(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}")
    if not raw.strip():
        return None
    media = content_type.partition(";")[0].strip().lower() or "application/json"
    if verb == "patch" and media not in patches.SUPPORTED:
        raise unsupported_media_type(patches.SUPPORTED)
    try:
        body = _yaml(raw) if "yaml" in media else json.loads(raw, parse_constant=_no_number)
    except (ValueError, TypeError, yaml.YAMLError, RecursionError) as error:
        raise bad_request(
            f"the object provided is unrecognized (must be of type JSON or YAML): {error}"
        ) from error
    if _too_deep(body, MAX_DEPTH):
        raise bad_request(f"the object provided is nested more than {MAX_DEPTH} deep")
    return body


_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[misc] # which of the two safe loaders it is, is known at run time only
    """Reads YAML as Kubernetes does: a time is a text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _yaml(raw: bytes) -> Any:
    """Return YAML decoded; JSON, which clients mostly send under this type, is read as such."""
    if raw.lstrip()[:1] == b"{":
        try:
            return json.loads(raw, parse_constant=_no_number)
        except ValueError:
            pass
    _refuse_bombs(raw)
    loaded = yaml.load(raw, Loader=_Loader)  # noqa: S506 - a SafeLoader with one resolver less
    return json.loads(json.dumps(loaded, allow_nan=False))


def _refuse_bombs(raw: bytes) -> None:
    """Raise for aliases, which can multiply a small text, and for deep nesting, before anything is built."""
    depth = 0
    for event in yaml.parse(raw, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("YAML aliases are outside of the sandbox's subset")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _too_deep(value: Any, left: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    below = value.values() if isinstance(value, dict) else value
    return left == 0 or any(_too_deep(part, left - 1) for part in below)


def _body_name(body: Any) -> str:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""
