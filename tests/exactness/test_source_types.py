"""The platform's tables with other types of ids, enums and times, and with some of them missing."""

import random
import re
from collections.abc import Iterator

import pytest

from projector.capture import gaps
from projector.capture.source import naming_missing_source
from projector.core import pipeline
from projector.core.refresh import refresh
from projector.database.rows import Connection
from projector.database.schema import sections
from projector.operate.install import migrate
from projector.operate.uninstall import uninstall
from projector.report.errors import ProjectorError, SourceMissingError
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests import oracle
from tests.conftest import MakeDatabase
from tests.exactness.platform import (
    assert_at_rest,
    assert_exact,
    assert_verified,
    document,
    rebuild_now,
    refresh_now,
    value,
)
from tests.exactness.random_load import Burst
from tests.oracle.leads import PLATFORMS
from tests.plans.test_refresh import SOURCE, nodes, statements
from tests.support import edge_cases
from tests.support.cases import cases, repeated
from tests.support.edge_cases import EdgeCases
from tests.support.server import Database

ENUMS = {
    "platform": (*PLATFORMS, *edge_cases.ODD_PLATFORMS),
    "sender": edge_cases.SENDERS,
    "status": (*edge_cases.MESSAGE_STATUSES, *edge_cases.SEND_STATUSES),
}
IDS = re.compile(
    r"\b(user_id|phone_number_id|\w+_id|id) (?:varchar\(\d+\)|uuid)(?= PRIMARY| NOT NULL| REFERENCES|,)"
)
# Each makes ids of one length, so that the bytes of the texts have the order of the numbers, as the oracle has it.
MADE = {
    "text": lambda rng: f"é{rng.getrandbits(56):014x}",
    "uuid": lambda rng: f"{rng.getrandbits(128):032x}",
    "bigint": lambda rng: str(rng.randrange(10**18, 9 * 10**18)),
    "integer": lambda rng: str(rng.randrange(10**9, 2 * 10**9)),
}


def tables_of(ids: str) -> str:
    """Return the platform's tables with ids of a type, and with enums and times with a zone where they are no texts."""
    text = re.sub(r"\bmeta_phone_number_id", "meta_number", sections()["source"])
    text = IDS.sub(rf"\1 {ids}", text)
    # The copies of an extraction, which nobody trusts, stay texts.
    text = re.sub(rf"^    user_id {ids},$", "    user_id varchar(50),", text, flags=re.MULTILINE)
    text = text.replace("meta_number", "meta_phone_number_id")
    if ids == "text":
        return text
    text = text.replace("timestamp DEFAULT (now() AT TIME ZONE 'UTC')", "timestamptz DEFAULT now()")
    text = re.sub(r" timestamp,", " timestamptz,", text)
    for column, values in ENUMS.items():
        labels = ", ".join(f"'{label}'" for label in dict.fromkeys(values) if label is not None)
        text = f"CREATE TYPE any_{column} AS ENUM ({labels});\n" + re.sub(
            rf"\b{column} varchar\(\d+\)", f"{column} any_{column}", text
        )
    return text


@pytest.fixture
def typed(
    empty_database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """A database whose platform has ids of the type that the test asks for, and makes them so."""
    ids = request.param
    with empty_database.connect() as conn:
        conn.execute(tables_of(ids).encode())
    monkeypatch.setattr(EdgeCases, "identifier", lambda self, _prefix: spelled(MADE[ids](self.rng), ids))
    if ids != "uuid":
        monkeypatch.setattr(EdgeCases, "uuid", lambda self: MADE[ids](self.rng))
    return empty_database


def run(conn: Connection, commands: str) -> None:
    """Run several commands of the platform, which a connection that prepares statements takes only like this."""
    conn.execute(commands.encode(), prepare=False)


def spelled(made: str, ids: str) -> str:
    return f"{made[:8]}-{made[8:12]}-{made[12:16]}-{made[16:20]}-{made[20:]}" if ids == "uuid" else made


# Ids of bigint are those of the fixture `numbered` too.
@pytest.mark.parametrize(
    "typed",
    ["uuid", *repeated("text", "integer"), pytest.param("bigint", marks=pytest.mark.long)],
    indirect=True,
)
def test_after_a_burst_the_read_model_is_exact(typed: Database) -> None:
    with typed.connect() as conn:
        assert migrate(conn, create_source=False) == []
    Burst(typed, 1).run()


@pytest.mark.parametrize("typed", ["uuid", "integer"], indirect=True)
def test_the_platforms_indexes_serve_a_refresh(typed: Database) -> None:
    with typed.connect() as conn:
        migrate(conn, create_source=False)
        pipeline.prepare_session(conn)
        read = []
        for name, text in statements():
            [(plan,)] = conn.execute(f"EXPLAIN (FORMAT JSON) {text}".encode(), prepare=False).fetchall()
            read += [(name, node) for node in nodes(plan[0]["Plan"]) if node.get("Relation Name") in SOURCE]
        assert [name for name, node in read if node["Node Type"] == "Seq Scan"] == []
        assert len(read) > 10


@pytest.fixture
def numbered(empty_database: Database) -> Iterator[Connection]:
    """A platform with ids of bigint, one lead, and a read model that was built of it."""
    with empty_database.connect() as conn:
        conn.execute(tables_of("bigint").encode())
        conn.execute(
            "INSERT INTO users VALUES (1); INSERT INTO phone_numbers VALUES (2, 1, 'webchat');"
            " INSERT INTO agents VALUES (3, 1, 2, 'Ava');"
            " INSERT INTO conversations VALUES (4, 3, '4915', '2025-01-01'); INSERT INTO messages (message_id,"
            " conversation_id, sender, text, timestamp) VALUES (5, 4, 'user', 'first', '2025-01-02')"
        )
        migrate(conn, create_source=False)
        rebuild_now(conn, first=True)
        assert_exact(conn)
        yield conn


def test_of_numbered_extractions_the_greatest_number_wins(numbered: Connection) -> None:
    numbered.execute(
        "INSERT INTO extractions (extraction_id, conversation_id, extracted_at, is_latest, name)"
        " VALUES (9, 4, '2025-01-01', false, 'Nine'), (10, 4, '2025-01-01', false, 'Ten')"
    )
    refresh_now(numbered)
    lead = document(numbered, "1", "4915")
    assert lead is not None
    assert (lead["name"], lead["extraction_id"]) == ("Ten", "10")
    assert value(numbered, "SELECT extraction_id FROM leads_sql.leads") == "10"


@cases(
    ("kind", "key"),
    [
        ("conversations", "no number"),
        ("messages", "04"),
        ("contacts", "9223372036854775808"),
        ("template_sends", "1.5"),
    ],
)
def test_a_key_that_is_no_id_any_more_is_a_dead_letter(numbered: Connection, kind: str, key: str) -> None:
    conn = numbered
    # Beside a change that has a row of the source.
    conn.execute("INSERT INTO projector.changes (shard, kind, keys) VALUES (0, %s, %s)", (kind, [key, "4"]))
    conn.execute("UPDATE messages SET text = text || '!'")
    assert refresh(conn, retry_failed=False, progress=QUIET).changes == 2
    assert conn.execute("SELECT key, error FROM projector.dead_letters").fetchall() == [
        (key, "not a valid id of the platform's column type")
    ]
    refresh_now(conn)
    assert_verified(conn)


def test_keys_of_an_older_type_are_forgotten_and_their_lead_goes(numbered: Connection) -> None:
    conn = numbered
    conn.execute("INSERT INTO projector.source_keys VALUES ('conversation', 'old', '1', '99')")
    conn.execute("INSERT INTO projector.changes (shard, kind, keys) VALUES (0, 'messages', '{old}')")
    refresh(conn, retry_failed=False, progress=QUIET)
    assert value(conn, "SELECT dead_letters FROM read_model.tenants WHERE user_id = '1'") == 1
    rebuild_now(conn)
    assert_verified(conn)
    assert value(conn, "SELECT dead_letters FROM read_model.tenants WHERE user_id = '1'") == 0


def test_ids_that_get_another_type_are_taken_up_by_the_next_migrate(numbered: Connection) -> None:
    conn = numbered
    run(
        conn,
        "ALTER TABLE messages ALTER message_id TYPE uuid USING lpad(message_id::text, 32, '0')::uuid;"
        " ALTER TABLE extractions ALTER extraction_id TYPE uuid USING gen_random_uuid()",
    )
    with pytest.raises(SourceMissingError, match="Run migrate"), naming_missing_source(conn):
        recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    migrate(conn, create_source=False)
    conn.execute(
        "INSERT INTO extractions (extraction_id, conversation_id, name) VALUES (gen_random_uuid(), 4, 'Ann')"
    )
    recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    assert_verified(conn)


# What is missing, what has the same meaning if it exists, and what migrate says about it.
MISSING = {
    "contacts and template_sends": (
        "DROP TABLE contacts, template_sends; ALTER TABLE users DROP company_name",
        "DELETE FROM contacts; DELETE FROM template_sends; UPDATE users SET company_name = NULL",
        (
            "The platform's table users has no column company_name: nothing is known of that.",
            "The platform has no table contacts: no contact is known.",
            "The platform has no table template_sends: no template send is known.",
        ),
    ),
    "templates and columns": (
        (
            "DROP TABLE templates, users CASCADE; ALTER TABLE extractions DROP email, DROP lead_status_tag;"
            " ALTER TABLE conversations DROP is_active, DROP last_message_at"
        ),
        (
            "DELETE FROM template_sends; UPDATE extractions SET email = NULL, lead_status_tag = NULL;"
            " UPDATE conversations SET is_active = NULL, last_message_at = NULL;"
            " UPDATE users SET company_name = NULL"
        ),
        (
            "The platform has no table users: no tenant has a name.",
            "The platform has no table templates: no template send is known.",
            "The platform's table extractions has no column email, lead_status_tag: nothing is known of that.",
            "The platform's table conversations has no column last_message_at, is_active: nothing is known of that.",
        ),
    ),
}


@cases("missing", [*MISSING])
def test_what_may_be_missing_counts_as_null(make_database: MakeDatabase, missing: str) -> None:
    drop, empty, said = MISSING[missing]
    with make_database(None).connect() as conn:
        conn.execute(sections()["source"].encode())
        edge_cases.write(conn, edge_cases.generate(random.Random(missing), 15))
        run(conn, empty)
        assert migrate(conn, create_source=False) == []
        rebuild_now(conn, first=True)
        assert_exact(conn)
        expected = oracle.read_tables(conn)
        uninstall(conn)
        run(conn, drop)
        assert {*said} <= {*migrate(conn, create_source=False)}
        rebuild_now(conn, first=True)
        assert oracle.differences_of_tables(expected, oracle.read_tables(conn)) == []
        # A refresh, too, and a platform that writes.
        run(conn, "UPDATE messages SET text = 'newer'; UPDATE conversations SET created_at = '2025-01-01'")
        refresh_now(conn)
        assert_at_rest(conn)
        before = oracle.read_tables(conn)
        rebuild_now(conn, first=True)
        assert oracle.differences_of_tables(before, oracle.read_tables(conn)) == []


def test_what_was_missing_is_read_from_the_next_migrate_on(source_database: Database) -> None:
    with source_database.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(random.Random(1), 15))
        conn.execute(
            "CREATE TABLE kept AS TABLE contacts; DROP TABLE contacts; ALTER TABLE extractions DROP email"
        )
        migrate(conn, create_source=False)
        rebuild_now(conn, first=True)
        run(conn, sections()["source"])
        run(conn, "INSERT INTO contacts TABLE kept; ALTER TABLE extractions ADD email varchar(255)")
        conn.execute("UPDATE extractions SET email = 'ann@example.org'")
        refresh_now(conn)
        notices = migrate(conn, create_source=False)
        assert any("other columns of extractions, contacts are read now" in notice for notice in notices)
        recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
        assert_verified(conn)
        run(conn, "UPDATE extractions SET email = 'bob@example.org'; UPDATE contacts SET name = 'Bob'")
        refresh_now(conn)
        assert_verified(conn)
        # From then on it may not go without a word: a renamed column is one that is missing.
        conn.execute("ALTER TABLE extractions RENAME email TO mail")
        with pytest.raises(SourceMissingError, match=r"extractions has no column email\b.* gone for good"):
            migrate(conn, create_source=False)
        migrate(conn, create_source=False, source_schemas=["public"])
        recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
        assert gaps.open_gaps(conn) == []


TEXT = "has to be text, varchar or an enum"


def test_a_column_that_a_newer_version_reads_first_may_be_missing(connection: Connection) -> None:
    connection.execute("ALTER TABLE contacts DROP company")
    with pytest.raises(SourceMissingError, match="contacts has no column company"):
        migrate(connection, create_source=False)
    # As the previous version left it, which did not read the column.
    connection.execute("DELETE FROM projector.capture_columns WHERE column_name = 'company'")
    assert any("has no column company" in notice for notice in migrate(connection, create_source=False))


REFUSED = {
    "messages ALTER status DROP DEFAULT, ALTER status TYPE integer USING 1": f"messages.status is integer, and {TEXT}",
    "conversations ALTER is_active DROP DEFAULT, ALTER is_active TYPE integer USING 1": (
        "conversations.is_active is integer, and has to be boolean"
    ),
    "messages ALTER timestamp DROP DEFAULT, ALTER timestamp TYPE bigint USING 1": (
        "messages.timestamp is bigint, and has to be timestamp or timestamptz"
    ),
    "contacts ALTER contact_id TYPE numeric(9, 2) USING 1": (
        "contacts.contact_id is numeric(9,2), and has to be text, varchar, uuid, bigint or integer"
    ),
    "extractions DROP CONSTRAINT extractions_conversation_id_fkey, ALTER conversation_id TYPE uuid USING NULL": (
        "extractions.conversation_id is uuid, and has to be text as the column that it refers to"
    ),
    "messages DROP text": "table messages has no column text",
}


@cases(("change", "said"), [*REFUSED.items()])
def test_what_does_not_fit_is_refused_before_anything_is_changed(
    make_database: MakeDatabase, source_template: Database, change: str, said: str
) -> None:
    with make_database(source_template).connect() as conn:
        conn.execute(f"ALTER TABLE {change}".encode())
        with pytest.raises(ProjectorError) as raised:
            migrate(conn, create_source=False)
        assert said in str(raised.value)
        # That is for a database without a platform.
        assert "--create-source" not in str(raised.value)
        assert value(conn, "SELECT to_regnamespace('projector') IS NULL") is True
