"""Read a change file: bytes in, a `Change` out, or every mistake at once with its line and column.

Whatever the bytes are, the answer is one of the two: a file is a stranger's, so it may never cause another
error, nor take more than a moment.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import rfc8785
import yaml
from pydantic import ValidationError

from holdpoint.models.analysis import check_judges
from holdpoint.models.change import (
    STEP_KINDS,
    Change,
    check_has_objects,
    check_judged,
    check_many,
    check_one_kind,
    check_one_place,
)
from holdpoint.models.checks import CHECK_KINDS, CheckSpec, check_check_names, check_one_check_kind
from holdpoint.models.errors import InvalidChange
from holdpoint.models.git_steps import (
    ControllerWait,
    GitCommitConfig,
    check_changes_files,
    check_one_reporter,
)
from holdpoint.models.object_steps import JobConfig, check_way_back
from holdpoint.models.source import FORMS, Source
from holdpoint.models.timed_steps import check_manual_names
from holdpoint.models.waves import check_one_way
from holdpoint.service.change_bounds import TooMuch, check_bounds, decode
from holdpoint.service.change_errors import mistakes_of, nearest
from holdpoint.service.change_mistakes import MOST_MISTAKES, Mistake, field_name
from holdpoint.service.change_nodes import Loc, compose, kind_of, locate, locate_whole, plain
from holdpoint.service.change_targets import Labels, cluster_places, wrong_selector


def read_change(
    text: bytes | str,
    *,
    environments: list[str] | None = None,
    clusters: list[str] | None = None,
    judges: list[str] | None = None,
    labels: Labels | None = None,
) -> Change:
    """Return the change that the file describes.

    The lists are the names that the settings know, `labels` are the clusters'; None leaves them unchecked.
    Raises InvalidChange, whose `detail["mistakes"]` lists {field, line, column, found, allowed, message} in
    file order.
    """
    try:
        source = decode(text)
        mistakes = check_bounds(source)
        root = compose(source)
        if root is None:
            raise TooMuch(_empty())
        value = plain(root, mistakes)
    except TooMuch as stop:
        raise _invalid([stop.mistake]) from stop
    change = _validated(value, root, mistakes)
    metrics = _get(value, "spec", "analysis", "metrics")
    names: list[tuple[Loc, str, list[str] | None]] = [
        (("metadata", "environment"), "environment", environments),
        *((loc, "cluster", clusters) for loc in cluster_places(value)),
    ]
    for index in range(len(metrics) if isinstance(metrics, list) else 0):
        names.append((("spec", "analysis", "metrics", index, "source", "webhook"), "judge", judges))
    for loc, kind, known in names:
        if known is not None:
            mistakes.extend(_unknown_name(root, value, loc, kind, known))
    if change is not None and labels is not None:
        mistakes.extend(wrong_selector(root, change, labels))
    mistakes.extend(_foreign_paths(root, value))
    if change is None or mistakes:
        raise _invalid(mistakes)
    return change


def canonical(change: Change) -> bytes:
    """Return the RFC 8785 form of the change: two files that say the same have the same bytes."""
    return rfc8785.dumps(change.model_dump(mode="json", exclude_none=True))


def content_digest(change: Change) -> str:
    """Return `sha256:<hex>` of the canonical form."""
    return "sha256:" + hashlib.sha256(canonical(change)).hexdigest()


def _validated(value: Any, root: yaml.Node, mistakes: list[Mistake]) -> Change | None:
    """Return the change, or None after adding what is wrong with it."""
    try:
        return Change.model_validate(value, strict=True, context={"written": True})
    except ValidationError as error:
        mistakes.extend(mistakes_of(error, root))
        said = {mistake.field for mistake in mistakes}
        for mistake in _rules_between_fields(value, root):
            if mistake.field not in said:
                mistakes.append(mistake)
        return None


def _rules_between_fields(value: Any, root: yaml.Node) -> Iterator[Mistake]:
    """Yield what breaks a rule between fields: the models ask only when every single field is right."""
    spec = _get(value, "spec")
    steps = _get(spec, "plan", "steps")
    steps = [step if isinstance(step, dict) else {} for step in steps] if isinstance(steps, list) else []
    for index, step in enumerate(steps):
        # An unknown field beside is most likely the kind, misspelt, and named as such already.
        if set(step) <= {"name", *STEP_KINDS}:
            given = [kind for kind in STEP_KINDS if step.get(kind) is not None]
            yield from _broken(("spec", "plan", "steps", index), root, partial(check_one_kind, given))
        job = step.get("job")
        if isinstance(job, dict) and set(job) <= set(JobConfig.model_fields):
            given = [field for field in ("undo", "cannotBeUndone") if job.get(field) not in (None, False)]
            at: Loc = ("spec", "plan", "steps", index, "job")
            yield from _broken(at, root, partial(check_way_back, given))
        yield from _broken_commit(("spec", "plan", "steps", index, "gitCommit"), root, step.get("gitCommit"))
    yield from _rules_of_checks(spec, root)
    names = [step.get("name") or "manual" for step in steps if step.get("manual") is not None]
    names = [name for name in names if isinstance(name, str)]
    yield from _broken(("spec", "plan"), root, partial(check_manual_names, names))
    source = _get(spec, "source")
    if isinstance(source, dict) and set(source) <= set(Source.model_fields):
        named = [form for form in FORMS if source.get(form) not in (None, [])]
        begun = [kind for step in steps for kind in step if kind in STEP_KINDS]
        yield from _broken(("spec",), root, partial(check_has_objects, named, begun or STEP_KINDS))
    if isinstance(spec, dict):
        given = [name for name in spec if spec[name] is not None]
        kinds = {kind for step in steps for kind in STEP_KINDS if step.get(kind) is not None}
        yield from _broken(("spec",), root, partial(check_judged, given, kinds=kinds))
        waves = _get(spec, "plan", "waves") is not None
        yield from _broken(("spec",), root, partial(check_one_place, given))
        yield from _broken(("spec",), root, partial(check_many, given, waves=waves, kinds=kinds))
    targets = _get(spec, "targets")
    if isinstance(targets, dict):
        yield from _broken(("spec", "targets"), root, partial(check_one_way, targets))
    analysis = _get(spec, "analysis")
    if isinstance(analysis, dict):
        # Of metrics that are wrong themselves nobody knows whether they would do.
        looks_at = partial(check_judges, list(analysis), critical=bool(analysis.get("metrics")))
        yield from _broken(("spec", "analysis"), root, looks_at)


def _rules_of_checks(spec: Any, root: yaml.Node) -> Iterator[Mistake]:
    """Yield what breaks a rule between the fields of a check, or between checks."""
    for where in ("prechecks", "postchecks"):
        listed = _get(spec, "plan", where)
        checks = [one if isinstance(one, dict) else {} for one in listed] if isinstance(listed, list) else []
        for index, check in enumerate(checks):
            if set(check) <= set(CheckSpec.model_fields):
                given = [kind for kind in CHECK_KINDS if check.get(kind) is not None]
                at: Loc = ("spec", "plan", where, index)
                yield from _broken(at, root, partial(check_one_check_kind, given))
        names = [check["name"] for check in checks if isinstance(check.get("name"), str)]
        yield from _broken(("spec", "plan", where), root, partial(check_check_names, names))


def _broken_commit(at: Loc, root: yaml.Node, commit: Any) -> Iterator[Mistake]:
    if not isinstance(commit, dict) or not set(commit) <= set(GitCommitConfig.model_fields):
        return
    given = [name for name in ("set", "files") if commit.get(name) not in (None, [])]
    yield from _broken(at, root, partial(check_changes_files, given))
    wait = commit.get("wait")
    if isinstance(wait, dict) and set(wait) <= set(ControllerWait.model_fields):
        given = [name for name in wait if wait[name] is not None]
        yield from _broken((*at, "wait"), root, partial(check_one_reporter, given))


def _broken(loc: Loc, root: yaml.Node, check: Callable[[], None]) -> Iterator[Mistake]:
    try:
        check()
    except ValueError as error:
        place = locate_whole(root, loc)
        name = field_name(loc)
        yield Mistake.at(
            place.mark,
            field=name,
            found=kind_of(place.node),
            allowed=str(error),
            message=f"Wrong value: {name}: {error}.",
        )


def _get(value: Any, *names: str | int) -> Any:
    for name in names:
        if isinstance(name, int) and isinstance(value, list):
            value = value[name]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _foreign_paths(root: yaml.Node, value: Any) -> Iterator[Mistake]:
    """Yield the paths of `apply` steps that the source does not have."""
    source, steps = _get(value, "spec", "source"), _get(value, "spec", "plan", "steps")
    paths = _get(source, "paths")
    known = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
    rendered = (_get(source, "kustomize"), _get(source, "helm", "chart"))
    known += [folder for folder in rendered if isinstance(folder, str)]
    if not known or not isinstance(steps, list):
        return
    allowed = ", ".join(known)
    for index, step in enumerate(steps):
        paths = _get(step, "apply", "paths")
        for at, path in enumerate(paths if isinstance(paths, list) else []):
            if not isinstance(path, str) or path in known:
                continue
            loc: Loc = ("spec", "plan", "steps", index, "apply", "paths", at)
            place, name = locate(root, loc), field_name(loc)
            yield Mistake.at(
                place.mark,
                field=name,
                found=kind_of(place.node),
                allowed=f"one of spec.source: {allowed}",
                message=f"Unknown path: {name} is {kind_of(place.node)}. Use one of spec.source: {allowed}.",
            )


def _unknown_name(root: yaml.Node, value: Any, loc: Loc, kind: str, known: list[str]) -> Iterator[Mistake]:
    given = _get(value, *loc)
    if not isinstance(given, str) or given in known:
        return
    near = nearest(given, known)
    allowed = ", ".join(known) or f"no {kind}; the settings name none"
    hint = f" Did you mean {near!r}?" if near else ""
    place = locate(root, loc)
    yield Mistake.at(
        place.mark,
        field=field_name(loc),
        found=kind_of(place.node),
        allowed=allowed,
        message=f"Unknown {kind}: {field_name(loc)} is {kind_of(place.node)}.{hint} "
        f"Add it to the settings or use one of: {allowed}.",
    )


def _empty() -> Mistake:
    return Mistake(
        field="",
        found="nothing",
        allowed="a mapping with apiVersion, kind, metadata, spec",
        message="The file is empty. It must hold one Change.",
    )


def _invalid(mistakes: list[Mistake]) -> InvalidChange:
    listed = sorted(set(mistakes), key=lambda one: (one.line, one.column, one.field))
    count = "1 mistake" if len(listed) == 1 else f"{len(listed)} mistakes"
    if len(listed) >= MOST_MISTAKES:
        count = f"{MOST_MISTAKES} mistakes or more"
    first = listed[0]
    message = f"The change file has {count}. Line {first.line}, column {first.column}: {first.message}"
    return InvalidChange(message, mistakes=[one.as_dict() for one in listed[:MOST_MISTAKES]])
