"""Figures of what a mapping reads, before anything is installed. They show mistakes that PostgreSQL accepts.

The functions of the definition are created in the temporary schema of the session, and rolled back. So a lead is read
here by the same texts as by a first build.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row

from projector.capture.attributes import DECLARED_COLUMN, LEVELS, is_attribute
from projector.capture.definition import definition_texts
from projector.capture.fit import Fit, relation_rows
from projector.capture.reading import Reading
from projector.capture.texts import RELATIONS, default_mapping
from projector.database.distribution import kept_here
from projector.database.kinds import kinds
from projector.database.rows import Connection, rows, value
from projector.database.sql import functions, query, source_columns, statement
from projector.operate import explain
from projector.operate.assess.facts import NOTE, Fact
from projector.operate.assess.rules import suspicions
from projector.report.counted import counted

_TEMPORARY = {"projector.": "pg_temp.", "read_model.": "pg_temp."}
_Result = TypeVar("_Result")

# `assess` samples pages of a large table that hold about this many rows.
_LOOKED_AT = 50_000
_PRINTED = 3000
_VALUES_OF_ATTRIBUTE = 5
_REFUSED = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
_OF_ROWS = (psycopg.DataError, psycopg.errors.CardinalityViolation, psycopg.errors.RaiseException)

_DISTINCT = ("leads", "spellings", "parents")
"""The numbers of different values; the others are of rows for which a condition holds."""

_NUMBERS = {
    "leads": ("p.user_id || ' ' || p.phone", "of {lead}"),
    "spellings": (
        "CASE WHEN p.phone IS NOT NULL THEN p.user_id || ' ' || p.given END",
        "with {number} spellings of their phones",
    ),
    "parents": ("m.key", "in {conversation}"),
    "long_numbers": ("p.phone ~ '^[0-9]{8,}$'", "{number} with a phone of 8 digits or more"),
    "short_numbers": ("p.phone ~ '^[0-9]{1,7}$'", "{number} with a shorter number"),
    "other_texts": ("p.phone !~ '^[0-9]+$'", "{number} with another text"),
    "placeholders": (
        "p.phone ~* '^(null|none|nil|nan|n/?a|unknown|undefined|anonymous|[^[:alnum:]]+|0+)$'",
        "",
    ),
    "without_tenant": ("p.user_id IS NULL", "{number} without a user_id"),
    "without_phone": ("p.phone IS NULL", "{number} without a phone"),
    "without_lead": ("p.user_id IS NULL OR p.phone IS NULL", ""),
    "of_unknown_tenant": (
        "p.user_id IS NOT NULL AND t.user_id IS NULL",
        "{number} of a tenant that is none of tenants.sql",
    ),
    "without_contact": ("m.key IS NULL", ""),
    "without_conversation": ("m.key IS NULL", "{number} without a conversation"),
}
"""The counts of a relation beside its columns: a condition for each, and the words that report a count above zero.

A condition names r, a row; p, its user_id and phone; t, its tenant; and m, the row that it meets: a contact for a
conversation, a conversation for any other row.
"""

_PLATFORM = (
    "{0} = projector.platform_word({0})",
    "a word of at most 20 of a-z, 0-9 and _",
    "is on no platform, or in lower case there",
)
_VALUES = {
    ("conversations", "platform"): _PLATFORM,
    ("template_sends", "platform"): _PLATFORM,
    ("messages", "sender"): (
        "{0} IN ('user', 'agent')",
        "user, agent",
        "is printed as stored, and neither for filters",
    ),
    ("messages", "status"): (
        "{0} IN ('sent', 'delivered', 'read', 'pending', 'failed')",
        "sent, delivered, read, pending, failed",
        "is printed as sent",
    ),
    ("template_sends", "status"): (
        "{0} IN ('PENDING', 'SENT', 'DELIVERED', 'READ', 'FAILED')",
        "PENDING, SENT, DELIVERED, READ, FAILED",
        "counts as a send that went out",
    ),
    ("extractions", "lead_status_tag"): (
        "projector.lead_status({0}) IS NOT NULL",
        "Hot, Warm, Cold",
        "is no status",
    ),
    ("conversations", "reply_window"): (
        "coalesce(r.reply_window::interval BETWEEN '1 minute' AND '30 days', true)",
        "a minute to 30 days",
        "is unusual",
    ),
}
"""Per column with known values: the test for a known value, the list of them, and the words for others."""

_AHEAD = "{number} with a time more than a day ahead, so that their leads come first until then"

_COUNTED = {"reply_window": "concat_ws(' ', r.platform, coalesce(r.reply_window::text, 'none'))"}
"""The expressions that are counted for columns instead of their values."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """The row of the query `count_relation`. `frequent` lists values with their rows, and whether each is known."""

    name: str
    filled: int = 0
    different: int = 0
    oldest: str | None = None
    newest: str | None = None
    frequent: tuple[tuple[str, int, bool], ...] = ()

    def rows_of(self, *wanted: str) -> int:
        """Return how many rows have one of these values, of the most frequent ones."""
        return sum(number for of, number, _ in self.frequent if of in wanted)

    @property
    def unknown(self) -> list[str]:
        """The values that the projection does not know."""
        return [of for of, _, is_known in self.frequent if not is_known]


def count_relations(conn: Connection, fit: Fit, sizes: Mapping[str, int]) -> Iterator[Fact]:
    """Return the figures of each relation, and a lead. `sizes` are about how many rows the tables have.

    It runs in a transaction of the caller, which says how long a statement may take, and leaves nothing there.
    """
    names: dict[str, None] = {}
    numbers: dict[str, dict[str, Any]] = {}
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL check_function_bodies = off")
        for text in kept_here(conn, [*definition_texts(fit, "text").values()]):
            conn.execute(_temporary(text), prepare=False)
        for text in _texts_of_lead():
            conn.execute(_temporary(text), prepare=False)
        conn.execute("SET TRANSACTION READ ONLY")
        # Each value of a relation is counted: on disk that would take several times as long.
        conn.execute("SET LOCAL work_mem = '256MB'")
        for relation, reading in fit.relations.items():
            if LEVELS.get(relation) == "lead":
                names |= dict.fromkeys(name for name in reading.origins if is_attribute(relation, name))
            looked_at = _looked_at(fit, reading, RELATIONS[relation][0], relation_rows(fit, relation), sizes)
            found = ask(conn, rows, _Counted, _temporary(_counting(fit, relation, looked_at[1])))
            if found is None:
                said = f"{relation}: its rows were not counted: it took too long, or one cannot be read."
                yield Fact(NOTE, "rows", said, data={"relation": relation})
                continue
            counts = {of.name: of for of in found}
            columns = {of: counts.get(f"r.{of}", _Counted(of)) for of in _columns(fit, relation)}
            own = numbers[relation] = _numbers(fit, relation, counts, columns)
            own |= _of_table(conn, fit, relation, looked_at, is_empty=not own["rows"])
            yield from _print_relation(relation, own, columns)
            suspected = _suspected(fit, own, numbers.get("conversations", {}), columns)
            for state, sentence in suspicions(relation, own | suspected):
                yield Fact(state, "mapping", sentence, data={"of": relation})
        lead = ask(conn, _print_lead)
    if lead is not None:
        text = lead if len(lead) <= _PRINTED else f"{lead[:_PRINTED]}…"
        printed = json.loads(lead)
        clashes = [name for name in names if name in printed]
        if clashes:
            said = (
                f"Attributes with the name of a field of a lead: {', '.join(clashes)}. They are printed among its"
                " attributes, and the field does not have their value: give it by the column of the field."
            )
            yield Fact(NOTE, "values", said, data={"clashes": clashes})
        yield Fact(NOTE, "lead", f"A lead as it will be printed: {text}", data={"lead": printed})


def failing_columns(
    conn: Connection, fit: Fit, sizes: Mapping[str, int]
) -> Iterator[tuple[str, psycopg.Error]]:
    """Return in words each column of the mapping that cannot be computed for some row, with the error.

    `sizes` are as for count_relations. The caller limits the time of a statement; slower columns are left
    out.
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
    """Return the error if some row keeps PostgreSQL from computing these counts, else None."""
    try:
        with suppress(*_REFUSED), conn.transaction():
            conn.execute(query("assess", "count_present", rows=read, columns=counts).encode())
    except _OF_ROWS as error:
        return error
    return None


def ask(conn: Connection, read: Callable[..., _Result], *of: object) -> _Result | None:
    """Return the result of `read`; None if that takes too long, is not permitted, or fails for some row."""
    with suppress(*_REFUSED, *_OF_ROWS), conn.transaction():
        return read(conn, *of)
    return None


def _print_lead(conn: Connection) -> str | None:
    """Return a lead with its attributes as JSON text, computed as in `explain`; None if there is no lead."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_temporary(query("assess", "find_lead"))).fetchone()
        if found is None:
            return None
        run = explain.stage_lead(conn, found, _TEMPORARY)
        run.run(*explain.OF_MESSAGES, *explain.OF_LEADS)
        text = _temporary(query("operate", "print_lead", of="new_"))
        computed = cursor.execute(text, found).fetchone()
    return None if computed is None else json.dumps(explain.printed_lead(computed), ensure_ascii=False)


def _texts_of_lead() -> Iterator[str]:
    """Yield the statements that create what `explain` computes a lead with."""
    yield statement("refresh/0_session/10_staging_tables")
    yield query("operate", "create_key_table")
    yield query("assess", "create_lead_tables")
    yield functions("install/functions")["sql/install/functions/30_stored_messages.sql"]


def _temporary(text: str) -> bytes:
    """Return a statement with the functions of the definition, and our tables, in the temporary schema."""
    for name, temporary in _TEMPORARY.items():
        text = text.replace(name, temporary)
    return text.encode()


def _columns(fit: Fit, relation: str) -> list[str]:
    """Return the columns of a relation that are counted: ids, and what makes a lead, have numbers of their own."""
    required = {*RELATIONS[relation]} - {"text", "timestamp"}
    given = fit.relations[relation].origins
    return [column for column in given if column not in required or (relation, column) in _VALUES]


def _numbers_of(fit: Fit, relation: str) -> list[str]:
    """Return the numbers that are counted of a relation."""
    met = "contact" if relation == "conversations" else "conversation"
    if kinds()[relation].phone is None:
        return ["parents"] * (relation != "tenants") + [f"without_{met}"]
    left_out = {"parents", "without_contact", "without_conversation"} - {f"without_{met}"}
    if "tenants" not in fit.relations:
        left_out.add("of_unknown_tenant")
    return [name for name in _NUMBERS if name not in left_out]


def _counting(fit: Fit, relation: str, read: str) -> str:
    """Return the query that counts the rows of a relation that are read, and what its columns have."""
    phone, other = kinds()[relation].phone, "contacts" if relation == "conversations" else "conversations"
    is_part = phone is None and relation != "tenants"
    tenant = "NULL" if is_part else "r.user_id::text"
    meeting = "{row}.conversation_id::text" if is_part else "concat_ws(' ', {user_id}, {phone})"
    numbers = [
        f"('{name}', {_NUMBERS[name][0]}, true, NULL)"
        if name in _DISTINCT
        else f"('{name}', CASE WHEN {_NUMBERS[name][0]} THEN '' END, true, NULL)"
        for name in _numbers_of(fit, relation)
    ]
    return query(
        "assess",
        "count_relation",
        rows=read,
        phone=f"r.{phone}::text" if phone else "NULL::text",
        user_id=tenant,
        other=other,
        phone_of_other=f"o.{kinds()[other].phone}::text",
        met=meeting.format(row="o", user_id="o.user_id::text", phone="q.phone" if phone else "NULL"),
        meets=meeting.format(row="r", user_id=tenant, phone="p.phone"),
        counted=",\n".join(numbers + [_column(relation, column) for column in _columns(fit, relation)]),
    )


def _column(relation: str, column: str) -> str:
    """Return a row of VALUES as SQL: a column, what is counted of it, whether the projection knows it, and its time."""
    kind, read = source_columns()[relation].get(column), f'r."{column}"'
    known, moment = "true", "NULL"
    if is_attribute(relation, column):
        counted_of = f"r.{DECLARED_COLUMN} ->> '{column}'"
    elif (relation, column) in _VALUES:
        counted_of = _COUNTED.get(column, f"{read}::text")
        known = _VALUES[relation, column][0].format(counted_of)
    elif kind == "timestamptz":
        moment = f"{read}::timestamptz"
        counted_of = (
            f"CASE WHEN {moment} > now() + interval '1 day' THEN 'ahead'"
            f" WHEN {moment} < '2000-01-01' THEN 'before' WHEN {moment} IS NOT NULL THEN '' END"
        )
    elif kind == "boolean":
        counted_of = f"{read}::text"
    elif column.endswith("_score"):
        # As the contract of the API has them.
        low, high = (5, 15) if column == "total_score" else (1, 3)
        counted_of = (
            f"CASE WHEN {read} BETWEEN {low} AND {high} THEN '' WHEN {read} IS NOT NULL THEN 'outside' END"
        )
    else:
        counted_of = f"CASE WHEN projector.blank_to_null({read}::text) IS NOT NULL THEN '' END"
    return f"('r.{column}', {counted_of}, {known}, {moment})"


def _numbers(
    fit: Fit, relation: str, counts: Mapping[str, _Counted], columns: Mapping[str, _Counted]
) -> dict[str, Any]:
    """Return the numbers of a relation by their names."""
    numbers: dict[str, Any] = {"rows": counts["rows"].filled if "rows" in counts else 0}
    for name in _numbers_of(fit, relation):
        of = counts.get(name, _Counted(name))
        numbers[name] = of.different if name in _DISTINCT else of.filled
    if numbers.get("spellings") == numbers.get("leads"):
        numbers.pop("spellings", None)
    if "customer_phones" in counts:
        numbers["most_shared"] = counts["customer_phones"].frequent[0][1]
    numbers["ahead"] = max((of.rows_of("ahead") for of in columns.values() if of.newest), default=0)
    return numbers


def _of_table(
    conn: Connection, fit: Fit, relation: str, looked_at: tuple[str, str, str], *, is_empty: bool
) -> dict[str, Any]:
    """Return how many rows the table of a relation has, and how many an empty relation leaves out.

    For a large table, only the sampled rows are counted.
    """
    table, _, sample = looked_at
    if not table:
        return {}
    text = query("assess", "count_table", relation=fit.found[table].full_name, sample=sample)
    found = {"table": table, "table_rows": ask(conn, value, text), "is_sampled": bool(sample)}
    if is_empty:
        # In a large table, rows of the relation may be on pages outside the sample.
        whole = query(
            "capture", "is_empty", relation=relation_rows(fit, relation, is_installed=False) + " AS r"
        )
        found["left_out"] = found["table_rows"] if not sample or ask(conn, value, whole) else 0
    return found


def _print_relation(
    relation: str, numbers: Mapping[str, Any], columns: Mapping[str, _Counted]
) -> Iterator[Fact]:
    """Return a sentence for the numbers that are not zero, and one for the columns.

    For a column with known values it says how often each value occurs; for any other in how many rows it has
    a value, and for times also the oldest and the newest one.
    """
    said = [f"{relation}: {counted(numbers['rows'], 'row')}"]
    if "table" in numbers:
        looked_at = " that were looked at" if numbers["is_sampled"] else ""
        said[0] += f", of {numbers['table_rows'] or 0:,} of {numbers['table']}{looked_at}"
    words = {name: words for name, (_, words) in _NUMBERS.items() if words} | {"ahead": _AHEAD}
    for name, text in words.items():
        number = numbers.get(name)
        if number or (number == 0 and name == "leads"):
            nouns = {noun: counted(number, noun) for noun in ("lead", "conversation")}
            said.append(text.format(number=f"{number:,}", **nouns))
    known = {name: of for name, of in columns.items() if (relation, name) in _VALUES and of.frequent}
    for name, of in known.items():
        _, expected, otherwise = _VALUES[relation, name]
        note = f" (any but {expected} {otherwise})" if of.unknown else ""
        said.append(f"{name}: {_listed(of)}{note}")
    data = {
        "relation": relation,
        **numbers,
        "values": _frequent(known),
        "unknown": {name: of.unknown for name, of in known.items() if of.unknown},
    }
    yield Fact(NOTE, "rows", f"{'; '.join(said)}.", data=data)
    others = {name: of for name, of in columns.items() if (relation, name) not in _VALUES}
    if not others or not numbers["rows"]:
        return
    times = {name: [of.oldest, of.newest] for name, of in others.items() if of.newest}
    attributes = {name for name in others if is_attribute(relation, name)}
    flags = {name for name in others if source_columns()[relation].get(name) == "boolean"}
    listed = {
        name: of for name, of in others.items() if of.filled and name in (attributes | flags) - {*times}
    }
    shown = {name: f" ({of.oldest} to {of.newest})" for name, of in others.items() if of.newest}
    shown |= {name: f" ({_listed(of, _VALUES_OF_ATTRIBUTE)})" for name, of in listed.items()}
    said = [
        f"{'attribute ' * (name in attributes)}{name} {of.filled:,}{shown.get(name, '')}"
        for name, of in others.items()
    ]
    data = {
        "columns_of": relation,
        "present": {name: of.filled for name, of in others.items()},
        "out_of_range": {name: number for name, of in others.items() if (number := of.rows_of("outside"))},
        "frequent": _frequent(listed),
        "times": times,
    }
    text = f"{relation}: of {counted(numbers['rows'], 'row')} so many have a value: {', '.join(said)}."
    yield Fact(NOTE, "values", text, data=data)


def _frequent(columns: Mapping[str, _Counted]) -> dict[str, dict[str, int]]:
    return {name: {text: number for text, number, _ in of.frequent} for name, of in columns.items()}


def _listed(of: _Counted, most: int = 12) -> str:
    """Return the most frequent values of a column, each with its rows."""
    return ", ".join(f"{text} {number:,}" for text, number, _ in of.frequent[:most])


def _suspected(
    fit: Fit, own: Mapping[str, Any], whole: Mapping[str, Any], columns: Mapping[str, _Counted]
) -> dict[str, Any]:
    """Return further numbers for RULES. `own` are the relation's numbers, `whole` those of conversations."""
    made: dict[str, Any] = {"with_tenant": own["rows"] - own.get("without_tenant", 0)}
    # The line on conversations already reports what they lack.
    if whole.get("left_out") or whole.get("rows", 0) == whole.get("without_lead") != 0:
        made["without_conversation"] = 0
    elif whole.get("rows") and 2 * whole["without_contact"] >= whole["rows"] > 2 * whole.get(
        "of_unknown_tenant", 0
    ):
        made["spelt_otherwise"] = own.get("without_conversation")
    # The default mapping reads whatever the tables have.
    is_own = not fit.absent and fit.mapping.digest != default_mapping().digest
    sender = columns.get("sender")
    names = {
        "untimely": [of for of, has in columns.items() if has.newest and not has.rows_of("")],
        "one_sided": [side for side in ("user", "agent") if sender and not sender.rows_of(side)],
        "out_of_range": [
            of for of, has in columns.items() if of.endswith("_score") and has.rows_of("outside")
        ],
        "odd_windows": [of for of, has in columns.items() if of == "reply_window" and has.unknown],
        "unfilled": [of for of, has in columns.items() if is_own and not has.filled],
    }
    for number, of in names.items():
        made |= {number: own["rows"] if of else 0, f"{number}_names": ", ".join(of)}
    return made


def _looked_at(
    fit: Fit, reading: Reading, key: str, read: str, sizes: Mapping[str, int]
) -> tuple[str, str, str]:
    """Return the table that the keys of a reading come from, what is read of its rows, and how the table is sampled.

    If the keys are computed, the table is the largest one that the reading reads.
    """
    origin = reading.origins[key]
    largest = max(reading.reads, key=lambda name: sizes.get(name, 0), default="")
    table = origin[0] if origin else largest
    if origin is None or sizes.get(table, 0) <= _LOOKED_AT:
        return table, read, ""
    # The same pages of the relation and of its table.
    sample = f" TABLESAMPLE SYSTEM ({100 * _LOOKED_AT / sizes[table]:f}) REPEATABLE (0)"
    # As PostgreSQL prints the text of a view: the table, and its alias unless that is the same.
    named = rf'({re.escape(fit.found[table].full_name)}(?: (?!ON\b)(?:\w+|"[^"]+"))?)(?=[\s)]|$)'
    return table, re.sub(named, rf"\1{sample}", read), sample
