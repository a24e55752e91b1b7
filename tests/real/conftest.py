"""Real servers, as the environment names them."""

from collections.abc import Iterator

import pytest

from tests.real.kubernetes_admin import Admin


@pytest.fixture(scope="session")
def admin() -> Iterator[Admin]:
    """The administrator of the real API server."""
    made = Admin()
    yield made
    made.http.close()


@pytest.fixture
def namespace(admin: Admin) -> Iterator[str]:
    """A namespace in which both identities have exactly what is shipped."""
    name = admin.namespace()
    admin.install_rights(name)
    yield name
    admin.delete(f"/api/v1/namespaces/{name}")
