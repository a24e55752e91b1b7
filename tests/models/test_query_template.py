"""A template takes values where they cannot break out, and only where they make a difference."""

import re

import pytest

from holdpoint.models.query_template import Placeholder, check_counters, check_query, parts


def test_a_template_is_cut_at_its_placeholders() -> None:
    found = parts('lag{namespace="{{namespace}}",pod=~"{{ pods }}|x"}')

    assert [part for part in found if isinstance(part, Placeholder)] == [
        Placeholder("namespace", pattern=False),
        Placeholder("pods", pattern=True),
    ]
    assert "".join(part for part in found if isinstance(part, str)) == 'lag{namespace="",pod=~"|x"}'


@pytest.mark.parametrize(
    "query",
    [
        'lag{deployment="{{deployment}}"}',
        'sum(rate(done_total{pod=~"{{pods}}",le!="0.{1}"}[30s])) / 2  # a comment',
        'max({"queue.lag", deployment="{{deployment}}"}) > 0',
        "lag{a='x}', b=`{y`, deployment=\"{{deployment}}\"}",
    ],
)
def test_what_promql_is_made_of_is_taken(query: str) -> None:
    assert check_query(query) == query


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("up", "must hold {{deployment}} or {{pods}}", id="the same for both"),
        pytest.param("", "must be a query", id="empty"),
        pytest.param("x" * 2001, "at most 2000 characters", id="too long"),
        pytest.param("x{a={{deployment}}}", "in double quotes only", id="without quotes"),
        pytest.param("x{a='{{deployment}}'}", "in double quotes only", id="in single quotes"),
        pytest.param("x{a=`{{deployment}}`}", "in double quotes only", id="in raw quotes"),
        pytest.param('x{a="{{deployment}}"} # {{pods}}', "in double quotes only", id="in a comment"),
        pytest.param('x{a="{{image}}"}', "{{image}} is none of them", id="an unknown one"),
        pytest.param('x{a="{{}}"}', "{{}} is none of them", id="without a name"),
        pytest.param('x{a="{{deployment.__class__}}"}', "is none of them", id="an expression"),
        pytest.param('x{a="{{deployment"}', "around a placeholder only", id="open braces"),
        pytest.param('x{a="{{deployment}} }}"}', "around a placeholder only", id="braces too many"),
        pytest.param('x{a="{{pods}}"}', "as a pattern", id="pods that are no pattern"),
        pytest.param('x{a="{{deployment}}}', 'a " stays open', id="an open quote"),
        pytest.param('x{a="{{deployment}}"', "a '{' stays open", id="an open bracket"),
        pytest.param('x{a="{{deployment}}"}) or (up', "a ')' was not opened", id="brackets turned"),
        pytest.param('x{a="\\{{deployment}}"}', "no backslash before", id="an escape of the value"),
        pytest.param('x{a="{{deployment}}\u202e"}', "nobody sees", id="a turned direction"),
        pytest.param('x{a="{{deployment}}\n"}', "stays open", id="a line end in quotes"),
    ],
)
def test_what_could_break_out_is_refused_with_the_reason(query: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        check_query(query)


@pytest.mark.parametrize(
    "query",
    [
        'sum(jobs_total{d="{{deployment}}"})',
        'rate(jobs_total{d="{{deployment}}"}[5m])',
        'jobs_total{d="{{deployment}}"}[5m]',
        'jobs_total{d="{{deployment}}"} offset 5m',
        'jobs_total{d="{{deployment}}"} or up',
    ],
)
def test_counters_are_taken_as_they_are_only(query: str) -> None:
    with pytest.raises(ValueError, match="must be counters as they are"):
        check_counters(query)


def test_a_selector_of_counters_may_hold_patterns() -> None:
    check_counters('jobs_total{d="{{deployment}}", p=~"a{2}|{{pods}}"}')
