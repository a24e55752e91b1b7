"""Open the encrypted payloads of a history that was read from Temporal as JSON."""

import base64
from collections.abc import Iterator
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

Json = dict[str, Any]


async def opened(events: list[Json], codec: PayloadCodec | None) -> list[Json]:
    """Return the events with every payload as it was before the codec; what fails to open raises as it does.

    In place: a history is large, and nobody else has it.
    """
    if codec is None:
        return events
    found = list(_payloads(events))
    plain = await codec.decode([_read(one) for one in found])
    for one, payload in zip(found, plain, strict=True):
        one.clear()
        one |= _written(payload)
    return events


def is_payload(value: Json) -> bool:
    """Tell whether a part of a history is a payload."""
    return "metadata" in value and "data" in value and isinstance(value["metadata"], dict)


def _payloads(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for item in value:
            yield from _payloads(item)
    elif isinstance(value, dict):
        if is_payload(value):
            yield value
        else:
            for item in value.values():
                yield from _payloads(item)


def _read(value: Json) -> Payload:
    metadata = {name: base64.b64decode(text) for name, text in value["metadata"].items()}
    return Payload(metadata=metadata, data=base64.b64decode(value["data"]))


def _written(payload: Payload) -> Json:
    metadata = {name: base64.b64encode(data).decode() for name, data in payload.metadata.items()}
    return {"metadata": metadata, "data": base64.b64encode(payload.data).decode()}
