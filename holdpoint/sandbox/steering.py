"""What a tester tells the sandbox: how images behave, which part fails for a while."""

import math
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from holdpoint.sandbox.behaviour import Behaviour
from holdpoint.sandbox.cluster import Cluster
from holdpoint.sandbox.faults import DEFAULT_DELAY, MODES, PARTS, Fault
from holdpoint.sandbox.identity import STEERING_USER, user_of
from holdpoint.sandbox.kube.kinds import DEPLOYMENTS, PODS

_NUMBERS: dict[str, tuple[float, float]] = {
    "error_rate": (0, 1),
    "latency_ms": (0.001, 3_600_000),
    "rps": (0, 100_000),
    "after": (0, 86_400),
}
BEHAVIOUR = {"image", "never_ready", *_NUMBERS}
"""The fields of a behaviour as it is asked for."""
_FAULT = {"part", "mode", "for", "delay", "user"}


class Mistake(Exception):
    """The body of a steering request cannot be taken."""


class Steering:
    """The routes under /sandbox."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def answer(self, request: Request) -> Response:
        """Answer one steering request."""
        user = user_of(self._cluster.tokens, request.headers.get("authorization", ""))
        if user != STEERING_USER:
            code = 403 if user else 401
            return JSONResponse({"error": "steering needs the token in sandbox/tokens/steer.token"}, code)
        try:
            match request.method, request.path_params["action"]:
                case "POST", "behave":
                    return JSONResponse(self._behave(await read_body(request, BEHAVIOUR)))
                case "POST", "fail":
                    return JSONResponse(self._fail(await read_body(request, _FAULT)))
                case "GET", "state":
                    return JSONResponse(self._state())
        except Mistake as mistake:
            return JSONResponse({"error": str(mistake)}, 400)
        return JSONResponse({"error": "there are: POST behave, POST fail, GET state"}, 404)

    def _behave(self, body: dict[str, Any]) -> dict[str, Any]:
        behaviour = read_behaviour(body)
        self._cluster.store.put_behaviour(behaviour)
        self._cluster.behaviours.set(behaviour)
        self._cluster.controllers.wake()
        return behaviour.document()

    def _fail(self, body: dict[str, Any]) -> dict[str, Any]:
        part, mode = body.get("part"), body.get("mode")
        if part not in PARTS:
            raise Mistake(f"part: one of {', '.join(PARTS)}")
        if mode not in MODES:
            raise Mistake(f"mode: one of {', '.join(MODES)}")
        lasts = _number(body, "for", 0, 86_400)
        if lasts is None:
            raise Mistake("for: seconds that the fault lasts; 0 ends the one in force")
        delay = _number(body, "delay", 0, 600)
        user = body.get("user")
        if user is not None and user not in self._cluster.tokens.values():
            raise Mistake(f"user: one of {', '.join(sorted(self._cluster.tokens.values()))}")
        fault = Fault(part, mode, time.time() + lasts, DEFAULT_DELAY if delay is None else delay, user)
        self._cluster.faults.set(fault)
        return {"part": part, "mode": mode, "for": lasts, "delay": fault.delay, "user": user}

    def _state(self) -> dict[str, Any]:
        store = self._cluster.store
        return {
            "revision": store.revision,
            "deployments": len(store.all(DEPLOYMENTS)),
            "pods": len(store.all(PODS)),
            "behaviours": [b.document() for b in self._cluster.behaviours.by_image.values()],
            "faults": self._cluster.faults.listed(),
        }


def read_behaviour(body: dict[str, Any]) -> Behaviour:
    """Return the behaviour that a body asks for, from now on. Raises Mistake that names the field."""
    image = body.get("image")
    if not isinstance(image, str) or not image:
        raise Mistake(
            "image: the image whose pods shall behave so, as the Deployment names it, or * for all others"
        )
    if not isinstance(body.get("never_ready", False), bool):
        raise Mistake("never_ready: true or false")
    numbers = {name: _number(body, name, *bounds) for name, bounds in _NUMBERS.items()}
    after = numbers.pop("after") or 0.0
    return Behaviour(
        image=image,
        never_ready=body.get("never_ready", False),
        after=after,
        set_at=time.time(),
        **numbers,
    )


async def read_body(request: Request, known: set[str]) -> dict[str, Any]:
    """Return the object that a request carries. Raises Mistake for another body or an unknown field."""
    try:
        body = await request.json()
    except ValueError as error:
        raise Mistake(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Mistake("the body is not an object")
    if unknown := sorted(set(body) - known):
        raise Mistake(f"unknown: {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    return body


def _number(body: dict[str, Any], name: str, least: float, most: float) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Mistake(f"{name}: a number")
    if not least <= value <= most:
        raise Mistake(f"{name}: from {least:g} to {most:g}")
    return float(value)
