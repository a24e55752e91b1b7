"""Objects and behaviours, in memory for reading and in SQLite so that they outlive the process.

A transaction is committed before its request is answered. WAL with `synchronous=NORMAL` keeps every commit
over a SIGKILL of the process; only a power cut could lose the last ones, and a stand-in need not survive
that.
"""

import json
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from holdpoint.sandbox.behaviour import Behaviour
from holdpoint.sandbox.kube.kinds import Kind

Object = dict[str, Any]
"""A Kubernetes object. What the store hands out is never changed in place: writers copy first."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS behaviours (image TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Key(NamedTuple):
    """Where an object is."""

    resource: str
    namespace: str
    name: str


class Store:
    """All objects of the cluster, with one rising resourceVersion."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)
        self._objects: dict[str, dict[Key, Object]] = {}
        self._depth = 0
        self._dirty = False
        self.revision = 0
        self.changed = False
        self._load()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all puts and removes of the block at its end, or none of them."""
        if self._depth:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._depth += 1
        self._dirty = False
        try:
            yield
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('revision', ?)", (str(self.revision),))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            if self._dirty:
                self._load()
            raise
        finally:
            self._depth -= 1

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return one object, or None."""
        return self._of(kind.resource).get(Key(kind.resource, namespace, name))

    def all(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """Return the objects of a kind, in one namespace or in all, in order of their names."""
        here = self._of(kind.resource)
        return [here[key] for key in sorted(here) if namespace is None or key.namespace == namespace]

    def everything(self) -> list[tuple[Key, Object]]:
        """Return every object with where it is."""
        return [item for here in self._objects.values() for item in here.items()]

    def put(self, kind: Kind, body: Object) -> Object:
        """Store an object under a new resourceVersion and return it as stored."""
        self.revision += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.revision)}
        stored = {**body, "metadata": metadata}
        key = Key(kind.resource, metadata.get("namespace", ""), metadata["name"])
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (*key, json.dumps(stored)))
            self._of(key.resource)[key] = stored
            self.changed = self._dirty = True
        return stored

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Remove an object; its removal takes a resourceVersion as well."""
        self.revision += 1
        key = Key(kind.resource, namespace, name)
        with self.transaction():
            self._db.execute("DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", key)
            self._of(key.resource).pop(key, None)
            self.changed = self._dirty = True

    def remember_event(self, event: dict[str, Any]) -> None:
        """Keep the audit event of a write with what it wrote, in case the log does not get it."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('event', ?)", (json.dumps(event),))

    def last_event(self) -> dict[str, Any] | None:
        """Return the audit event of the last committed write."""
        found = self._db.execute("SELECT value FROM meta WHERE name = 'event'").fetchone()
        return json.loads(found[0]) if found else None

    def behaviours(self) -> list[Behaviour]:
        """Return the behaviours that were asked for."""
        rows = self._db.execute("SELECT body FROM behaviours ORDER BY image")
        return [Behaviour(**json.loads(body)) for (body,) in rows]

    def put_behaviour(self, behaviour: Behaviour) -> None:
        """Keep a behaviour over restarts."""
        row = (behaviour.image, json.dumps(behaviour.document()))
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO behaviours VALUES (?, ?)", row)

    def _of(self, resource: str) -> dict[Key, Object]:
        return self._objects.setdefault(resource, {})

    def _load(self) -> None:
        rows = self._db.execute("SELECT resource, namespace, name, body FROM objects").fetchall()
        self._objects = {}
        for row in rows:
            self._of(row[0])[Key(*row[:3])] = json.loads(row[3])
        found = self._db.execute("SELECT value FROM meta WHERE name = 'revision'").fetchone()
        self.revision = int(found[0]) if found else 1000


def new_uid() -> str:
    """Return a fresh object UID."""
    return str(uuid.uuid4())
