"""The views for people who read by SQL: their columns are a contract, and their rows those that the API prints."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from psycopg.rows import dict_row

from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.operate.uninstall import check_uninstall
from projector.report.errors import ProjectorError
from tests.acceptance.conftest import NOW, MakePlatform, Platform
from tests.support import edge_cases
from tests.support.server import Database

# The columns as they were released. Lines are added to it, and none of them is changed or moved.
RELEASED = Path(__file__).parent / "data" / "leads_sql.json"
PLATFORMS = ("whatsapp", "instagram", "webchat")

Rows = list[dict[str, Any]]


@pytest.fixture
def platform(make_platform: MakePlatform, database: Database) -> Platform:
    """Edge cases of two tenants, by a build and a refresh."""
    made = make_platform(database, NOW)
    rng = random.Random(5)
    edge_cases.write(made.connection, edge_cases.generate(rng, 40, now=NOW))
    made.rebuild()
    edge_cases.write(made.connection, edge_cases.generate(rng, 20, now=NOW))
    made.refresh()
    return made


def rows(conn: Connection, view: str) -> Rows:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"SELECT * FROM leads_sql.{view}".encode()).fetchall()


def by(table: Rows, *key: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    keyed = {tuple(row[name] for name in key): row for row in table}
    assert len(keyed) == len(table), "a key is there twice"
    return keyed


def test_released_columns_stay_and_new_ones_are_noted(connection: Connection) -> None:
    """Each view with its columns and their types, in order: what is in the file has been promised to readers."""
    views = connection.execute(
        "SELECT c.relname::text, array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum)"
        " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'leads_sql'::regnamespace GROUP BY c.relname"
    ).fetchall()
    assert dict(views) == json.loads(RELEASED.read_text("utf-8"))


def test_leads_and_conversations_are_those_of_the_oracle(platform: Platform) -> None:
    leads = platform.model().all_leads()
    assert len(leads) > 20
    shown_leads = by(rows(platform.connection, "leads"), "user_id", "customer_phone")
    assert shown_leads.keys() == {(lead.user_id, lead.customer_phone) for lead in leads}
    for lead in leads:
        row = shown_leads[lead.user_id, lead.customer_phone]
        expected = {
            **lead.columns(),
            "total_messages": lead.total_messages,
            "waiting_since": lead.waiting_since,
            "reply_window_ends_at": lead.reply_window_ends_at,
            "last_customer_message_at": lead.last_customer_message_at,
            "first_contact_at": lead.first_contact_at,
            "last_message_at": lead.last_message_at,
            **{
                name: lead.document()[name]
                for name in ("last_message_sender", "last_message_text", "conversation_count", "platforms")
            },
            **{f"on_{name}": name in lead.platforms for name in PLATFORMS},
        }
        shown = {**row, "extraction_id": None if row["extraction_id"] is None else str(row["extraction_id"])}
        # A printed field that came later may have no column here.
        assert shown == {name: expected[name] for name in shown}
    conversations = by(rows(platform.connection, "conversations"), "user_id", "conversation_id")
    assert len(conversations) == sum(len(lead.conversations) for lead in leads)
    for lead in leads:
        for conversation in lead.conversations:
            row = conversations[lead.user_id, conversation.conversation_id]
            assert row["customer_phone"] == lead.customer_phone
            assert {name: row[name] for name in row if hasattr(conversation, name)} == {
                name: getattr(conversation, name) for name in row if hasattr(conversation, name)
            }


def test_messages_are_those_of_the_oracle(platform: Platform) -> None:
    messages = by(rows(platform.connection, "messages"), "user_id", "message_id")
    expected = {
        (lead.user_id, message.message_id): {
            "user_id": lead.user_id,
            "customer_phone": lead.customer_phone,
            "sent_at": message.timestamp,
            **{
                name: getattr(message, name)
                for name in (
                    "conversation_id", "message_id", "sequence_no", "sender", "status", "text", "agent_id",
                    "agent_name", "platform",
                )
            },
        }
        for lead in platform.model().all_leads()
        for message in lead.messages
    }  # fmt: skip
    assert len(expected) > 20
    assert messages == expected


def test_changes_of_statuses_are_those_of_the_oracle(platform: Platform) -> None:
    changes = by(rows(platform.connection, "lead_status_changes"), "user_id", "customer_phone", "changed_at")
    expected = {
        (lead.user_id, lead.customer_phone, change.changed_at): {
            "user_id": lead.user_id,
            "customer_phone": lead.customer_phone,
            **change._asdict(),
        }
        for lead in platform.model().all_leads()
        for change in lead.status_changes
    }
    assert any(change["from_status"] for change in expected.values())
    assert changes == expected


def test_statistics_by_day_count_the_leads(platform: Platform) -> None:
    statistics = by(rows(platform.connection, "statistics_by_day"), "user_id", "day")
    days: dict[tuple[Any, ...], Rows] = {}
    for row in rows(platform.connection, "leads"):
        if row["last_message_at"] is not None:
            days.setdefault((row["user_id"], row["last_message_at"].date()), []).append(row)
    assert len(days) > 1
    assert statistics == {
        key: {
            "user_id": key[0],
            "day": key[1],
            "leads": len(leads),
            "with_extraction": sum(lead["has_extraction"] for lead in leads),
            "with_email": sum(lead["email"] is not None for lead in leads),
            **{name.lower(): sum(lead["lead_status"] == name for lead in leads) for name in ("Hot", "Warm", "Cold")},
            **{f"on_{name}": sum(lead[f"on_{name}"] for lead in leads) for name in PLATFORMS},
        }
        for key, leads in days.items()
    }  # fmt: skip


def test_what_hangs_on_a_view_stays_over_rebuild_and_migrate(platform: Platform) -> None:
    conn = platform.connection
    conn.execute("CREATE VIEW hot AS SELECT * FROM leads_sql.leads WHERE lead_status = 'Hot'")
    conn.execute("CREATE MATERIALIZED VIEW days AS SELECT * FROM leads_sql.statistics_by_day")
    conn.execute("GRANT SELECT ON leads_sql.messages TO pg_monitor")
    ids = "SELECT oid, relacl::text FROM pg_class WHERE relnamespace = 'leads_sql'::regnamespace ORDER BY oid"
    before = conn.execute(ids.encode()).fetchall()
    platform.rebuild()
    assert migrate(conn, create_source=False) == []
    assert conn.execute(ids.encode()).fetchall() == before
    conn.execute("REFRESH MATERIALIZED VIEW days")
    hot = [lead for lead in platform.model().all_leads() if lead.lead_status == "Hot"]
    assert conn.execute("SELECT count(*) FROM hot").fetchone() == (len(hot),)
    with pytest.raises(ProjectorError, match=r"  view public\.hot\n  materialized view public\.days\n"):
        check_uninstall(conn, drop_dependents=False)


def test_a_query_reads_the_profiles_only_for_their_columns(connection: Connection) -> None:
    """PostgreSQL leaves out a join of which it needs no column."""

    def plan(columns: str) -> str:
        text = f"EXPLAIN SELECT {columns} FROM leads_sql.leads WHERE user_id = 'u'"
        return "\n".join(line for (line,) in connection.execute(text.encode()).fetchall())

    assert "lead_profiles" in plan("name")
    assert "lead_profiles" not in plan("customer_phone, lead_status, last_message_at")
