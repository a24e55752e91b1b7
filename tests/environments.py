"""An environment repository as a team has it, people who push to it, and a controller that follows it."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from holdpoint.models.record import ObjectRef

OVERLAY = """\
# The shop in production
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
images:          # what runs
  - name: shop
    newTag: "6.13.0"   # by Holdpoint
replicas:
  - name: shop
    count: 3
"""
FILE = "envs/prod/kustomization.yaml"


class Environment:
    """A bare repository with a branch `main`, and the working tree of whoever else pushes to it."""

    def __init__(self, folder: Path) -> None:
        self.bare, self.tree = folder / "environment.git", folder / "somebody"
        self._git(folder, "init", "-q", "--template=", "-b", "main", str(self.tree))
        self._write({FILE: OVERLAY, "envs/prod/web.yaml": "tag: 1\n"})
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "The shop")
        shutil.copytree(self.tree / ".git", self.bare)
        self.configure("core.bare", "true")

    @property
    def url(self) -> str:
        return str(self.bare)

    def git(self, *arguments: str) -> str:
        return self._git(self.tree, *arguments)

    def push(self, subject: str, **files: str) -> str:
        """Push a commit of Ada's on top of whatever is there, and return it."""
        self.git("fetch", "-q", self.url, "main")
        self.git("reset", "-q", "--hard", "FETCH_HEAD")
        self._write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        self.git("push", "-q", self.url, "HEAD:main")
        return self.head()

    def allow_push(self) -> None:
        """Have `git http-backend` take pushes."""
        self.configure("http.receivepack", "true")

    def configure(self, name: str, value: str) -> None:
        self._git(self.bare, "config", name, value)

    def hook(self, name: str, script: str) -> None:
        file = self.bare / "hooks" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def head(self) -> str:
        return self._git(self.bare, "rev-parse", "main")

    def read(self, path: str = FILE, commit: str = "main") -> str:
        return self._git(self.bare, "show", f"{commit}:{path}", strip=False)

    def files(self) -> list[str]:
        return self._git(self.bare, "ls-tree", "-r", "--name-only", "main").splitlines()

    def subjects(self) -> list[str]:
        """Return the commits of the branch, newest first."""
        return self._git(self.bare, "log", "--format=%s", "main").splitlines()

    def message(self, commit: str = "main") -> str:
        return self._git(self.bare, "log", "-1", "--format=%an <%ae>%n%B", commit)

    def _write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def _git(self, folder: Path, *arguments: str, strip: bool = True) -> str:
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ada"), ("EMAIL", "ada@shop.example"))
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**os.environ, **who},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip() if strip else done.stdout


class Controller:
    """Stands for the cluster with an Application of the branch, which is at once where the branch is."""

    name = "management"

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.health = "Healthy"
        self.follows = True
        self.status: dict[str, Any] | None = None
        self.gone = False

    async def read(self, ref: ObjectRef) -> dict[str, Any] | None:
        if self.gone:
            return None
        if self.status is None or self.follows:
            revision = self.environment.head()
            self.status = {"sync": {"status": "Synced", "revision": revision}}
        health = {"status": self.health, "message": "the shop does not answer"}
        meta = {"name": ref.name, "namespace": ref.namespace, "generation": 1}
        return {"kind": ref.kind, "metadata": meta, "status": {**self.status, "health": health}}
