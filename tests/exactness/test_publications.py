"""What the publications of a platform leave out is not promised: each rule by itself, on one server.

The database of a test is the platform's and the second server's. Its subscription has no worker, and lists what the
test wants. tests/acceptance/test_second_server.py has two servers.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from projector.database.rows import Connection
from projector.database.schema import source_tables
from projector.database.sql import query
from projector.operate.origin import publications as publishing
from projector.operate.origin.publications import (
    Brought,
    LeftOut,
    find_left_out,
    note_left_out,
    read_brought,
    read_left_out,
    say_left_out,
)
from tests.exactness.platform import Platform
from tests.exactness.test_origin import EPOCH, WELL, feed_by, proof

OTHERS = ", ".join(name for name in source_tables() if name != "messages")
FILTERED = f"CREATE PUBLICATION leads FOR TABLE {OTHERS}, messages WHERE (message_id <> 'x')"
FILTERED_SAID = "with a row filter"
MESSAGES = ["message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no"]


@contextmanager
def subscribed(conn: Connection, publications: str = "leads", tables: str | None = None) -> Iterator[None]:
    """Subscribe to these publications, with these tables copied, which are all source tables unless given."""
    conn.execute(
        f"CREATE SUBSCRIPTION leads CONNECTION 'dbname=nowhere' PUBLICATION {publications}"
        " WITH (connect = false, slot_name = NONE)".encode()
    )
    try:
        conn.execute(
            "INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate, srsublsn)"
            " SELECT s.oid, listed::regclass, 'r', '0/5' FROM pg_subscription AS s, unnest(%s::text[]) AS listed"
            " WHERE s.subdbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())",
            (list(source_tables()) if tables is None else [*filter(None, tables.split(", "))],),
        )
        yield
    finally:
        conn.execute("DROP SUBSCRIPTION leads")


def copy_again(conn: Connection, table: str, state: str, position: str | None = None) -> None:
    """Let the subscription copy a table: it is in this state, and was copied at this position."""
    conn.execute(
        "UPDATE pg_subscription_rel SET srsubstate = %s, srsublsn = %s WHERE srrelid = %s::regclass",
        (state, position, table),
    )


def look(conn: Connection) -> dict[str, str]:
    return publishing.look(conn, read_brought(conn))


@pytest.mark.parametrize(
    ("commands", "publications", "said"),
    [
        ("CREATE PUBLICATION leads FOR ALL TABLES", "leads", None),
        ("CREATE PUBLICATION leads FOR TABLES IN SCHEMA public", "leads", None),
        (f"CREATE PUBLICATION leads FOR TABLE {OTHERS}, messages ({', '.join(MESSAGES)})", "leads", None),
        (
            f"CREATE PUBLICATION leads FOR TABLE {OTHERS}, messages ({', '.join(MESSAGES[:-2])})",
            "leads",
            "without the columns status, sequence_no",
        ),
        (FILTERED, "leads", FILTERED_SAID),
        # What one publication leaves out, another one of the same subscription brings.
        (f"{FILTERED}; CREATE PUBLICATION more FOR TABLE messages", "leads, more", None),
        (
            f"{FILTERED}; CREATE PUBLICATION more FOR TABLE messages WITH (publish = 'insert, truncate')",
            "leads, more",
            "without UPDATE, DELETE",
        ),
        # Another subscription may have it.
        (
            f"CREATE PUBLICATION leads FOR TABLE {OTHERS}; CREATE PUBLICATION more FOR TABLE messages",
            "leads",
            "not at all",
        ),
    ],
)
def test_what_publications_leave_out(
    filled: Platform, commands: str, publications: str, said: str | None
) -> None:
    filled.conn.execute(commands.encode(), prepare=False)
    with subscribed(filled.conn, publications):
        expected = {} if said is None else {"public.messages": said}
        assert look(filled.conn) == expected


def test_each_kind_of_statement_has_to_be_published(filled: Platform) -> None:
    conn = filled.conn
    conn.execute("CREATE PUBLICATION leads FOR ALL TABLES WITH (publish = 'insert')")
    with subscribed(conn):
        reasons = look(conn)
        assert set(reasons) == {f"public.{name}" for name in source_tables()}
        assert reasons["public.users"] == "without UPDATE, DELETE, TRUNCATE"


def test_a_column_that_computes_itself_need_not_arrive(filled: Platform) -> None:
    conn = filled.conn
    conn.execute(
        f"CREATE PUBLICATION leads FOR TABLE {OTHERS}, messages ({', '.join(MESSAGES[:-1])})".encode()
    )
    with subscribed(conn):
        assert look(conn) == {"public.messages": "without the column sequence_no"}
        conn.execute("ALTER TABLE messages DROP COLUMN sequence_no CASCADE")
        conn.execute("ALTER TABLE messages ADD COLUMN sequence_no integer GENERATED ALWAYS AS (1) STORED")
        assert look(conn) == {}


def test_a_partition_that_is_not_published(filled: Platform) -> None:
    conn = filled.conn
    conn.execute("DROP TABLE contacts")
    conn.execute("CREATE TABLE contacts (LIKE template_sends) PARTITION BY LIST (send_id)")
    for column in source_tables()["contacts"]:
        conn.execute(f"ALTER TABLE contacts ADD COLUMN {column} text".encode())
    conn.execute("CREATE TABLE contacts_a PARTITION OF contacts FOR VALUES IN ('a')")
    conn.execute("CREATE TABLE \"Contacts b\" PARTITION OF contacts FOR VALUES IN ('b')")
    others = OTHERS.replace("contacts, ", "")
    conn.execute(f"CREATE PUBLICATION leads FOR TABLE {others}, messages, contacts_a".encode())
    with subscribed(conn, tables=f"{others}, messages, contacts_a"):
        assert look(conn) == {'public."Contacts b"': "not at all"}
        conn.execute('ALTER PUBLICATION leads ADD TABLE "Contacts b"')
        conn.execute(
            "INSERT INTO pg_subscription_rel SELECT r.srsubid, '\"Contacts b\"'::regclass, 'r', '0/6'"
            " FROM pg_subscription_rel AS r LIMIT 1"
        )
        assert look(conn) == {}
        # The root brings both.
        conn.execute(f"ALTER PUBLICATION leads SET TABLE {others}, messages, contacts".encode())
        conn.execute("ALTER PUBLICATION leads SET (publish_via_partition_root)")
        assert set(look(conn)) == {"public.contacts_a", 'public."Contacts b"'}
    with subscribed(conn, tables=f"{others}, messages, contacts"):
        assert look(conn) == {}


def test_nothing_is_proved_while_something_is_left_out(filled: Platform) -> None:
    conn = filled.conn
    feed_by(conn, WELL)
    assert proof(conn, [EPOCH], ["0/1"]) == EPOCH
    note_left_out(conn, {"public.messages": "in words"}, [])
    assert proof(conn, [EPOCH], ["0/1"]) is None


LACKING = {"public.messages": FILTERED_SAID}


def note(conn: Connection, reasons: dict[str, str]) -> list[LeftOut]:
    """Note what is left out, and return what is noted."""
    noted = note_left_out(conn, reasons, read_brought(conn))
    assert noted == read_left_out(conn)
    return noted


def test_what_was_left_out_is_missing_until_the_table_is_copied_again(filled: Platform) -> None:
    conn = filled.conn
    with subscribed(conn):
        assert note(conn, {}) == []
        [noted] = note(conn, LACKING)
        assert noted.reason == FILTERED_SAID
        assert note(conn, LACKING) == [noted]
        for state in ("r", "i", "d", "f"):
            copy_again(conn, "messages", state, "0/5" if state == "r" else None)
            [kept] = note(conn, {})
            assert (kept.table_name, kept.reason, kept.copy) == ("public.messages", None, noted.copy)
        copy_again(conn, "messages", "r", "0/9")
        assert note(conn, {}) == []


def test_a_copy_that_ran_while_something_was_left_out_lacks_it_too(filled: Platform) -> None:
    conn = filled.conn
    with subscribed(conn):
        copy_again(conn, "messages", "d")
        [noted] = note(conn, LACKING)
        assert noted.copy is None
        copy_again(conn, "messages", "r", "0/7")
        for _ in range(2):
            [kept] = note(conn, {})
            assert (kept.reason, (kept.copy or "").endswith("0/7")) == (None, True)
        copy_again(conn, "messages", "r", "0/9")
        assert note(conn, {}) == []


def test_a_table_that_no_subscription_lists_needs_its_first_copy_only(filled: Platform) -> None:
    conn = filled.conn
    with subscribed(conn, tables=OTHERS):
        [noted] = note(conn, LACKING)
        assert noted.copy == ""
        conn.execute(
            "INSERT INTO pg_subscription_rel SELECT r.srsubid, 'messages'::regclass, 'd', NULL"
            " FROM pg_subscription_rel AS r LIMIT 1"
        )
        assert len(note(conn, {})) == 1
        copy_again(conn, "messages", "s", "0/7")
        assert note(conn, {}) == []
    # A table that is gone from the subscription is not waited for here: see projector.unfed_tables.
    with subscribed(conn):
        note(conn, LACKING)
        conn.execute("DELETE FROM pg_subscription_rel WHERE srrelid = 'messages'::regclass")
        assert note(conn, {}) == []


def test_a_table_that_is_swapped_while_it_is_looked_at_is_not_left_out(
    filled: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = filled.conn
    looks: list[dict[str, str]] = []

    def find(origin: Connection, brought: Sequence[Brought]) -> dict[str, str]:
        with origin.transaction():
            if not looks:
                origin.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                origin.execute("SELECT")
                with filled.database.connect() as other:
                    other.execute(
                        "CREATE TABLE swapped (LIKE messages INCLUDING ALL); DROP TABLE messages;"
                        " ALTER TABLE swapped RENAME TO messages",
                        prepare=False,
                    )
            looks.append(find_left_out(origin, brought))
        return looks[-1]

    conn.execute("CREATE PUBLICATION leads FOR ALL TABLES")
    with subscribed(conn):
        monkeypatch.setattr(publishing, "find_left_out", find)
        assert look(conn) == {}
    assert looks == [{"public.messages": "not at all"}, {}]


def test_an_older_origin_publishes_whole_rows(filled: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its view of publications has neither columns nor row filters."""
    conn = filled.conn
    conn.execute(FILTERED)
    view = "(SELECT pubname, schemaname, tablename FROM pg_catalog.pg_publication_tables)"
    text = query("origin", "find_left_out").replace("pg_catalog.pg_publication_tables", view)
    with subscribed(conn):
        brought = read_brought(conn)
        monkeypatch.setattr(publishing, "query", lambda *_: text)
        assert find_left_out(conn, brought) == {}


def test_what_is_left_out_in_words() -> None:
    assert say_left_out([]) is None
    reasons = {"a": "with a row filter", "b": "not at all", "c": None, "d": "with a row filter"}
    assert say_left_out([LeftOut(table_name=name, reason=reason) for name, reason in reasons.items()]) == (
        "Not all that the projection reads is published: a, d with a row filter; b not at all."
        " What was not published is missing until these tables are copied again: c"
    )
