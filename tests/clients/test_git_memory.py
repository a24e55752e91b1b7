"""Answers about a commit are remembered within a bound."""

from holdpoint.clients.git_memory import Memory


def test_answer_is_returned_to_its_own_question_only() -> None:
    memory: Memory[bytes] = Memory()
    memory.put(("shop", "a.yaml"), b"a: 1\n", 5)

    assert memory.get(("shop", "a.yaml")) == b"a: 1\n"
    assert memory.get(("shop", "b.yaml")) is None


def test_what_was_not_used_for_longest_is_forgotten_when_the_bound_is_reached() -> None:
    memory: Memory[str] = Memory(most=3)
    for path in ("a", "b", "c"):
        memory.put(path, "said", 1)
    memory.get("a")

    memory.put("d", "said", 1)

    assert [path for path in "abcd" if memory.get(path)] == ["a", "c", "d"]


def test_answer_that_is_put_again_is_counted_once() -> None:
    memory: Memory[bytes] = Memory(most=3)
    memory.put("a", b"1", 1)
    for _ in range(5):
        memory.put("b", b"12", 2)

    assert (memory.get("a"), memory.get("b")) == (b"1", b"12")


def test_answer_that_is_larger_than_the_bound_is_not_kept() -> None:
    memory: Memory[bytes] = Memory(most=3)

    memory.put("a", b"1234", 4)

    assert memory.get("a") is None
