"""A repository with eleven services in one, as a platform team has it, and the change files for them."""

import subprocess
from pathlib import Path

from holdpoint.embedded.demo import shop

SERVICES = (
    "web",
    "cart",
    "search",
    "orders",
    "stock",
    "mail",
    "payments",
    "reviews",
    "prices",
    "media",
    "accounts",
)
RELEASES = 120
"""Tagged v1, v2, ...: a test that brings a release of its own steers how that release behaves."""
REPLICAS = 4

CHANGE = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata: {{title: "{service} {revision}", service: {service}, environment: staging, type: {type}}}
spec:
  source:
    repository: {repository}
    revision: {revision}
    paths: [{paths}]
  target: {{cluster: real, namespace: {namespace}}}
  plan:
    steps: [{steps}]
    verify: {verify}
"""
ANALYSIS = "  analysis: {errorRatio: {max: 0.01}, latency: {quantile: 0.99, max: 300ms}}\n"


def image(service: str, release: int) -> str:
    """Return the image of a service's release."""
    return shop.image(service, f"v{release}")


def canary(service: str, bake: str = "2s") -> str:
    """Return a canary step."""
    return f"{{canary: {{deployment: {service}, weights: [25, 50], bake: {bake}}}}}"


def change(
    service: str,
    release: int,
    *,
    repository: str,
    namespace: str,
    steps: str = "{apply: {}}",
    services: tuple[str, ...] = (),
    type: str = "standard",
    verify: str = "2s",
    judged: bool = True,
) -> str:
    """Return a change file that brings a release of a service, or of several with one plan."""
    paths = [f"{name}/{kind}.yaml" for name in services or (service,) for kind in ("deployment", "service")]
    text = CHANGE.format(
        service=service,
        revision=f"v{release}",
        type=type,
        repository=repository,
        paths=", ".join(paths),
        namespace=namespace,
        steps=steps,
        verify=verify,
    )
    return text + (ANALYSIS if judged else "")


def make_repository(bare: Path) -> None:
    """Make the bare repository with all its releases, where Git's server looks."""
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(bare)], check=True)
    told = "".join(_release(number) for number in range(1, RELEASES + 1))
    command = ["git", f"--git-dir={bare}", "fast-import", "--quiet"]
    subprocess.run(command, input=told.encode(), check=True)


def _release(number: int) -> str:
    """Return one release as `git fast-import` reads it: a commit on main, and its tag."""
    who = "Sam Shopkeeper <sam@shop.example> 1700000000 +0000"
    told = f"commit refs/heads/main\ncommitter {who}\n{_data(f'Release v{number}')}"
    for service in SERVICES:
        text = shop.DEPLOYMENT.format(service=service, image=image(service, number))
        text = text.replace("replicas: 10", f"replicas: {REPLICAS}")
        told += f"M 644 inline {service}/deployment.yaml\n{_data(text)}"
        told += f"M 644 inline {service}/service.yaml\n{_data(shop.SERVICE.format(service=service))}"
    return told + f"reset refs/tags/v{number}\nfrom refs/heads/main\n\n"


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


def catalog() -> str:
    """Return a catalog with every service, and with `shop`, which is all of them; its window is open."""
    rows = "".join(
        f"  {name}: {{owner: team-{name}, backupOwner: team-platform, tier: 2}}\n"
        for name in (*SERVICES, "shop")
    )
    return shop.CATALOG + rows
