"""Parses the subset of PromQL that the sandbox speaks. What it does not know is an error, never a guess."""

import re

from holdpoint.sandbox.prom.cursor import Cursor, number_of
from holdpoint.sandbox.prom.lexer import Token, bad, milliseconds, unquoted
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
        operator = token.text.lower()
        self.index += 1
        as_bool = self.take("bool") is not None
        if as_bool and operator not in COMPARISONS:
            raise bad(self.query, token.position, "bool modifier can only be used on comparison operators")
        matching = self._matching()
        right = self._expression(precedence + 1)
        for side in (left, right):
            self._instant(side, token)
        scalars = is_scalar(left), is_scalar(right)
        if operator in COMPARISONS and all(scalars) and not as_bool:
            raise bad(self.query, token.position, "comparisons between scalars must use BOOL modifier")
        if operator in SETS and any(scalars):
            raise bad(
                self.query,
                token.position,
                f'set operator "{operator}" not allowed in binary scalar expression',
            )
        if matching != Matching() and any(scalars):
            raise bad(self.query, token.position, "vector matching only allowed between instant vectors")
        return Binary(operator, left, right, as_bool, matching)

    def _matching(self) -> Matching:
        token = self.take("on", "ignoring")
        matching = Matching(token.text.lower() == "on", self.label_list()) if token else Matching()
        if self.now.text.lower() in ("group_left", "group_right"):
            raise self.unexpected(": many-to-one matching is outside of the sandbox's subset")
        return matching

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise bad(self.query, self.now.position, "the expression is nested too deeply for the sandbox")
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
            return Binary("^", self._instant(left, token), self._instant(self._unary(), token))
        return left

    def _postfix(self) -> Node:
        node = self._primary()
        if opening := self.take("["):
            if not isinstance(node, Selector) or node.range_ms is not None:
                raise bad(self.query, opening.position, "ranges only allowed for vector selectors")
            node = Selector(node.matchers, self._range(), node.offset_ms)
        if token := self.take("offset"):
            if not isinstance(node, Selector):
                raise bad(
                    self.query,
                    token.position,
                    "offset modifier must be preceded by an instant vector selector or range vector selector",
                )
            sign = -1 if self.take("-") else 1
            node = Selector(node.matchers, node.range_ms, sign * self.duration())
        if self.now.text in ("[", "@"):
            raise self.unexpected(": outside of the sandbox's subset")
        return node

    def _range(self) -> int:
        length = self.duration()
        if self.now.text == ":":
            raise self.unexpected(": subqueries are outside of the sandbox's subset")
        self.expect("]")
        if length <= 0:
            raise bad(self.query, self.now.position, "duration must be greater than 0")
        return length

    def _primary(self) -> Node:
        token = self.now
        if token.kind == "number" or (token.kind == "name" and token.text.lower() in ("inf", "nan")):
            self.index += 1
            return Number(number_of(token.text))
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
        argument = self._expression(1)
        self.expect(")")
        grouping = grouping or self._grouping() or (False, ())
        if is_scalar(argument) or is_range(argument):
            message = f"expected type instant vector in aggregation expression, got {type_of(argument)}"
            raise bad(self.query, token.position, message)
        return Aggregate(token.text.lower(), argument, grouping[1], grouping[0])

    def _grouping(self) -> tuple[bool, tuple[str, ...]] | None:
        token = self.take("by", "without")
        return (token.text.lower() == "without", self.label_list()) if token else None

    def _call(self, name: Token) -> Node:
        if name.text not in FUNCTIONS:
            known = (
                "unknown function"
                if name.text not in ELSEWHERE
                else "function outside of the sandbox's subset"
            )
            raise bad(self.query, name.position, f'{known} with name "{name.text}"')
        self.expect("(")
        arguments: list[Node] = []
        while not self.take(")"):
            arguments.append(self._expression(1))
            if not self.take(",") and self.now.text != ")":
                raise self.unexpected(' in function call, expected "," or ")"')
        self._check_arguments(name, arguments)
        return Call(name.text, tuple(arguments))

    def _check_arguments(self, name: Token, arguments: list[Node]) -> None:
        expected = {"histogram_quantile": ["scalar", "instant vector"], "vector": ["scalar"]}.get(
            name.text, ["range vector"]
        )
        if len(arguments) != len(expected):
            message = f'expected {len(expected)} argument(s) in call to "{name.text}", got {len(arguments)}'
            raise bad(self.query, name.position, message)
        for argument, wanted in zip(arguments, expected, strict=True):
            if type_of(argument) != wanted:
                message = f'expected type {wanted} in call to function "{name.text}", got {type_of(argument)}'
                raise bad(self.query, name.position, message)

    def _selector(self, name: str) -> Selector:
        start = self.now.position
        matchers = [Matcher("__name__", "=", name)] if name else []
        if self.take("{"):
            while not self.take("}"):
                matchers.append(self._matcher())
                if not self.take(",") and self.now.text != "}":
                    raise self.unexpected(' in label matching, expected "," or "}"')
        if not any(_demands(matcher) for matcher in matchers):
            raise bad(self.query, start, "vector selector must contain at least one non-empty matcher")
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
        text = unquoted(value.text)
        if operator.text in ("=~", "!~"):
            self._check_pattern(text, value)
        return Matcher(label.text, operator.text, text)

    def _check_pattern(self, pattern: str, token: Token) -> None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise bad(self.query, token.position, f"error parsing regexp: {error}") from error
        if re.search(r"\(\?(=|!|<=|<!|P=|\()|\\[1-9]", pattern):
            raise bad(self.query, token.position, "error parsing regexp: not of RE2's syntax")

    def _instant(self, node: Node, token: Token) -> Node:
        if is_range(node):
            raise bad(
                self.query,
                token.position,
                "binary expression must contain only scalar and instant vector types",
            )
        return node


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
