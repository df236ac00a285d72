"""The reader of expressions sees every metric, and nothing else."""

from tests.monitoring.expressions import metrics_in


def test_the_metrics_of_an_expression() -> None:
    for expression, found in (
        ("max(a_b) > 60", {"a_b"}),
        ('sum by (le, x) (rate(a_bucket{route=~"/users/.*", b="c_d"}[5m])) or vector(0)', {"a_bucket"}),
        ('a * on(instance) group_left() b{program="x"}', {"a", "b"}),
        ("a unless on() max(b) == 1", {"a", "b"}),
        ("time() - max(a) > 2 * 86400", {"a"}),
        ("min_over_time(sum(a)[5m:30s]) > 0", {"a"}),
        ('label_of("x")', {"label_of"}),
    ):
        assert metrics_in(expression) == found, expression
