"""Parses the subset of PromQL that the sandbox speaks. What it does not know is an error, never a guess."""

import math
import re

from holdpoint.sandbox.prom.lexer import Token, bad, milliseconds, tokens, unquoted
from holdpoint.sandbox.prom.syntax import (
    Aggregate,
    BadQuery,
    Binary,
    Call,
    Matcher,
    Matching,
    Negative,
    Node,
    Number,
    Selector,
)

AGGREGATIONS = ("sum", "avg", "max", "min", "count")
RANGE_FUNCTIONS = ("rate", "increase", "irate")
FUNCTIONS = (*RANGE_FUNCTIONS, "histogram_quantile", "vector")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
SETS = ("and", "or", "unless")
_PRECEDENCE = {
    "or": 1,
    "and": 2,
    "unless": 2,
    **dict.fromkeys(COMPARISONS, 3),
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
}
_POWER = 6
MAX_DEPTH = 50


def parse(query: str) -> Node:
    """Return the tree of a query; raises BadQuery."""
    if not query.strip():
        raise BadQuery(
            'invalid parameter "query": unknown position: parse error: no expression found in input'
        )
    return _Parser(query).whole()


class _Parser:
    """A recursive descent over the tokens of one query."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._tokens = tokens(query)
        self._index = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression(1)
        if self._now.kind != "end":
            raise self._unexpected()
        if isinstance(node, Selector) and node.range_ms is not None:
            return node
        return node

    @property
    def _now(self) -> Token:
        return self._tokens[self._index]

    def _take(self, *texts: str) -> Token | None:
        """Take the next token if it is one of these symbols or keywords."""
        token = self._now
        if token.kind in ("symbol", "name") and token.text.lower() in texts:
            self._index += 1
            return token
        return None

    def _expect(self, text: str) -> Token:
        token = self._take(text)
        if token is None:
            raise self._unexpected(f', expected "{text}"')
        return token

    def _unexpected(self, more: str = "") -> BadQuery:
        token = self._now
        shown = f'"{token.text}"' if token.text else "end of input"
        return bad(self._query, token.position, f"unexpected {shown}{more}")

    def _expression(self, least: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise bad(self._query, self._now.position, "the expression is nested too deeply for the sandbox")
        left = self._unary()
        while (precedence := _PRECEDENCE.get(self._operator(), 0)) >= least:
            left = self._binary(left, precedence)
        self._depth -= 1
        return left

    def _operator(self) -> str:
        token = self._now
        return token.text.lower() if token.kind in ("symbol", "name") else ""

    def _binary(self, left: Node, precedence: int) -> Node:
        token = self._now
        operator = token.text.lower()
        self._index += 1
        as_bool = self._take("bool") is not None
        if as_bool and operator not in COMPARISONS:
            raise bad(self._query, token.position, "bool modifier can only be used on comparison operators")
        matching = self._matching()
        right = self._expression(precedence + 1)
        for side in (left, right):
            self._instant(side, token)
        scalars = is_scalar(left), is_scalar(right)
        if operator in COMPARISONS and all(scalars) and not as_bool:
            raise bad(self._query, token.position, "comparisons between scalars must use BOOL modifier")
        if operator in SETS and any(scalars):
            raise bad(
                self._query,
                token.position,
                f'set operator "{operator}" not allowed in binary scalar expression',
            )
        if matching != Matching() and any(scalars):
            raise bad(self._query, token.position, "vector matching only allowed between instant vectors")
        return Binary(operator, left, right, as_bool, matching)

    def _matching(self) -> Matching:
        token = self._take("on", "ignoring")
        matching = Matching(token.text.lower() == "on", self._label_list()) if token else Matching()
        if self._now.text.lower() in ("group_left", "group_right"):
            raise self._unexpected(": many-to-one matching is outside of the sandbox's subset")
        return matching

    def _unary(self) -> Node:
        if self._take("+"):
            return self._instant(self._unary(), self._now)
        if token := self._take("-"):
            return Negative(self._instant(self._unary(), token))
        left = self._postfix()
        if token := self._take("^"):
            return Binary("^", self._instant(left, token), self._instant(self._unary(), token))
        return left

    def _postfix(self) -> Node:
        node = self._primary()
        if opening := self._take("["):
            if not isinstance(node, Selector) or node.range_ms is not None:
                raise bad(self._query, opening.position, "ranges only allowed for vector selectors")
            node = Selector(node.matchers, self._range(), node.offset_ms)
        if token := self._take("offset"):
            if not isinstance(node, Selector):
                raise bad(
                    self._query,
                    token.position,
                    "offset modifier must be preceded by an instant vector selector or range vector selector",
                )
            sign = -1 if self._take("-") else 1
            node = Selector(node.matchers, node.range_ms, sign * self._duration())
        if self._now.text in ("[", "@"):
            raise self._unexpected(": outside of the sandbox's subset")
        return node

    def _range(self) -> int:
        length = self._duration()
        if self._now.text == ":":
            raise self._unexpected(": subqueries are outside of the sandbox's subset")
        self._expect("]")
        if length <= 0:
            raise bad(self._query, self._now.position, "duration must be greater than 0")
        return length

    def _duration(self) -> int:
        token = self._now
        if token.kind not in ("duration", "number"):
            raise self._unexpected(", expected duration")
        self._index += 1
        return milliseconds(token.text) if token.kind == "duration" else int(_number(token.text) * 1000)

    def _primary(self) -> Node:
        token = self._now
        if token.kind == "number" or (token.kind == "name" and token.text.lower() in ("inf", "nan")):
            self._index += 1
            return Number(_number(token.text))
        if token.kind == "duration":  # since Prometheus 3 a duration is a number of seconds
            self._index += 1
            return Number(milliseconds(token.text) / 1000)
        if self._take("("):
            node = self._expression(1)
            self._expect(")")
            return node
        if token.text == "{":
            return self._selector("")
        if token.kind == "name":
            return self._named()
        raise self._unexpected()

    def _named(self) -> Node:
        token = self._now
        after = self._tokens[self._index + 1].text.lower()
        if token.text.lower() in AGGREGATIONS and after in ("(", "by", "without"):
            return self._aggregate()
        self._index += 1
        if after == "(":
            return self._call(token)
        return self._selector(token.text)

    def _aggregate(self) -> Node:
        token = self._now
        self._index += 1
        grouping = self._grouping()
        self._expect("(")
        argument = self._expression(1)
        self._expect(")")
        grouping = grouping or self._grouping() or (False, ())
        if is_scalar(argument) or is_range(argument):
            message = f"expected type instant vector in aggregation expression, got {type_of(argument)}"
            raise bad(self._query, token.position, message)
        return Aggregate(token.text.lower(), argument, grouping[1], grouping[0])

    def _grouping(self) -> tuple[bool, tuple[str, ...]] | None:
        token = self._take("by", "without")
        return (token.text.lower() == "without", self._label_list()) if token else None

    def _label_list(self) -> tuple[str, ...]:
        self._expect("(")
        labels: list[str] = []
        while not self._take(")"):
            if self._now.kind != "name":
                raise self._unexpected(", expected label")
            labels.append(self._now.text)
            self._index += 1
            if not self._take(",") and self._now.text != ")":
                raise self._unexpected(' in grouping opts, expected "," or ")"')
        return tuple(labels)

    def _call(self, name: Token) -> Node:
        if name.text not in FUNCTIONS:
            known = (
                "unknown function"
                if name.text not in _ELSEWHERE
                else "function outside of the sandbox's subset"
            )
            raise bad(self._query, name.position, f'{known} with name "{name.text}"')
        self._expect("(")
        arguments: list[Node] = []
        while not self._take(")"):
            arguments.append(self._expression(1))
            if not self._take(",") and self._now.text != ")":
                raise self._unexpected(' in function call, expected "," or ")"')
        self._check_arguments(name, arguments)
        return Call(name.text, tuple(arguments))

    def _check_arguments(self, name: Token, arguments: list[Node]) -> None:
        expected = {"histogram_quantile": ["scalar", "instant vector"], "vector": ["scalar"]}.get(
            name.text, ["range vector"]
        )
        if len(arguments) != len(expected):
            message = f'expected {len(expected)} argument(s) in call to "{name.text}", got {len(arguments)}'
            raise bad(self._query, name.position, message)
        for argument, wanted in zip(arguments, expected, strict=True):
            if type_of(argument) != wanted:
                message = f'expected type {wanted} in call to function "{name.text}", got {type_of(argument)}'
                raise bad(self._query, name.position, message)

    def _selector(self, name: str) -> Selector:
        start = self._now.position
        matchers = [Matcher("__name__", "=", name)] if name else []
        if self._take("{"):
            while not self._take("}"):
                matchers.append(self._matcher())
                if not self._take(",") and self._now.text != "}":
                    raise self._unexpected(' in label matching, expected "," or "}"')
        if not any(_demands(matcher) for matcher in matchers):
            raise bad(self._query, start, "vector selector must contain at least one non-empty matcher")
        return Selector(tuple(matchers))

    def _matcher(self) -> Matcher:
        label = self._now
        if label.kind != "name":
            raise self._unexpected(" in label matching, expected label name")
        self._index += 1
        operator = self._take("=", "!=", "=~", "!~")
        if operator is None:
            raise self._unexpected(" in label matching, expected label matching operator")
        value = self._now
        if value.kind != "string":
            raise self._unexpected(" in label matching, expected string")
        self._index += 1
        text = unquoted(value.text)
        if operator.text in ("=~", "!~"):
            self._check_pattern(text, value)
        return Matcher(label.text, operator.text, text)

    def _check_pattern(self, pattern: str, token: Token) -> None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise bad(self._query, token.position, f"error parsing regexp: {error}") from error
        if re.search(r"\(\?(=|!|<=|<!|P=|\()|\\[1-9]", pattern):
            raise bad(self._query, token.position, "error parsing regexp: not of RE2's syntax")

    def _instant(self, node: Node, token: Token) -> Node:
        if is_range(node):
            raise bad(
                self._query,
                token.position,
                "binary expression must contain only scalar and instant vector types",
            )
        return node


_ELSEWHERE = frozenset(
    """
    abs absent absent_over_time avg_over_time ceil changes clamp clamp_max clamp_min count_over_time day_of_month
    day_of_week delta deriv exp floor histogram_avg histogram_count histogram_fraction histogram_sum hour idelta
    label_join label_replace last_over_time ln log10 log2 max_over_time min_over_time minute month predict_linear
    quantile_over_time resets round scalar sgn sort sort_desc sqrt stddev_over_time sum_over_time time timestamp
    year
    """.split()  # noqa: SIM905 - a list of fifty quoted words is harder to read
)
"""Functions of PromQL that the sandbox does not have, so that its error can say so."""


def is_range(node: Node) -> bool:
    """Tell whether a node gives a range vector."""
    return isinstance(node, Selector) and node.range_ms is not None


def is_scalar(node: Node) -> bool:
    """Tell whether a node gives a scalar."""
    match node:
        case Number():
            return True
        case Negative():
            return is_scalar(node.argument)
        case Binary():
            return is_scalar(node.left) and is_scalar(node.right)
    return False


def type_of(node: Node) -> str:
    """Return the type of a node, as Prometheus names it."""
    return "range vector" if is_range(node) else "scalar" if is_scalar(node) else "instant vector"


def _demands(matcher: Matcher) -> bool:
    """Tell whether a matcher refuses the empty string."""
    match matcher.operator:
        case "=":
            return matcher.value != ""
        case "!=":
            return matcher.value == ""
        case "=~":
            return not re.fullmatch(matcher.value, "")
    return bool(re.fullmatch(matcher.value, ""))


def _number(text: str) -> float:
    lowered = text.lower()
    if lowered in ("inf", "nan"):
        return math.inf if lowered == "inf" else math.nan
    return float(int(text, 16)) if lowered.startswith("0x") else float(text)
