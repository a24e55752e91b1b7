"""The fifty canaries by Argo Rollouts: tuned, at its defaults, and with a SIGKILL of the leader."""

import asyncio
import time
from dataclasses import dataclass

from bench import argo
from bench.control_plane import ControlPlane
from bench.taken import SERVICES, Taken, requests_of, taking
from holdpoint.embedded.demo import shop

NAMESPACE = "theirs"
AMID = 3.0
"""Seconds after the start at which the leader is killed: its canaries are at their first weight."""


LANDED = 1.0
"""Seconds after the SIGKILL in which what it had sent still lands; the log does not tell the two apart."""


@dataclass(frozen=True)
class Theirs:
    """What it took both ways; `silent` are the seconds from a SIGKILL to the next write of the other one."""

    tuned: Taken
    default: Taken
    silent: float


async def run(plane: ControlPlane) -> Theirs:
    """Make them three times, from one image to the other and back, and take everything away."""
    await argo.install(plane)
    await plane.namespace(NAMESPACE)
    # Ours have them for the metrics; what they cost the control plane both shall bear.
    await plane.expose(NAMESPACE, SERVICES)
    async with argo.controller(plane, *argo.TUNED) as leader:
        await argo.set_images(plane, NAMESPACE, _images("first"))
        await argo.until_healthy(plane, NAMESPACE, _images("first"))
        tuned = await _canaries(plane, leader, "next")
    async with argo.controller(plane) as leader:
        await argo.until_leading(plane)
        default = await _canaries(plane, leader, "first")
    silent = await _killed(plane)
    await plane.remove_namespace(NAMESPACE)
    return Theirs(tuned, default, silent)


async def _canaries(plane: ControlPlane, leader: asyncio.subprocess.Process, tag: str) -> Taken:
    async with taking(plane, [argo.USER], [leader.pid]) as taken:
        await argo.set_images(plane, NAMESPACE, _images(tag))
        await argo.until_healthy(plane, NAMESPACE, _images(tag))
    return taken


async def _killed(plane: ControlPlane) -> float:
    """Kill the leader of two amid its canaries; return how long nothing was written then."""
    async with argo.controller(plane, *argo.TUNED) as leader:
        await argo.until_leading(plane)
        async with argo.controller(plane, *argo.TUNED):
            await argo.set_images(plane, NAMESPACE, _images("next"))
            await asyncio.sleep(AMID)
            leader.kill()
            killed = time.time()
            await argo.until_healthy(plane, NAMESPACE, _images("next"))
    return requests_of(plane, [argo.USER], killed + LANDED)[0].received - killed


def _images(tag: str) -> dict[str, str]:
    return {name: shop.image(name, tag) for name in SERVICES}
