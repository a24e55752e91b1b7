"""What a person reads of a plan's diff: in short beside the ticket, whole by `diff`, coloured."""

import io
from typing import Any

import pytest

from holdpoint.cli.diff_text import diff_text, style_of, summary_lines
from holdpoint.cli.output import Output
from holdpoint.models.plan_diff import FieldDiff, ObjectDiff, PlanDiff, summary_of
from tests.cli.conftest import DIGEST, FakeApi, Holdpoint, a_view

TICKET = "chg-abcdefghij"
PATH = f"/v1/changes/{TICKET}"
IMAGE = "spec.template.spec.containers[name=web].image"


def an_object(name: str = "shop", change: Any = "change", **more: Any) -> ObjectDiff:
    kind = more.pop("kind", "Deployment")
    return ObjectDiff(change=change, api_version="v1", kind=kind, name=name, **more)


def a_diff(*objects: ObjectDiff, unchanged: int = 0) -> PlanDiff:
    return PlanDiff(cluster="eu-1", namespace="shop", objects=list(objects), unchanged=unchanged)


def text_of(diff: PlanDiff, *, whole: bool = False) -> str:
    return diff_text(diff.model_dump(mode="json"), whole=whole)


NEW_IMAGE = FieldDiff(field=IMAGE, change="changed", was="shop:1", now="shop:2")
WHOLE = a_diff(
    an_object(fields=[NEW_IMAGE, FieldDiff(field="spec.paused", change="removed", was=True)]),
    an_object(
        "flags", "create", kind="ConfigMap", fields=[FieldDiff(field="data.a", change="added", now="1")]
    ),
    an_object("old", "delete", kind="Service"),
    an_object("api", "refused", message="field is immutable"),
    unchanged=3,
)
VIEW = a_view(plan_diff=summary_of(WHOLE, DIGEST).model_dump(mode="json"), phase="AwaitingApproval")


def test_diff_shows_each_object_with_its_fields(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"GET {PATH}/diff", (200, WHOLE.model_dump(mode="json")))

    done = holdpoint("diff", TICKET)

    assert done.code == 0
    assert done.out.splitlines() == [
        "On eu-1/shop: 1 created, 1 changed, 1 deleted, 1 refused, 3 unchanged",
        "~ Deployment shop",
        f"    ~ {IMAGE}: shop:1 -> shop:2",
        "    - spec.paused: true",
        "+ ConfigMap flags",
        '    + data.a: "1"',
        "- Service old",
        "! Deployment api: the API server would refuse it: field is immutable",
    ]


def test_diff_is_one_whole_document_under_json(api: FakeApi, holdpoint: Holdpoint) -> None:
    api.will(f"GET {PATH}/diff", (200, WHOLE.model_dump(mode="json")))

    assert PlanDiff.model_validate(holdpoint("diff", TICKET, "--output", "json").json) == WHOLE


@pytest.mark.parametrize("command", ["show", "approve", "reject"])
def test_ticket_and_decision_show_it_in_short(api: FakeApi, holdpoint: Holdpoint, command: str) -> None:
    api.will(f"GET {PATH}", (200, VIEW))
    api.will(f"POST {PATH}/{command}", (200, a_view()))

    done = holdpoint(command, TICKET)

    for said in (
        "1 created, 1 changed, 1 deleted, 1 refused, 3 unchanged",
        f"~ {IMAGE}: shop:1 -> shop:2",
        "- spec.paused: true",
        "+ ConfigMap flags",
        "! Deployment api: refused: field is immutable",
        f"holdpoint diff {TICKET}",
    ):
        assert said in done.out + done.err


def test_show_says_why_approvals_are_void(api: FakeApi, holdpoint: Holdpoint) -> None:
    approvals = {"required": 1, "groups": [], "given": [], "voided": "Moved on the cluster: Service shop."}
    api.will(f"GET {PATH}", (200, a_view(approvals=approvals)))

    assert "void       Moved on the cluster: Service shop." in holdpoint("show", TICKET).out


def test_unknown_is_never_shown_as_nothing() -> None:
    unknown = PlanDiff(cluster="eu-1", namespace="shop", known=False, message="No answer.")
    summary = summary_of(unknown, None).model_dump(mode="json")

    assert text_of(unknown) == "What it alters on the cluster is unknown: No answer."
    assert summary_lines(a_view(plan_diff=summary)) == ["  alters     unknown: No answer."]
    assert "unknown" in summary_lines(a_view(phase="Evaluating", plan_diff=None))[0]


def test_nothing_to_alter_is_one_line() -> None:
    summary = summary_of(a_diff(unchanged=2), DIGEST).model_dump(mode="json")

    assert text_of(a_diff(unchanged=2)) == "On eu-1/shop: nothing is altered (2 unchanged)"
    assert summary_lines(a_view(plan_diff=summary)) == ["  alters     nothing is altered (2 unchanged)"]


def test_dry_run_shows_it_between_plan_and_decision(
    api: FakeApi, holdpoint: Holdpoint, tmp_path: Any
) -> None:
    from tests.cli.conftest import CHANGE

    (tmp_path / "change.yaml").write_text(CHANGE)
    answer = {"plan": [], "plan_diff": WHOLE.model_dump(mode="json"), "decision": {}, "warnings": []}
    api.will("POST /v1/changes", (200, answer))

    lines = holdpoint("submit", str(tmp_path / "change.yaml"), "--dry-run").out.splitlines()

    assert lines.index("~ Deployment shop") < lines.index("  decision   allowed")


# Bounds


def test_what_is_too_much_for_a_person_is_counted_and_all_shows_it() -> None:
    lines = [f"+line {number}" for number in range(60)]
    fields = [FieldDiff(field="data.text", change="added", lines=lines)]
    fields += [FieldDiff(field=f"data.k{number:02}", change="added", now="x" * 500) for number in range(40)]
    diff = a_diff(*(an_object(f"c{number:03}", fields=fields) for number in range(50)))

    short, whole = text_of(diff), text_of(diff, whole=True)

    assert "        and 20 more lines" in short
    assert "… (340 more characters)" in short
    assert "    and 16 more fields" in short
    assert short.splitlines()[-1] == "and 45 more objects; --all shows them"
    assert len(short.splitlines()) < 400
    assert "more" not in whole
    assert len(whole.splitlines()) == 1 + 50 * (1 + 1 + 60 + 40)


def test_summary_names_the_first_objects_and_fields_and_counts_the_others() -> None:
    fields = [FieldDiff(field=f"data.k{number}", change="added", now="x") for number in range(5)]
    diff = a_diff(*(an_object(f"c{number}", fields=fields) for number in range(14)))

    lines = summary_lines(a_view(plan_diff=summary_of(diff, DIGEST).model_dump(mode="json")))

    assert [line.strip() for line in lines[1:6]] == [
        "~ Deployment c0",
        "+ data.k0: x",
        "+ data.k1: x",
        "+ data.k2: x",
        "and 2 more fields",
    ]
    assert lines[-2].strip() == "and 2 more objects"
    assert len(lines) == 1 + 12 * 5 + 2


def test_summary_shows_a_long_value_in_part_and_counts_the_lines_of_a_text() -> None:
    fields = [
        FieldDiff(field="data.long", change="changed", was="a" * 500, now=""),
        FieldDiff(field="data.text", change="changed", lines=["-a", "+b"]),
    ]

    lines = summary_lines(a_view(plan_diff=summary_of(a_diff(an_object(fields=fields)), DIGEST).model_dump()))

    assert lines[2].strip() == f'~ data.long: {"a" * 80}… (420 more characters) -> ""'
    assert lines[3].strip() == "~ data.text: 2 lines of a text"


# Colours


@pytest.mark.parametrize(
    ("row", "code"),
    [
        pytest.param("+ ConfigMap flags", "32", id="created"),
        pytest.param("    - spec.paused: true", "31", id="removed"),
        pytest.param("        +line", "32", id="line that comes"),
        pytest.param("         - item of a list", "", id="line around it"),
        pytest.param("  warning    - not a mark", "", id="no row of a diff"),
        pytest.param("", "", id="empty"),
    ],
)
def test_row_has_the_colour_of_its_mark(row: str, code: str) -> None:
    assert style_of(row) == code


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        pytest.param(True, {}, True, id="terminal"),
        pytest.param(False, {}, False, id="pipe"),
        pytest.param(True, {"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param(True, {"CI": "true"}, False, id="CI"),
        pytest.param(True, {"TERM": "dumb"}, False, id="dumb terminal"),
    ],
)
def test_colours_are_for_terminals_alone(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("COLUMNS", "200")

    Output().answer(WHOLE.model_dump(mode="json"), diff_text, style=style_of)

    assert ("\x1b[32m+ ConfigMap flags\x1b[0m" in stream.getvalue()) is coloured
    assert ("\x1b" in stream.getvalue()) is coloured


def test_value_cannot_steer_the_terminal(api: FakeApi, holdpoint: Holdpoint) -> None:
    field = FieldDiff(field="data.a", change="added", now="nice\x1b[2J")
    api.will(f"GET {PATH}/diff", (200, a_diff(an_object(fields=[field])).model_dump(mode="json")))

    assert "\x1b" not in holdpoint("diff", TICKET).out
