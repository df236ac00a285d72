"""The status as text for people, and as one object for machines."""

from collections.abc import Callable, Iterator
from typing import Any

from projector.observe.status import words
from projector.observe.status.attention import find_attention
from projector.observe.status.facts import FACTS, Line
from projector.observe.status.read import Status
from projector.observe.status.results import Projection
from projector.report.counted import bytes_in_words, counted, escape_hidden


def as_dict(status: Status) -> dict[str, Any]:
    """Return the status for machines. Times are in UTC, ages and durations in seconds."""
    document: dict[str, Any] = {"attention": find_attention(status)}
    for fact in FACTS:
        if fact.path is not None:
            *parents, name = fact.path.split(".")
            place = document
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = fact.value(status)
    return document


def summarize(status: Status) -> str:
    """Return what a person asks first: is it running, how fresh, how many leads, and what needs attention."""
    return _in_lines(status, _short_lines)


def render(status: Status) -> str:
    """Return the status for people: a line for each fact, and what needs attention."""
    return _in_lines(status, _lines)


def _in_lines(status: Status, lines_of: Callable[[Status, Projection], Iterator[Line]]) -> str:
    labelled = lines_of(status, status.projection) if status.projection else [("Read model", "not installed")]
    # Reasons and ids were written by others.
    lines = [f"{label:<13}{escape_hidden(text)}" for label, text in labelled]
    attention = find_attention(status)
    if attention:
        lines += ["", "Needs attention:", *(f"  - {escape_hidden(sentence)}" for sentence in attention)]
    else:
        lines += ["", "Nothing needs attention."]
    return "\n".join(lines)


def _short_lines(status: Status, projection: Projection) -> Iterator[Line]:
    yield "Scheduler", words.schedulers(status)
    lag = status.queue.lag
    waiting = "nothing waits" if lag is None else f"{words.waiting(status.queue)}, for {words.age(lag)}"
    if lag is not None and status.queue.late_tenants:
        # The age before it is that of all others.
        waiting = f"{words.age(lag)} where a mass change waits: {words.late(status.queue)}"
    if projection.built_at is None:
        yield "Data", "never built"
    elif projection.as_of is None or projection.as_of_age is None:
        yield "Data", f"as of no moment yet, {waiting}"
    else:
        yield "Data", f"{words.age(projection.as_of_age)} old, {waiting}"
    leads = next((size.about_rows for size in status.sizes if size.table_name == "read_model.leads"), 0)
    # PostgreSQL has an estimate once it has analyzed the table.
    estimate = f"about {counted(leads, 'lead')}" if leads else "not counted yet"
    size = bytes_in_words(sum(size.bytes for size in status.sizes))
    yield "Leads", f"{estimate}, {counted(status.tenants, 'tenant')}, {size}"
    # The rest only where it is not as always.
    for fact in FACTS:
        if fact.in_short(status):
            yield from ((label, text) for label, text in fact.lines(status, projection) if label)


def _lines(status: Status, projection: Projection) -> Iterator[Line]:
    for fact in FACTS:
        yield from fact.lines(status, projection)
