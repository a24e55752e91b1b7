"""What Argo CD and Flux say of a commit is read as they mean it; an owner is seen by the marks of both."""

from typing import Any

import pytest

from activities.gitops import (
    Awaited,
    applied_revisions,
    objection,
    of_application,
    of_kustomization,
    tried_revisions,
)
from activities.owned import owner_of
from holdpoint.models.record import ObjectRef

COMMIT = "a" * 40


def awaited(kind: str = "Application") -> Awaited:
    ref = ObjectRef(cluster="eu", api_version="v1", kind=kind, namespace="gitops", name="shop")
    return Awaited(ref, "https://git.example.com/env.git", COMMIT)


def application(health: str, *, sync: str = "Synced", phase: str | None = "Succeeded") -> dict[str, Any]:
    said: dict[str, Any] = {
        "sync": {"status": sync, "revision": COMMIT},
        "health": {"status": health, "message": "it is down"},
    }
    if phase is not None:
        said["operationState"] = {
            "phase": phase,
            "message": "one or more objects failed",
            "syncResult": {"revision": COMMIT},
        }
    return said


@pytest.mark.parametrize(
    ("said", "synced", "standing", "words"),
    [
        pytest.param(application("Healthy"), True, "applied", "Healthy", id="synced and healthy"),
        pytest.param(application("Healthy", phase=None), True, "applied", "Healthy", id="never had to sync"),
        pytest.param(application("Healthy"), False, "waiting", "aaaaaaaaaaaa", id="another revision"),
        pytest.param(
            application("Healthy", sync="OutOfSync"), True, "waiting", "OutOfSync", id="out of sync"
        ),
        pytest.param(application("Healthy", phase="Running"), True, "waiting", "still syncs", id="syncs"),
        pytest.param(application("Progressing"), True, "waiting", "Progressing", id="progressing"),
        pytest.param(application("Degraded"), True, "failed", "it is down", id="degraded"),
        pytest.param(
            application("Degraded", phase="Running"), True, "waiting", "syncs", id="degraded, syncs"
        ),
        pytest.param(application("Degraded"), False, "waiting", "Degraded", id="degraded before it came"),
        pytest.param(application("Healthy", phase="Failed"), False, "failed", "objects failed", id="no sync"),
    ],
)
def test_application_is_read_as_argo_cd_means_it(
    said: dict[str, Any], synced: bool, standing: str, words: str
) -> None:
    tried = COMMIT in tried_revisions("Application", said)

    report = of_application(awaited(), said, synced=synced, tried=tried)

    assert report.standing == standing, report
    assert words in report.message


def test_failed_comparison_is_waited_for_and_told() -> None:
    """What renders the manifests may be down: that is no fault of the commit."""
    said = {"conditions": [{"type": "ComparisonError", "message": "connection refused"}]}

    report = of_application(awaited(), said, synced=False, tried=False)

    assert report.standing == "waiting"
    assert "ComparisonError: connection refused" in report.message


def test_application_of_several_sources_has_several_revisions() -> None:
    said = {"sync": {"revisions": ["1.2.3", COMMIT]}}

    assert applied_revisions("Application", said) == ["1.2.3", COMMIT]


def kustomization(
    ready: str, *, reason: str = "ReconciliationSucceeded", observed: int = 2
) -> dict[str, Any]:
    return {
        "metadata": {"generation": 2},
        "status": {
            "observedGeneration": observed,
            "lastAppliedRevision": f"main@sha1:{COMMIT}",
            "lastAttemptedRevision": f"main@sha1:{COMMIT}",
            "conditions": [
                {"type": "Ready", "status": ready, "reason": reason, "message": "timeout waiting"}
            ],
        },
    }


@pytest.mark.parametrize(
    ("live", "applied", "standing"),
    [
        pytest.param(kustomization("True"), True, "applied", id="ready"),
        pytest.param(kustomization("True"), False, "waiting", id="another revision"),
        pytest.param(kustomization("True", observed=1), True, "waiting", id="an older generation"),
        pytest.param(kustomization("Unknown", reason="Progressing"), True, "waiting", id="progressing"),
        pytest.param(kustomization("False", reason="DependencyNotReady"), False, "waiting", id="dependency"),
        pytest.param(kustomization("False", reason="ArtifactFailed"), False, "waiting", id="no artifact yet"),
        pytest.param(kustomization("False", reason="HealthCheckFailed"), False, "failed", id="unhealthy"),
        pytest.param(kustomization("False", reason="BuildFailed"), False, "failed", id="does not build"),
    ],
)
def test_kustomization_is_read_as_flux_means_it(live: dict[str, Any], applied: bool, standing: str) -> None:
    report = of_kustomization(awaited("Kustomization"), live, applied=applied, tried=True)

    assert report.standing == standing, report


@pytest.mark.parametrize("revision", [f"main@sha1:{COMMIT}", f"main/{COMMIT}", COMMIT])
def test_revision_of_flux_names_its_commit(revision: str) -> None:
    said = {"lastAppliedRevision": revision, "lastAttemptedRevision": revision}

    assert applied_revisions("Kustomization", said) == tried_revisions("Kustomization", said) == [COMMIT]


def test_suspended_kustomization_would_never_report_it() -> None:
    said = objection(awaited("Kustomization").ref, {"spec": {"suspend": True}})

    assert said is not None
    assert "flux resume kustomization shop" in said


def test_object_that_is_not_there_says_what_to_do() -> None:
    said = objection(awaited().ref, None)

    assert said is not None
    assert "does not exist in cluster eu. Make it, or correct the step's `wait`." in said


def live(**metadata: Any) -> dict[str, Any]:
    meta = {"name": "shop", "namespace": "default", **metadata}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta}


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        pytest.param(
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:default/shop"}},
            "Argo CD's Application shop",
            id="tracking id",
        ),
        pytest.param(
            {"annotations": {"argocd.argoproj.io/tracking-id": "teams_shop:apps/Deployment:default/shop"}},
            "Argo CD's Application teams/shop",
            id="application in another namespace",
        ),
        pytest.param(
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:shop.example/Shop:default/shop"}},
            None,
            id="tracking id copied by an operator",
        ),
        pytest.param(
            {"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD's Application shop", id="label"
        ),
        pytest.param({"labels": {"app.kubernetes.io/instance": "shop"}}, None, id="label of any Helm chart"),
        pytest.param(
            {
                "labels": {
                    "kustomize.toolkit.fluxcd.io/name": "apps",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                }
            },
            "Flux's Kustomization flux-system/apps",
            id="Flux's Kustomization",
        ),
        pytest.param(
            {
                "labels": {
                    "helm.toolkit.fluxcd.io/name": "shop",
                    "helm.toolkit.fluxcd.io/namespace": "shops",
                }
            },
            "Flux's HelmRelease shops/shop",
            id="Flux's HelmRelease",
        ),
        pytest.param({}, None, id="nobody's"),
    ],
)
def test_owner_is_seen_by_the_marks_of_controllers(metadata: dict[str, Any], owner: str | None) -> None:
    assert owner_of(live(**metadata)) == owner
