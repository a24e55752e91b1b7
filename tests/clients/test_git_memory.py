"""Files of a commit are remembered within a bound."""

from holdpoint.clients.git_memory import FileMemory


def name(path: str) -> tuple[str, str, str]:
    return "https://git.example/shop", "a" * 40, path


def test_file_is_returned_for_its_own_name_only() -> None:
    memory = FileMemory()
    memory.put(name("a.yaml"), b"a: 1\n")

    assert memory.get(name("a.yaml")) == b"a: 1\n"
    assert memory.get(name("b.yaml")) is None


def test_what_was_not_used_for_longest_is_forgotten_when_the_bound_is_reached() -> None:
    memory = FileMemory(most=3)
    for path in ("a", "b", "c"):
        memory.put(name(path), b"1")
    memory.get(name("a"))

    memory.put(name("d"), b"1")

    assert [path for path in "abcd" if memory.get(name(path))] == ["a", "c", "d"]


def test_file_that_is_put_again_is_counted_once() -> None:
    memory = FileMemory(most=3)
    memory.put(name("a"), b"1")
    for _ in range(5):
        memory.put(name("b"), b"12")

    assert (memory.get(name("a")), memory.get(name("b"))) == (b"1", b"12")
