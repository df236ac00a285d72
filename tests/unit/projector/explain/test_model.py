"""What an explanation says of itself."""

import pytest

from projector.operate.explain.model import DRIFT, WAITING, Explanation


@pytest.mark.parametrize(
    ("exists", "in_read_model", "is_there"),
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
)
def test_a_lead_is_there_if_the_source_or_the_read_model_has_it(
    exists: bool,  # noqa: FBT001  # A parameter of the test.
    in_read_model: bool,  # noqa: FBT001  # As before.
    is_there: bool,  # noqa: FBT001  # As before.
) -> None:
    assert Explanation("u", "1", "1", exists=exists, in_read_model=in_read_model).is_there is is_there


def test_only_drift_is_drift() -> None:
    for state in (DRIFT, WAITING):
        found = Explanation("u", "1", "1", exists=True, in_read_model=True, state=state)
        assert found.has_drifted is (state == DRIFT)
