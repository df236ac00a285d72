"""Figures of what a mapping reads, before anything is installed: a mistake that PostgreSQL takes shows in one of them.

The functions of the definition are created in the temporary schema of the session, and rolled back. So a lead is read
here by the same texts as by a first build.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row

from projector.capture.attributes import DECLARED_COLUMN, is_attribute
from projector.capture.definition import definition_texts
from projector.capture.mapping import RELATIONS, Fit, Reading, default_mapping, relation_rows
from projector.database.distribution import kept_here
from projector.database.kinds import kinds
from projector.database.rows import Connection, rows, value
from projector.database.sql import query, source_columns
from projector.operate.explain import COMPUTED_LEAD, printed_lead
from projector.report.counted import counted

_Result = TypeVar("_Result")

# Of a large table, pages with about so many rows are looked at.
_LOOKED_AT = 200_000
# Of fewer rows, no share is odd.
_TELLING = 100
_PRINTED = 3000
_REFUSED = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
_OF_ROWS = (psycopg.DataError, psycopg.errors.CardinalityViolation, psycopg.errors.RaiseException)
_ADVICE = " Is that what the mapping means?"

_MOMENTS = {"messages": 'r."timestamp"', "extractions": "r.extracted_at"}
"""When a row of a relation is of."""

_WORDS = {
    "leads": "of {lead}",
    "spellings": "with {number} spellings of their phones",
    "parents": "in {conversation}",
    "long_numbers": "{number} with a customer_phone of 8 digits or more",
    "short_numbers": "{number} with a shorter number",
    "other_texts": "{number} with another text",
    "without_tenant": "{number} without a user_id",
    "without_phone": "{number} without a phone",
    "of_unknown_tenant": "{number} of a tenant that is none of tenants.sql",
    "without_conversation": "{number} without a conversation",
    "without_name": "{number} without a name",
    "ahead": "{number} with a time more than a day ahead, so that their leads come first until then",
}
"""What each figure says."""

_ODD = {"conversations": 0.5, "messages": 0.5, "extractions": 0.5, "contacts": 1.0}
"""From which share on rows without a tenant, a phone or a conversation are odd."""

_ANY_WORD = ("a word of at most 20 of a-z, 0-9 and _",)
_VALUES: dict[tuple[str, str], tuple[Sequence[str], str]] = {
    ("conversations", "platform"): (_ANY_WORD, "is on no platform"),
    ("template_sends", "platform"): (_ANY_WORD, "is on no platform"),
    ("messages", "sender"): (("user", "agent"), "is printed as stored, and neither for filters"),
    ("messages", "status"): (("sent", "delivered", "read", "pending", "failed"), "is printed as sent"),
    ("template_sends", "status"): (
        ("PENDING", "SENT", "DELIVERED", "READ", "FAILED"),
        "counts as a send that went out",
    ),
    ("extractions", "lead_status_tag"): (("Hot", "Warm", "Cold"), "is no status"),
    ("conversations", "reply_window"): ((), ""),
}
"""The values that the projection knows, and what any other is."""

_COUNTED = {"reply_window": "concat_ws(' ', r.platform, coalesce(r.reply_window::text, 'none'))"}
"""What is counted of a column, where that is not its value."""

_IS_ONE = "v.value = ANY(%(known)s)"
_KNOWN = {
    "platform": "projector.platform_word(v.value) IS NOT NULL",
    "lead_status_tag": "projector.lead_status(v.value) IS NOT NULL",
    "reply_window": "true",
}
"""What says whether a value is known, where another spelling is the same."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was counted: of which area, in words, and as data for machines. It is odd where it suggests a mistake."""

    area: str
    text: str
    data: Mapping[str, Any]
    is_odd: bool = False


@dataclass(frozen=True, slots=True)
class _Value:
    """How many rows have a value of a column, and whether the projection knows it, as it does a null."""

    value: str
    rows: int
    is_known: bool


def count_relations(conn: Connection, fit: Fit, sizes: Mapping[str, int]) -> Iterator[Figure]:
    """Return the figures of each relation, and a lead. `sizes` are about how many rows the tables have.

    It runs in a transaction of the caller, which says how long a statement may take, and leaves nothing there.
    """
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL check_function_bodies = off")
        for text in kept_here(conn, [*definition_texts(fit, "text").values()]):
            conn.execute(_temporary(text), prepare=False)
        conn.execute("SET TRANSACTION READ ONLY")
        for relation in fit.relations:
            yield _count_relation(conn, fit, relation, sizes)
            yield from _count_present(conn, fit, relation, sizes)
        lead = ask(conn, _print_lead)
    if lead is not None:
        text = lead if len(lead) <= _PRINTED else f"{lead[:_PRINTED]}…"
        yield Figure("lead", f"A lead as it will be printed: {text}", {"lead": json.loads(lead)})


def failing_columns(
    conn: Connection, fit: Fit, sizes: Mapping[str, int]
) -> Iterator[tuple[str, psycopg.Error]]:
    """Return in words each column of a text of the mapping that some row keeps from being computed, and the error.

    `sizes` are as for count_relations. The caller says how long a statement may take; what takes longer is left out.
    """
    texts = [(f"{name}.sql", name, reading, RELATIONS[name][0]) for name, reading in fit.relations.items()]
    rules = [rule for rule in fit.rules if not rule.is_direct]
    texts += [(f'the rule of "{rule.columns[0].name}"', "", rule, rule.touched) for rule in rules]
    for place, relation, reading, key in texts:
        _, read, _ = _looked_at(fit, reading, key, f"({reading.text})", sizes)
        kinds_of = source_columns().get(relation, {})
        # A larger number does not fit in the read model.
        casts = {name: "::integer" if kinds_of.get(name) == "integer" else "" for name in reading.origins}
        counts = {name: f'count(r."{name}"{cast})' for name, cast in casts.items()}
        if _failure(conn, read, ", ".join(counts.values())) is None:
            continue
        for name, count in {"": "count(*)", **counts}.items():
            error = _failure(conn, read, count)
            if error is not None:
                yield f"the column {name} of {place}" if name else f"a condition of {place}", error
                if not name:
                    break


def _failure(conn: Connection, read: str, counts: str) -> psycopg.Error | None:
    """Return the error for which a row keeps PostgreSQL from counting these."""
    try:
        with suppress(*_REFUSED), conn.transaction():
            conn.execute(query("assess", "count_present", rows=read, columns=counts).encode())
    except _OF_ROWS as error:
        return error
    return None


def ask(conn: Connection, read: Callable[..., _Result], *of: object) -> _Result | None:
    """Return what is read of the connection; None where that takes too long, may not be asked, or fails for a row."""
    with suppress(*_REFUSED, *_OF_ROWS), conn.transaction():
        return read(conn, *of)
    return None


def _print_lead(conn: Connection) -> str | None:
    """Return a lead with its attributes as JSON text, as `explain` computes one; None where nothing makes any."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_temporary(query("assess", "find_lead"))).fetchone()
    if found is None:
        return None
    text = _temporary(query("operate", "read_rows", rows=COMPUTED_LEAD))
    computed = value(conn, text, {**found, "size": 1})
    return None if computed is None else json.dumps(printed_lead(computed), ensure_ascii=False)


def _temporary(text: str) -> bytes:
    """Return a statement with the functions of the definition in the temporary schema."""
    return text.replace("projector.", "pg_temp.").encode()


def _count_relation(conn: Connection, fit: Fit, relation: str, sizes: Mapping[str, int]) -> Figure:
    """Return what is counted of a relation, beside the table that its keys come from."""
    reading, key = fit.relations[relation], RELATIONS[relation][0]
    read = relation_rows(fit, relation, is_installed=False)
    table, read, sample = _looked_at(fit, reading, key, read, sizes)
    numbers: dict[str, int] | None = ask(conn, value, _temporary(_counting(relation, read)))
    if numbers is None:
        said = f"{relation}: its rows were not counted: it took too long, or one cannot be read."
        return Figure("rows", said, {"relation": relation})
    if "tenants" not in fit.relations:
        numbers.pop("of_unknown_tenant", None)
    if numbers.get("spellings") == numbers.get("leads"):
        numbers.pop("spellings", None)
    data: dict[str, object] = {"relation": relation, **numbers}
    said = f"{relation}: {counted(numbers['rows'], 'row')}"
    if table:
        whole = query("assess", "count_table", relation=fit.found[table].full_name, sample=sample)
        data |= {"table": table, "table_rows": (total := ask(conn, value, whole))}
        said += f", of {total or 0:,} of {table}{' that were looked at' if sample else ''}"
    counts = {
        column: _count_values(conn, relation, column, read)
        for of, column in _VALUES
        if of == relation and column in reading.origins
    }
    data["values"] = {column: {of.value: of.rows for of in of_column} for column, of_column in counts.items()}
    unknown = {
        column: [of.value for of in of_column if not of.is_known] for column, of_column in counts.items()
    }
    data["unknown"] = {column: strange for column, strange in unknown.items() if strange}
    is_odd = _is_odd(relation, numbers, [of.value for of in counts.get("sender", ())])
    text = f"{'; '.join([said, *_in_words(relation, numbers, counts)])}.{_ADVICE if is_odd else ''}"
    return Figure("rows", text, data, is_odd)


def _count_present(conn: Connection, fit: Fit, relation: str, sizes: Mapping[str, int]) -> Iterator[Figure]:
    """Return in how many rows each column and each attribute has a value, unless that takes too long."""
    reading, required = fit.relations[relation], RELATIONS[relation]
    counts = {
        column: f"count(r.{DECLARED_COLUMN} -> '{column}')"
        if is_attribute(relation, column)
        else f'count(projector.blank_to_null(r."{column}"::text))'
        for column in reading.origins
        # Others have figures of their own.
        if column not in required or column in {"text", "timestamp"}
    }
    # As the contract of the API has them.
    scores = {
        column: (5, 15) if column == "total_score" else (1, 3)
        for column in counts
        if column.endswith("_score") and not is_attribute(relation, column)
    }
    outside = [
        f'count(*) FILTER (WHERE r."{name}" NOT BETWEEN {low} AND {high})'
        for name, (low, high) in scores.items()
    ]
    _, read, _ = _looked_at(fit, reading, required[0], relation_rows(fit, relation), sizes)
    text = query("assess", "count_present", rows=read, columns=", ".join([*counts.values(), *outside]))
    numbers: list[int] | None = ask(conn, value, _temporary(text)) if counts else None
    if numbers is None:
        return
    total, present = numbers[0], dict(zip(counts, numbers[1:], strict=False))
    strange = {of: number for of, number in zip(reversed(scores), reversed(numbers), strict=False) if number}
    words = {column: "attribute " if is_attribute(relation, column) else "" for column in counts}
    listed = ", ".join(f"{words[column]}{column} {number:,}" for column, number in present.items())
    said = f"{relation}: of {counted(total, 'row')} so many have a value: {listed}."
    for column, number in strange.items():
        low, high = scores[column]
        said += f" In {counted(number, 'row')} {column} is not from {low} to {high}."
    # The default mapping reads whatever the tables have.
    is_own = not fit.absent and fit.mapping.digest != default_mapping().digest
    is_odd = total >= _TELLING and bool(strange or (is_own and not all(present.values())))
    data = {"columns_of": relation, "present": present, "out_of_range": strange}
    yield Figure("values", said + (_ADVICE if is_odd else ""), data, is_odd)


def _counting(relation: str, read: str) -> str:
    """Return the query that counts the rows of a relation."""
    if relation in {"conversations", "tenants"}:
        return query("assess", f"count_{relation}", rows=read)
    phone = kinds()[relation].phone
    if phone is not None:
        return query("assess", "count_of_customers", rows=read, phone=phone)
    return query("assess", "count_parts", rows=read, moment=_MOMENTS.get(relation, "NULL"))


def _in_words(
    relation: str, numbers: Mapping[str, int], counts: Mapping[str, Sequence[_Value]]
) -> Iterator[str]:
    """Return what each number says that is not zero, and how often each value occurs."""
    for key, words in _WORDS.items():
        number = numbers.get(key)
        if number or (number == 0 and key == "leads"):
            nouns = {noun: counted(number, noun) for noun in ("lead", "conversation")}
            yield words.format(number=f"{number:,}", **nouns)
    for column, of_column in counts.items():
        expected, otherwise = _VALUES[relation, column]
        note = "" if all(of.is_known for of in of_column) else f" (any but {', '.join(expected)} {otherwise})"
        if of_column:
            yield f"{column}: {', '.join(f'{of.value} {of.rows:,}' for of in of_column)}{note}"


def _looked_at(
    fit: Fit, reading: Reading, key: str, read: str, sizes: Mapping[str, int]
) -> tuple[str, str, str]:
    """Return the table that the keys of a reading come from, what is read of its rows, and how the table is sampled."""
    origin = reading.origins[key]
    table = origin[0] if origin else ""
    if sizes.get(table, 0) <= _LOOKED_AT:
        return table, read, ""
    # The same pages of the relation and of its table.
    sample = f" TABLESAMPLE SYSTEM ({100 * _LOOKED_AT / sizes[table]:f}) REPEATABLE (0)"
    # As PostgreSQL prints the text of a view: the table, and its alias unless that is the same.
    named = rf'({re.escape(fit.found[table].full_name)}(?: (?!ON\b)(?:\w+|"[^"]+"))?)(?=[\s)]|$)'
    return table, re.sub(named, rf"\1{sample}", read), sample


def _count_values(conn: Connection, relation: str, column: str, read: str) -> list[_Value]:
    """Return the most frequent values of a column, or none where that takes too long."""
    # A parameter stands in the text, too.
    counted_as = _COUNTED.get(column, f'r."{column}"::text')
    names = {"rows": read.replace("%", "%%"), "value": counted_as, "known": _KNOWN.get(column, _IS_ONE)}
    text = _temporary(query("assess", "count_values", **names))
    return ask(conn, rows, _Value, text, {"known": list(_VALUES[relation, column][0])}) or []


def _is_odd(relation: str, numbers: Mapping[str, int], senders: Sequence[str]) -> bool:
    """Return whether a share of the rows suggests a mistake, or all messages are from one side."""
    if numbers["rows"] < _TELLING or relation not in _ODD:
        return False
    lost = max(numbers.get(key, 0) for key in ("without_tenant", "without_phone", "without_conversation"))
    return lost >= _ODD[relation] * numbers["rows"] or (
        relation == "messages" and not {"user", "agent"} <= {*senders}
    )
