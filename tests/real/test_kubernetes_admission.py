"""The shipped admission policies on a real API server: fenced creates are denied, protected objects kept."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from holdpoint.clients.kubernetes import Clusters
from holdpoint.ledger import intents
from holdpoint.models.phases import Phase
from holdpoint.models.record import Intent, ObjectRef
from tests.activities.world import deployment
from tests.real.kubernetes_admin import DEPLOY, MERGE, Admin
from tests.service.freezing import an_open_intent, frozen
from tests.service.world import World, a_world

pytestmark = pytest.mark.real


class HeldCreate:
    """A create whose last byte has not been sent: the API server waits for it, and can commit it any time."""

    def __init__(self, admin: Admin, settings_folder: Path, intent: Intent) -> None:
        self._admin, self.intent = admin, intent
        self._token = (settings_folder / "forward.token").read_text()

    async def begin(self) -> None:
        """Send all but the last byte."""
        where = urlsplit(self._admin.address)
        context = ssl.create_default_context(cafile=str(self._admin.ca))
        self._reader, self._writer = await asyncio.open_connection(where.hostname, where.port, ssl=context)
        ref = self.intent.request.object
        meta = {
            "name": ref.name,
            "namespace": ref.namespace,
            "annotations": {"holdpoint.dev/intent": self.intent.audit_id},
        }
        body = json.dumps({**deployment(), "metadata": meta}).encode()
        path = f"/apis/apps/v1/namespaces/{ref.namespace}/deployments/{ref.name}?fieldManager=holdpoint"
        head = (
            f"PATCH {path} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {self._token}\r\n"
            "Content-Type: application/apply-patch+yaml\r\nConnection: close\r\n"
            f"Audit-ID: {self.intent.audit_id}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body[:-1])
        await self._writer.drain()
        self._last = body[-1:]

    async def end(self) -> tuple[int, str]:
        """Send the last byte; return status and body of the answer."""
        self._writer.write(self._last)
        await self._writer.drain()
        answer = (await self._reader.read()).decode()
        self._writer.close()
        return int(answer.split(" ", 2)[1]), answer


@pytest.fixture
async def world(admin: Admin, namespace: str, tmp_path: Path) -> AsyncIterator[World]:
    admin.apply_file(DEPLOY / "admission" / "fence.yaml")
    async with a_world(tmp_path) as made:
        made.clusters = Clusters({"sandbox": admin.settings(tmp_path, admission_policy=True)})
        yield made
        await made.clusters.close()


async def an_intent_to_create(world: World, namespace: str) -> Intent:
    return await an_open_intent(world, namespace=namespace, name="shop", version=None)


async def a_held_create(admin: Admin, world: World, namespace: str, folder: Path) -> HeldCreate:
    """Return a create that has begun and has not ended."""
    held = HeldCreate(admin, folder, await an_intent_to_create(world, namespace))
    await held.begin()
    return held


async def test_a_create_held_past_the_acknowledgement_is_denied(
    admin: Admin, world: World, namespace: str, tmp_path: Path
) -> None:
    held = await a_held_create(admin, world, namespace, tmp_path)
    intent = held.intent

    acknowledged = await frozen(world)
    status, said = await held.end()

    assert acknowledged.in_doubt == []
    assert acknowledged.ack_ms < 3000
    assert (status, f"intent {intent.audit_id} is fenced" in said) == (403, True)
    assert await world.clusters.forward("sandbox").read(intent.request.object) is None
    assert (await world.ledger.read(intents.get_intent, intent.id)).status == "fenced"


async def test_a_create_that_landed_before_the_fence_is_fenced_as_an_object(
    admin: Admin, world: World, namespace: str, tmp_path: Path
) -> None:
    held = await a_held_create(admin, world, namespace, tmp_path)
    intent = held.intent
    assert (await held.end())[0] == 201

    acknowledged = await frozen(world)

    live = await world.clusters.forward("sandbox").read(intent.request.object)
    assert acknowledged.in_doubt == []
    assert live is not None
    assert "holdpoint.dev/fence" in live["metadata"]["annotations"]


async def test_every_write_of_the_fence_names_an_intent_of_the_ledger(world: World, namespace: str) -> None:
    intent = await an_intent_to_create(world, namespace)

    await frozen(world)

    known = await world.ledger.read(intents.intents_of, intent.request.ticket)
    fences = [one for one in known if one.request.verb == "fence"]
    assert [str(one.request.object) for one in fences] == ["sandbox/holdpoint/ConfigMap/holdpoint-fence"]
    assert fences[0].status == "done"


async def test_creates_of_other_intents_and_of_other_people_go_on(
    admin: Admin, world: World, namespace: str, tmp_path: Path
) -> None:
    await an_intent_to_create(world, namespace)
    await frozen(world)
    other = (await an_intent_to_create_config(world, namespace)).audit_id

    by_us = admin_config(namespace, "ours", {"holdpoint.dev/intent": other})
    by_them = admin_config(namespace, "theirs", {})

    assert admin.apply(by_us)["metadata"]["name"] == "ours"
    assert admin.apply(by_them)["metadata"]["name"] == "theirs"


async def an_intent_to_create_config(world: World, namespace: str) -> Intent:
    """Return a new intent that nothing fences: an undo's."""
    ref = ObjectRef(cluster="sandbox", api_version="v1", kind="ConfigMap", namespace=namespace, name="ours")
    ticket = (await world.a_ticket(phase=Phase.EXECUTING)).id
    return await world.open_intent(ticket, ref, direction="undo")


def admin_config(namespace: str, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}


@contextmanager
def protection(admin: Admin) -> Iterator[None]:
    """Have the second policy installed, and in force: a policy is compiled some time after it was written."""
    admin.apply_file(DEPLOY / "admission" / "protect.yaml")
    yield
    root = "/apis/admissionregistration.k8s.io/v1"
    admin.delete(f"{root}/validatingadmissionpolicybindings/holdpoint-protect")
    admin.delete(f"{root}/validatingadmissionpolicies/holdpoint-protect")


async def test_a_protected_object_is_written_by_holdpoint_and_break_glass_only(
    admin: Admin, namespace: str, tmp_path: Path
) -> None:
    meta = {"name": "shop", "namespace": namespace, "labels": {"holdpoint.dev/protected": "true"}}
    admin.apply({**deployment(), "metadata": meta})
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/shop"

    def patch(body: Any, **headers: str) -> httpx.Response:
        return admin.http.patch(path, json=body, headers={"Content-Type": MERGE, **headers})

    with protection(admin):
        while (refused := patch({"spec": {"replicas": 3}})).status_code == 200:  # noqa: ASYNC110  # as said below
            # The policy tells nobody when it is in force.
            await asyncio.sleep(0.1)
        unlabelled = patch({"metadata": {"labels": None}})
        deleted = admin.http.delete(path)
        settings = admin.settings(tmp_path)
        bearer = settings.token_file("forward").read_text()
        forward = patch({"spec": {"replicas": 2}}, Authorization=f"Bearer {bearer}")
        glass = {"Impersonate-User": "ada", "Impersonate-Group": "holdpoint:break-glass"}
        admin.apply(break_glass(namespace))
        admin.until_allowed("ada", "patch", namespace, allowed=True, groups=("holdpoint:break-glass",))
        broken = patch({"spec": {"replicas": 1}}, **glass)

    assert (refused.status_code, unlabelled.status_code, deleted.status_code) == (403, 403, 403)
    assert "changes go through Holdpoint" in refused.text
    assert (forward.status_code, broken.status_code) == (200, 200), (forward.text, broken.text)


def break_glass(namespace: str) -> dict[str, Any]:
    api = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "break-glass", "namespace": namespace},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "Group", "name": "holdpoint:break-glass", "apiGroup": api}],
    }
