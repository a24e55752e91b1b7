"""The plan as a diff: what the change states and would alter, no secret, and nothing that moves by itself."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from activities.config_mark import checksum
from holdpoint.models.activity_calls import Evaluation
from holdpoint.models.change import Change
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.plan_diff import FieldDiff, ObjectDiff, PlanDiff, PlanDiffFacts
from tests.activities.ticket_world import TicketWorld
from tests.activities.world import BETTER, GOOD, Sandbox, deployment, service

IMAGE = "spec.template.spec.containers[name=web].image"
OLD, NEW = "correct-horse-1", "battery-staple-2"


@pytest.fixture
async def shop(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[TicketWorld]:
    made = TicketWorld(sandbox, tmp_path)
    made.commit()
    yield made
    await made.close()


def config(name: str = "shop", kind: str = "ConfigMap", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def applied(shop: TicketWorld, *steps: dict[str, Any]) -> Change:
    """Return a change that applies everything, or runs these steps, without a canary."""
    change = shop.a_change().model_dump(mode="json", exclude_none=True, by_alias=True)
    change["spec"]["plan"]["steps"] = list(steps) or [{"apply": {}}]
    return Change.model_validate(change)


async def evaluated(shop: TicketWorld, *objects: dict[str, Any], ticket: str = "chg-1") -> Evaluation:
    """Commit these objects and evaluate a ticket that applies them."""
    shop.commit(*objects)
    shop.submit(ticket, change=applied(shop))
    return await shop.evaluate(ticket)


def diff_of(shop: TicketWorld, evaluation: Evaluation) -> PlanDiff:
    assert evaluation.plan_diff is not None
    assert evaluation.plan_diff.digest is not None
    return PlanDiff.model_validate_json(shop.blobs.get(evaluation.plan_diff.digest))


async def only(shop: TicketWorld, *objects: dict[str, Any]) -> ObjectDiff:
    """Return what becomes of the one object that does not stay as it is."""
    (found,) = diff_of(shop, await evaluated(shop, *objects)).objects
    return found


async def test_changed_field_is_all_that_is_shown_of_its_object(shop: TicketWorld) -> None:
    shop.deploy(deployment(), service())

    evaluation = await evaluated(shop, deployment(image=BETTER), service())

    diff = diff_of(shop, evaluation)
    (found,) = diff.objects
    assert (found.change, str(found)) == ("change", "Deployment shop")
    assert found.fields == [FieldDiff(field=IMAGE, change="changed", was=GOOD, now=BETTER)]
    assert (diff.unchanged, diff.namespace) == (1, shop.namespace)
    assert shop.policy.asked[0].plan_diff == PlanDiffFacts(
        changed=1, unchanged=1, fields=1, kinds=["Deployment"]
    )


async def test_canary_is_shown_by_what_stands_at_its_end(shop: TicketWorld) -> None:
    shop.deploy(deployment(), service())
    shop.commit(deployment(image=BETTER), service())
    shop.submit()

    diff = diff_of(shop, await shop.evaluate())

    assert [(str(one), [field.field for field in one.fields]) for one in diff.objects] == [
        ("Deployment shop", [IMAGE])
    ]


async def test_items_of_a_list_are_told_apart_by_their_names(shop: TicketWorld) -> None:
    shop.deploy(deployment(MODE="fast", LEVEL="1"))

    found = await only(shop, deployment(LEVEL="2", COLOUR="red"))

    env = "spec.template.spec.containers[name=web].env"
    assert found.fields == [
        FieldDiff(field=f"{env}[name=MODE].value", change="removed", was="fast"),
        FieldDiff(field=f"{env}[name=LEVEL].value", change="changed", was="1", now="2"),
        FieldDiff(field=f"{env}[name=COLOUR].value", change="added", now="red"),
    ]


async def test_new_container_is_shown_without_what_the_server_fills_in(shop: TicketWorld) -> None:
    shop.deploy(deployment())
    wanted = deployment()
    wanted["spec"]["template"]["spec"]["containers"].append(
        {"name": "log", "image": "registry.example/log:1"}
    )

    found = await only(shop, wanted)

    where = "spec.template.spec.containers[name=log]"
    assert found.fields == [FieldDiff(field=f"{where}.image", change="added", now="registry.example/log:1")]


async def test_fields_of_other_managers_are_left_out(shop: TicketWorld) -> None:
    shop.deploy(deployment())
    theirs = {"metadata": {"labels": {"team": "a"}}, "spec": {"minReadySeconds": 5}}
    shop.sandbox.edit(shop.path(deployment()), theirs, manager="stranger")

    found = await only(shop, deployment(image=BETTER))

    assert [field.field for field in found.fields] == [IMAGE]


async def test_field_that_a_person_set_by_hand_is_shown_as_taken_back(shop: TicketWorld) -> None:
    shop.deploy(deployment(replicas=2))
    shop.sandbox.edit(shop.path(deployment()), {"spec": {"replicas": 5}}, manager="kubectl-scale")

    found = await only(shop, deployment(replicas=2))

    assert found.fields == [FieldDiff(field="spec.replicas", change="changed", was=5, now=2)]


async def test_replicas_of_an_autoscaler_are_no_part_of_it(shop: TicketWorld) -> None:
    shop.deploy(deployment(replicas=2))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    answer = shop.sandbox.ask(
        "POST",
        f"/apis/autoscaling/v2/namespaces/{shop.namespace}/horizontalpodautoscalers",
        json={"metadata": {"name": "shop"}, "spec": {"scaleTargetRef": target, "maxReplicas": 9}},
    )
    assert answer.status_code == 201, answer.text
    first = await evaluated(shop, deployment(replicas=4, image=BETTER))
    scaled = {"spec": {"replicas": 7}}
    shop.sandbox.edit(shop.path(deployment()), scaled, manager="kube-controller-manager")

    again = await shop.evaluate(purpose="release", before=first)

    assert [field.field for one in diff_of(shop, first).objects for field in one.fields] == [IMAGE]
    assert (again.digest, again.moved) == (first.digest, [])


async def test_replicas_that_a_running_canary_has_set_are_no_part_of_it(shop: TicketWorld) -> None:
    shop.deploy(deployment(replicas=4))
    body = {
        **deployment(),
        "metadata": {"name": "shop", "namespace": shop.namespace},
        "spec": {"replicas": 3},
    }
    answer = shop.sandbox.ask(
        "PATCH",
        f"{shop.path(deployment())}?fieldManager=holdpoint-scale&force=true",
        token="forward",
        json=body,
        headers={"Content-Type": "application/apply-patch+yaml"},
    )
    assert answer.status_code == 200, answer.text

    found = await only(shop, deployment(replicas=4, image=BETTER))

    assert [field.field for field in found.fields] == [IMAGE]


async def test_new_object_is_shown_as_its_manifest_states_it(shop: TicketWorld) -> None:
    found = await only(shop, config(mode="fast"))

    assert (found.change, str(found)) == ("create", "ConfigMap shop")
    assert found.fields == [FieldDiff(field="data.mode", change="added", now="fast")]


async def test_text_of_several_lines_is_shown_by_its_lines(shop: TicketWorld) -> None:
    text = "\n".join(f"line {number}" for number in range(9))
    shop.deploy(config(text=text))

    found = await only(shop, config(text=text.replace("line 4", "line four")))

    (field,) = found.fields
    assert (field.was, field.now) == (None, None)
    assert field.lines[1:] == [" line 2", " line 3", "-line 4", "+line four", " line 5", " line 6"]


async def test_object_that_is_deleted_is_shown_as_that(shop: TicketWorld) -> None:
    shop.deploy(service("old"))
    change = shop.a_change().model_dump(mode="json", exclude_none=True, by_alias=True)
    objects = [{"kind": "Service", "name": name} for name in ("old", "gone")]
    change["spec"]["plan"]["steps"] = [{"delete": {"objects": objects}}]
    shop.submit(change=Change.model_validate(change))

    found = diff_of(shop, await shop.evaluate()).objects

    assert [(one.change, one.kind, one.name) for one in found] == [("delete", "Service", "old")]


async def test_nothing_to_alter_is_said_so(shop: TicketWorld) -> None:
    shop.deploy(deployment(), service())

    evaluation = await evaluated(shop, deployment(), service())

    assert diff_of(shop, evaluation).objects == []
    assert evaluation.plan_diff is not None
    assert evaluation.plan_diff.facts == PlanDiffFacts(unchanged=2)


async def test_object_that_a_step_deletes_is_named(shop: TicketWorld) -> None:
    shop.deploy(config(), config("old"))
    shop.commit(config())
    old = {"kind": "ConfigMap", "name": "old"}
    shop.submit(change=applied(shop, {"apply": {}}, {"delete": {"objects": [old]}}))

    diff = diff_of(shop, await shop.evaluate())

    assert [(one.change, str(one)) for one in diff.objects] == [("delete", "ConfigMap old")]
    asked = shop.policy.asked[0].plan_diff
    assert isinstance(asked, PlanDiffFacts)
    assert (asked.deleted, asked.unchanged) == (1, 1)


async def test_deployment_whose_pods_start_again_for_their_configuration_is_named(shop: TicketWorld) -> None:
    reading = deployment()
    env = [{"configMapRef": {"name": "shop"}}, {"secretRef": {"name": "word"}}]
    reading["spec"]["template"]["spec"]["containers"][0]["envFrom"] = env
    word = config("word", kind="Secret", word=encoded(NEW))
    shop.deploy(config(mode="slow"), word, reading)
    shop.commit(config(mode="fast"), word)
    shop.submit(change=applied(shop, {"config": {}}))

    diff = diff_of(shop, await shop.evaluate())

    (changed, rolled) = diff.objects
    assert [field.field for field in changed.fields] == ["data.mode"]
    assert (str(rolled), rolled.fields, "start again" in rolled.message) == ("Deployment shop", [], True)
    assert checksum([config(mode="fast"), word]) not in str(diff)


async def test_each_object_is_asked_about_once(shop: TicketWorld) -> None:
    shop.deploy(deployment(), service())
    shop.commit()
    shop.submit(change=applied(shop))
    await shop.evaluate()
    before = len(shop.sandbox.audit())

    await shop.evaluate()

    asked = shop.sandbox.audit()[before:]
    seen = sorted((line["verb"], line["objectRef"]["resource"]) for line in asked)
    assert seen == [
        ("get", "deployments"),
        ("get", "services"),
        ("list", "horizontalpodautoscalers"),
        ("patch", "deployments"),
        ("patch", "services"),
    ]
    assert all("dryRun=All" in line["requestURI"] for line in asked if line["verb"] == "patch")


async def test_object_that_no_step_touches_is_not_in_it(shop: TicketWorld) -> None:
    (shop.repository / "more.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: more}}")
    shop.commit(service())
    change = applied(shop).model_dump(mode="json", exclude_none=True, by_alias=True)
    change["spec"]["source"]["paths"] = ["shop.yaml", "more.yaml"]
    change["spec"]["plan"]["steps"] = [{"apply": {"paths": ["shop.yaml"]}}]
    shop.submit(change=Change.model_validate(change))

    diff = diff_of(shop, await shop.evaluate())

    assert [str(one) for one in diff.objects] == ["Service shop"]


async def test_object_that_the_server_would_refuse_is_named_with_why(shop: TicketWorld) -> None:
    shop.deploy(deployment())
    wanted = deployment(image=BETTER)
    wanted["spec"]["selector"] = {"matchLabels": {"app": "shop", "tier": "front"}}
    wanted["spec"]["template"]["metadata"]["labels"] = {"app": "shop", "tier": "front"}

    evaluation = await evaluated(shop, wanted)

    (found,) = diff_of(shop, evaluation).objects
    assert (found.change, found.fields) == ("refused", [])
    assert "immutable" in found.message
    assert any("would refuse Deployment shop" in warning for warning in evaluation.warnings)
    asked = shop.policy.asked[0].plan_diff
    assert isinstance(asked, PlanDiffFacts)
    assert (asked.refused, asked.kinds) == (1, [])


# Secrets


async def test_changed_secret_is_seen_and_its_values_are_nowhere(shop: TicketWorld) -> None:
    shop.deploy(config(kind="Secret", word=encoded(OLD), same=encoded("kept-3")))

    evaluation = await evaluated(shop, config(kind="Secret", word=encoded(NEW), same=encoded("kept-3")))

    (field,) = diff_of(shop, evaluation).objects[0].fields
    assert (field.field, field.change) == ("data.word", "changed")
    assert str(field.was).startswith("[redacted] #")
    assert field.was != field.now
    assert leaks(shop, evaluation) == []


async def test_variable_that_holds_a_secret_is_masked_by_its_name(shop: TicketWorld) -> None:
    shop.deploy(deployment(DB_PASSWORD=OLD))

    evaluation = await evaluated(shop, deployment(DB_PASSWORD=NEW))

    (field,) = diff_of(shop, evaluation).objects[0].fields
    assert field.field == "spec.template.spec.containers[name=web].env[name=DB_PASSWORD].value"
    assert str(field.now).startswith("[redacted] #")
    assert leaks(shop, evaluation) == []


async def test_new_secret_and_what_kubectl_kept_of_the_old_one_are_masked(shop: TicketWorld) -> None:
    kept = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data":{{"word":"{encoded(OLD)}"}}}}'}
    shop.deploy(config(kind="Secret", word=encoded(OLD)))
    path = shop.path(config(kind="Secret"))
    shop.sandbox.edit(path, {"metadata": {"annotations": kept}}, manager="kubectl-client-side-apply")
    mine = config(kind="Secret", word=encoded(NEW))
    mine["metadata"]["annotations"] = {name: text.replace(OLD, NEW) for name, text in kept.items()}

    evaluation = await evaluated(shop, mine, config("other", kind="Secret", word=encoded(NEW)))

    assert [one.change for one in diff_of(shop, evaluation).objects] == ["change", "create"]
    assert leaks(shop, evaluation) == []


async def test_refused_secret_is_not_quoted_and_its_owner_is_named(shop: TicketWorld) -> None:
    wrong = config("wrong", kind="Secret")
    wrong["metadata"]["labels"] = {"word": f"{NEW} is no label!"}
    shop.deploy(config("owned", kind="Secret", word=encoded(OLD)))
    path = shop.path(config("owned", kind="Secret"))
    shop.sandbox.edit(path, {"data": {"word": encoded("theirs")}}, manager="external-secrets")

    evaluation = await evaluated(shop, wrong, config("owned", kind="Secret", word=encoded(NEW)))

    objects = diff_of(shop, evaluation).objects
    assert [one.change for one in objects] == ["refused", "refused"]
    assert "external-secrets" in objects[1].message
    assert leaks(shop, evaluation) == []


def leaks(shop: TicketWorld, evaluation: Evaluation) -> list[str]:
    """Return where a secret lies, plain or encoded: in the answer, the policy's input, ledger or blobs."""
    files = [file for file in shop.repository.parent.rglob("*") if file.is_file()]
    written = {
        str(file): file.read_bytes() for file in files if "ledger.db" in file.name or "blobs" in file.parts
    }
    assert any("blobs" in name for name in written)
    written["answer"] = evaluation.model_dump_json().encode()
    written["policy"] = shop.policy.asked[-1].model_dump_json().encode()
    forms = [form.encode() for value in (OLD, NEW) for form in (value, encoded(value))]
    return [name for name, data in written.items() if any(form in data for form in forms)]


# What approvals bind


async def test_digest_stays_while_there_is_nothing_new_to_read(shop: TicketWorld) -> None:
    shop.deploy(deployment(), service())
    shop.until_ready(deployment())
    first = await evaluated(shop, deployment(image=BETTER), service())
    note = {"metadata": {"annotations": {"example.com/seen": "now"}}, "spec": {"minReadySeconds": 1}}
    shop.sandbox.edit(shop.path(deployment()), note, manager="stranger")

    again = await shop.evaluate(purpose="release", before=first)

    assert (again.digest, again.plan_diff, again.moved) == (first.digest, first.plan_diff, [])


async def test_field_that_moved_on_the_cluster_changes_the_digest_and_is_named(shop: TicketWorld) -> None:
    shop.deploy(deployment(), service())
    first = await evaluated(shop, deployment(image=BETTER), service())
    shop.approve("chg-1", first.digest, "approver")
    shop.deploy(deployment(image="registry.example/shop:0.9"), service())

    again = await shop.evaluate(purpose="release", before=first)

    assert not again.quorum.met
    assert again.digest != first.digest
    assert again.moved == [f"Deployment shop ({IMAGE})"]


async def test_object_that_vanished_is_named_as_one_to_create(shop: TicketWorld) -> None:
    shop.deploy(service(), config(mode="slow"))
    first = await evaluated(shop, service(), config(mode="fast"))
    assert shop.sandbox.ask("DELETE", shop.path(service())).status_code == 200

    again = await shop.evaluate(purpose="release", before=first)

    assert again.moved == ["Service shop (would be created now)"]


async def test_many_moves_are_named_in_part_and_counted(shop: TicketWorld) -> None:
    many = [config(f"c{number}", mode="fast") for number in range(7)]
    first = await evaluated(shop, *many)
    shop.deploy(*many)

    again = await shop.evaluate(purpose="release", before=first)

    assert len(again.moved) == 6
    assert again.moved[0] == "ConfigMap c0 (is as wanted already)"
    assert again.moved[-1] == "2 more"


async def test_diff_before_that_is_lost_is_no_failure(shop: TicketWorld, tmp_path: Path) -> None:
    first = await evaluated(shop, config(mode="fast"))
    for file in (tmp_path / "blobs").rglob("*"):
        if file.is_file():
            file.unlink()
    shop.deploy(config(mode="fast"))

    again = await shop.evaluate(purpose="release", before=first)

    assert (again.digest != first.digest, again.moved) == (True, [])


async def test_whole_decision_is_recorded_with_the_diffs_digest(shop: TicketWorld) -> None:
    evaluation = await evaluated(shop, config(mode="fast"))

    (entry,) = shop.recorded("chg-1", "ticket.evaluated")
    assert evaluation.plan_diff is not None
    assert entry.body["plan_diff"]["digest"] == evaluation.plan_diff.digest
    assert entry.body["input"]["plan_diff"]["created"] == 1


# A cluster that does not answer


async def test_diff_of_an_unreachable_cluster_is_unknown_and_nothing_is_released_on_it(
    shop: TicketWorld,
) -> None:
    first = await evaluated(shop, deployment(), service())
    shop.submit("chg-2", change=applied(shop))
    shop.sandbox.steer("fail", part="kubernetes", mode="error", **{"for": 60})

    try:
        evaluation = await shop.evaluate("chg-2")
        with pytest.raises(UpstreamUnavailable):
            await shop.evaluate("chg-2", purpose="release")
    finally:
        shop.sandbox.steer("fail", part="kubernetes", mode="error", **{"for": 0.001})
    released = await shop.evaluate("chg-2", purpose="release", before=evaluation)

    assert evaluation.plan_diff is not None
    assert (evaluation.plan_diff.known, evaluation.plan_diff.digest) == (False, None)
    assert shop.policy.asked[1].plan_diff == "unknown"
    assert any("is unknown" in warning for warning in evaluation.warnings)
    assert released.digest != evaluation.digest
    assert released.plan_diff == first.plan_diff


async def test_job_of_a_step_is_in_the_diff_under_the_name_of_its_run(shop: TicketWorld) -> None:
    """It is what will be made; the Job that takes it back is made in a rollback only."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "migrate", "image": "shop/migrate:1"}]}
    jobs = [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"template": {"spec": pod}},
        }
        for name in ("migrate", "migrate-down")
    ]
    shop.commit(deployment(), *jobs)
    step = {"job": {"name": "migrate", "undo": {"name": "migrate-down"}}}
    shop.submit("chg-1", change=applied(shop, step, {"apply": {}}))

    evaluation = await shop.evaluate("chg-1")
    checks = (await shop.precheck("chg-1")).checks

    assert [f"{one.change} {one.kind} {one.name}" for one in diff_of(shop, evaluation).objects] == [
        "create Deployment shop",
        "create Job migrate-chg-1-0",
    ]
    assert "shop/migrate:1" in shop.policy.asked[0].images
    (dry,) = [check for check in checks if check.name == "dry_run"]
    assert dry.message == "The API server would take all 3 objects."
