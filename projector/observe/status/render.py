"""The status as text for people, and as one object for machines."""

from typing import Any

from projector.observe.status import words
from projector.observe.status.attention import find_attention
from projector.observe.status.facts import FACTS, Line, lines_of, short_lines_of
from projector.observe.status.read import Document
from projector.report.counted import bytes_in_words, counted, escape_hidden


def as_dict(document: Document) -> dict[str, Any]:
    """Return the status for machines. Times are in UTC, ages and durations in seconds."""
    printed: dict[str, Any] = {"attention": find_attention(document)}
    for fact in FACTS:
        if fact.path is not None:
            *parents, name = fact.path.split(".")
            place = printed
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = fact.value(document)
    return printed


def summarize(document: Document) -> str:
    """Return what a person asks first: is it running, how fresh, how many leads, and what needs attention."""
    # The other facts are shown only if they differ from normal.
    return _in_text(document, [*_first_lines(document), *short_lines_of(document)] if document else [])


def render(document: Document) -> str:
    """Return the status for people: a line for each fact, and what needs attention."""
    return _in_text(document, lines_of(document) if document else [])


def _in_text(document: Document, lines: list[Line]) -> str:
    attention = find_attention(document)
    told = ["Nothing needs attention."]
    if attention:
        # Reasons and ids were written by others.
        told = ["Needs attention:", *(f"  - {escape_hidden(sentence)}" for sentence in attention)]
    facts = [
        f"{label:<13}{escape_hidden(text)}" for label, text in lines or [("Read model", "not installed")]
    ]
    return "\n".join([*facts, "", *told])


def _first_lines(document: Document) -> list[Line]:
    projection, queue = document["projection"], document["queue"]
    lag = queue["lag"]
    waiting = "nothing waits" if lag is None else f"{words.waiting(queue)}, for {words.age(lag)}"
    if lag is not None and queue["late_tenants"]:
        # The age before `where` is that of all other tenants.
        waiting = f"{words.age(lag)} where a mass change waits: {words.late(queue)}"
    if projection["built_at"] is None:
        data = "never built"
    elif projection["as_of"] is None:
        data = f"as of no moment yet, {waiting}"
    else:
        data = f"{words.age(projection['as_of_age'])} old, {waiting}"
    sizes = document["tables"]["sizes"]
    leads = next((size["about_rows"] for size in sizes if size["table_name"] == "read_model.leads"), 0)
    # PostgreSQL has an estimate once it has analyzed the table.
    estimate = f"about {counted(leads, 'lead')}" if leads else "not counted yet"
    tenants = counted(document["tables"]["tenants"], "tenant")
    size = bytes_in_words(sum(size["bytes"] for size in sizes))
    return [
        ("Scheduler", words.schedulers(document["schedulers"])),
        ("Data", data),
        ("Leads", f"{estimate}, {tenants}, {size}"),
    ]
