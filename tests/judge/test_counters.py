"""Counters come, go and start again; only what surely happened since is counted."""

from math import isnan, nan

from holdpoint.judge.counters import increases


def test_counter_that_rose_counts_the_difference() -> None:
    assert increases({"pod-1": 10}, {"pod-1": 25}) == {"pod-1": 15}


def test_new_pod_began_at_zero() -> None:
    assert increases({}, {"pod-1": 7}) == {"pod-1": 7}


def test_counter_that_fell_was_started_again() -> None:
    assert increases({"pod-1": 100}, {"pod-1": 3}) == {"pod-1": 3}


def test_pod_that_went_away_says_nothing() -> None:
    assert increases({"pod-1": 100}, {}) == {}


def test_not_a_number_stays_so() -> None:
    assert isnan(increases({"pod-1": 1}, {"pod-1": nan})["pod-1"])
