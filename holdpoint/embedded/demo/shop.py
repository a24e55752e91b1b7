"""A small Git repository of a shop: seven services of ten replicas each, and its change files."""

import os
import subprocess
from pathlib import Path

SERVICES = ("web", "payments", "search", "cart", "orders", "stock", "mail")
FIRST, NEXT, FLOATING = "1.0.0", "1.1.0", "1.2.0"
"""The release that runs, the one that the scenarios bring, and one that names its image by a floating tag."""

CATALOG = """\
# The catalog of the demo: its window is always open, so that the demo ends the same way at any hour.
windows:
  - {days: [mon, tue, wed, thu, fri, sat, sun], start: "00:00", end: "24:00", zone: UTC}
services:
"""

OWNED = "  {service}: {{owner: team-{service}, backupOwner: team-platform, tier: 2}}\n"

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {service}
spec:
  replicas: 10
  selector:
    matchLabels: {{app: {service}}}
  template:
    metadata:
      labels: {{app: {service}}}
    spec:
      containers:
        - name: {service}
          image: {image}
          ports: [{{containerPort: 8080}}]
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: {service}
spec:
  selector: {{app: {service}}}
  ports: [{{port: 80, targetPort: 8080}}]
"""

CHANGE = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata:
  title: {service} {revision}
  service: {service}
  environment: {environment}
  type: {type}
spec:
  source:
    repository: ./shop
    revision: {revision}
    paths: [{service}/deployment.yaml, {service}/service.yaml]
  target: {{cluster: sandbox, namespace: default}}
  plan:
    steps:
      - {step}
    verify: 3s
  analysis:
    errorRatio: {{max: 0.01}}
    latency: {{quantile: 0.99, max: 300ms}}
"""

AUTHOR = {
    "GIT_AUTHOR_NAME": "Sam Shopkeeper",
    "GIT_AUTHOR_EMAIL": "sam@shop.example",
    "GIT_COMMITTER_NAME": "Sam Shopkeeper",
    "GIT_COMMITTER_EMAIL": "sam@shop.example",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def image(service: str, tag: str) -> str:
    """Return the image of one service."""
    return f"registry.shop.example/{service}:{tag}"


def catalog() -> str:
    """Return the demo's catalog."""
    return CATALOG + "".join(
        f"  {service}: {{owner: team-{service}, backupOwner: team-platform, tier: 2}}\n"
        for service in SERVICES
    )


def make_repository(folder: Path) -> Path:
    """Make the repository with three releases; return its path."""
    repository = folder / "shop"
    repository.mkdir(parents=True)
    _git(repository, "init", "--quiet", "--initial-branch", "main")
    _release(repository, FIRST, dict.fromkeys(SERVICES, FIRST))
    _release(repository, NEXT, dict.fromkeys(SERVICES, NEXT))
    _release(repository, FLOATING, {"cart": "latest"})
    return repository


def write_change(
    folder: Path,
    service: str,
    *,
    revision: str = NEXT,
    environment: str = "staging",
    type: str = "standard",
    canary: bool = True,
    bake: str = "3s",
) -> Path:
    """Write a change file beside the repository: a canary, or the plain `apply` of a first rollout."""
    weights = f"canary: {{deployment: {service}, weights: [20, 50], bake: {bake}}}"
    text = CHANGE.format(
        service=service,
        revision=revision,
        environment=environment,
        type=type,
        step=weights if canary else "apply: {}",
    )
    path = folder / f"{service}-{revision}.yaml"
    path.write_text(text)
    return path


def _release(repository: Path, version: str, tags: dict[str, str]) -> None:
    for service, tag in tags.items():
        folder = repository / service
        folder.mkdir(exist_ok=True)
        (folder / "deployment.yaml").write_text(DEPLOYMENT.format(service=service, image=image(service, tag)))
        (folder / "service.yaml").write_text(SERVICE.format(service=service))
    _git(repository, "add", "--all")
    _git(repository, "commit", "--quiet", "--message", f"Release {version}")
    _git(repository, "tag", version)


def _git(repository: Path, *arguments: str) -> None:
    subprocess.run(  # noqa: S603 - our own arguments
        ["git", "-C", str(repository), *arguments],  # noqa: S607 - git is what the demo needs on the path
        check=True,
        env=os.environ | AUTHOR,
    )
