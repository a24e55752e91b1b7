"""A repository with eleven services in one, as a platform team has it, and the change files for them."""

from collections.abc import Iterator

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
REQUESTS_A_SECOND = 5000
"""Enough for a verdict in seconds: what is never bad passes after some 750 requests to the canary."""

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


def releases() -> Iterator[dict[str, str]]:
    """Yield the files of each release, by their paths."""
    for number in range(1, RELEASES + 1):
        yield {
            f"{service}/{kind}.yaml": text
            for service in SERVICES
            for kind, text in (
                ("deployment", _deployment(service, number)),
                ("service", shop.SERVICE.format(service=service)),
            )
        }


def _deployment(service: str, number: int) -> str:
    text = shop.DEPLOYMENT.format(service=service, image=image(service, number))
    return text.replace("replicas: 10", f"replicas: {REPLICAS}")


def catalog(*more: str) -> str:
    """Return a catalog with every service, with `shop`, which is all, and more; its window is open."""
    rows = "".join(
        f"  {name}: {{owner: team-{name}, backupOwner: team-platform, tier: 2}}\n"
        for name in (*SERVICES, "shop", *more)
    )
    return shop.CATALOG + rows
