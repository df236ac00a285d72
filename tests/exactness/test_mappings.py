"""Two platforms with tables of their own, each by its mapping: the read model has what their rows say."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import pytest

from api.request.parameters import INCLUDES
from projector.capture import gaps
from projector.capture.fit import examine_source
from projector.capture.texts import Texts, read_mapping
from projector.database.rows import Connection, values
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.operate import assess as assessing
from projector.operate.assess import assess, check, figures
from projector.operate.assess.facts import PROBLEM, Fact
from projector.operate.explain import explain_lead
from projector.operate.install import migrate
from projector.report.errors import CaptureGapError, ProjectorError
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.sweep.verify import verify
from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform, assert_at_rest, rebuild_now, refresh_now, value
from tests.exactness.schemas import CHATWOOT, FOLDER, MAPPED, SCHEMAS, Schema, change, fill
from tests.support.cases import cases
from tests.support.commands import run_command
from tests.support.roles import logins
from tests.support.server import Database


def assert_as_mapped(conn: Connection, schema: Schema) -> None:
    assert_at_rest(conn)
    sentences = schema.differences(conn)
    assert not sentences, "\n".join(sentences[:20])


def without_included(lead: dict[str, Any]) -> dict[str, Any]:
    """Return a lead without the keys that the API prints on request."""
    included = [name for names in INCLUDES.values() for name in names]
    conversations = [
        {name: value for name, value in of.items() if name != "attributes"} for of in lead["conversations"]
    ]
    document = {name: value for name, value in lead.items() if name not in included}
    return document | {"conversations": conversations}


def run_load(database: Database, name: str, mapping: Texts, rounds: int) -> None:
    """Repeatedly write at random, bring the read model up to date, and compare it with the rows."""
    schema, rng = MAPPED[name], Random(name)
    with database.connect() as conn:
        conn.execute(schema.tables.encode(), prepare=False)
        fill(conn, schema, rng, 15)
        printed = [fact.data["lead"] for fact in assess(conn, mapping=mapping) if fact.area == "lead"]
        assert migrate(conn, create_source=False, mapping=mapping) == []
        rebuild_now(conn, first=True)
        assert_as_mapped(conn, schema)
        documents = values(conn, "SELECT document::json FROM read_model.leads")
        assert all(without_included(lead) in documents for lead in printed)
        for _ in range(rounds):
            for _ in range(rng.randrange(1, 12)):
                change(conn, schema, rng)
            refresh_now(conn)
            assert_as_mapped(conn, schema)
        assert verify(conn, tenants=None, sample=None, heal=False, progress=QUIET).drifts == []
        # The last table has the messages. A gap is found and healed whatever name it has.
        [*_, table] = schema.makers
        conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        conn.execute(f"DELETE FROM {table} WHERE id % 2 = 0".encode())
        with pytest.raises(CaptureGapError, match=table):
            refresh_now(conn)
        recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
        assert_as_mapped(conn, schema)


@pytest.mark.parametrize("name", [*MAPPED])
def test_what_a_mapping_says_is_in_the_read_model(make_database: MakeDatabase, name: str) -> None:
    run_load(make_database(None), name, MAPPED[name].mapping, rounds=12)


@pytest.fixture
def chatwoot(make_database: MakeDatabase) -> Iterator[Connection]:
    """Chatwoot's tables with some rows, and nothing of ours."""
    with make_database(None).connect() as conn:
        conn.execute(CHATWOOT.tables.encode(), prepare=False)
        fill(conn, CHATWOOT, Random(7), 15)
        yield conn


def edited(folder: Path, file: str, old: str, new: str) -> Texts:
    """Return the mapping of Chatwoot with another text, as from a folder."""
    shutil.copytree(FOLDER / "chatwoot", folder, dirs_exist_ok=True)
    written = (folder / file).read_text("utf-8") if (folder / file).exists() else ""
    assert old in written
    (folder / file).write_text(written.replace(old, new) if old else new)
    return read_mapping(str(folder))


def test_a_mapping_stays_until_another_one_is_given_and_that_one_is_rebuilt(
    chatwoot: Connection, tmp_path: Path
) -> None:
    conn, schema = chatwoot, CHATWOOT
    migrate(conn, create_source=False, mapping=edited(tmp_path, "conversations.sql", "c.status <> 1", "true"))
    rebuild_now(conn, first=True)
    assert migrate(conn, create_source=False) == []
    notices = migrate(conn, create_source=False, mapping=CHATWOOT.mapping)
    assert any("another mapping is read now" in notice for notice in notices)
    recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    assert_as_mapped(conn, schema)
    assert gaps.open_gaps(conn) == []
    with pytest.raises(ProjectorError, match="--mapping default"):
        migrate(conn, create_source=True)
    lead = value(conn, "SELECT (user_id, customer_phone)::text FROM read_model.lead_conversations LIMIT 1")
    user_id, phone = lead.strip("()").split(",")
    candidates = explain_lead(conn, user_id, phone.strip('"'), candidates=3).candidates
    assert (
        candidates["extractions"]["table"] == candidates["conversations"]["table"] == "public.conversations"
    )
    # Its tables are not those of the default mapping.
    with pytest.raises(
        ProjectorError, match=r"not all there: .*table phone_numbers is missing; .*conversation_id"
    ):
        migrate(conn, create_source=False, mapping=read_mapping("default"))
    # A table that is no longer read has no triggers.
    without = edited(tmp_path, "conversations.sql", "    u.name AS agent_name,\n", "")
    (tmp_path / "conversations.sql").write_text(
        without.files["conversations"].replace("\nLEFT JOIN users AS u ON u.id = c.assignee_id", "")
    )
    (tmp_path / "changes.sql").write_text(without.files["changes"].partition("SELECT c.assignee_id")[0])
    migrate(conn, create_source=False, mapping=read_mapping(str(tmp_path)))
    assert value(conn, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'users'::regclass") == 0


def test_a_mass_change_of_messages_that_no_rule_names_is_read(chatwoot: Connection, tmp_path: Path) -> None:
    conn = chatwoot
    mapping = edited(tmp_path, "changes.sql", ", m.id AS message_id", "")
    migrate(conn, create_source=False, mapping=mapping)
    rebuild_now(conn, first=True)
    # One of the conversations is so long that named messages of it would be read by their ids.
    conn.execute(
        "INSERT INTO messages (id, content, conversation_id, message_type, created_at)"
        " SELECT 1000 + n, 'old', (SELECT min(conversation_id::integer) FROM read_model.lead_conversations),"
        " 0, '2025-01-01'"
        " FROM generate_series(1, 600) AS n"
    )
    refresh_now(conn)
    conn.execute("UPDATE messages SET content = 'edited'")
    assert value(conn, "SELECT bool_or(bulk) FROM projector.changes")
    refresh_now(conn)
    assert_as_mapped(conn, CHATWOOT)


def test_messages_whose_ids_are_computed_are_read_with_their_conversation(
    chatwoot: Connection, tmp_path: Path
) -> None:
    computed = "(m.id + 100000)::bigint AS message_id"
    edited(tmp_path, "changes.sql", "m.id AS message_id", computed)
    messages = (FOLDER / "chatwoot" / "messages.sql").read_text("utf-8")
    (tmp_path / "messages.sql").write_text(messages.replace("m.id AS message_id", computed))
    conn = chatwoot
    migrate(conn, create_source=False, mapping=read_mapping(str(tmp_path)))
    rebuild_now(conn, first=True)
    conn.execute("UPDATE messages SET content = 'edited'")
    refresh_now(conn)
    shown = "SELECT array_agg(DISTINCT text) FROM read_model.lead_messages WHERE message_id::bigint > 100000"
    assert value(conn, shown) == ["edited"]


def test_a_table_that_names_tenants_and_touches_more_changes_their_names(
    chatwoot: Connection, tmp_path: Path
) -> None:
    conn = chatwoot
    conn.execute(
        "INSERT INTO accounts (id, name) VALUES (1, 'one') ON CONFLICT (id) DO UPDATE SET name = 'one'"
    )
    edited(tmp_path, "tenants.sql", "a.id AS user_id", "a.id AS user_id, a.name")
    rules = 'SELECT a.id AS "accounts.id", a.id AS tenants FROM accounts AS a;\n'
    rules += 'SELECT c.account_id AS "accounts.id", c.id AS conversations FROM conversations AS c;\n'
    (tmp_path / "changes.sql").write_text(rules + (FOLDER / "chatwoot" / "changes.sql").read_text("utf-8"))
    migrate(conn, create_source=False, mapping=read_mapping(str(tmp_path)))
    rebuild_now(conn, first=True)
    for write, name in [("UPDATE accounts SET name = 'won'", "won"), ("TRUNCATE accounts", None)]:
        conn.execute(write.encode())
        refresh_now(conn)
        assert value(conn, "SELECT name FROM read_model.tenant_names WHERE user_id = '1'") == name


BAD = {
    "a column that is not there": (
        "messages.sql", "m.content AS text", "m.body AS text",
        "if it has another name, correct the mapping",
    ),
    "a column that a relation lacks": (
        "messages.sql", "m.id AS message_id", "m.id AS number", "messages.sql gives no column message_id"
    ),
    "a column that no relation has": (
        "messages.sql", "m.content AS text", "m.content AS text, m.private",
        "messages.sql gives private, and may only give message_id",
    ),
    "a wrong type": (
        "messages.sql", "m.content AS text", "m.private AS text",
        "messages.private, the text of messages.sql, is boolean, and has to be text",
    ),
    "a wrong type of what is computed": (
        "messages.sql", "m.created_at AS", "(m.id + 1) AS", "messages.timestamp is integer, and has to be timestamp"
    ),
    "an operator that there is not": (
        "conversations.sql", "p.id = c.contact_id", "p.name = c.contact_id",
        'operator does not exist: character varying = bigint (in INNER JOIN "public"."contacts" AS p ON p.name',
    ),
    "a table without a rule": (
        "changes.sql", '"inboxes.id"', '"accounts.id"', "conversations.sql reads the table inboxes, of which changes"
    ),
    "a table whose rule touches something else": (
        "contacts.sql", "FROM contacts AS p", "FROM contacts AS p LEFT JOIN users AS u ON u.id = p.id",
        "contacts.sql reads the table users, of which changes.sql has no rule that touches contacts",
    ),
    "a rule of nothing": (
        "changes.sql", "c.id AS extractions", "c.id AS deals", 'has to give a column such as "table.column"'
    ),
    "rules of two columns": (
        "changes.sql", 'c.contact_id AS "contacts.id"', 'c.contact_id AS "contacts.account_id"',
        "rules of changes.sql name several columns of contacts",
    ),
    "a whole row": (
        "messages.sql", "m.content AS text", "to_jsonb(m) ->> 'content' AS text", "messages.sql names a whole row"
    ),
    "a rule that reads the changed row": (
        "changes.sql", 'm.conversation_id AS "messages.conversation_id"', 'm.id AS "messages.id"',
        "finds messages in the changed row of messages by messages.id, and the row may be gone by then: queue",
    ),
    "a function without its schema": (
        "messages.sql", "m.content AS text", "normal(m.content) AS text",
        "function normal(text) does not exist (in normal(m.content) AS text,): a mapping writes its schema, crm.normal",
    ),
    "a type without its schema": (
        "conversations.sql", "c.status <> 1 AS", "c.status::text::state <> '1' AS",
        'type "state" does not exist (in c.status::text::state <>',
    ),
    "two schemas of a table": (
        "conversations.sql", "JOIN contacts AS", "JOIN public.contacts AS",
        "the table contacts is not written with one schema everywhere, and of a name one table is read",
    ),
    "a window of time": (
        "conversations.sql", "ON u.id = c.assignee_id",
        "ON u.id = c.assignee_id WHERE c.created_at > now() - interval '90 days' AND c.created_at <= CURRENT_DATE",
        "conversations.sql uses CURRENT_DATE or the like, now(), whose value changes without a change of a row",
    ),
    "a table under no alias": (
        "messages.sql", "messages AS m", "messages m", "(in FROM messages m): write FROM table AS alias"
    ),
    "rows that a function makes": (
        "messages.sql", "m.content AS text", "regexp_split_to_table(m.content, 'x') AS text",
        "a function in the SELECT list of messages.sql returns several rows for one",
    ),
    "a key twice": (
        "messages.sql", "m.id AS message_id", "m.id / 100 AS message_id", "and has to give one"
    ),
    "a cast that a row does not take": (
        "messages.sql", "CASE m.message_type WHEN", "CASE m.content::integer WHEN",
        "the column sender of messages.sql cannot be computed for each row: invalid input syntax for type integer",
    ),
    "a cast in a condition": (
        "messages.sql", "NOT m.private", "NOT m.private AND m.content::integer > 0",
        "a condition of messages.sql cannot be computed for each row: invalid input syntax for type integer",
    ),
    "a cast in a rule": (
        "changes.sql", "SELECT c.assignee_id",
        'SELECT m.content::bigint AS "users.id", m.id AS conversations FROM messages AS m;\nSELECT c.assignee_id',
        'the column users.id of the rule of "users.id" cannot be computed for each row: invalid input syntax',
    ),
    "a row of several": (
        "messages.sql", "m.content AS text", "(SELECT w.content FROM messages AS w) AS text",
        "the column text of messages.sql cannot be computed for each row: more than one row returned by a subquery",
    ),
    "a number that is too large": (
        "messages.sql", "m.content AS text", "m.content AS text, m.id + 3000000000 AS sequence_no",
        "the column sequence_no of messages.sql cannot be computed for each row: integer out of range",
    ),
    "another statement": (
        "messages.sql", "SELECT", "DELETE FROM messages; SELECT", "messages.sql: syntax error"
    ),
    "no folder": ("", "", "", "There is no folder"),
    "another file": ("notes.txt", "", "x", "holds notes.txt: a mapping has the files conversations.sql"),
}  # fmt: skip


@cases("bad", [*BAD])
def test_a_mapping_that_does_not_fit_is_refused_with_a_sentence(
    make_database: MakeDatabase, tmp_path: Path, bad: str
) -> None:
    file, old, new, said = BAD[bad]
    folder = tmp_path / bad.replace(" ", "-")
    with make_database(None).connect() as conn:
        conn.execute(CHATWOOT.tables.encode(), prepare=False)
        conn.execute(
            "INSERT INTO messages (conversation_id, message_type, content) VALUES (1, 0, 'axb'), (1, 1, 'b')"
        )
        conn.execute("CREATE SCHEMA crm; CREATE TYPE crm.state AS ENUM ('1')", prepare=False)
        conn.execute("CREATE FUNCTION crm.normal(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN upper($1)")
        with pytest.raises(ProjectorError) as refused:  # noqa: PT012  # Whichever refuses.
            mapping = edited(folder, file, old, new) if file else read_mapping(str(folder))
            migrate(conn, create_source=False, mapping=mapping)
        assert said in str(refused.value)
        assert value(conn, "SELECT to_regnamespace('projector') IS NULL") is True
        assert value(conn, "SELECT count(*) FROM messages") == 2  # Nothing was deleted.


UNREAD = (
    "m.content NOT LIKE '%@m.us'",
    "m.content <> E'it\\'s m.us'",
    "m.content <> $of$ it's m.us $of$",
    "m.content <> 'JOIN messages AS x' AND m.content <> 'it''s from Foo as f'",
    "m.content !~ '^m.*$'",
    "m.content <> '--' AND m.content <> 'm.us'",
    "m.content <> '/*' /* m.us */ AND m.content <> '*/'",
)


@cases("condition", [*UNREAD])
def test_what_stands_in_a_literal_or_a_comment_names_nothing(
    chatwoot: Connection, tmp_path: Path, condition: str
) -> None:
    mapping = edited(tmp_path, "messages.sql", "NOT m.private", f"NOT m.private AND {condition}")
    fit = examine_source(chatwoot, mapping=mapping)
    assert (fit.missing, fit.misfits, mapping.tables()) == ([], [], CHATWOOT.mapping.tables())
    assert mapping.digest != CHATWOOT.mapping.digest
    assert "'JOIN messages AS x'" in fit.relations["messages"].text or "JOIN" not in condition
    noted = f"/* m.us; */ -- it's m.us\nNOT m.private AND {condition}"
    commented = edited(tmp_path, "messages.sql", "NOT m.private", noted)
    assert commented.digest == mapping.digest


READING = {
    "a lie for the sake of an index": "FUNCTION public.label(bigint) RETURNS text LANGUAGE sql IMMUTABLE"
    " AS 'SELECT email FROM public.users WHERE id = $1'",
    "a body that PostgreSQL reads": "FUNCTION public.label(of bigint) RETURNS text LANGUAGE sql IMMUTABLE"
    " BEGIN ATOMIC SELECT u.email FROM public.users AS u WHERE u.id = of; END",
    "another language": "FUNCTION public.label(of bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE"
    " AS 'BEGIN RETURN (SELECT max(u.email) FROM generate_series(1, 1), \"users\" AS u WHERE u.id = of); END'",
    "a text that is made": "FUNCTION public.label(of bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE"
    " AS 'DECLARE said text; BEGIN EXECUTE concat(''SELECT email FR'', ''OM users'') INTO said; RETURN said; END'",
    "another function that does": "FUNCTION public.inner_label(bigint) RETURNS text LANGUAGE sql IMMUTABLE"
    " AS 'SELECT email FROM public.users WHERE id = $1'; CREATE FUNCTION public.label(bigint) RETURNS text"
    " LANGUAGE sql IMMUTABLE AS 'SELECT upper(public.inner_label($1))'",
    "an operator": "FUNCTION public.inner_label(bigint) RETURNS text LANGUAGE sql IMMUTABLE"
    " AS 'SELECT email FROM public.users WHERE id = $1';"
    " CREATE OPERATOR public.## (FUNCTION = public.inner_label, RIGHTARG = bigint);"
    " CREATE FUNCTION public.label(of bigint) RETURNS text LANGUAGE sql IMMUTABLE RETURN OPERATOR(public.##) of",
}
HARMLESS = {
    "a body without a table": "FUNCTION public.label(users bigint) RETURNS text LANGUAGE sql IMMUTABLE"
    " AS 'SELECT substring(concat(1, users) FROM 1) -- FROM users'",
    "a library": "EXTENSION unaccent SCHEMA public; CREATE FUNCTION public.label(bigint) RETURNS text LANGUAGE sql"
    " IMMUTABLE AS 'SELECT public.unaccent(''public.unaccent'', $1::text)'",
}


@cases(
    ("made", "refusals"),
    [*((text, 1) for text in READING.values()), *((text, 0) for text in HARMLESS.values())],
)
def test_a_function_that_reads_a_table_is_refused_whatever_it_declares(
    chatwoot: Connection, tmp_path: Path, made: str, refusals: int
) -> None:
    mapping = edited(tmp_path, "conversations.sql", "u.name AS", "public.label(c.assignee_id::bigint) AS")
    with chatwoot.transaction(force_rollback=True):
        chatwoot.execute(f"CREATE {made}".encode(), prepare=False)
        said = [fact.text for fact in assess(chatwoot, mapping=mapping) if fact.state == PROBLEM]
    refused = "conversations.sql uses function public.label(bigint), so that nobody can tell"
    assert [refused in text for text in said] == [True] * refusals, said


# Mistakes that PostgreSQL accepts: the file, the right and the wrong text, and the figure that shows it.
SILENT = {
    "nothing": ("messages.sql", "m.content", "m.content", "note messages: 400 rows, of 400 of messages; in 200"),
    "a phone that some customers do not have": (
        "conversations.sql", "coalesce(nullif(p.phone_number, ''), p.identifier, p.email)", "p.identifier",
        "of 80 leads; 80 with a phone of 8 digits or more; 120 without a phone;",
    ),
    "a misspelt key of JSON": (
        "conversations.sql", "coalesce(nullif(p.phone_number, ''), p.identifier, p.email)",
        "coalesce(p.additional_attributes ->> 'phnoe', p.id::text)", "of 200 leads; 200 with a shorter number;",
    ),
    "a flag that is null": (
        "messages.sql", "AND NOT m.private", "AND m.private = false", "messages: 20 rows, of 400 of messages;"
    ),
    "an id of another table": (
        "messages.sql", "m.conversation_id,", "m.inbox_id AS conversation_id,",
        "problem messages: 400 of 400 belong to no conversation of conversations.sql, and would be left out",
    ),
    "a word that nothing has": (
        "messages.sql", "WHEN 0 THEN 'user'", "WHEN 7 THEN 'user'",
        "warning messages: sender is never user: customers write as user, and everybody else as agent",
    ),
    "another phone for contacts": (
        "contacts.sql", "coalesce(nullif(p.phone_number, ''), p.identifier, p.email)", "p.id::text",
        "warning contacts: 200 of 200 have a phone that no conversation has, and most conversations have no contact",
    ),
    "a limit": (
        "tenants.sql", "accounts AS a", "accounts AS a ORDER BY a.id LIMIT 1",
        "warning conversations: 100 of 200 rows have a user_id that is not in tenants.sql",
    ),
    "tenants of another table": (
        "tenants.sql", "SELECT a.id AS", "SELECT a.id + 900 AS",
        "problem conversations: 200 of 200 rows have a user_id that is not in tenants.sql",
    ),
    "a join by another column": (
        "conversations.sql", "ON p.id = c.contact_id", "ON p.id = c.assignee_id",
        "problem conversations.sql gives none of the 200 rows of conversations",
    ),
    "another tenant": (
        "conversations.sql", "c.account_id AS", "c.assignee_id AS",
        "problem conversations: 200 of 200 have no user_id or no customer_phone",
    ),
    "a percent sign": (
        "messages.sql", "NOT m.private", "m.content LIKE '%ell%'", "messages: 400 rows, of 400 of messages; in 200"
    ),
    "a cast that a row does not take": (
        "messages.sql", "CASE m.message_type WHEN", "CASE m.content::integer WHEN",
        "problem The column sender of messages.sql cannot be computed for each row: invalid input syntax",
    ),
    "a window without a unit": (
        "conversations.sql", "CASE i.channel_type WHEN 'Channel::Whatsapp' THEN interval '24 hours' END",
        "CASE WHEN c.id > 1100 THEN interval '24' END",
        "warning conversations: reply_window is below a minute or above 30 days: write its unit",
    ),
    "milliseconds for seconds": (
        "messages.sql", "m.created_at AS", "to_timestamp(1700000000000 + m.id) AT TIME ZONE 'UTC' AS",
        "problem messages: each timestamp is more than a day ahead or before 2000: check its unit.",
    ),
    "seconds for milliseconds": (
        "messages.sql", "m.created_at AS", "to_timestamp(1700000 + m.id) AT TIME ZONE 'UTC' AS",
        "timestamp 400 (1970-01-20 16:1",
    ),
    "a word for a phone": (
        "conversations.sql", "coalesce(nullif(p.phone_number, ''), p.identifier, p.email)",
        "coalesce(p.identifier, 'unknown')",
        "warning conversations: 120 of 200 have a word such as null or unknown as customer_phone",
    ),
    "a phone for most": (
        "conversations.sql", "coalesce(nullif(p.phone_number, ''), p.identifier, p.email)",
        "coalesce(p.identifier, '4915')", "warning conversations: 120 of 200 have the same customer_phone",
    ),
    "a status that nothing has": (
        "conversations.sql", "c.status <> 1 AS", "c.status = 7 AS", "is_active 200 (false 200)"
    ),
    "an attribute that hides a field": (
        "contacts.sql", "p.blocked,", "'Hot' AS lead_status,",
        "note Attributes with the name of a field of a lead: lead_status. They are",
    ),
    "an attribute with the name of a number": (
        "contacts.sql", "p.blocked,", "'Pune' AS rows,", "attribute rows 200 (Pune 200)"
    ),
    "a join without a unique key": (
        "conversations.sql", "ON u.id = c.assignee_id", "ON u.name = c.status::text",
        "warning conversations.sql joins users by name, which no unique key covers: the join may give two rows",
    ),
    "a misspelt key of an attribute": (
        "contacts.sql", "p.blocked,", "p.custom_attributes ->> 'ctiy' AS city,",
        "warning contacts: no row has a value of name, email, company, updated_at, city: check the names of columns",
    ),
    "a score out of range": (
        "extractions.sql", "FROM conversations AS c\nWHERE c.custom_attributes ? 'lead_status'",
        ", 7 AS fit_score FROM conversations AS c",
        "warning extractions: fit_score has values that the API does not document: it has 1 to 3, and",
    ),
    "an attribute": ("contacts.sql", "p.blocked,", "'Pune' AS city,", '"attributes": {"city": "Pune"'),
    "a sender of another name": (
        "messages.sql", "ELSE 'agent'", "ELSE 'bot'", "sender: bot 200, user 200 (any but user, agent is printed as"
    ),
}  # fmt: skip


@pytest.fixture
def company(make_database: MakeDatabase) -> Iterator[Connection]:
    """Chatwoot's tables with 200 customers, each with a conversation of two messages."""
    with make_database(None).connect() as conn:
        conn.execute(CHATWOOT.tables.encode(), prepare=False)
        conn.execute(
            """
            ALTER TABLE messages ALTER COLUMN private DROP NOT NULL;
            INSERT INTO accounts (id, name) VALUES (1, 'one'), (2, 'two');
            INSERT INTO contacts (id, account_id, phone_number, identifier)
            SELECT n, 1 + n % 2, 491500000 + n, CASE WHEN n <= 80 THEN 491500000 + n END
            FROM generate_series(1, 200) AS n;
            INSERT INTO conversations (id, account_id, inbox_id, contact_id)
            SELECT 1000 + p.id, p.account_id, 1, p.id FROM contacts AS p;
            INSERT INTO messages (conversation_id, inbox_id, message_type, content)
            SELECT c.id, 1, kind, 'hello' FROM conversations AS c, generate_series(0, 1) AS kind
            """
        )
        yield conn


@cases("mistake", [*SILENT])
def test_what_postgresql_takes_shows_in_a_figure(company: Connection, tmp_path: Path, mistake: str) -> None:
    file, old, new, said = SILENT[mistake]
    with company.transaction(force_rollback=True):
        if mistake == "a flag that is null":
            company.execute("UPDATE messages SET private = NULL WHERE conversation_id > 1010")
        facts = assess(company, mapping=edited(tmp_path, file, old, new))
    figures = [
        f"{fact.state} {fact.text}" for fact in facts if fact.area in {"rows", "values", "lead", "mapping"}
    ]
    assert any(said in figure for figure in figures), figures
    assert assessing.as_dict(facts)["fits"] is not any(figure.startswith("problem") for figure in figures)


def test_migrate_prints_figures_and_never_refuses_by_them(company: Connection, tmp_path: Path) -> None:
    edited(tmp_path / "wrong", "messages.sql", "m.conversation_id,", "m.inbox_id AS conversation_id,")
    url = {"DATABASE_URL": company.info.dsn + f" password={company.info.password}"}
    done = run_command(tmp_path, "migrate", "--mapping", str(tmp_path / "wrong"), **url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "problem  mapping  messages: 400 of 400 belong to no conversation" in done.stdout
    assert done.stdout.endswith("The read model is installed and up to date.\n")
    sql = run_command(tmp_path, "migrate", "--sql", "--mapping", str(tmp_path / "wrong"), **url)
    assert "belong to no" not in sql.stdout


def test_the_lead_that_is_printed_is_the_one_with_the_most_values(company: Connection) -> None:
    company.execute("DELETE FROM conversations WHERE id > 1050")
    company.execute(
        'UPDATE conversations SET custom_attributes = \'{"lead_status": "Hot"}\','
        " display_id = CASE id WHEN 1020 THEN 7 END WHERE id <= 1030"
    )
    [lead] = [fact.data["lead"] for fact in assess(company, mapping=CHATWOOT.mapping) if fact.area == "lead"]
    assert (lead["lead_status"], lead["attributes"]) == ("Hot", {"ticket": 7, "blocked": False})


def test_a_row_that_cannot_be_computed_is_told_without_its_values_and_keeps_no_deploy(
    company: Connection, tmp_path: Path
) -> None:
    mapping = edited(tmp_path, "messages.sql", "m.content AS text", "m.content::integer::text AS text")
    company.execute("UPDATE messages SET content = id")
    migrate(company, create_source=False, mapping=mapping)
    company.execute("UPDATE messages SET content = '\" ALTER ROLE a SUPERUSER; \"' WHERE id % 2 = 0")
    migrate(company, create_source=False, mapping=mapping)
    [problem] = [fact for fact in assess(company) if fact.state == PROBLEM]
    assert ("ALTER ROLE a" in problem.text, problem.statements) == (True, [])
    with pytest.raises(ProjectorError, match=r"text of messages\.sql cannot .* ALTER ROLE a") as refused:
        check.check_mapping(company, [], mapping, nowhere)
    assert "row: InvalidTextRepresentation (SQLSTATE 22P02). Guard" in str(refused.value.without_values)


def test_of_a_large_table_and_of_its_relation_the_same_pages_are_counted(
    company: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_LOOKED_AT", 10_000)
    company.execute(
        "INSERT INTO messages (conversation_id, message_type, content)"
        " SELECT 1001, 1, repeat('x', 99) FROM generate_series(1, 20000)"
    )
    company.execute("ANALYZE messages")
    found = [fact.data for fact in assess(company, mapping=CHATWOOT.mapping) if fact.area == "rows"]
    [messages] = [data for data in found if data["relation"] == "messages"]
    assert 5_000 < messages["rows"] == messages["table_rows"] < 15_000
    assert messages["without_conversation"] == 0


@cases(
    ("name", "left_out", "said"),
    [
        ("libredesk", None, []),
        ("chaskiq", None, []),
        ("rapidpro", None, []),
        ("libredesk", 4, ["users: a change of", "first_name", "moves rows of conversations", "users.id"]),
        ("libredesk", 6, ["the table conversation_statuses, of which changes.sql has no rule"]),
    ],
)
def test_a_check_names_what_a_mapping_misses(
    make_database: MakeDatabase,
    name: str,
    left_out: int | None,
    said: list[str],
) -> None:
    assert_checked(make_database(None), name, left_out, said)


def test_a_check_of_large_tables_knows_the_conversations_of_messages(
    chatwoot: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn, files = chatwoot, CHATWOOT.mapping.files
    # One row of hundreds is sampled of each table: a message has its conversation there by no chance.
    monkeypatch.setattr(check, "_SAMPLED", 1)
    conn.execute(
        "INSERT INTO conversations (id, account_id, inbox_id, contact_id, created_at)"
        " SELECT 1000 + n, c.account_id, c.inbox_id, c.contact_id, '2025-01-01'"
        " FROM generate_series(1, 300) AS n, (SELECT * FROM conversations LIMIT 1) AS c"
    )
    conn.execute(
        "INSERT INTO messages (id, content, conversation_id, message_type, created_at)"
        " SELECT 1000 + n, 'hello', 1000 + n, 0, '2025-01-01' FROM generate_series(1, 300) AS n"
    )
    conn.execute("CREATE TABLE firms (id integer PRIMARY KEY, contact_id bigint, name text)")
    conn.execute("INSERT INTO firms SELECT id, id, 'Firm' FROM contacts")
    firms = "contacts AS p LEFT JOIN firms AS f ON f.contact_id = p.id"
    rules = [text for text in CHATWOOT.mapping.rules() if "FROM messages" not in text]
    rules += [
        # The sender of a message need not be the contact of its conversation.
        'SELECT c.contact_id AS "messages.sender_id", c.id AS messages FROM conversations AS c',
        'SELECT f.contact_id AS "firms.contact_id", f.contact_id AS contacts FROM firms AS f',
    ]
    contacts = files["contacts"].replace("contacts AS p", firms).replace("p.email,", "f.name AS email,")
    mapping = Texts({**files, "contacts": contacts, "changes": ";\n".join(rules)})
    facts = check.check_mapping(conn, [], mapping, nowhere)
    [problem] = [fact.text for fact in facts if fact.state == PROBLEM]
    assert problem.startswith("messages: a change of ")
    assert "a delete or an insert moves rows of messages that changes.sql does not touch" in problem
    # No rule can leave out what is always queued.
    assert not any(".id: each change of it is queued" in fact.text for fact in facts)


def test_a_table_of_another_schema_is_read_and_captured_there(company: Connection, tmp_path: Path) -> None:
    company.execute("CREATE TABLE users_of_crm (LIKE users INCLUDING ALL)")
    company.execute("CREATE SCHEMA crm")
    company.execute("ALTER TABLE users_of_crm SET SCHEMA crm")
    company.execute('ALTER TABLE crm.users_of_crm RENAME TO "Owners"')
    company.execute("INSERT INTO crm.\"Owners\" (id, name) VALUES (7, 'Ann')")
    company.execute("UPDATE conversations SET assignee_id = 7, created_at = now()")
    edited(tmp_path, "conversations.sql", "LEFT JOIN users AS u", 'LEFT JOIN crm."Owners" AS u')
    rules = (tmp_path / "changes.sql").read_text("utf-8").replace('"users.id"', '"crm.Owners.id"')
    (tmp_path / "changes.sql").write_text(rules)
    mapping = read_mapping(str(tmp_path))
    assert [
        fact for fact in check.check_mapping(company, [], mapping, nowhere) if fact.state == PROBLEM
    ] == []
    migrate(company, create_source=False, mapping=mapping)
    rebuild_now(company, first=True)
    company.execute("UPDATE crm.\"Owners\" SET name = 'Bob'")
    refresh_now(company)
    assert value(company, "SELECT array_agg(DISTINCT agent_name) FROM read_model.lead_conversations") == [
        "Bob"
    ]
    # A difference without a waiting change may be the mapping's fault.
    company.execute("UPDATE read_model.leads SET document = replace(document, 'Bob', 'Eve')")
    verify(company, tenants=None, sample=None, heal=False, progress=QUIET)
    [said] = [said for said in find_attention(read_status(company)) if "differ" in said]
    assert "so it does not see what only rare rows do" in said
    assert said.index("run `migrate --check`") < said.index("`verify --all --heal`")


FUNCTIONS = """
    CREATE TYPE public.state AS ENUM ('0', '1', '2');
    CREATE SCHEMA crm;
    CREATE EXTENSION unaccent SCHEMA crm;
    CREATE DOMAIN crm.phone AS text;
    CREATE FUNCTION crm.inner_normal(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN upper($1);
    CREATE FUNCTION crm.normal(of crm.phone) RETURNS text LANGUAGE sql IMMUTABLE
        AS 'SELECT crm.inner_normal(crm.unaccent(''crm.unaccent'', of))'
"""
OPERATOR = "CREATE OPERATOR public.## (FUNCTION = upper, RIGHTARG = text)"
USED = {
    FUNCTIONS: ("u.name AS", "crm.normal(u.name::crm.phone) AS", "every row that moved was touched"),
    "SELECT": (
        "c.status <> 1 AS",
        "c.status::text::public.state <> '1' AS",
        "every row that moved was touched",
    ),
    OPERATOR: (
        "u.name AS",
        "OPERATOR(public.##) u.name::text AS",
        "fits the platform's tables, and cannot be checked.",
    ),
}


@cases("used", [*USED])
def test_a_check_copies_what_a_mapping_uses_or_says_that_it_cannot(
    company: Connection, tmp_path: Path, used: str
) -> None:
    old, new, said = USED[used]
    company.execute(used.encode(), prepare=False)
    mapping = edited(tmp_path, "conversations.sql", old, new)
    try:
        told = " ".join(fact.text for fact in check.check_mapping(company, [], mapping, nowhere))
    except ProjectorError as error:
        told = str(error)
    assert said in told, told


# Rules that find the right rows where the ids of two tables are the same, or of most rows.
NEARLY = {
    "an id of another table": (
        "c.assignee_id AS",
        "c.id AS",
        "users: a change of id, name or a delete or an insert moves",
    ),
    "most rows": (
        "c.id AS conversations FROM conversations AS c;\nSELECT c.inbox_id",
        "c.id AS conversations FROM conversations AS c WHERE c.status <> 2 AND c.id > 0;\nSELECT c.inbox_id",
        "contacts: a change of id, phone_number or a delete or an insert moves rows of conversations",
    ),
}


@cases("rule", [*NEARLY])
def test_a_check_names_a_rule_that_is_nearly_right(
    company: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    monkeypatch.setattr(check, "_SAMPLED", 2)
    company.execute(
        "INSERT INTO users (id, name) SELECT c.id, 'Ann' FROM conversations AS c ON CONFLICT DO NOTHING"
    )
    company.execute("UPDATE conversations SET assignee_id = id, status = CASE id WHEN 1111 THEN 2 ELSE 0 END")
    old, new, said = NEARLY[rule]
    facts = check.check_mapping(company, [], edited(tmp_path, "changes.sql", old, new), nowhere)
    assert [said in fact.text for fact in facts if fact.state == PROBLEM] == [True], facts
    assert not any("The ids stayed" in fact.text for fact in facts)


@pytest.mark.long
@cases(
    ("name", "left_out"),
    [(schema.name, at) for schema in SCHEMAS.values() for at in (None, *range(len(schema.mapping.rules())))],
)
def test_a_check_names_each_rule_that_is_left_out(
    make_database: MakeDatabase, name: str, left_out: int | None
) -> None:
    assert_checked(make_database(None), name, left_out, [])


def assert_checked(database: Database, name: str, left_out: int | None, said: list[str]) -> None:
    """Check a mapping without one of its rules: it reports what is missed, and leaves nothing on the platform."""
    schema = SCHEMAS[name]
    rules = schema.mapping.rules()
    [changed] = re.findall(r'"(\w+)\.\w+"', rules[left_out])[:1] if left_out is not None else [""]
    left = ";\n".join(text for at, text in enumerate(rules) if at != left_out)
    with database.connect() as conn:
        conn.execute(schema.tables.encode(), prepare=False)
        fill(conn, schema, Random(8), 40)
        conn.execute("SET search_path = pg_catalog, pg_temp")
        databases = value(conn, "SELECT count(*) FROM pg_database")
        try:
            facts = check.check_mapping(conn, [], Texts({**schema.mapping.files, "changes": left}), nowhere)
        except ProjectorError as error:
            facts = [Fact(PROBLEM, "tables", str(error))]
        problems = "; ".join(fact.text for fact in facts if fact.state == PROBLEM)
        assert changed in problems if changed else problems == ""
        assert all(words in problems for words in said), problems
        assert value(conn, "SELECT to_regnamespace('projector') IS NULL")
        assert value(conn, "SELECT count(*) FROM pg_database") == databases


def nowhere() -> NoReturn:
    raise ProjectorError("There is no PostgreSQL.")


CHECK = ("migrate", "--mapping", str(FOLDER / "chatwoot"), "--check")


def test_a_check_by_a_login_that_creates_no_database_starts_a_server(
    chatwoot: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "_SAMPLED", 2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with logins(chatwoot, "reader"):
        chatwoot.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        url = Platform(chatwoot).database.by("reader").url
        done = run_command(tmp_path, *CHECK, DATABASE_URL=url, LEADS_PG_BIN=str(tmp_path))
        assert done.returncode == 1
        assert "run ALTER ROLE reader CREATEDB; or check it on a copy: pg_dump" in done.stderr
        assert run_command(tmp_path, *CHECK, "--create-source", DATABASE_URL=url).returncode == 2
        done = run_command(tmp_path, *CHECK, DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert "a PostgreSQL is started here for the check" in done.stderr
    assert "every row that moved was touched" in done.stdout
    assert [*tmp_path.iterdir()] == []


def test_a_check_that_is_ended_leaves_nothing(
    chatwoot: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases = value(chatwoot, "SELECT count(*) FROM pg_database")
    monkeypatch.setattr(check, "_fill", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    done = run_command(tmp_path, *CHECK, DATABASE_URL=Platform(chatwoot).database.url)
    assert done.returncode == 1
    assert "Interrupted" in done.stderr
    assert value(chatwoot, "SELECT count(*) FROM pg_database") == databases
