"""RFC 6962 section 2.1: the tree over the entries, its proofs, and the frontier that makes appending cheap.

Pure functions over hashes; nothing here knows of a database or of signatures.
"""

import hashlib
from collections.abc import Sequence

HASH = 32
TILE_LEVEL = 8
TILE = 1 << TILE_LEVEL
"""Leaves under one stored inner node: with it a proof reads some hundred hashes, not the whole ledger."""

EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf: SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the perfect subtrees of a tree of `size` leaves, largest first: O(log n) to keep."""

    def __init__(self, size: int, nodes: bytes) -> None:
        self.size = size
        self._nodes = [nodes[at : at + HASH] for at in range(0, len(nodes), HASH)]

    def append(self, leaf: bytes) -> bytes | None:
        """Take in one leaf hash; return the root of a tile when this leaf completes one."""
        node, level, tile = leaf, 0, None
        while (self.size >> level) & 1:
            node, level = node_hash(self._nodes.pop(), node), level + 1
            if level == TILE_LEVEL:
                tile = node
        self._nodes.append(node)
        self.size += 1
        return tile

    def root(self) -> bytes:
        """Return the root hash of the whole tree."""
        if not self._nodes:
            return EMPTY_ROOT
        root = self._nodes[-1]
        for node in reversed(self._nodes[:-1]):
            root = node_hash(node, root)
        return root

    def dump(self) -> bytes:
        """Return the subtree roots as bytes, for the next `Frontier`."""
        return b"".join(self._nodes)


def split(size: int) -> int:
    """Return the largest power of two smaller than size."""
    return 1 << (size - 1).bit_length() - 1


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root hash over all leaf hashes (or over hashes of equal, perfect subtrees)."""
    frontier = Frontier(0, b"")
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of one leaf, nearest first (RFC 6962 section 2.1.1)."""
    if len(leaves) <= 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*inclusion_proof(leaves[:at], index), root_of(leaves[at:])]
    return [*inclusion_proof(leaves[at:], index - at), root_of(leaves[:at])]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Return the root that the proof leads to, or None when its length is wrong (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(step, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, step)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None
