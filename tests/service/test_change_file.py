"""The change file: what is right is read, and what is wrong is named, all of it, at its place, at once."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdpoint.models.change import Change
from holdpoint.models.errors import InvalidChange
from holdpoint.service.change_file import canonical, content_digest, read_change
from holdpoint.service.change_mistakes import MOST_MISTAKES
from holdpoint.service.change_reference import EXAMPLE

HEAD = """\
apiVersion: holdpoint.dev/v1
kind: Change
metadata: {title: shop, service: shop, environment: staging}
spec:
"""
TAIL = """\
  source: {repository: ./shop, revision: main, paths: [a.yaml]}
  target: {cluster: sandbox}
  plan: {steps: [{apply: {}}]}
"""
GOOD = HEAD + TAIL
MOMENT = 1.0
"""Seconds of CPU that the worst file may take: the clock on the wall also counts other processes."""


def mistakes(text: bytes | str, **known: Any) -> list[dict[str, Any]]:
    """Return the mistakes of a file that has some."""
    with pytest.raises(InvalidChange) as caught:
        read_change(text, **known)
    found: list[dict[str, Any]] = caught.value.detail["mistakes"]
    assert found
    assert all(set(one) == {"field", "line", "column", "found", "allowed", "message"} for one in found)
    return found


def the_mistake(text: bytes | str, **known: Any) -> dict[str, Any]:
    """Return the one mistake of a file."""
    (found,) = mistakes(text, **known)
    return found


def test_the_example_of_the_documents_is_read_whole() -> None:
    change = read_change(EXAMPLE, environments=["staging"], clusters=["sandbox"])

    assert change.metadata.title == "podinfo 6.14.1"
    assert change.spec.source.revision == "6.14.1"
    (step,) = change.spec.plan.steps
    assert step.kind == "canary"
    assert step.canary is not None
    assert (step.canary.weights, step.canary.bake) == ([10, 50], 5.0)
    assert change.spec.analysis is not None
    assert change.spec.analysis.latency is not None
    assert change.spec.analysis.latency.max == 0.3


def test_every_mistake_is_named_at_once_in_the_order_of_the_file() -> None:
    text = """\
apiVersion: holdpoint.dev/v2
kind: Change
metadata:
  title: podinfo
  servce: podinfo
  environment: stagging
  type: norml
spec:
  source:
    repository: "ext::sh -c x"
    revision: 6.10
    paths: [../x]
  target: {cluster: eu-9}
  plan:
    steps:
      - canary: {deployment: podinfo, weights: [50, 10], bake: 5}
      - cannary: {}
      - name: nothing
"""
    found = mistakes(text, environments=["staging"], clusters=["sandbox"])

    assert [(one["line"], one["column"], one["field"]) for one in found] == [
        (1, 13, "apiVersion"),
        (3, 1, "metadata.service"),
        (5, 3, "metadata.servce"),
        (6, 16, "metadata.environment"),
        (7, 9, "metadata.type"),
        (8, 1, "spec"),
        (10, 17, "spec.source.repository"),
        (11, 15, "spec.source.revision"),
        (12, 13, "spec.source.paths[0]"),
        (13, 21, "spec.target.cluster"),
        (16, 48, "spec.plan.steps[0].canary.weights"),
        (16, 64, "spec.plan.steps[0].canary.bake"),
        (17, 9, "spec.plan.steps[1].cannary"),
        (18, 9, "spec.plan.steps[2]"),
    ]


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("servce: shop", "service: shop", "Did you mean 'service'?"),
        ("environment: prod uction", "environment: staging", "allowed is a name of at most 63 lower-case"),
        ("type: Emergency", "type: emergency", "Did you mean 'emergency'?"),
    ],
)
def test_what_was_probably_meant_is_said(wrong: str, right: str, said: str) -> None:
    name = right.partition(":")[0]
    fields = {"title": "title: x", "service": "service: shop", "environment": "environment: staging"}
    fields[name] = wrong
    text = GOOD.replace("title: shop, service: shop, environment: staging", ", ".join(fields.values()))

    assert any(said in one["message"] for one in mistakes(text))


def test_names_that_the_settings_know_are_named_where_one_is_not() -> None:
    found = the_mistake(GOOD, environments=["production", "stage"], clusters=["sandbox"])

    assert (found["field"], found["allowed"]) == ("metadata.environment", "production, stage")
    assert "Did you mean 'stage'?" in found["message"]


def test_a_judge_that_the_settings_do_not_have_is_named_with_those_that_they_have() -> None:
    metric = "    metrics: [{name: diff, source: {webhook: trafic-diff}}]\n"
    text = EXAMPLE.replace("  analysis:\n", "  analysis:\n" + metric)

    found = the_mistake(text, judges=["traffic-diff"])

    assert found["field"] == "spec.analysis.metrics[0].source.webhook"
    assert "Unknown judge" in found["message"]
    assert "Did you mean 'traffic-diff'?" in found["message"]
    assert read_change(text, judges=["trafic-diff"])


def test_a_mistake_in_a_query_is_named_with_its_place() -> None:
    metric = "    metrics: [{name: lag, kind: value, query: 'lag{a={{deployment}}}'}]\n"

    found = the_mistake(EXAMPLE.replace("  analysis:\n", "  analysis:\n" + metric))

    assert found["field"] == "spec.analysis.metrics[0].query"
    assert "in double quotes only" in found["message"]


@pytest.mark.parametrize(
    "revision", ["6.10", "1234567", "0o17", "1e3", "on", "yes", "~", "2027-01-01", "1:30"]
)
def test_a_revision_is_the_text_that_was_written_or_a_mistake(revision: str) -> None:
    text = GOOD.replace("revision: main", f"revision: {revision}")
    quoted = GOOD.replace("revision: main", f"revision: '{revision}'")

    try:
        read = read_change(text).spec.source.revision
    except InvalidChange as error:
        (found,) = error.detail["mistakes"]
        assert found["field"] == "spec.source.revision"
    else:
        assert read == revision
    if revision not in ("~", "1:30"):
        assert read_change(quoted).spec.source.revision == revision


@pytest.mark.parametrize(
    "weights",
    [
        "[010]",
        "[true]",
        "['10']",
        "[10.5]",
        "[1_0]",
        "[0x10]",
        "[50, 10]",
        "[10, 10]",
        "[0]",
        "[101]",
        "[]",
        "10",
    ],
)
def test_a_weight_is_a_plain_rising_whole_number(weights: str) -> None:
    text = EXAMPLE.replace("[10, 50]", weights)

    assert the_mistake(text)["field"].startswith("spec.plan.steps[0].canary.weights")


@pytest.mark.parametrize(
    "ratio", [".nan", ".inf", "-0.1", "0", "1.5", "'0.01'", "1e-2", "yes", "~", "1:30.5"]
)
def test_a_ratio_is_a_finite_number_above_zero(ratio: str) -> None:
    assert (
        the_mistake(EXAMPLE.replace("max: 0.01", f"max: {ratio}"))["field"] == "spec.analysis.errorRatio.max"
    )


@pytest.mark.parametrize("bake", ["5", "1:30", "0s", "-5s", "inf", "400d", "~", "[5s]", "5 minutes"])
def test_a_duration_has_a_unit_and_an_end(bake: str) -> None:
    assert the_mistake(EXAMPLE.replace("bake: 5s", f"bake: {bake}"))["field"].endswith("canary.bake")


def test_a_plan_with_a_canary_needs_an_analysis() -> None:
    found = the_mistake(EXAMPLE[: EXAMPLE.index("  analysis")])

    assert (found["field"], found["line"]) == ("spec", 8)
    assert "analysis" in found["message"]


STEP = "- canary: {deployment: podinfo, weights: [10, 50], bake: 5s}"
MANUAL = "{who: sre, what: Fail over., timeout: 1h}"


def test_steps_that_write_nothing_are_read_and_written_back() -> None:
    steps = f"- wait: {{for: 10m}}\n      - manual: {MANUAL}\n      - analysis: {{for: 90s}}"
    change = read_change(EXAMPLE.replace(STEP, steps))

    plan = change.spec.plan
    assert [step.kind for step in plan.steps] == ["wait", "manual", "analysis"]
    assert plan.steps[0].wait is not None
    assert plan.steps[0].wait.for_ == 600.0
    assert not plan.writes
    assert change.verify_seconds == 90.0
    assert b'"wait":{"for":"10m"}' in canonical(change)
    assert Change.model_validate_json(change.model_dump_json()) == change


def test_a_plan_that_writes_nothing_needs_no_objects() -> None:
    text = GOOD.replace(", paths: [a.yaml]", "").replace("apply: {}", "wait: {for: 1m}")

    assert read_change(text).spec.plan.steps[0].kind == "wait"


@pytest.mark.parametrize(
    ("step", "field", "said"),
    [
        ("wait: {}", "wait.for", "is required"),
        ("wait: {for: 5}", "wait.for", "such as 5s"),
        ("wait: {for: 5s, fro: 5s}", "wait.fro", "Did you mean 'for'?"),
        ("wait: {for_: 5s}", "wait.for", "is required"),
        ("analysis: {weight: 5}", "analysis.for", "is required"),
        (f"manual: {MANUAL}".replace("who: sre, ", ""), "manual.who", "is required"),
        (f"manual: {MANUAL}".replace("sre", "[sre]"), "manual.who", "allowed is text"),
        (f"manual: {MANUAL}".replace("sre", "the sre"), "manual.who", "one role or account"),
        (f"manual: {MANUAL}".replace(", timeout: 1h", ""), "manual.timeout", "is required"),
        (f"manual: {MANUAL}".replace("}", ", runbook: 'javascript:x'}"), "manual.runbook", "http or https"),
        (f"manual: {MANUAL}".replace("}", ", runbook: 'https://a:b@c/d'}"), "manual.runbook", "password"),
    ],
)
def test_a_mistake_in_a_step_that_writes_nothing_is_named_at_its_place(
    step: str, field: str, said: str
) -> None:
    found = mistakes(EXAMPLE.replace(STEP, f"- {step}"))

    assert (found[0]["field"], found[0]["line"]) == (f"spec.plan.steps[0].{field}", 16)
    assert said in found[0]["message"]


def test_an_analysis_step_needs_an_analysis() -> None:
    text = EXAMPLE[: EXAMPLE.index("  analysis")].replace(STEP, "- analysis: {for: 1m}")

    found = the_mistake(text)

    assert (found["field"], found["line"]) == ("spec", 8)
    assert "must have an analysis, so that its analysis step can be judged" in found["message"]


@pytest.mark.parametrize("broken", ["", "\n  window: x"], ids=["alone", "beside another mistake"])
def test_two_manual_steps_of_one_name_are_a_mistake(broken: str) -> None:
    twice = f"- manual: {MANUAL}\n      - {{name: manual, manual: {MANUAL}}}"

    found = mistakes(EXAMPLE.replace(STEP, twice).rstrip() + broken)

    said = next(one for one in found if one["field"] == "spec.plan")
    assert (said["line"], "'manual' is taken" in said["message"]) == (14, True)


def test_a_title_must_be_readable_as_it_is() -> None:
    text = GOOD.replace("title: shop", 'title: "safe \\u202e txt.live"')

    assert the_mistake(text)["field"] == "metadata.title"


FORM = {
    "empty": ("", "empty"),
    "only a comment": ("# nothing", "empty"),
    "a list": ("- a", "mapping"),
    "text": ("hello", "the file is hello; allowed is a mapping"),
    "not UTF-8": (b"title: \xff\xfe", "not UTF-8"),
    "half of a surrogate pair": ("title: \ud800", "not UTF-8"),
    "UTF-16": (GOOD.encode("utf-16"), "not UTF-8"),
    "NUL": ("title: \0", "U+0000"),
    "escape": ("title: \x1b[2J", "U+001B"),
    "tab": ("metadata:\n\ttitle: x", "tab"),
    "second document": (GOOD + "---\n" + GOOD, "several documents"),
    "python tag": (GOOD + "x: !!python/object/apply:os.system [ls]\n", "tag"),
    "tag of one's own": (GOOD.replace("title: shop", "title: !x shop"), "tag !x"),
    "binary": (GOOD.replace("title: shop", "title: !!binary aGk="), "tag !!binary"),
    "merge key": (GOOD + "x: &a {b: c}\ny: {<<: *a}\n", "merge key"),
    "list as a key": (GOOD + "? [a]\n: b\n", "must be text"),
    "boolean as a key": (GOOD + "on: b\n", "quotes"),
    "the same key twice": (GOOD.replace("title: shop", "title: shop, title: shop"), "line 3 already"),
    "unclosed": (GOOD + "x: [", "not valid YAML"),
    "unknown alias": (GOOD + "x: *nothing\n", "alias *nothing"),
    "alias inside itself": ("x: &a [*a]", "inside itself"),
    "anchor twice": ("x: [&a 1, &a 2, *a]", "duplicate anchor"),
    "directive": ("%FOO bar\n---\n" + GOOD, "unknown directive"),
}


@pytest.mark.parametrize(("text", "said"), FORM.values(), ids=FORM.keys())
def test_a_file_of_a_wrong_form_is_a_mistake_with_a_sentence(text: bytes | str, said: str) -> None:
    assert any(said in one["message"] for one in mistakes(text))


def _laughs() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines)


LARGE = {
    "billion laughs": _laughs(),
    "quadratic aliases": "a: &a " + "x" * 1000 + "\nb: [" + "*a, " * 60_000 + "]",
    "deep lists": "[" * 200_000,
    "deep mappings": "{a: " * 60_000,
    "deep sequences": "- " * 120_000,
    "deep keys": "? " * 120_000,
    "deep aliases": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 49)),
    "many entries": "[" + "a," * 130_000,
    "many unknown fields": "".join(f"metadatb{n}: 1\n" for n in range(4_900)),
    "one field many times": "metadata: 1\n" * 4_900,
    "a long key": "a" * 200_000 + ": 1",
    "a long number": GOOD.replace("revision: main", "revision: " + "9" * 200_000),
    "a long weight": EXAMPLE.replace("[10, 50]", f"[{'9' * 200_000}]"),
    "a long duration": EXAMPLE.replace("bake: 5s", f"bake: {'9' * 200_000}s"),
    "a long path": GOOD.replace("a.yaml", "a/" * 100_000),
    "many comments": "#\n" * 130_000,
    "one byte too long": GOOD + "#" * (256 * 1024 - len(GOOD) + 1),
    "many steps": GOOD.replace("[{apply: {}}]", "[" + "{apply: {}}, " * 101 + "]"),
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_a_file_that_is_made_to_cost_is_refused_in_a_moment(text: str) -> None:
    begun = time.process_time()
    found = mistakes(text)

    assert time.process_time() - begun < MOMENT
    assert len(found) <= MOST_MISTAKES
    assert sum(len(one["message"]) for one in found) < 100_000


def test_the_longest_file_is_read() -> None:
    text = GOOD + "#" * (256 * 1024 - len(GOOD))

    assert read_change(text) == read_change(GOOD)


def test_a_few_aliases_are_welcome() -> None:
    text = GOOD.replace("service: shop", "service: &name shop").replace("cluster: sandbox", "cluster: *name")

    assert read_change(text).spec.place.cluster == "shop"


def test_files_that_say_the_same_have_the_same_digest() -> None:
    other = "# a comment\n" + GOOD.replace("environment: staging", '"environment": "staging", type: standard')

    assert content_digest(read_change(other)) == content_digest(read_change(GOOD))
    assert content_digest(read_change(GOOD.replace("a.yaml", "b.yaml"))) != content_digest(read_change(GOOD))


def test_the_canonical_form_is_read_back_as_the_same_change() -> None:
    change = read_change(EXAMPLE)

    assert Change.model_validate_json(canonical(change)) == change
    assert read_change(canonical(change)) == change


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.binary(max_size=10),
    st.sampled_from(["holdpoint.dev/v1", "Change", "5s", "staging", "-x", "../x", "podinfo"]),
)
NAMES = st.sampled_from(
    [
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "source",
        "plan",
        "steps",
        "canary",
        "analysis",
        "title",
        "x",
        "<<",
    ]
)
STRUCTURES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=30,
)
EXAMPLE_TREE = yaml.safe_load(EXAMPLE)


def _read_or_refuse(text: bytes | str) -> None:
    begun = time.process_time()
    change, found = None, []
    try:
        change = read_change(text, environments=["staging"], clusters=["sandbox"])
    except InvalidChange as error:
        found = error.detail["mistakes"]
    assert (change is None) == bool(found)
    assert all(one["line"] >= 1 and one["column"] >= 1 for one in found)
    assert change is None or read_change(canonical(change)) == change
    assert time.process_time() - begun < MOMENT


QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUIET
@given(st.binary(max_size=400))
def test_any_bytes_are_a_change_or_its_mistakes(raw: bytes) -> None:
    _read_or_refuse(raw)


@QUIET
@given(st.text(alphabet="-:[]{}&*!|>'\"%@`#,?\n\t <aA0.~/", max_size=120))
def test_any_marks_of_yaml_are_a_change_or_its_mistakes(text: str) -> None:
    _read_or_refuse(text)


@QUIET
@given(st.dictionaries(NAMES, STRUCTURES, max_size=6))
def test_any_structure_is_a_change_or_its_mistakes(tree: dict[str, Any]) -> None:
    _read_or_refuse(yaml.safe_dump(tree))


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below: list[tuple[Any, ...]] = []
    for name, value in (
        tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    ):
        below += [(*path, name), *_paths(value, (*path, name))]
    return below


@QUIET
@given(st.sampled_from(_paths(EXAMPLE_TREE)), STRUCTURES)
def test_any_value_in_any_place_of_a_right_file_is_a_change_or_its_mistakes(
    path: tuple[Any, ...], value: Any
) -> None:
    tree = yaml.safe_load(EXAMPLE)
    at = tree
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value

    _read_or_refuse(yaml.safe_dump(tree, allow_unicode=True))


def test_an_apply_step_names_only_paths_of_the_source() -> None:
    text = EXAMPLE.replace(
        "      - canary:",
        "      - apply: {paths: [kustomize/service.yaml, kustomize/hpa.yaml]}\n      - canary:",
    )

    with pytest.raises(InvalidChange) as caught:
        read_change(text)

    (mistake,) = caught.value.detail["mistakes"]
    assert mistake["field"] == "spec.plan.steps[0].apply.paths[1]"
    assert text.splitlines()[mistake["line"] - 1].lstrip().startswith("- apply")
    assert "kustomize/deployment.yaml, kustomize/service.yaml" in mistake["allowed"]


def sourced(source: str, steps: str = "{apply: {}}") -> str:
    """Return a change file with these fields of the source beside repository and revision."""
    return HEAD + (
        f"  source: {{repository: ./shop, revision: main{source}}}\n"
        f"  target: {{cluster: sandbox}}\n  plan: {{steps: [{steps}]}}\n"
    )


DELETE = "{delete: {objects: [{kind: Service, name: old}]}}"


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        (", kustomize: overlays/eu", "{apply: {paths: [overlays/eu]}}"),
        (", kustomize: .", "{apply: {paths: [.]}}"),
        (
            ", helm: {chart: charts/shop, values: [eu.yaml], set: {image.tag: '1', replicas: 2}}",
            "{config: {}}",
        ),
        (", paths: [a.yaml], kustomize: b, helm: {chart: c}", "{apply: {paths: [a.yaml, b, c]}}"),
        ("", DELETE),
    ],
    ids=["kustomize", "the root", "helm", "all of them", "only a delete"],
)
def test_source_in_any_of_its_forms_is_read(source: str, steps: str) -> None:
    text = sourced(source, steps)

    assert read_change(canonical(read_change(text))) == read_change(text)


@pytest.mark.parametrize(
    ("source", "steps", "field", "said"),
    [
        ("", "{apply: {}}", "spec", "must have a source with paths, kustomize or helm"),
        ("", DELETE + ", {apply: {}}", "spec", "must have a source with paths, kustomize or helm"),
        (", kustomize: ../up", "{apply: {}}", "spec.source.kustomize", "inside the repository"),
        (", helm: {}", "{apply: {}}", "spec.source.helm.chart", "required"),
        (", helm: {chart: c, values: ['-x']}", "{apply: {}}", "spec.source.helm.values[0]", "inside"),
        (", helm: {chart: c, set: {a: 1, a.b: 2}}", "{apply: {}}", "spec.source.helm.set", "'a.b' below it"),
        (", helm: {chart: c, set: {a: [1]}}", "{apply: {}}", "spec.source.helm.set.a", "true or false"),
        (", helm: {chart: c, set: {'a[0]': 1}}", "{apply: {}}", "spec.source.helm.set", "dots between"),
        (", helm: {chart: c}", "{apply: {paths: [d]}}", "spec.plan.steps[0].apply.paths[0]", "source: c"),
    ],
)  # fmt: skip
def test_mistake_in_a_source_is_named(source: str, steps: str, field: str, said: str) -> None:
    mistake = the_mistake(sourced(source, steps))

    assert mistake["field"] == field
    assert said in mistake["message"]


@pytest.mark.parametrize(
    ("item", "field", "said"),
    [
        ("kind: service, name: a", "kind", "a kind such as Deployment"),
        ("kind: Service, name: A", "name", "as an object's name is"),
        ("kind: Widget, name: a, apiVersion: x", "apiVersion", "such as v1 or apps/v1"),
        ("kind: Service", "name", "required"),
    ],
)
def test_mistake_in_what_is_deleted_is_named(item: str, field: str, said: str) -> None:
    mistake = the_mistake(sourced("", f"{{delete: {{objects: [{{{item}}}]}}}}"))

    assert mistake["field"] == f"spec.plan.steps[0].delete.objects[0].{field}"
    assert said in mistake["message"]


@pytest.mark.parametrize(
    ("job", "field", "said"),
    [
        ("name: up", "", "must have either undo, with the Job that takes it back, or cannotBeUndone: true"),
        ("name: up, undo: {name: down}, cannotBeUndone: true", "", "must have either undo"),
        ("name: up, cannotBeUndone: false", "", "must have either undo"),
        ("name: up, undo: {name: up}", "", "another Job than the one it undoes"),
        ("name: up, undo: {}", ".undo.name", "required"),
        ("name: up, timeout: 0s, cannotBeUndone: true", ".timeout", ""),
    ],
)
def test_mistake_in_a_job_is_named_with_its_line(job: str, field: str, said: str) -> None:
    mistake = the_mistake(sourced(", paths: [a.yaml]", f"{{job: {{{job}}}}}"))

    assert mistake["field"] == f"spec.plan.steps[0].job{field}"
    assert said in mistake["message"]
    assert mistake["line"] > 1


@pytest.mark.parametrize(
    ("checks", "field", "said"),
    [
        ("[{name: a}]", "spec.plan.prechecks[0]", "exactly one kind of check"),
        ("[{name: a, attempts: 0}]", "spec.plan.prechecks[0].attempts", "at least 1"),
        ("[{name: a, query: {promql: up}}]", "spec.plan.prechecks[0].query", "max, min or both"),
        ("[{name: a, query: {promql: up, max: .inf}}]", "spec.plan.prechecks[0].query.max", "finite"),
        ("[{name: a, qery: {}}]", "spec.plan.prechecks[0].qery", "Did you mean 'query'?"),
        (
            "[{name: a, dependencies: {}}]",
            "spec.plan.prechecks[0].dependencies",
            "services or both",
        ),
        (
            "[{name: a, signature: {key: k, folder: ../x}}]",
            "spec.plan.prechecks[0].signature.folder",
            "folder",
        ),
        ("[{name: a, timeout: 10}]", "spec.plan.prechecks[0].timeout", "10s"),
        (
            "[{name: a, query: {promql: up, max: 1}}, {name: a, query: {promql: up, max: 2}}]",
            "spec.plan.prechecks",
            "'a' is taken",
        ),
    ],
)
def test_mistake_in_a_check_is_named_at_its_place(checks: str, field: str, said: str) -> None:
    plan = f"{{steps: [{{apply: {{}}}}], prechecks: {checks}}}"
    found = mistakes(GOOD.replace("{steps: [{apply: {}}]}", plan))

    [mistake] = [one for one in found if one["field"] == field]
    assert said in mistake["message"]
    assert mistake["line"] == HEAD.count("\n") + 3


POST = "method: POST, url: 'https://a.example/x'"


@pytest.mark.parametrize(
    ("http", "field", "said"),
    [
        (f"{POST}", None, ""),
        ("url: 'https://a.example/x'", ".method", "required"),
        ("method: GET, url: 'https://a.example/x'", ".method", "POST or PUT or PATCH or DELETE"),
        ("method: POST", ".url", "required"),
        ("method: POST, url: 'ftp://a.example/x'", ".url", "must begin with https:// or http://"),
        ("method: POST, url: 'https://anna:pw@a.example/'", ".url", "must not hold a user"),
        ("method: POST, url: 'http://127.1/'", ".url", "must write an IP address in its usual form"),
        (f"{POST}, headers: {{Authorization: Bearer abc}}", ".headers", "must not hold a secret"),
        (f"{POST}, headers: {{X-A: 1}}", ".headers.X-A", "text"),
        (f"{POST}, headers: [a]", ".headers", "a mapping"),
        (f"{POST}, body: {{a: .nan}}", ".body", "numbers that JSON carries exactly"),
        (f"{POST}, body: {{a: 2026-01-01}}", ".body", "must be JSON"),
        (f"{POST}, expect: []", ".expect", "at least 1 entries"),
        (f"{POST}, expect: [302]", ".expect", "can mean that nothing was done"),
        (f"{POST}, expect: [500]", ".expect[0]", "at most 410"),
        (f"{POST}, timeout: 16m", ".timeout", "from 1s to 15m"),
        (f"{POST}, timeout: 500ms", ".timeout", "from 1s to 15m"),
        (f"{POST}, credential: 'A b'", ".credential", "a name"),
        (f"{POST}, undo: {{method: PUT}}", ".undo.url", "required"),
        (f"{POST}, undo: {{method: PUT, url: 'https://a.example/../b'}}", ".undo.url", "in its path"),
        (f"{POST}, undo: {{method: PUT, url: 'https://a.example', timeout: 3s}}", ".undo.timeout", "Unknown"),
        (f"{POST}, redirects: 3", ".redirects", "Unknown field"),
    ],
)
def test_mistake_in_a_request_is_named_with_its_line(http: str, field: str | None, said: str) -> None:
    text = sourced("", f"{{http: {{{http}}}}}")
    if field is None:
        assert read_change(text).spec.plan.steps[0].kind == "http"
        return

    mistake = the_mistake(text)

    assert mistake["field"] == f"spec.plan.steps[0].http{field}"
    assert said in mistake["message"]
    assert mistake["line"] > 1


def test_the_example_of_the_page_on_requests_is_a_change() -> None:
    page = (Path(__file__).parents[2] / "docs" / "steps" / "http.md").read_text()
    plan = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])["plan"]
    canary, http = plan["steps"]

    step = read_change(sourced("", f"{http}")).spec.plan.steps[0]

    assert canary.keys() == {"canary"}
    assert step.http is not None
    assert (step.http.credential, step.http.undo is not None) == ("flags", True)


def test_a_body_keeps_its_nulls_and_its_order_does_not_matter() -> None:
    one, other = (
        read_change(sourced("", f"{{http: {{{POST}, body: {body}}}}}"))
        for body in ("{a: null, b: [1, {c: null}]}", "{b: [1, {c: null}], a: null}")
    )

    assert one.spec.plan.steps[0].http is not None
    assert one.spec.plan.steps[0].http.body == {"a": None, "b": [1, {"c": None}]}
    assert content_digest(one) == content_digest(other)


ENVIRONMENTS = "repository: https://git.example.com/env.git, branch: main"
SET = "set: [{file: a.yaml, path: a.b, value: x}]"


@pytest.mark.parametrize(
    ("commit", "field", "said"),
    [
        (ENVIRONMENTS, "", "must have set, files or both"),
        (f"repository: ./env, branch: main, {SET}", ".repository", "an absolute path in the embedded stack"),
        (f"repository: '--upload-pack=x', branch: main, {SET}", ".repository", "not an option"),
        (f"repository: 'ext::sh -c x', branch: main, {SET}", ".repository", "a transport helper"),
        (f"repository: 'https://u:p@git.example.com/e', branch: main, {SET}", ".repository", "a password"),
        (f"repository: https://git.example.com/e, branch: '-f', {SET}", ".branch", "may not begin with '-'"),
        (f"repository: https://git.example.com/e, branch: refs/heads/x, {SET}", ".branch", "without refs/"),
        (
            f"{ENVIRONMENTS}, set: [{{file: ../a, path: a, value: x}}]",
            ".set[0].file",
            "inside the repository",
        ),
        (f"{ENVIRONMENTS}, set: [{{file: .git/config, path: a, value: x}}]", ".set[0].file", ".git"),
        (f"{ENVIRONMENTS}, set: [{{file: a, path: a..b, value: x}}]", ".set[0].path", "keys and items"),
        (f"{ENVIRONMENTS}, set: [{{file: a, path: a, value: [x]}}]", ".set[0].value", "must be text"),
        (f"{ENVIRONMENTS}, files: [{{from: a, to: /etc/passwd}}]", ".files[0].to", "inside the repository"),
        (f"{ENVIRONMENTS}, files: [{{from: a, to: b}}, {{from: c, to: b}}]", "", "'b' in one way"),
        (f"{ENVIRONMENTS}, {SET}, files: [{{from: a, to: a.yaml/b}}]", "", "as a file and as a folder"),
        (f"{ENVIRONMENTS}, {SET}, wait: {{}}", ".wait", "either application"),
    ],
)
def test_mistake_in_a_commit_is_named_with_its_line(commit: str, field: str, said: str) -> None:
    mistake = the_mistake(sourced("", f"{{gitCommit: {{{commit}}}}}"))

    assert mistake["field"] == f"spec.plan.steps[0].gitCommit{field}"
    assert said in mistake["allowed"]
