"""The explanation as text for a terminal of 80 columns."""

from collections.abc import Iterator

from projector.operate.explain.model import Count, Explanation, Field, Row
from projector.operate.explain.text import escape, quote, shorten, wrap
from projector.report.counted import counted

_LABEL = 10
_LONGEST_VALUE = 160
_NOUNS = {"conversations": "conversation", "messages": "message", "template_sends": "template send"}


def render(explanation: Explanation) -> str:
    """Return the explanation: how the read model stands to the lead, then each field."""
    return "\n".join(_lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    yield from wrap(f"Lead {escape(explanation.customer_phone)} of {escape(explanation.user_id)}")
    if explanation.asked_for != explanation.customer_phone:
        yield from wrap(f"(asked for as {quote(explanation.asked_for)}, which is the same phone)")
    for sentence in explanation.sentences:
        yield from wrap(escape(sentence))
    for change in explanation.waiting:
        yield from _labelled("waits", f"{change.kind} {change.key}, queued at {change.queued_at}")
    if explanation.more_waiting:
        yield from _labelled("", f"and {explanation.more_waiting:,} more")
    for row in explanation.without_effect:
        yield from _labelled("no effect", _row(row))
    for one in explanation.fields:
        yield ""
        yield from _field(one)


def _field(one: Field) -> Iterator[str]:
    if one.name == "conversations":
        yield "conversations"
    else:
        yield from wrap(shorten(quote(one.value), _LONGEST_VALUE), f"{one.name}: ", "  ")
    if one.differs:
        yield from _labelled("READ MODEL", f"shows {shorten(quote(one.read_model), _LONGEST_VALUE)}")
    for place, row in enumerate(one.sources):
        yield from _labelled("" if place else "from", _row(row))
    if one.more_sources:
        yield from _labelled("" if one.sources else "from", f"and {one.more_sources:,} more")
    if not one.sources and not one.counts:
        yield from _labelled("from", "no row")
    for count in one.counts:
        yield from _labelled("counted", _count(count))
    for row in one.decided_by:
        yield from _labelled("decided by", _row(row))
    yield from _labelled("rule", one.rule)
    for place, row in enumerate(one.losers):
        yield from _labelled("" if place else "lost", _row(row))
    if one.more_losers:
        yield from _labelled("" if one.losers else "lost", f"and {one.more_losers:,} more")


def _labelled(label: str, text: str) -> Iterator[str]:
    return wrap(escape(text), f"  {label:<{_LABEL}} ")


def _count(count: Count) -> str:
    of = "" if count.conversation_id is None else f" of conversation {count.conversation_id}"
    return f"{counted(count.rows, _NOUNS[count.table])}{of}"


def _row(row: Row) -> str:
    """A row in words: table and key, what it says, its time, through which rows it leads, and why."""
    text = f"{row.table} {row.key}"
    if row.column is not None:
        text += f", {row.column} {shorten(quote(row.value), _LONGEST_VALUE)}"
    if row.time_column is not None and row.time_column != row.column:
        text += f", {row.time_column} {row.time or 'null'}"
    through = [f"{table} {key}" for table, key in row.through if key is not None]
    if through and row.column == "platform":
        text += f", through {' and '.join(through)}"
    return text if row.note is None else f"{text}: {row.note}"
