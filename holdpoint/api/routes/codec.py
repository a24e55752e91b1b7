"""Temporal's remote codec: its page and its command ask here for what payloads say.

Protocol: https://docs.temporal.io/production-deployment/data-encryption (`/decode`, `/encode` under one
address). The address to name there is this API's, with `/codec`.
"""

from fastapi import APIRouter

from holdpoint.api.dependencies import Caller, HasParts
from holdpoint.service.payloads import JsonPayloads, decode, encode

router = APIRouter(prefix="/codec", tags=["codec"])


@router.post("/decode")
async def decode_payloads(body: JsonPayloads, parts: HasParts, actor: Caller) -> JsonPayloads:
    """Return the payloads readable, for an auditor or an SRE."""
    return await decode(body, actor, codec=parts.codec)


@router.post("/encode")
async def encode_payloads(body: JsonPayloads, parts: HasParts, actor: Caller) -> JsonPayloads:
    """Return the payloads encrypted under the writing key, for an auditor or an SRE."""
    return await encode(body, actor, codec=parts.codec)
