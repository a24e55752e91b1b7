"""Parses the subset of PromQL that the sandbox speaks. What it does not know is an error, never a guess."""

import re

from holdpoint.sandbox.prom.cursor import Cursor, number_of
from holdpoint.sandbox.prom.lexer import Token, milliseconds, unquoted
from holdpoint.sandbox.prom.series import NAME
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
from holdpoint.sandbox.prom.vocabulary import (
    AGGREGATIONS,
    ARGUMENTS,
    COMPARISONS,
    ELSEWHERE,
    FUNCTIONS,
    PRECEDENCE,
    SETS,
    is_range,
    is_scalar,
    type_of,
)

MAX_DEPTH = 50


def parse(query: str) -> Node:
    """Return the tree of a query; raises BadQuery."""
    if not query.strip():
        raise BadQuery(
            'invalid parameter "query": unknown position: parse error: no expression found in input'
        )
    return _Parser(query).whole()


class _Parser(Cursor):
    """A recursive descent over the tokens of one query."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression(1)
        if self.now.kind != "end":
            raise self.unexpected()
        return node

    def _expression(self, least: int) -> Node:
        left = self._unary()
        while (precedence := PRECEDENCE.get(self._operator(), 0)) >= least:
            left = self._binary(left, precedence)
        return left

    def _operator(self) -> str:
        token = self.now
        return token.text.lower() if token.kind in ("symbol", "name") else ""

    def _binary(self, left: Node, precedence: int) -> Node:
        token = self.now
        self.index += 1
        as_bool = self.take("bool") is not None
        if as_bool and token.text not in COMPARISONS:
            raise self.refused(token, "bool modifier can only be used on comparison operators")
        matching = self._matching()
        right = self._expression(precedence + 1)
        return self._checked(token, Binary(token.text.lower(), left, right, as_bool, matching))

    def _checked(self, token: Token, node: Binary) -> Node:
        """Return a binary expression whose sides fit its operator; raises BadQuery."""
        for side in (node.left, node.right):
            self._instant(side, token)
        scalars = is_scalar(node.left), is_scalar(node.right)
        if node.operator in COMPARISONS and all(scalars) and not node.as_bool:
            raise self.refused(token, "comparisons between scalars must use BOOL modifier")
        if node.operator in SETS and any(scalars):
            message = f'set operator "{node.operator}" not allowed in binary scalar expression'
            raise self.refused(token, message)
        if node.matching != Matching() and any(scalars):
            raise self.refused(token, "vector matching only allowed between instant vectors")
        return node

    def _matching(self) -> Matching:
        token = self.take("on", "ignoring")
        matching = Matching(token.text.lower() == "on", self.label_list()) if token else Matching()
        if self.now.text.lower() in ("group_left", "group_right"):
            raise self.unexpected(": many-to-one matching is outside of the sandbox's subset")
        return matching

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.refused(self.now, "the expression is nested too deeply for the sandbox")
        node = self._signed()
        self._depth -= 1
        return node

    def _signed(self) -> Node:
        """Read what binds closer than a product: signs, then the power, which is read from the right."""
        if token := self.take("+", "-"):
            argument = self._instant(self._unary(), token)
            return Negative(argument) if token.text == "-" else argument
        left = self._postfix()
        if token := self.take("^"):
            matching = self._matching()
            return self._checked(token, Binary("^", left, self._unary(), matching=matching))
        return left

    def _postfix(self) -> Node:
        node = self._primary()
        if opening := self.take("["):
            if not isinstance(node, Selector) or node.range_ms is not None:
                raise self.refused(opening, "ranges only allowed for vector selectors")
            node = Selector(node.matchers, self._range(), node.offset_ms)
        if token := self.take("offset"):
            if not isinstance(node, Selector):
                raise self.refused(
                    token,
                    "offset modifier must be preceded by an instant vector selector or range vector selector",
                )
            sign = -1 if self.take("-") else 1
            node = Selector(node.matchers, node.range_ms, sign * self.duration())
        if self.now.text in ("[", "@"):
            raise self.unexpected(": outside of the sandbox's subset")
        return node

    def _range(self) -> int:
        start = self.now
        length = self.duration()
        if self.now.text.startswith(":"):
            raise self.unexpected(": subqueries are outside of the sandbox's subset")
        self.expect("]")
        if length <= 0:
            raise self.refused(start, "duration must be greater than 0")
        return length

    def _primary(self) -> Node:
        token = self.now
        if token.kind == "number" or (token.kind == "name" and token.text.lower() in ("inf", "nan")):
            self.index += 1
            return Number(self.read(token, number_of))
        if token.kind == "duration":  # since Prometheus 3 a duration is a number of seconds
            self.index += 1
            return Number(milliseconds(token.text) / 1000)
        if self.take("("):
            node = self._expression(1)
            self.expect(")")
            return node
        if token.text == "{":
            return self._selector("")
        if token.kind == "name":
            return self._named()
        raise self.unexpected()

    def _named(self) -> Node:
        token = self.now
        after = self.tokens[self.index + 1].text.lower()
        if token.text.lower() in AGGREGATIONS and after in ("(", "by", "without"):
            return self._aggregate()
        self.index += 1
        if after == "(":
            return self._call(token)
        return self._selector(token.text)

    def _aggregate(self) -> Node:
        token = self.now
        self.index += 1
        grouping = self._grouping()
        self.expect("(")
        start = self.now
        argument = self._expression(1)
        self.expect(")")
        grouping = grouping or self._grouping() or (False, ())
        if (found := type_of(argument)) != "instant vector":
            message = f"expected type instant vector in aggregation expression, got {found}"
            raise self.refused(start, message)
        return Aggregate(token.text.lower(), argument, grouping[1], grouping[0])

    def _grouping(self) -> tuple[bool, tuple[str, ...]] | None:
        token = self.take("by", "without")
        return (token.text.lower() == "without", self.label_list()) if token else None

    def _call(self, name: Token) -> Node:
        if name.text not in FUNCTIONS:
            outside = name.text in ELSEWHERE
            known = "function outside of the sandbox's subset" if outside else "unknown function"
            raise self.refused(name, f'{known} with name "{name.text}"')
        self.expect("(")
        arguments: list[tuple[Token, Node]] = []
        while not self.take(")"):
            arguments.append((self.now, self._expression(1)))
            if not self.take(",") and self.now.text != ")":
                raise self.unexpected(' in function call, expected "," or ")"')
        self._check_arguments(name, arguments)
        return Call(name.text, tuple(argument for _, argument in arguments))

    def _check_arguments(self, name: Token, arguments: list[tuple[Token, Node]]) -> None:
        expected = ARGUMENTS[name.text]
        if len(arguments) != len(expected):
            message = f'expected {len(expected)} argument(s) in call to "{name.text}", got {len(arguments)}'
            raise self.refused(name, message)
        for (start, argument), wanted in zip(arguments, expected, strict=True):
            if (found := type_of(argument)) != wanted:
                message = f'expected type {wanted} in call to function "{name.text}", got {found}'
                raise self.refused(start, message)

    def _selector(self, name: str) -> Selector:
        start = self.now
        matchers = [Matcher(NAME, "=", name)] if name else []
        if self.take("{"):
            while not self.take("}"):
                matchers.append(self._matcher())
                if not self.take(",") and self.now.text != "}":
                    raise self.unexpected(' in label matching, expected "," or "}"')
        if sum(matcher.label == NAME for matcher in matchers) > 1 and name:
            raise self.refused(
                start, f'metric name must not be set twice: "{name}" or "{matchers[-1].value}"'
            )
        if not any(_demands(matcher) for matcher in matchers):
            raise self.refused(start, "vector selector must contain at least one non-empty matcher")
        return Selector(tuple(matchers))

    def _matcher(self) -> Matcher:
        label = self.now
        if label.kind != "name":
            raise self.unexpected(" in label matching, expected label name")
        self.index += 1
        operator = self.take("=", "!=", "=~", "!~")
        if operator is None:
            raise self.unexpected(" in label matching, expected label matching operator")
        value = self.now
        if value.kind != "string":
            raise self.unexpected(" in label matching, expected string")
        self.index += 1
        text = self.read(value, unquoted)
        if operator.text in ("=~", "!~"):
            self.read(value, lambda _: _check_pattern(text))
        return Matcher(label.text, operator.text, text)

    def _instant(self, node: Node, token: Token) -> Node:
        if is_range(node):
            message = "binary expression must contain only scalar and instant vector types"
            raise self.refused(token, message)
        return node


def _check_pattern(pattern: str) -> None:
    """Raise ValueError for what is no regular expression, or none of RE2, which Prometheus uses."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"error parsing regexp: {error}") from error
    if re.search(r"\(\?(=|!|<=|<!|P=|\()|\\[1-9]", pattern):
        raise ValueError("error parsing regexp: not of RE2's syntax")


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
