"""What a test gets of each real server for itself."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.activities.world import Send
from tests.real.kubernetes_admin import APPLY, MERGE, Admin
from tests.real.kubernetes_world import RealWorld

USERS = ("holdpoint-forward", "holdpoint-undo", "stranger")


@pytest.fixture(scope="session")
def admin(real_stack: dict[str, Any]) -> Iterator[Admin]:
    """The administrator of the real API server."""
    made = Admin(real_stack["kubernetes"])
    yield made
    made.http.close()


@pytest.fixture
def namespace(admin: Admin) -> Iterator[str]:
    """A namespace in which both identities have exactly what is shipped."""
    name = admin.namespace()
    admin.install_rights(name)
    yield name
    admin.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
async def world(admin: Admin, namespace: str, tmp_path: Path) -> AsyncIterator[RealWorld]:
    """A service in that namespace, changed by the rollout's activities."""
    made = RealWorld(admin, tmp_path, namespace)
    yield made
    await made.close()


@pytest.fixture
def send(admin: Admin) -> Send:
    """What others do in the cluster."""

    def answered(method: str, path: str, body: Any, manager: str) -> Any:
        media = APPLY if method == "APPLY" else MERGE
        if method == "APPLY":
            where = path.split("/")
            body = {
                **body,
                "metadata": {**body["metadata"], "namespace": where[where.index("namespaces") + 1]},
            }
        answer = admin.http.patch(
            path, json=body, params={"fieldManager": manager}, headers={"Content-Type": media}
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    return answered


@pytest.fixture
def stack_namespace(admin: Admin) -> Iterator[str]:
    """A namespace in which the stack's users forward, undo and stranger may edit what they like."""
    name = admin.namespace()
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "users"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [
            {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"} for user in USERS
        ],
    }
    admin.apply(binding, name)
    yield name
    admin.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def database(real_stack: dict[str, Any]) -> Iterator[str]:
    """An empty database of the real PostgreSQL, as SQLAlchemy takes its address."""
    url = real_stack["postgres"]["url"]
    server = url.replace("+psycopg", "")
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield f"{url.rpartition('/')[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
