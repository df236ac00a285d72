"""A tenant with one lead that has something in every table of ours, and what is left of it anywhere."""

from psycopg import sql

from projector.database.rows import Connection
from tests.support.running import value, write_message, write_source
from tests.unit.projector.recovering import healed

ERASED_TENANT = "needle-tenant"
PHONE = "49777000123"
NEEDLES = (
    "needle-conversation",
    "needle-message",
    "needle-contact",
    "needle-send",
    "Needle Name",
    "needle name",
    "needle.mail@example.com",
    "Needle Company",
    "needle text of a customer",
    "needle requirements",
    "needle tag",
    PHONE,
)
"""What is in the rows of the lead, and in no other row."""

NEEDLES_OF_TENANT = (
    ERASED_TENANT,
    "needle-agent",
    "Needle Agent",
    "needle-channel",
    "needle-template",
    "needle-key",
)
"""What is in the rows of its tenant besides."""


LEAD = """
INSERT INTO conversations (conversation_id, agent_id, customer_phone, last_message_at)
VALUES ('needle-conversation', 'needle-agent', '+49 777 000123', now());
INSERT INTO messages (message_id, conversation_id, sender, text)
SELECT 'needle-message-' || n, 'needle-conversation', 'user', 'needle text of a customer ' || n
FROM generate_series(0, 2) AS n;
INSERT INTO extractions (extraction_id, conversation_id, lead_status_tag, total_score, name, email, company,
    requirements) VALUES
(gen_random_uuid(), 'needle-conversation', 'Hot', 77, 'Needle Name', 'needle.mail@example.com', 'Needle Company',
    'needle requirements');
INSERT INTO contacts (contact_id, user_id, phone, name, tags)
VALUES ('needle-contact', 'needle-tenant', '+49 777 000123', 'Needle Name', '{needle tag}');
INSERT INTO template_sends (send_id, template_id, customer_phone, status, sent_at)
VALUES ('needle-send', 'needle-template', '+49 777 000123', 'SENT', now());
"""
TENANT = """
INSERT INTO users (user_id) VALUES ('needle-tenant');
INSERT INTO phone_numbers (id, user_id, platform) VALUES ('needle-channel', 'needle-tenant', 'whatsapp');
INSERT INTO agents (agent_id, user_id, phone_number_id, name)
VALUES ('needle-agent', 'needle-tenant', 'needle-channel', 'Needle Agent');
INSERT INTO templates (template_id, user_id, phone_number_id)
VALUES ('needle-template', 'needle-tenant', 'needle-channel');
"""
# Errors, notes and reasons as an older version has stored them.
REMEMBERED = """
INSERT INTO projector.dead_letters VALUES
('contacts', 'needle-contact', 'needle-tenant', '49777000123', 'refused Needle Name', 1, now(),
    now() + interval '1 day'),
-- The source does not tell whose it is.
('reload_conversations', 'needle-conversation', NULL, NULL, 'refused needle.mail@example.com', 1, now(),
    now() + interval '1 day');
INSERT INTO projector.drift (kind, user_id, customer_phone, key, fields, first_field, found_at, seen_at) VALUES
('lead', 'needle-tenant', '49777000123', '', 1, 'name', now(), now()),
('contact', 'needle-tenant', '', 'needle-contact', 1, 'source keys', now(), now());
INSERT INTO projector.runs (kind, started_at, finished_at, outcome, tenants, note) VALUES
('rebuild', now(), now(), 'failed', ARRAY['needle-tenant'],
    'stopped at customer 49777000123 of tenant needle-tenant: Needle Name is refused'),
('verify', now(), now(), 'failed', NULL, '49777000123 of needle-tenant: Needle Name'),
('verify', now(), now(), 'done', ARRAY['needle-tenant', 'u'], NULL);
INSERT INTO projector.verify_rounds (version, started_at, due_at, leads_total, failure)
VALUES ('v', now(), now() + interval '1 day', 1, 'cannot read 49777000123 of needle-tenant, Needle Name');
INSERT INTO projector.verify_left_out VALUES
('lead', 'needle-tenant', '49777000123', '', now()), ('conversation', '', '', 'needle-conversation', now());
INSERT INTO projector.sweep_positions (purpose, version, phase, after_first, after_second)
VALUES ('rebuild', 'v', 'leads', 'needle-tenant', '49777000123'),
('verify', 'v', 'leads', 'needle-tenant', '49777000123');
INSERT INTO projector.capture_gaps (reason, reinstalled_at, healed_at)
VALUES ('switched off to delete 49777000123 of needle-tenant', now(), now());
INSERT INTO leads_access.api_keys (prefix, key_hash, user_id, all_tenants, label) VALUES
('needle-key', sha256('1'), 'needle-tenant', false, 'shop of needle-agent'),
('kept-key', sha256('2'), 'u', false, 'shop'), ('every-key', sha256('3'), NULL, true, 'all');
INSERT INTO projector.changes (shard, kind, keys, message_ids) VALUES
(projector.shard_of('c-u-1'), 'messages', ARRAY['c-u-1', 'needle-conversation'], ARRAY['m1', 'needle-message-0']),
(projector.shard_of('needle-contact'), 'contacts', ARRAY['needle-contact'], NULL);
"""


def write_lead(conn: Connection) -> None:
    """Write a lead of the tenant with rows in every source table."""
    conn.execute(LEAD.encode(), prepare=False)


def plant(conn: Connection) -> None:
    """Put the lead into everything that the projector remembers. The model is built, and the source rows are gone."""
    conn.execute(REMEMBERED.encode(), prepare=False)


def delete_lead(conn: Connection) -> None:
    """Delete the lead's rows from the platform's tables."""
    conn.execute("DELETE FROM template_sends WHERE send_id = 'needle-send'")
    conn.execute("DELETE FROM contacts WHERE contact_id = 'needle-contact'")
    conn.execute("DELETE FROM conversations WHERE conversation_id = 'needle-conversation'")


def delete_tenant(conn: Connection) -> None:
    """Delete the tenant's rows from the platform's tables: all others go by cascade."""
    conn.execute("DELETE FROM users WHERE user_id = %s", (ERASED_TENANT,))


def our_tables(conn: Connection) -> list[str]:
    """The tables of ours."""
    return [
        name
        for (name,) in conn.execute(
            "SELECT c.oid::regclass::text FROM pg_class AS c"
            " WHERE c.relnamespace::regnamespace::text IN ('read_model', 'projector', 'leads_access')"
            " AND c.relkind = 'r'"
        ).fetchall()
    ]


def find_left(conn: Connection, needles: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return table and text of each row with a needle, of ours and of the planner's statistics of tables with rows."""
    left = []
    filled: list[str] = []
    for table in [*our_tables(conn), "pg_catalog.pg_stats"]:
        query = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t").format(sql.SQL(table))
        if table == "pg_catalog.pg_stats":
            # Those of the platform's own tables are the platform's.
            query += sql.SQL(" WHERE schemaname || '.' || tablename = any({})").format(sql.Literal(filled))
        rows = [row for (row,) in conn.execute(query).fetchall()]
        if rows:
            filled.append(table)
        left += [(table, row) for row in rows if any(needle in row for needle in needles)]
    return left


def built_world(conn: Connection, other: Connection) -> None:
    """Write the tenant with its lead, and another tenant that stays, and project them."""
    write_source(other)
    write_message(other, "m1")
    other.execute(TENANT.encode(), prepare=False)
    write_lead(other)
    healed(conn)
    assert value(conn, "SELECT count(*) FROM read_model.leads WHERE user_id = %s", ERASED_TENANT) == 1
