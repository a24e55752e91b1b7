"""Open and seal payloads for Temporal's page and command, for those who may read them."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence

import structlog
from pydantic import Field
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError

from holdpoint.models.base import Model
from holdpoint.models.errors import InvalidRequest, UpstreamUnavailable
from holdpoint.service.roles import Actor, Permission, require

log = structlog.get_logger()


class JsonPayload(Model):
    """One payload as protobuf's JSON has it: bytes in base64."""

    metadata: dict[str, str] = {}
    data: str = ""


class JsonPayloads(Model):
    """What Temporal's remote codec protocol sends and expects back, in the same order."""

    payloads: list[JsonPayload] = Field(default=[], max_length=10_000)


async def decode(asked: JsonPayloads, actor: Actor, *, codec: PayloadCodec | None) -> JsonPayloads:
    """Return the payloads readable. Raises AccessDenied, InvalidRequest, UpstreamUnavailable."""
    return await _through("decoded", asked, actor, codec.decode if codec else _as_it_is)


async def encode(asked: JsonPayloads, actor: Actor, *, codec: PayloadCodec | None) -> JsonPayloads:
    """Return the payloads encrypted. Raises AccessDenied, InvalidRequest."""
    return await _through("encoded", asked, actor, codec.encode if codec else _as_it_is)


async def _through(
    done: str,
    asked: JsonPayloads,
    actor: Actor,
    codec: Callable[[Sequence[Payload]], Awaitable[list[Payload]]],
) -> JsonPayloads:
    require(actor, Permission.PAYLOADS)
    given = [_read(index, one) for index, one in enumerate(asked.payloads)]
    try:
        changed = await codec(given)
    except ApplicationError as error:
        raise UpstreamUnavailable(error.message, upstream="payload_key") from error
    log.info(f"payloads.{done}", account=actor.account, count=len(given))
    return JsonPayloads(payloads=[_written(one) for one in changed])


async def _as_it_is(payloads: Sequence[Payload]) -> list[Payload]:
    return list(payloads)


def _read(index: int, payload: JsonPayload) -> Payload:
    field = f"payloads[{index}]"
    try:
        metadata = {name: base64.b64decode(text, validate=True) for name, text in payload.metadata.items()}
        return Payload(metadata=metadata, data=base64.b64decode(payload.data, validate=True))
    except (binascii.Error, ValueError) as error:
        message = f"{field} is not base64 in metadata and data."
        mistake = {"field": field, "found": "other text", "allowed": "base64", "message": message}
        raise InvalidRequest(message, mistakes=[mistake]) from error


def _written(payload: Payload) -> JsonPayload:
    metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return JsonPayload(metadata=metadata, data=base64.b64encode(payload.data).decode())
