"""The rollout's activities on a real cluster."""

from pathlib import Path

from holdpoint.models.settings import ClusterSettings
from tests.activities.world import World
from tests.real.kubernetes_admin import Admin


class RealWorld(World):
    """One service in one namespace of a real cluster, which the activities still know as `sandbox`."""

    def __init__(self, admin: Admin, folder: Path, namespace: str, **settings: object) -> None:
        super().__init__(_Settings(admin.settings(folder, **settings)), folder, namespace)  # type: ignore[arg-type]  # only its settings are used
        self.admin = admin


class _Settings:
    """Stands where the sandbox process stands otherwise."""

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings

    def settings(self) -> ClusterSettings:
        return self._settings
