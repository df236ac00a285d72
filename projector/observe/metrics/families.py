"""The metrics of the state: each with what it says, and where it is found in a status."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from projector.observe.status.read import COUNTED_CHANGES, Run, Status

Sample = tuple[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class State:
    """What was read: the status, and how many items a verify ever found to differ."""

    status: Status
    found_differences: int


@dataclass(frozen=True, slots=True)
class Family:
    """A metric of the state: its samples have a value for each of its labels. Without samples it is not known."""

    name: str
    help: str
    read: Callable[[State], Iterable[Sample]]
    labels: tuple[str, ...] = ()
    is_counter: bool = False


def _one(value: float | None) -> list[Sample]:
    return [] if value is None else [((), value)]


def _each(states: tuple[str, ...], present: str) -> list[Sample]:
    return [((state,), float(state == present)) for state in states]


def _lag(state: State) -> list[Sample]:
    return _one(state.status.queue.lag or 0.0)


def _age(state: State) -> list[Sample]:
    projection = state.status.projection
    return _one(None if projection is None else projection.as_of_age)


def _dead_letters(state: State) -> list[Sample]:
    letters = state.status.dead_letters
    return _one(letters[0].total if letters else 0)


def _capture(state: State) -> list[Sample]:
    return _each(("intact", "gap", "off", "not installed"), state.status.capture_state)


def _rebuild(state: State) -> list[Sample]:
    return _each(("none", "running", "interrupted"), state.status.rebuild_state)


def _rebuild_done(state: State) -> list[Sample]:
    """A first build has no total: it shows all leads at its end."""
    run = state.status.rebuild_run
    if run is None or not run.leads_total:
        return []
    return _one(min(run.leads / run.leads_total, 1.0))


def _built_at(state: State) -> list[Sample]:
    projection = state.status.projection
    return _one(
        None if projection is None or projection.built_at is None else projection.built_at.timestamp()
    )


def _proved_at(state: State) -> list[Sample]:
    proved = state.status.verification.proved
    return _one(None if proved is None else proved.finished_at.timestamp())


def _round_done(state: State) -> list[Sample]:
    present = state.status.verification.present
    return _one(None if present is None else present.done)


def _left_out(state: State) -> list[Sample]:
    present, proved = state.status.verification.present, state.status.verification.proved
    if present is not None:
        return _one(present.left_out)
    return _one(None if proved is None else proved.left_out)


def _runs(value: Callable[[Run], float | None]) -> Callable[[State], list[Sample]]:
    def read(state: State) -> list[Sample]:
        found = ((run.kind, value(run)) for run in state.status.runs)
        return [((kind,), number) for kind, number in found if number is not None]

    return read


FAMILIES = (
    Family("leads_projector_data_age_seconds", "Age of the read model, by the clock of the database.", _age),
    Family("leads_projector_lag_seconds", "Age of the oldest change that waits; 0 while none does.", _lag),
    Family(
        "leads_projector_queue_changes",
        f"Changes that wait, counted up to {COUNTED_CHANGES}.",
        lambda state: _one(state.status.queue.changes),
    ),
    Family("leads_projector_dead_letters", "Keys that are set aside with an error.", _dead_letters),
    Family(
        "leads_projector_capture_state",
        "Whether the triggers capture changes: 1 for the state that it is in.",
        _capture,
        ("state",),
    ),
    Family(
        "leads_projector_rebuild_state",
        "Whether a rebuild runs: 1 for the state that it is in.",
        _rebuild,
        ("state",),
    ),
    Family(
        "leads_projector_rebuild_done_ratio",
        "Part of the present rebuild that is done; absent while there is none.",
        _rebuild_done,
    ),
    Family("leads_projector_built_timestamp_seconds", "When the last complete build ended.", _built_at),
    Family(
        "leads_projector_last_run_timestamp_seconds",
        "When the last run of a kind began.",
        _runs(lambda run: run.started_at.timestamp()),
        ("kind",),
    ),
    Family(
        "leads_projector_last_run_duration_seconds",
        "How long the last run of a kind took, or has taken so far.",
        _runs(lambda run: run.seconds),
        ("kind",),
    ),
    Family(
        "leads_projector_last_run_failed",
        "1 where the last run of a kind has failed.",
        _runs(lambda run: float(run.outcome == "failed")),
        ("kind",),
    ),
    Family(
        "leads_verify_proved_timestamp_seconds",
        "When everything was compared with the source last.",
        _proved_at,
    ),
    Family("leads_verify_round_done_ratio", "Part of the present round of the verify.", _round_done),
    Family(
        "leads_verify_left_out",
        "Leads and keys that the present round, or else the last, left out because a change waits.",
        _left_out,
    ),
    Family(
        "leads_verify_open_differences",
        "Leads, keys and statistics that differ from the source.",
        lambda state: _one(state.status.verification.drift_total),
    ),
    Family(
        "leads_verify_found_differences",
        "Leads, keys and statistics that a verify found to differ.",
        lambda state: _one(state.found_differences),
        is_counter=True,
    ),
)
"""All metrics of the state. Those of the verify have the names that the API gives them too."""


def as_metric(family: Family, state: State) -> Metric:
    """Return a metric as Prometheus takes it."""
    kind = CounterMetricFamily if family.is_counter else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for labels, value in family.read(state):
        metric.add_metric(labels, value)
    return metric
