"""The metrics of the state: each from a status, without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from projector.observe.metrics.families import FAMILIES, State, as_metric
from projector.observe.status.read import ProvedRound, Queue, Rebuild, Run, Status, Verification

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def samples(name: str, status: Status) -> dict[tuple[str, ...], float]:
    [family] = [family for family in FAMILIES if family.name == name]
    return {
        tuple(sample.labels.values()): sample.value for sample in as_metric(family, State(status, 3)).samples
    }


def run(outcome: str, leads: int, total: int | None) -> Run:
    return Run("rebuild", NOW, None, 5.0, outcome, None, 0, leads, 0, total, None)


@pytest.mark.parametrize(
    ("leads", "total", "found"), [(25, 100, {(): 0.25}), (120, 100, {(): 1.0}), (0, None, {}), (0, 0, {})]
)
def test_how_far_a_rebuild_is(leads: int, total: int | None, found: dict[tuple[str, ...], float]) -> None:
    status = Status(runs=[run("running", leads, total)], rebuild=Rebuild(lock_held=True, is_planned=True))
    assert samples("leads_projector_rebuild_done_ratio", status) == found
    assert samples("leads_projector_rebuild_state", status)[("running",)] == 1


def test_a_rebuild_that_is_done_has_no_part_that_is_done() -> None:
    assert samples("leads_projector_rebuild_done_ratio", Status(runs=[run("done", 1, 2)])) == {}


def test_no_lag_is_0_and_an_age_that_is_not_known_is_absent() -> None:
    assert samples("leads_projector_lag_seconds", Status(queue=Queue(0, None))) == {(): 0}
    assert samples("leads_projector_lag_seconds", Status(queue=Queue(2, 1.5))) == {(): 1.5}
    assert samples("leads_projector_data_age_seconds", Status()) == {}


def test_what_a_verify_left_out_is_that_of_the_last_round_where_there_is_no_present_one() -> None:
    proved = ProvedRound(NOW - timedelta(hours=1), NOW, 10, 4, 0)
    assert samples("leads_verify_left_out", Status(verification=Verification(proved=proved))) == {(): 4}
    assert samples("leads_verify_left_out", Status()) == {}


def test_each_name_and_text_is_once_there() -> None:
    assert (
        len({family.name for family in FAMILIES})
        == len({family.help for family in FAMILIES})
        == len(FAMILIES)
    )
