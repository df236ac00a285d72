"""The metrics that an expression of Prometheus reads."""

import re

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS = re.compile(r"\{[^}]*\}")
_RANGE = re.compile(r"\[[^]]*\]")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*(?:\([^)]*\))?")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_WORDS = {
    "absent", "and", "bool", "count", "histogram_quantile", "increase", "max", "min", "min_over_time", "offset", "or",
    "rate", "sum", "time", "unless", "vector",
}  # fmt: skip


def metrics_in(expression: str) -> set[str]:
    """The names in an expression that are no functions, no labels and no values."""
    text = _STRING.sub("", expression)
    for pattern in (_MATCHERS, _RANGE, _GROUPING):
        text = pattern.sub(" ", text)
    return set(_NAME.findall(re.sub(r"\b\d[\d.]*(?:e[+-]?\d+)?[smhdw]?\b", " ", text))) - _WORDS
