"""What this process counts as it works. Every count is of this process alone: Prometheus adds them up."""

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from projector import __version__
from projector.core.batch import Batch
from projector.database.sql import PROJECTION_VERSION

REGISTRY = CollectorRegistry()
"""The metrics of this module, and those of the process."""

# The process: memory, processor time, open files.
ProcessCollector(registry=REGISTRY)

_BUILD = Gauge(
    "leads_build_info", "The program and its version; always 1.", ["program", "version"], registry=REGISTRY
)
_PROJECTION = Gauge(
    "leads_projector_projection_info",
    "The projection version of the program; always 1.",
    ["projection_version"],
    registry=REGISTRY,
)
_BATCH_SECONDS = Histogram(
    "leads_projector_batch_seconds",
    "Batches that took changes, and the time of each.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
_CHANGES = Counter(
    "leads_projector_changes", "Changes that batches have taken from the queue.", registry=REGISTRY
)
_ROWS = Counter(
    "leads_projector_refreshed_rows",
    "Leads that batches have recomputed, and message rows that they have written or deleted.",
    ["kind"],
    registry=REGISTRY,
)
# Prometheus itself has a label `job`, for what it scrapes.
_ERRORS = Counter(
    "leads_projector_job_errors", "Times that a job could not go on.", ["name"], registry=REGISTRY
)
_SUCCESS = Gauge(
    "leads_projector_job_last_success_timestamp_seconds",
    "When a job last ended without an error.",
    ["name"],
    registry=REGISTRY,
)

_BUILD.labels("projector", __version__).set(1)
_PROJECTION.labels(PROJECTION_VERSION).set(1)
_LEADS, _MESSAGES = _ROWS.labels("lead"), _ROWS.labels("message")


def expect_jobs(names: Iterable[str]) -> None:
    """Print a count of errors for each job from the start: no alert sees an increase from nothing to 1."""
    for name in names:
        _ERRORS.labels(name)


def note_batch(done: Batch, seconds: float) -> None:
    """Count a batch, which took so long, unless it found nothing to do."""
    if done.changes:
        _BATCH_SECONDS.observe(seconds)
        _CHANGES.inc(done.changes)
        _LEADS.inc(done.leads)
        _MESSAGES.inc(done.messages)


def note_success(job: str) -> None:
    """Note that a job has ended without an error."""
    _SUCCESS.labels(job).set(time.time())


def note_error(job: str) -> None:
    """Count that a job could not go on."""
    _ERRORS.labels(job).inc()
