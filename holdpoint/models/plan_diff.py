"""What a change would alter on its cluster: object by object, field by field, with every secret masked.

It is of the end state, what stands when the plan is through; the plan tells the way there. It holds nothing
that moves by itself, for approvals bind its digest.
"""

import json
from typing import Any, Literal

from pydantic import Field

from holdpoint.models.base import Digest, Model

FIRST_OBJECTS = 12
"""Objects that a summary names: it travels through Temporal and stands in every view of the ticket."""
FIRST_FIELDS = 3
"""Fields of each of them that it shows."""
SHORT = 80
"""Characters of a value in it."""

MARKS = {"create": "+", "change": "~", "delete": "-", "refused": "!", "send": ">"}
"""What stands before an object in every text."""


Change = Literal["create", "change", "delete", "refused", "send"]
SHOWN = frozenset({"change", "send"})
"""Of what a summary shows the first fields: of the others the object says enough."""


class FieldDiff(Model):
    """One field. A masked value is `[redacted] #` and a keyed digest: equal values have equal digests."""

    field: str = Field(description="such as spec.template.spec.containers[name=web].image")
    change: Literal["added", "removed", "changed"]
    was: Any = None
    now: Any = None
    lines: list[str] = Field(
        default=[], description="of a text of several lines: -old and +new, in place of was and now"
    )


class ObjectDiff(Model):
    """One object that would not stay as it is, or that would be refused; or a request that is sent."""

    change: Change
    api_version: str
    kind: str
    name: str
    fields: list[FieldDiff] = []
    message: str = Field(default="", description="why it would be refused, or what no field of it tells")
    cluster: str = Field(
        default="",
        description="where there are many targets: on which",
        exclude_if=lambda cluster: not cluster,
    )

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" on {self.cluster}" if self.cluster else "")


class PlanDiff(Model):
    """The whole of it. When it could not be had, `known` is false and `message` says why."""

    cluster: str
    namespace: str
    objects: list[ObjectDiff] = []
    unchanged: int = Field(default=0, description="objects that are as the change wants them already")
    known: bool = True
    message: str = ""


class PlanDiffFacts(Model):
    """It in numbers, for rules."""

    created: int = 0
    changed: int = 0
    deleted: int = 0
    refused: int = Field(default=0, description="objects that the API server would refuse")
    unchanged: int = 0
    sent: int = Field(default=0, description="HTTP requests to other servers")
    fields: int = Field(default=0, description="fields altered in objects that exist already")
    kinds: list[str] = Field(default=[], description="kinds of what is created, changed or deleted")


class FieldLine(Model):
    """One field of a summary; `text` has its values in short."""

    change: Literal["added", "removed", "changed"]
    field: str
    text: str


class ObjectLine(Model):
    """One object of a summary, with the first of its fields if it changes."""

    change: Change
    object: str
    fields: int = 0
    first: list[FieldLine] = []
    message: str = ""


class PlanDiffSummary(Model):
    """What a ticket shows of it. `digest` names the whole; approvals bind it. Null while it is unknown."""

    digest: Digest | None = None
    known: bool = True
    message: str = ""
    facts: PlanDiffFacts = PlanDiffFacts()
    objects: list[ObjectLine] = []
    more: int = Field(default=0, description="objects that are not named here")


def of_many(diffs: list[PlanDiff]) -> PlanDiff:
    """Return the diffs of many targets as one: each object says on which cluster it is."""
    unknown = [f"{diff.cluster}: {diff.message}" for diff in diffs if not diff.known]
    return PlanDiff(
        cluster=", ".join(diff.cluster for diff in diffs),
        namespace=diffs[0].namespace,
        objects=[one.model_copy(update={"cluster": diff.cluster}) for diff in diffs for one in diff.objects],
        unchanged=sum(diff.unchanged for diff in diffs),
        known=not unknown,
        message=" ".join(unknown),
    )


def facts_of(diff: PlanDiff) -> PlanDiffFacts:
    """Return a diff in numbers."""
    count = {change: sum(one.change == change for one in diff.objects) for change in MARKS}
    return PlanDiffFacts(
        created=count["create"],
        changed=count["change"],
        deleted=count["delete"],
        refused=count["refused"],
        unchanged=diff.unchanged,
        sent=count["send"],
        fields=sum(len(one.fields) for one in diff.objects if one.change == "change"),
        kinds=sorted({one.kind for one in diff.objects if one.change not in ("refused", "send")}),
    )


def summary_of(diff: PlanDiff, digest: Digest | None) -> PlanDiffSummary:
    """Return a diff in short; `digest` names where the whole of it is."""
    lines = [
        ObjectLine(
            change=one.change,
            object=str(one),
            fields=len(one.fields),
            first=[_line(field) for field in one.fields[:FIRST_FIELDS]] if one.change in SHOWN else [],
            message=one.message[:200],
        )
        for one in diff.objects[:FIRST_OBJECTS]
    ]
    return PlanDiffSummary(
        digest=digest,
        known=diff.known,
        message=diff.message,
        facts=facts_of(diff),
        objects=lines,
        more=max(0, len(diff.objects) - FIRST_OBJECTS),
    )


def _line(field: FieldDiff) -> FieldLine:
    text = field_text(field, longest=SHORT) if not field.lines else f"{len(field.lines)} lines of a text"
    return FieldLine(change=field.change, field=field.field, text=text)


def field_text(field: FieldDiff, *, longest: int | None = None) -> str:
    """Return what a field was and is, each side with at most so many characters."""
    was, now = (_value(side, longest) for side in (field.was, field.now))
    return {"added": now, "removed": was, "changed": f"{was} -> {now}"}[field.change]


def _value(value: Any, longest: int | None) -> str:
    """Return a value; a text in quotes where it would read like something else."""
    text = value if isinstance(value, str) and not _reads_otherwise(value) else json.dumps(value)
    if longest is None or len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters)"


def _reads_otherwise(text: str) -> bool:
    if not text or text != text.strip():
        return True
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def moved(before: PlanDiff, now: PlanDiff) -> list[str]:
    """Name each object whose part differs, with the first fields of it that do."""
    then = {(one.cluster, one.api_version, one.kind, one.name): one for one in before.objects}
    here = {(one.cluster, one.api_version, one.kind, one.name): one for one in now.objects}
    return [
        _moved(then.get(key), here.get(key))
        for key in dict.fromkeys([*then, *here])
        if then.get(key) != here.get(key)
    ]


def _moved(was: ObjectDiff | None, now: ObjectDiff | None) -> str:
    if now is None:
        return f"{was} (is as wanted already)"
    if was is None or was.change != now.change:
        return f"{now} ({_WORDS[now.change]})"
    old, new = ({one.field: one for one in side.fields} for side in (was, now))
    differing = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    more = f" and {len(differing) - FIRST_FIELDS} more" if len(differing) > FIRST_FIELDS else ""
    return f"{now} ({', '.join(differing[:FIRST_FIELDS])}{more})" if differing else str(now)


_WORDS = {
    "create": "would be created now",
    "change": "would be changed now",
    "delete": "would be deleted now",
    "refused": "would be refused now",
    "send": "would be sent now",
}
