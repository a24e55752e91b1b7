"""Ask the policy about a file without opening a ticket."""

from fastapi import APIRouter

from holdpoint.api.bodies import SubmitBody
from holdpoint.api.dependencies import Caller, HasParts
from holdpoint.models.policy import Decision
from holdpoint.service.preview import SubmittedFile, preview

router = APIRouter(prefix="/v1/policy", tags=["policy"])


@router.post("/check")
async def check_policy(body: SubmitBody, parts: HasParts, actor: Caller) -> Decision:
    """Return what the policy would decide for this file now."""
    file = SubmittedFile(text=body.change, base=body.base)
    return (await preview(file, actor, parts.preview())).decision
