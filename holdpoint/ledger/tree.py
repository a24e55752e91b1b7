"""The tree over the stored entries.

Roots and proofs from tiles, one row for 256 entries, and the leaf hashes of what no tile covers.
"""

from sqlalchemy import Connection, select

from holdpoint.ledger import schema
from holdpoint.ledger.merkle import EMPTY_ROOT, TILE, node_hash, split


class Tree:
    """The tree of the first `size` entries, as the database holds it."""

    def __init__(self, db: Connection, size: int) -> None:
        self._db = db
        self._size = size
        self._known: dict[tuple[int, int], bytes] = {}
        self._tiles: dict[int, bytes] | None = None

    def root(self) -> bytes:
        """Return the root hash."""
        return self._root(0, self._size) if self._size else EMPTY_ROOT

    def proof(self, index: int) -> list[bytes]:
        """Return the audit path of the leaf at `index`, nearest first (RFC 6962 section 2.1.1)."""
        path, start, end = [], 0, self._size
        while end - start > 1:
            middle = start + split(end - start)
            if index < middle:
                path.append(self._root(middle, end))
                end = middle
            else:
                path.append(self._root(start, middle))
                start = middle
        return path[::-1]

    def _root(self, start: int, end: int) -> bytes:
        if (start, end) not in self._known:
            if end - start == 1:
                self._load_leaves(start // TILE)
            elif (tile := self._tile(start, end)) is not None:
                self._known[start, end] = tile
            else:
                middle = start + split(end - start)
                self._known[start, end] = node_hash(self._root(start, middle), self._root(middle, end))
        return self._known[start, end]

    def _tile(self, start: int, end: int) -> bytes | None:
        if end - start != TILE or start % TILE:
            return None
        if self._tiles is None:
            # All in one query: a root needs nearly all, and a million entries have four thousand.
            query = select(schema.tiles.c.idx, schema.tiles.c.hash).where(
                schema.tiles.c.idx < self._size // TILE
            )
            self._tiles = {row.idx: row.hash for row in self._db.execute(query)}
        return self._tiles.get(start // TILE)

    def _load_leaves(self, tile: int) -> None:
        entries = schema.entries
        query = select(entries.c.seq, entries.c.leaf).where(
            entries.c.seq > tile * TILE, entries.c.seq <= (tile + 1) * TILE
        )
        for seq, leaf in self._db.execute(query):
            self._known[seq - 1, seq] = leaf
