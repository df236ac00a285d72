"""An explanation names the rows that decide each field, and no other row has a say in it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow

from projector.operate.explain import explain_in
from projector.operate.explain.model import CURRENT, Explanation, Field
from projector.operate.explain.read import SHOWN_CHARACTERS
from tests.exactness.platform import refresh_now
from tests.oracle import Lead, Source, compute_leads, read_source
from tests.oracle.values import trim
from tests.support import edge_cases
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]
Named = tuple[str, str]

ALL = 100_000
SIZE = 24
# Leads of a world that are looked at, and rows that are left out for each.
RICHEST, ANY = 3, 3
ROWS = 12
SHORT = range(2)
LONG = range(100, 160)

# The columns that identify a row of the oracle's world.
KEYS = {
    "conversations": ("conversations", "conversation_id"),
    "messages": ("messages", "message_id"),
    "extractions": ("extractions", "extraction_id"),
    "contacts": ("contacts", "contact_id"),
    "template_sends": ("template_sends", "send_id"),
    "agents": ("agents", "agent_id"),
    "channels": ("phone_numbers", "id"),
    "templates": ("templates", "template_id"),
}
SINGLE = {
    "name", "email", "company", "lead_status", "total_score", "intent_score", "urgency_score", "budget_score",
    "fit_score", "engagement_score", "last_message_at", "last_message_text", "last_message_sender",
    "first_contact_at", "has_extraction", "extraction_id",
}  # fmt: skip


# Rows that compete with another one at the same time, so that the last criteria decide too.
TWINS = """
INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status, sequence_no)
SELECT left('twin-' || message_id, 255), conversation_id, 'user', 'twin', timestamp, status,
    CASE WHEN hashtext(message_id) % 2 = 0 THEN sequence_no + 1000000 END
FROM messages;
UPDATE extractions SET is_latest = false WHERE hashtext(extraction_id::text) % 2 = 0;
INSERT INTO extractions (extraction_id, conversation_id, extracted_at, is_latest, name, intent_score)
SELECT md5(extraction_id::text)::uuid, conversation_id, extracted_at, false, 'twin', 3 FROM extractions;
INSERT INTO contacts (contact_id, user_id, phone, name, updated_at)
SELECT left('twin-' || contact_id, 50), user_id, ' ' || phone, 'twin',
    updated_at - interval '1 microsecond' * (hashtext(contact_id) % 2)
FROM contacts WHERE length(phone) < 20 AND isfinite(updated_at)
ON CONFLICT DO NOTHING;
-- A contact is asked where the extraction has no name.
UPDATE extractions SET name = ' ' WHERE hashtext(conversation_id) % 2 = 0;
"""


def rows_of(source: Source) -> set[Named]:
    return {
        (table, getattr(row, key)) for name, (table, key) in KEYS.items() for row in getattr(source, name)
    }


def rows_named(one: Field, messages: dict[str, set[Named]]) -> set[Named]:
    """The rows that have a say in a field, as the explanation names them."""
    named = {(row.table, row.key) for row in (*one.sources, *one.decided_by)}
    for count in one.counts:
        named |= messages.get(count.conversation_id or "", set())
    return named


def messages_by_conversation(source: Source) -> dict[str, set[Named]]:
    found: dict[str, set[Named]] = {}
    for message in source.messages:
        found.setdefault(message.conversation_id, set()).add(("messages", message.message_id))
    return found


def related_rows(source: Source, lead: Lead) -> list[Named]:
    """Every row that could have a say in the lead, and some of others."""
    conversations = {row.conversation_id for row in lead.conversations}
    mine = [("conversations", key) for key in conversations]
    mine += [("messages", row.message_id) for row in lead.messages]
    mine += [
        ("extractions", row.extraction_id)
        for row in source.extractions
        if row.conversation_id in conversations
    ]
    mine += [("contacts", row.contact_id) for row in source.contacts if row.user_id == lead.user_id]
    templates = {row.template_id for row in source.templates if row.user_id == lead.user_id}
    mine += [("template_sends", row.send_id) for row in source.template_sends if row.template_id in templates]
    mine += [("agents", row.agent_id) for row in lead.conversations]
    mine += [("phone_numbers", row.phone_number_id) for row in lead.conversations if row.phone_number_id]
    return sorted(set(mine))


@contextmanager
def left_out(conn: Connection, row: Named) -> Iterator[None]:
    """The world without a row, and what the platform's foreign keys take with it."""
    table, key = row
    column = dict(KEYS.values())[table]
    with conn.transaction(force_rollback=True):
        conn.execute(
            sql.SQL("DELETE FROM {} WHERE {} = %s").format(sql.Identifier(table), sql.Identifier(column)),
            (key,),
        )
        yield


def explained(conn: Connection, lead: Lead) -> Explanation:
    """Explain without a bound, in a transaction that goes on writing afterwards."""
    with conn.transaction(force_rollback=True):
        return explain_in(conn, lead.user_id, lead.customer_phone, candidates=ALL)


def printed(explanation: Explanation) -> dict[str, Any]:
    return {one.name: one.value for one in explanation.fields}


def document(lead: Lead) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(lead.document()))
    return found


def check_without(before: Explanation, after: Explanation, removed: set[Named], world: Source) -> None:
    """Compare the explanations of a lead before and after rows were left out."""
    messages = messages_by_conversation(world)
    for one, other in zip(before.fields, after.fields, strict=True):
        touched = rows_named(one, messages) & removed
        if not touched:
            assert other.value == one.value, (one.name, removed)
            assert other.sources == one.sources, (one.name, removed)
            # Of two rows that decide the same each does alone once the other is gone.
            assert all(row in other.decided_by for row in one.decided_by), (one.name, removed)
            continue
        losers = {(row.table, row.key) for row in one.losers} | rows_named(one, messages)
        assert {(row.table, row.key) for row in other.sources} <= losers, (one.name, removed)
        if one.name in {"conversation_count", "total_messages", "template_sends_count", "conversations"}:
            assert other.value != one.value, (one.name, removed)


def check_sources(explanation: Explanation) -> None:
    """What a row is said to hold is what the field prints."""
    for one in explanation.fields:
        if one.name in SINGLE:
            assert len(one.sources) <= 1, one.name
        if one.name in {"name", "email", "company"}:
            assert [trim(row.value) for row in one.sources] == ([] if one.value is None else [one.value])
        if one.name.startswith("last_message_") and one.sources:
            # A text is cut where it is shown as a row's.
            assert one.sources[0].value == (one.value[:SHOWN_CHARACTERS] if one.value is not None else None)
        if one.name == "first_contact_at":
            assert one.sources[0].value == one.value
        if one.name == "extraction_id":
            assert [row.key for row in one.sources] == ([] if one.value is None else [one.value])


@pytest.mark.parametrize("seed", [*SHORT, *(pytest.param(seed, marks=pytest.mark.long) for seed in LONG)])
def test_leaving_a_row_out_changes_the_fields_that_name_it_and_no_other(
    database: Database, seed: int
) -> None:
    rng = Random(seed)
    with database.connect() as conn:
        # Most of the time would go into planning the same statements.
        conn.prepare_threshold = 0
        edge_cases.write(conn, edge_cases.generate(rng, SIZE))
        conn.execute(TWINS.encode(), prepare=False)
        refresh_now(conn)
        conn.execute("SET plan_cache_mode = force_generic_plan")
        world = read_source(conn)
        leads = compute_leads(world).all_leads()
        # A row of which all leads are made of would be no test.
        assert len(leads) > SIZE // 2
        leads.sort(key=lambda lead: len(lead.messages) + len(lead.sends) + 3 * len(lead.conversations))
        for lead in [*leads[-RICHEST:], *rng.sample(leads[:-RICHEST], ANY)]:
            before = explained(conn, lead)
            assert (before.state, printed(before)) == (CURRENT, document(lead))
            check_sources(before)
            rows = related_rows(world, lead)
            for row in rng.sample(rows, min(len(rows), ROWS)):
                with left_out(conn, row):
                    rest = read_source(conn)
                    expected = compute_leads(rest).of_tenant(lead.user_id).get(lead.customer_phone)
                    after = explained(conn, lead)
                removed = rows_of(world) - rows_of(rest)
                if expected is None:
                    makers = before.fields[0]
                    assert {(one.table, one.key) for one in makers.sources} <= removed
                    assert (after.exists, after.fields) == (False, [])
                    continue
                assert printed(after) == document(expected)
                check_without(before, after, removed, world)
