"""The Argo Rollouts controller, to measure against: its kinds, its rights, its processes and its rollouts."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from bench.control_plane import ControlPlane
from bench.taken import PAUSE, REPLICAS, WEIGHTS
from holdpoint.embedded import ports
from tools.stack import parts
from tools.stack.build import build

PART, PROGRAM = "argo-rollouts", "rollouts-controller"
HOME = "argo-rollouts"
"""The controller's own namespace by its manifests; its lease lies there."""
USER = f"system:serviceaccount:{HOME}:{HOME}"
KINDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ROLLOUTS = "/apis/argoproj.io/v1alpha1/rollouts"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases"
TUNED = ("--qps", "1000", "--burst", "2000")
"""Its client's throttle (50 a second by default) taken away."""


async def install(plane: ControlPlane) -> None:
    """Give the control plane Argo's kinds and its controller an identity that may do everything."""
    await asyncio.to_thread(_build)
    for file in sorted(parts.files(PART, "crds").glob("*-crd.yaml")):
        await plane.apply(KINDS, yaml.safe_load(file.read_text()))
    await plane.until(ROLLOUTS, 200)
    await plane.namespace(HOME)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": HOME}}
    await plane.apply(f"/api/v1/namespaces/{HOME}/serviceaccounts", account)
    await plane.bind("cluster-admin", {"kind": "ServiceAccount", "name": HOME, "namespace": HOME})
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = await plane.http.post(f"/api/v1/namespaces/{HOME}/serviceaccounts/{HOME}/token", json=asked)
    config = json.loads(await asyncio.to_thread(Path(plane.found["kubeconfig"]).read_text))
    config["users"][0]["user"] = {"token": answer.raise_for_status().json()["status"]["token"]}
    await asyncio.to_thread(_config(plane).write_text, json.dumps(config))


@asynccontextmanager
async def controller(plane: ControlPlane, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a controller with these options."""
    chosen = ports.choose(("healthzPort", "metricsPort"), {})
    listening = [f"--{name}={port}" for name, port in chosen.items()]
    log = plane.folder / "logs" / f"{PROGRAM}-{chosen['healthzPort']}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(parts.binary(PROGRAM)), f"--kubeconfig={_config(plane)}", *listening, *options,
            stdout=output, stderr=output, env=dict(os.environ),
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        (await plane.http.delete(LEASES)).raise_for_status()  # who comes next need not wait for its end


async def until_leading(plane: ControlPlane) -> None:
    """Return when a controller leads."""
    async for lease in plane.watch(LEASES):
        if lease["spec"].get("holderIdentity"):
            return


async def set_images(plane: ControlPlane, namespace: str, images: dict[str, str]) -> None:
    """Have a Rollout for each name, with this image."""
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts"
    await asyncio.gather(*(plane.apply(path, _rollout(name, image)) for name, image in images.items()))


async def until_healthy(plane: ControlPlane, namespace: str, images: dict[str, str]) -> None:
    """Return when every Rollout has all of its pods on its image, by its controller's word."""
    waiting = set(images)
    async for seen in plane.watch(f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts"):
        name = seen["metadata"]["name"]
        if name in waiting and _done(seen, images[name]):
            waiting.discard(name)
        if not waiting:
            return


def _done(rollout: dict[str, Any], image: str) -> bool:
    status = rollout.get("status") or {}
    return (
        rollout["spec"]["template"]["spec"]["containers"][0]["image"] == image
        and status.get("observedGeneration") == str(rollout["metadata"]["generation"])
        and status.get("phase") == "Healthy"
        and status.get("stableRS") == status.get("currentPodHash")
        and status.get("updatedReplicas") == status.get("availableReplicas") == REPLICAS
    )


def _rollout(name: str, image: str) -> dict[str, Any]:
    steps = [step for weight in WEIGHTS for step in ({"setWeight": weight}, {"pause": {"duration": PAUSE}})]
    labels = {"app": name}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "strategy": {"canary": {"steps": steps}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": name, "image": image, "ports": [{"containerPort": 8080}]}]},
            },
        },
    }


def _config(plane: ControlPlane) -> Path:
    """Return the kubeconfig of the controller's own identity."""
    return plane.folder / "argo.kubeconfig"


def _build() -> None:
    build([parts.named(PART)], parts.cache(), lambda line: print(line, file=sys.stderr))  # noqa: T201 - progress
