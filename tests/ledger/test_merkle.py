"""The tree against RFC 6962's own vectors, and its proofs for every leaf of every size."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from holdpoint.ledger import schema
from holdpoint.ledger.merkle import (
    TILE,
    Frontier,
    inclusion_proof,
    leaf_hash,
    root_from_inclusion,
    root_of,
)
from holdpoint.ledger.store import Ledger
from holdpoint.ledger.tree import Tree

VECTORS = [b"", b"\x00", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
"""The leaves of certificate-transparency's reference tests, with odd bytes where they have odd ones."""

ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
}


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(count)]


@pytest.mark.parametrize("size", ROOTS)
def test_roots_are_those_of_the_reference_implementation(size: int) -> None:
    assert root_of([leaf_hash(data) for data in VECTORS[:size]]).hex() == ROOTS[size]


@pytest.mark.parametrize("size", range(1, 34))
def test_every_leaf_has_a_proof_that_leads_to_the_root(size: int) -> None:
    tree = leaves(size)

    for index, leaf in enumerate(tree):
        proof = inclusion_proof(tree, index)
        assert root_from_inclusion(leaf, index, size, proof) == root_of(tree)


@given(st.integers(2, 200), st.data())
def test_a_proof_proves_nothing_else(size: int, data: st.DataObject) -> None:
    tree = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(tree, index)
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))

    assert root_from_inclusion(tree[other], index, size, proof) != root_of(tree)
    assert root_from_inclusion(tree[index], other, size, proof) != root_of(tree)
    assert root_from_inclusion(tree[index], index, size, proof[:-1]) != root_of(tree)
    assert root_from_inclusion(tree[index], index, size, [*proof, proof[-1]]) is None


@pytest.mark.parametrize("index", [-1, 4, 9])
def test_an_index_outside_the_tree_has_no_root(index: int) -> None:
    assert root_from_inclusion(hashlib.sha256().digest(), index, 4, []) is None


@given(st.integers(0, 600))
def test_a_frontier_survives_being_stored_at_any_size(size: int) -> None:
    frontier = Frontier(0, b"")
    for leaf in leaves(size):
        frontier = Frontier(frontier.size, frontier.dump())
        frontier.append(leaf)

    assert frontier.root() == root_of(leaves(size))
    assert len(frontier.dump()) == 32 * bin(size).count("1")


@pytest.mark.parametrize("size", [1, 2, TILE - 1, TILE, TILE + 1, 2 * TILE, 3 * TILE + 7])
def test_the_stored_tree_gives_the_same_roots_and_proofs(ledger: Ledger, size: int) -> None:
    tree = leaves(size)

    def store(db: Connection) -> None:
        frontier = Frontier(0, b"")
        for number, leaf in enumerate(tree):
            row = {"seq": number + 1, "key": str(number), "kind": "x", "raw": b""}
            db.execute(insert(schema.entries), {**row, "leaf": leaf})
            if (tile := frontier.append(leaf)) is not None:
                db.execute(insert(schema.tiles), {"idx": number // TILE, "hash": tile})

    def check(db: Connection) -> None:
        stored = Tree(db, size)
        assert stored.root() == root_of(tree)
        for index in {0, size // 2, size - 1, min(TILE, size - 1)}:
            assert stored.proof(index) == inclusion_proof(tree, index)

    ledger.write_now(store)
    ledger.read_now(check)
