"""The requests of a plan as part of its diff: what is sent, and what a rollback sends, secrets masked."""

from collections.abc import Iterator
from typing import Any

from activities.comparison import field_of, leaves
from activities.exchanges import Exchange, exchanges_of, expected
from activities.masking import Fingerprint, masked
from holdpoint.models.change import Change
from holdpoint.models.http_step import HttpRequest
from holdpoint.models.plan_diff import FieldDiff, ObjectDiff


def requests_of(change: Change, fingerprint: Fingerprint) -> list[ObjectDiff]:
    """Return each request that the change's `http` steps send, with every field of it."""
    return [_sent(exchange, fingerprint) for exchange in exchanges_of(change)]


def _sent(exchange: Exchange, fingerprint: Fingerprint) -> ObjectDiff:
    ref = exchange.ref()
    fields = [*_fields("", exchange.forward, fingerprint)]
    if exchange.credential is not None:
        fields.append(_field("credential", exchange.credential))
    if exchange.backward is None:
        fields.append(_field("undo", "none: nothing takes it back"))
    else:
        back = exchange.ref("undo")
        fields.append(_field("undo", str(back)))
        fields += _fields("undo.", exchange.backward, fingerprint)
    return ObjectDiff(change="send", api_version=ref.api_version, kind=ref.kind, name=ref.name, fields=fields)


def _fields(prefix: str, request: HttpRequest, fingerprint: Fingerprint) -> Iterator[FieldDiff]:
    yield _field(f"{prefix}expect", expected(request))
    sent: dict[str, Any] = {"headers": request.headers} if request.headers else {}
    sent |= {} if request.body is None else {"body": request.body}
    for path, value in leaves((), masked(sent, fingerprint)) if sent else ():
        yield _field(f"{prefix}{field_of(path)}", value)


def _field(name: str, value: Any) -> FieldDiff:
    if isinstance(value, str) and "\n" in value.rstrip("\n"):
        return FieldDiff(field=name, change="added", lines=[f"+{line}" for line in value.splitlines()])
    return FieldDiff(field=name, change="added", now=value)
