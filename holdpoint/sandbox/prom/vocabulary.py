"""The words of the subset, and the types of what they make."""

from holdpoint.sandbox.prom.syntax import Binary, Negative, Node, Number, Selector

AGGREGATIONS = ("sum", "avg", "max", "min", "count")
ARGUMENTS = {
    "rate": ("range vector",),
    "increase": ("range vector",),
    "irate": ("range vector",),
    "histogram_quantile": ("scalar", "instant vector"),
    "vector": ("scalar",),
}
"""The functions of the subset, with the types of what they take."""

FUNCTIONS = tuple(ARGUMENTS)
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
SETS = ("and", "or", "unless")
PRECEDENCE = {
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

ELSEWHERE = frozenset(
    """
    bottomk count_values group limitk limit_ratio quantile stddev stdvar topk
    abs absent absent_over_time avg_over_time ceil changes clamp clamp_max clamp_min count_over_time
    day_of_month day_of_week delta deriv exp floor histogram_avg histogram_count histogram_fraction
    histogram_sum hour idelta label_join label_replace last_over_time ln log10 log2 max_over_time
    min_over_time minute month predict_linear quantile_over_time resets round scalar sgn sort
    sort_desc sqrt stddev_over_time sum_over_time time timestamp year
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
