"""The way back states the earlier version whole, and does again only what says how objects are to be."""

from typing import Any

from holdpoint.models.change import STEP_KINDS, Change
from holdpoint.models.way_back import DONE_ONCE, LONGEST_TITLE, STATED, WHOLE, left_out, way_back

CANARY = {"canary": {"deployment": "shop", "weights": [10, 50], "bake": "90s"}}


def a_change(*steps: dict[str, Any], title: str = "shop 1", type: str = "normal", **plan: Any) -> Change:
    return Change.model_validate(
        {
            "apiVersion": "holdpoint.dev/v1",
            "kind": "Change",
            "metadata": {"title": title, "service": "shop", "environment": "staging", "type": type},
            "spec": {
                "source": {
                    "repository": "./shop",
                    "revision": title[-1],
                    "paths": ["shop.yaml", "more.yaml"],
                },
                "target": {"cluster": "sandbox"},
                "plan": {"steps": list(steps) or [CANARY], **plan},
                "analysis": {"errorRatio": {"max": 0.01}},
            },
        }
    )


def the_way(undone: Change, earlier: Change) -> Change:
    change = way_back(undone, "chg-2", earlier)
    assert change is not None
    return Change.model_validate(change.model_dump(mode="json", exclude_none=True))


def kinds(change: Change) -> list[str]:
    return [step.kind for step in change.spec.plan.steps]


def test_canaries_become_one_apply_of_everything_and_are_watched_as_long() -> None:
    another = {"canary": {"deployment": "till", "weights": [5], "bake": "5s"}}

    back = the_way(a_change(title="shop 2"), a_change(CANARY, another))

    [step] = back.spec.plan.steps
    assert step.apply is not None
    assert step.apply.paths == []
    assert back.spec.plan.verify == 90.0
    assert back.spec.analysis == a_change().spec.analysis


def test_configuration_that_was_read_is_read_again_as_it_was() -> None:
    configured, plain = a_change({"config": {}}, title="shop 2"), a_change({"apply": {}})

    assert kinds(the_way(configured, plain)) == ["apply", "config"]
    assert kinds(the_way(configured, a_change({"config": {}}))) == ["config"]
    assert kinds(the_way(a_change(title="shop 2"), plain)) == ["apply"]


def test_what_comes_back_is_the_earlier_source_and_the_rest_is_of_what_is_undone() -> None:
    earlier, undone = a_change(type="emergency"), a_change(title="shop 2", type="standard")

    back = the_way(undone, earlier)

    assert back.spec.source == earlier.spec.source
    assert back.metadata.type == "standard"
    assert back.metadata.title == "Roll back chg-2 to: shop 1"


def test_a_job_is_not_run_again_because_somebody_goes_back() -> None:
    migration = {"job": {"name": "migrate", "cannotBeUndone": True}}

    back = the_way(a_change(title="shop 2"), a_change(migration, CANARY))

    assert kinds(back) == ["apply"]
    assert left_out(a_change(migration, CANARY).spec.plan) == ["job"]


def test_a_request_is_not_sent_again_because_somebody_goes_back() -> None:
    request = {"http": {"method": "POST", "url": "https://flags.example/new"}}

    back = the_way(a_change(title="shop 2"), a_change(request, CANARY))

    assert kinds(back) == ["apply"]
    assert left_out(a_change(request, CANARY).spec.plan) == ["http"]


def test_what_the_earlier_plan_applied_before_its_canary_is_applied_before_it() -> None:
    first = {"name": "config first", "apply": {"paths": ["more.yaml"]}}

    back = the_way(a_change(title="shop 2"), a_change(first, CANARY, {"apply": {}}))

    assert kinds(back) == ["apply", "apply", "apply"]
    assert back.spec.plan.steps[0].name == "config first"


def test_a_stated_time_of_verifying_is_kept() -> None:
    assert the_way(a_change(title="shop 2"), a_change(verify="7s")).spec.plan.verify == 7.0


def test_a_long_title_is_cut() -> None:
    back = the_way(a_change(title="shop 2"), a_change(title="x" * LONGEST_TITLE))

    assert len(back.metadata.title) == LONGEST_TITLE


def test_every_step_kind_is_either_stated_again_or_left_out() -> None:
    """A new kind must say here what going back does with it."""
    said = [*WHOLE, *STATED, *DONE_ONCE]
    assert set(STEP_KINDS) <= set(said)
    assert len(said) == len(set(said))


def test_nothing_is_left_out_of_a_plan_that_only_states_objects() -> None:
    assert left_out(a_change(CANARY, {"apply": {}}).spec.plan) == []


def test_a_way_back_waits_for_no_other_ticket() -> None:
    earlier = a_change()
    spec = earlier.spec.model_copy(update={"dependsOn": ["chg-aaaaaaaaaa"]})

    assert the_way(a_change(title="shop 2"), earlier.model_copy(update={"spec": spec})).spec.dependsOn == []


def test_a_way_back_has_the_postchecks_of_what_comes_back_and_no_prechecks() -> None:
    check = {"name": "orders", "query": {"promql": "orders", "min": 1}}

    back = the_way(a_change(title="shop 2"), a_change(prechecks=[check], postchecks=[check]))

    assert [one.name for one in back.spec.plan.postchecks] == ["orders"]
    assert back.spec.plan.prechecks == []
