"""When a behaviour that was asked for takes effect."""

import pytest

from holdpoint.sandbox.behaviour import Behaviour, Behaviours


def in_effect(behaviours: Behaviours, now: float) -> list[str]:
    """Return the images whose behaviour is in effect."""
    return [b.image for b in behaviours.in_effect(["web:2"], now)]


def test_without_a_delay_it_is_in_effect_at_once() -> None:
    behaviours = Behaviours()
    behaviours.set(Behaviour("web:2", error_rate=0.5, set_at=100))

    assert in_effect(behaviours, now=100) == ["web:2"]


@pytest.mark.parametrize(
    ("ready_since", "set_at", "begins"),
    [(200, 100, 210), (100, 200, 210)],
    ids=["asked before the pods came", "asked of pods that run"],
)
def test_a_delay_counts_from_readiness_or_from_the_wish(
    ready_since: float, set_at: float, begins: float
) -> None:
    behaviours = Behaviours()
    behaviours.set(Behaviour("web:2", error_rate=0.5, after=10, set_at=set_at))
    behaviours.follow({"web:2": ready_since})

    assert in_effect(behaviours, now=begins - 1) == []
    assert in_effect(behaviours, now=begins) == ["web:2"]


def test_a_delay_waits_for_the_first_ready_pod() -> None:
    behaviours = Behaviours()
    behaviours.set(Behaviour("web:2", error_rate=0.5, after=10, set_at=100))

    assert in_effect(behaviours, now=1000) == []


def test_later_pods_of_the_image_do_not_begin_the_delay_anew() -> None:
    behaviours = Behaviours()
    behaviours.set(Behaviour("web:2", error_rate=0.5, after=10, set_at=100))
    behaviours.follow({"web:2": 200})
    behaviours.follow({"web:2": 205})

    assert in_effect(behaviours, now=210) == ["web:2"]


def test_when_no_pod_of_the_image_is_left_the_delay_begins_anew() -> None:
    behaviours = Behaviours()
    behaviours.set(Behaviour("web:2", error_rate=0.5, after=10, set_at=100))
    behaviours.follow({"web:2": 200})
    behaviours.follow({})
    behaviours.follow({"web:2": 300})

    assert in_effect(behaviours, now=305) == []
    assert in_effect(behaviours, now=310) == ["web:2"]


def test_a_new_wish_replaces_the_old_one() -> None:
    behaviours = Behaviours()
    behaviours.set(Behaviour("web:2", never_ready=True))
    behaviours.set(Behaviour("web:2"))

    assert not behaviours.never_ready(["web:2"])


def test_what_is_asked_of_all_images_is_for_those_of_which_nothing_is_asked_by_name() -> None:
    behaviours = Behaviours()
    behaviours.set(Behaviour("*", rps=5000, never_ready=True))
    behaviours.set(Behaviour("web:2", error_rate=0.5))

    assert [b.rps for b in behaviours.in_effect(["web:1"], now=0)] == [5000]
    assert [b.rps for b in behaviours.in_effect(["web:2"], now=0)] == [None]
    assert (behaviours.never_ready(["web:1"]), behaviours.never_ready(["web:2"])) == (True, False)
