"""Every table of the read model as it must be, and where a database differs from that."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from psycopg import sql
from psycopg.rows import scalar_row

from tests.oracle.leads import (
    PLATFORMS,
    Lead,
    LeadConversation,
    LeadMessage,
    Model,
    StatusChange,
    platform_word,
)
from tests.oracle.source import Connection
from tests.oracle.values import without_accents

Row = dict[str, Any]
Table = dict[tuple[object, ...], Row]

KEYS = {
    "leads": ("user_id", "customer_phone"),
    "lead_profiles": ("user_id", "customer_phone"),
    "lead_conversations": ("user_id", "customer_phone", "conversation_id"),
    "lead_status_changes": ("user_id", "customer_phone", "changed_at"),
    "lead_messages": ("user_id", "message_id"),
    "lead_counts": (
        "user_id", "lead_status", "total_score", "on_whatsapp", "on_instagram", "on_webchat",
        "has_extraction", "has_email",
    ),
    "lead_daily_counts": (
        "user_id", "day", "lead_status", "total_score", "on_whatsapp", "on_instagram", "on_webchat",
        "has_extraction", "has_email",
    ),
    "lead_totals": ("user_id", "granularity", "bucket_start"),
    "message_counts": ("user_id", "hour"),
    "attribute_counts": ("user_id", "level", "name", "value_type"),
    "tenant_names": ("user_id",),
    # The lead under which the projector knows a row.
    "source_keys": ("kind", "key"),
}  # fmt: skip

# The columns that are read back from JSON as moments. The start of a row of all leads is before any time of Python.
_MOMENT = re.compile(r".*_at|.*_since|hour|bucket_start")
_HOURS = re.compile(r"(\d+):(\d\d):(\d\d)")


def expected_tables(model: Model) -> dict[str, Table]:
    leads = model.all_leads()
    rows = {
        "leads": [{**_facets(lead), **_of_lead(lead)} for lead in leads],
        "lead_profiles": [_of_profile(model, lead) for lead in leads],
        "lead_conversations": [_of_conversation(lead, row) for lead in leads for row in lead.conversations],
        "lead_status_changes": [
            {"user_id": lead.user_id, "customer_phone": lead.customer_phone, **_of_status_change(row)}
            for lead in leads
            for row in lead.status_changes
        ],
        "lead_messages": [_of_message(lead, row) for lead in leads for row in lead.messages],
        "lead_counts": list(_counted(_facets(lead) for lead in leads)),
        "lead_daily_counts": list(
            _counted(
                {**_facets(lead), "day": lead.last_message_at.date()}
                for lead in leads
                if lead.last_message_at is not None
            )
        ),
        "lead_totals": list(_of_spans(leads)),
        "message_counts": list(_of_hours(leads)),
        "attribute_counts": list(_of_attributes(leads)),
        "tenant_names": [{"user_id": user_id, "name": name} for user_id, name in model.names.items()],
        "source_keys": [
            {"kind": kind, "key": key, "user_id": user_id, "customer_phone": phone}
            for (kind, key), (user_id, phone) in model.keys.items()
        ],
    }
    return {table: _by_key(table, its_rows) for table, its_rows in rows.items()}


def read_tables(connection: Connection) -> dict[str, Table]:
    return {table: _by_key(table, _read(connection, table)) for table in KEYS}


def differences_of_tables(expected: dict[str, Table], actual: dict[str, Table]) -> list[str]:
    """Return each column of each row in which they differ; all columns of a missing row differ."""
    absent = "no such column"
    return [
        f"{table} {key} {column}: expected {row.get(column, absent)!r}, found {other.get(column, absent)!r}"
        for table in KEYS
        for key in sorted(_keys_that_differ(expected[table], actual[table]), key=repr)
        for row, other in [(expected[table].get(key, {}), actual[table].get(key, {}))]
        for column in sorted(row.keys() | other.keys())
        if row.get(column, absent) != other.get(column, absent)
    ]


def _keys_that_differ(expected: Table, actual: Table) -> Iterator[tuple[object, ...]]:
    return (key for key in expected.keys() | actual.keys() if expected.get(key) != actual.get(key))


def _by_key(table: str, rows: list[Row]) -> Table:
    by_key = {tuple(row[column] for column in KEYS[table]): row for row in rows}
    if len(by_key) != len(rows):
        raise AssertionError(f"{table} has a key twice")
    return by_key


def _read(connection: Connection, table: str) -> list[Row]:
    # In JSON, the form of a time depends on no setting of the session except the time zone.
    query = sql.SQL("SELECT row_to_json(t) FROM {} AS t").format(
        sql.Identifier("projector" if table == "source_keys" else "read_model", table)
    )
    with connection.cursor(row_factory=scalar_row) as cursor:
        rows: list[Row] = cursor.execute(query).fetchall()
    moments = [name for row in rows[:1] for name in row if _MOMENT.fullmatch(name)]
    for row in rows:
        for name in moments:
            text = row[name]
            if text is not None:
                row[name] = None if text == "-infinity" else datetime.fromisoformat(text)
        if "day" in row:
            row["day"] = date.fromisoformat(row["day"])
        if parts := _HOURS.fullmatch(row.get("reply_window") or ""):
            hours, minutes, seconds = map(int, parts.groups())
            row["reply_window"] = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        # The version of its tenant with which a row was written is not compared.
        row.pop("version", None)
        if table == "leads":
            row["document"] = json.loads(row["document"])
    return rows


def _counted(facets: Iterator[Row]) -> Iterator[Row]:
    counts = Counter(tuple(sorted(row.items(), key=lambda item: item[0])) for row in facets)
    for items, count in counts.items():
        yield {**dict(items), "leads": count}


def _of_spans(leads: list[Lead]) -> Iterator[Row]:
    spans: dict[tuple[str, str, datetime | None], list[Lead]] = {}
    for lead in leads:
        came = lead.first_contact_at.replace(minute=0, second=0, microsecond=0)
        keys: list[tuple[str, datetime | None]] = [
            ("all", None),
            ("new_hour", came),
            ("new_day", came.replace(hour=0)),
        ]
        if lead.last_message_at is not None:
            hour = lead.last_message_at.replace(minute=0, second=0, microsecond=0)
            keys += [("hour", hour), ("day", hour.replace(hour=0))]
        for key in keys:
            spans.setdefault((lead.user_id, *key), []).append(lead)
    for (user_id, span, begins), members in spans.items():
        yield {
            "user_id": user_id,
            "granularity": span,
            "bucket_start": begins,
            "leads": len(members),
            "with_extraction": sum(lead.has_extraction for lead in members),
            "with_email": sum(lead.email is not None for lead in members),
            **{
                status.lower(): sum(lead.lead_status == status for lead in members)
                for status in ("Hot", "Warm", "Cold")
            },
            **{
                f"on_{platform}": sum(platform in lead.platforms for lead in members)
                for platform in ("whatsapp", "instagram", "webchat")
            },
            **{
                f"last_from_{sender}": 0
                if span.startswith("new")
                else sum(lead.last_message_sender == sender for lead in members)
                for sender in ("user", "agent")
            },
            "without_conversation": sum(not lead.conversations for lead in members),
            "with_reply_window": 0
            if span.startswith("new")
            else sum(lead.reply_window_ends_at is not None for lead in members),
        }


def _of_hours(leads: list[Lead]) -> Iterator[Row]:
    hours = Counter(
        (lead.user_id, message.timestamp.replace(minute=0, second=0, microsecond=0))
        for lead in leads
        for message in lead.messages
    )
    for (user_id, hour), messages in hours.items():
        yield {"user_id": user_id, "hour": hour, "messages": messages}


def _of_attributes(leads: list[Lead]) -> Iterator[Row]:
    kinds = {str: "string", bool: "boolean", list: "array"}

    def named(attributes: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
        return ((name, kinds.get(type(value), "number")) for name, value in (attributes or {}).items())

    counts: Counter[tuple[str, str, str, str]] = Counter()
    for lead in leads:
        counts.update((lead.user_id, "lead", *pair) for pair in named(lead.attributes))
        # A name with several kinds of values has the first kind.
        pairs = {pair for row in lead.conversations for pair in named(row.attributes)}
        first = dict(sorted(pairs, reverse=True))
        counts.update((lead.user_id, "conversation", *pair) for pair in first.items())
    for (user_id, level, name, kind), count in counts.items():
        yield {"user_id": user_id, "level": level, "name": name, "value_type": kind, "leads": count}


def _facets(lead: Lead) -> Row:
    return {
        "user_id": lead.user_id,
        "lead_status": lead.lead_status,
        "total_score": lead.total_score,
        **{f"on_{platform}": platform in lead.platforms for platform in ("whatsapp", "instagram", "webchat")},
        "has_extraction": lead.has_extraction,
        "has_email": lead.email is not None,
    }


def _of_lead(lead: Lead) -> Row:
    return {
        "customer_phone": lead.customer_phone,
        "last_message_at": lead.last_message_at,
        "first_contact_at": lead.first_contact_at,
        "total_messages": lead.total_messages,
        "document": lead.document(),
        "last_message_sender": lead.last_message_sender
        if lead.last_message_sender in {"user", "agent"}
        else None,
        "has_conversation": lead.conversations != (),
        "waiting_since": lead.waiting_since,
        "reply_window_ends_at": lead.reply_window_ends_at,
        "last_customer_message_at": lead.last_customer_message_at,
        "other_platforms": [word for word in lead.platforms if word not in PLATFORMS] or None,
        **{
            name: getattr(lead, name)
            for name in ("status_since", "first_warm_at", "first_hot_at", "was_cold")
        },
    }


def _of_status_change(row: StatusChange) -> Row:
    return {name: value for name, value in row._asdict().items() if name != "from_status"}


def _of_profile(model: Model, lead: Lead) -> Row:
    texts = [text for text in (lead.name, lead.email, lead.company, lead.customer_phone) if text is not None]
    text, plain = (
        "\n".join(model.lower(change(text)) for text in texts) for change in (str, without_accents)
    )
    sent = [send.sent_at for send in lead.sends]
    on = {platform_word(send.platform) for send in lead.sends}
    return {
        **lead.columns(),
        "first_send_at": min(sent, default=None),
        "last_send_at": max(sent, default=None),
        **{f"sent_on_{platform}": platform in on for platform in ("whatsapp", "instagram", "webchat")},
        "name_key": None if lead.name is None else model.lower(lead.name),
        "search_text": text,
        "search_plain": None if plain == text else plain,
        "sent_on_others": sorted(on - {None, *PLATFORMS}) or None,
    }


def _of_conversation(lead: Lead, row: LeadConversation) -> Row:
    messages = [message for message in lead.messages if message.conversation_id == row.conversation_id]
    times, of_customer, of_agent = (
        [message.timestamp for message in messages if message.sender in senders]
        for senders in ({message.sender for message in messages}, {"user"}, {"agent"})
    )
    names = (
        "conversation_id", "agent_id", "agent_name", "platform", "phone_number_id", "is_active", "created_at",
        "source_last_message_at", "attributes", "attributes_left_out", "reply_window",
    )  # fmt: skip
    return {
        "user_id": lead.user_id,
        "customer_phone": lead.customer_phone,
        **{name: getattr(row, name) for name in names},
        "message_count": len(times),
        "first_message_at": min(times, default=None),
        "newest_message_at": max(times, default=None),
        "newest_customer_message_at": max(of_customer, default=None),
        "newest_agent_message_at": max(of_agent, default=None),
    }


def _of_message(lead: Lead, row: LeadMessage) -> Row:
    names = ("message_id", "conversation_id", "sequence_no", "sender", "status", "text")
    return {
        "user_id": lead.user_id,
        "customer_phone": lead.customer_phone,
        "sent_at": row.timestamp,
        **{name: getattr(row, name) for name in names},
    }
