"""Counters on a grid of moments: what rose, what began, what started again, and what was not seen."""

from math import nan

from holdpoint.judge.blocks import Rises


def test_a_block_is_what_rose_since_the_moment_before() -> None:
    assert Rises[str]().take({"a": [(0, 10), (5, 13), (10, 20)]}, [0, 5, 10]) == [{"a": 3}, {"a": 7}]


def test_what_was_counted_before_the_first_moment_does_not_count() -> None:
    assert Rises[str]().take({"a": [(0, 1000)]}, [0]) == []


def test_a_counter_that_appears_later_began_at_zero() -> None:
    assert Rises[str]().take({"a": [(5, 4)], "b": [(0, 9), (5, 9)]}, [0, 5]) == [{"a": 4, "b": 0}]


def test_a_counter_that_fell_was_started_again() -> None:
    assert Rises[str]().take({"a": [(0, 100), (5, 3)]}, [0, 5]) == [{"a": 3}]


def test_what_rose_over_a_gap_is_counted_at_its_end() -> None:
    assert Rises[str]().take({"a": [(0, 1), (5, nan), (15, 7)]}, [0, 5, 10, 15]) == [{}, {}, {"a": 6}]


def test_it_goes_on_where_it_was_also_over_a_gap() -> None:
    rises = Rises[str]()
    rises.take({"a": [(0, 1), (5, 2)]}, [0, 5])

    assert rises.take({}, [10]) == [{}]
    assert rises.take({"a": [(15, 9)]}, [15]) == [{"a": 7}]
