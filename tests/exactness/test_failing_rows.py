"""If a row of the platform makes a batch fail, its key becomes a dead letter that says so, and all else continues."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from projector.capture.texts import Texts, default_mapping
from projector.core import batch, faults
from projector.core.batch import DEFAULT_BATCH
from projector.core.pipeline import prepare_session
from projector.core.refresh import Drain, refresh
from projector.database.locks import SHARDS
from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.report.errors import RebuildFailedError
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.exactness.platform import (
    Platform,
    assert_exact,
    rebuild_now,
    refresh_now,
    shard_of,
    texts,
    value,
    waiting,
)
from tests.support.cases import cases, repeated
from tests.support.commands import ROOT, run_command
from tests.support.running import running_scheduler, wait_until

TABLES = """
CREATE TABLE labels (key text, label text);
CREATE TABLE notes (key text, note text);
CREATE INDEX ON labels (key);
CREATE INDEX ON notes (key);
"""
FUNCTION = "CREATE OR REPLACE FUNCTION {name}(label text) RETURNS text IMMUTABLE "
SAME = "LANGUAGE sql AS 'SELECT label'"
NAMES = ("agent_name_of", "phone_of", "contact_name_of", "touched_by", "tenant_name_of", "text_of")

TOUCHED = "c.conversation_id AS conversations FROM conversations AS c"
RULES = (("labels", "conversations"), ("labels", "contacts"), ("notes", "conversations"))
EDITS = [
    ("conversations", "c.customer_phone,", "coalesce(public.phone_of(l.label), c.customer_phone) AS customer_phone,"),
    ("conversations", "a.name AS", "coalesce(public.agent_name_of(l.label), n.note, a.name) AS"),
    ("conversations", "FROM conversations AS c", """
        FROM conversations AS c
        LEFT JOIN labels AS l ON l.key = c.conversation_id
        LEFT JOIN LATERAL (SELECT (SELECT x.note FROM notes AS x WHERE x.key = c.conversation_id) AS note) AS n ON true
    """),
    ("contacts", "c.name,", "coalesce(public.contact_name_of(l.label), c.name) AS name,"),
    ("contacts", "FROM contacts AS c", "FROM contacts AS c LEFT JOIN labels AS l ON l.key = c.contact_id"),
    ("messages", "m.text,", "public.text_of(m.text) AS text,"),
    ("tenants", "u.company_name AS", "public.tenant_name_of(u.company_name) AS"),
    ("changes", f'"agents.agent_id", {TOUCHED}',
        f'"agents.agent_id", {TOUCHED} WHERE public.touched_by(c.customer_phone) <> \'\''),
    ("changes", "SELECT u.user_id", "".join(
        f'SELECT t.key AS "{table}.key", t.key AS {relation} FROM {table} AS t;\n' for table, relation in RULES
    ) + "SELECT u.user_id"),
]  # fmt: skip
"""Where the mapping differs from the default one. Without labels and notes it gives the same rows."""


def replace(conn: Connection, name: str, body: str = SAME) -> None:
    conn.execute((FUNCTION.format(name=name) + body).encode())


@pytest.fixture
def labelled(filled: Platform) -> Platform:
    """The lead of `one`, whose conversation is `c`, a lead of `two`, and a mapping that reads labels."""
    files = dict(default_mapping().files)
    for file, old, new in EDITS:
        assert files[file].count(old) == 1, old
        files[file] = files[file].replace(old, new)
    conn = filled.conn
    conn.execute(TABLES.encode(), prepare=False)
    for name in NAMES:
        replace(conn, name)
    migrate(conn, create_source=False, mapping=Texts(files))
    recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    filled.insert(
        "conversations",
        conversation_id="d",
        agent_id=filled.agent(filled.tenant("two")),
        customer_phone="999",
    )
    refresh_once(conn)
    assert_exact(conn)
    return filled


def refresh_once(conn: Connection) -> None:
    """Refresh, and retry no dead letter before its time."""
    refresh(conn, retry_failed=False, progress=QUIET)


def letters(conn: Connection) -> list[tuple[str, str, str | None, str]]:
    return conn.execute("SELECT kind, key, user_id, error FROM projector.dead_letters").fetchall()


def raising(state: str) -> str:
    return f"LANGUAGE plpgsql STRICT AS $$BEGIN RAISE 'not this one' USING ERRCODE = '{state}'; END$$"


UNREADABLE = "conversations.sql cannot be read with the conversation_id c: "
BODIES = {
    "cast": ("LANGUAGE sql AS 'SELECT label::integer::text'", "invalid input syntax for type integer"),
    "division": ("LANGUAGE sql AS 'SELECT (1 / (length(label) - 1))::text'", "division by zero"),
    "overflow": ("LANGUAGE sql AS 'SELECT (2147483647 * (1 + length(label)))::text'", "integer out of range"),
    "no JSON": ("LANGUAGE sql AS $$SELECT label::json ->> 'a'$$", "invalid input syntax for type json"),
    "recursion": ("LANGUAGE plpgsql STRICT AS 'BEGIN RETURN {name}(label); END'", "stack depth limit exceeded"),
    "no table": ("LANGUAGE plpgsql STRICT AS $$BEGIN EXECUTE 'TABLE nowhere'; END$$", 'relation "nowhere"'),
    **{state: (raising(state), "not this one") for state in
       ("P0001", "40001", "40P01", "55P03", "57014", "08006", "53100", "23505", "XX000")},
    "no end": ("LANGUAGE plpgsql STRICT AS 'BEGIN LOOP PERFORM pg_sleep(0.1); END LOOP; END'", "canceling statement"),
}  # fmt: skip


@pytest.mark.parametrize("name", [NAMES[0], *repeated(NAMES[1])])
@cases("body", [*BODIES])
def test_an_expression_of_a_mapping_that_fails_stops_its_own_key_alone(
    labelled: Platform, monkeypatch: pytest.MonkeyPatch, name: str, body: str
) -> None:
    conn = labelled.conn
    text, said = BODIES[body]
    replace(conn, name, text.replace("{name}", f"public.{name}"))
    before = len(texts(conn, "two", "999"))
    labelled.message("d", "beside")
    conn.execute("INSERT INTO labels VALUES ('c', 'x')")
    with monkeypatch.context() as patched:
        # Otherwise another key would wait too long on a busy machine.
        if body == "no end":
            patched.setattr(batch, "STATEMENT_TIMEOUT", "3s")
            patched.setattr("projector.core.late.STATEMENT_TIMEOUT", "3s")
            patched.setattr("projector.core.late.ONE_KEY_TIMEOUT", "2s")
            patched.setattr(faults, "ONE_KEY_TIMEOUT", "2s")
        refresh_once(conn)
    [(kind, key, user_id, error)] = letters(conn)
    assert (kind, key, user_id) == ("reload_conversations", "c", "one")
    assert error.startswith(UNREADABLE + said), error
    # Its changes are left out, and delay no other key.
    labelled.message("c", "left out")
    labelled.message("d", "beside")
    refresh_once(conn)
    assert len(texts(conn, "two", "999")) == before + 2
    replace(conn, name)
    conn.execute("DELETE FROM labels")
    refresh_now(conn)
    assert_exact(conn)


BATCH, ALONE = "limit: 10s", "limit: 1s"
TELLING = """LANGUAGE plpgsql STRICT AS $$BEGIN
    RAISE WARNING 'limit: %', current_setting('statement_timeout');
    RAISE 'fails';
END$$"""


@pytest.mark.parametrize("name", NAMES[:2])
def test_a_key_that_is_tried_alone_keeps_the_others_waiting_for_a_second(
    labelled: Platform, name: str
) -> None:
    """The function of the mapping says how long it could have kept each statement."""
    conn = labelled.conn
    told: list[str] = []
    conn.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))

    def limits(work: Callable[[], object]) -> set[str]:
        told.clear()
        work()
        return {line for line in told if line.startswith("limit")}

    def due() -> None:
        conn.execute("UPDATE projector.dead_letters SET retry_at = now()")
        refresh_once(conn)

    replace(conn, name, TELLING)
    conn.execute("INSERT INTO labels VALUES ('c', 'x')")
    assert limits(lambda: refresh_once(conn)) == {BATCH, ALONE}
    assert len(letters(conn)) == 1
    assert told.count(BATCH) <= 3, "a batch, and a slice or a piece of the same keys"
    assert limits(due) == {ALONE}
    # Nor does its change, which is left out; but its lead is looked up.
    conn.execute("UPDATE projector.dead_letters SET retry_at = now() + interval '1 minute'")
    labelled.message("c", "left out")
    assert limits(lambda: refresh_once(conn)) <= {ALONE}
    # A retry that an operator asks for has more time.
    assert BATCH in limits(lambda: refresh_now(conn))


GIVES = "conversations.sql gives 2 rows with the conversation_id c, and has to give one"


@cases(
    ("table", "said"),
    [
        ("labels", GIVES),
        ("notes", f"{UNREADABLE}more than one row returned by a subquery used as an expression"),
    ],
)
def test_a_key_that_a_mapping_comes_to_give_twice_stops_itself_alone(
    labelled: Platform, table: str, said: str
) -> None:
    conn = labelled.conn
    conn.execute(f"INSERT INTO {table} VALUES ('c', '4915'), ('c', '4916')".encode())
    labelled.message("d", "beside")
    refresh_once(conn)
    assert letters(conn) == [("reload_conversations", "c", "one", said)]
    assert "beside" in texts(conn, "two", "999")
    with pytest.raises(RebuildFailedError, match=said):
        rebuild_now(conn)
    # A key with two rows has two leads, and the key phase stops. A key that cannot be read is set aside.
    if table == "labels":
        with pytest.raises(RebuildFailedError, match=said):
            rebuild_now(conn, first=True)
    else:
        rebuild_now(conn, first=True)
        assert letters(conn) == [("reload_conversations", "c", "one", said)]
    conn.execute(f"DELETE FROM {table}".encode())
    rebuild_now(conn)
    refresh_now(conn)
    assert_exact(conn)


def test_a_new_contact_that_a_mapping_gives_twice_stops_itself_alone(labelled: Platform) -> None:
    conn = labelled.conn
    conn.execute("INSERT INTO labels VALUES ('twice', 'Ann'), ('twice', 'Bob')")
    labelled.insert("contacts", contact_id="twice", user_id="one", phone="777")
    labelled.message("d", "beside")
    refresh_once(conn)
    said = "contacts.sql gives 2 rows with the contact_id twice, and has to give one"
    assert letters(conn) == [("contacts", "twice", "one", said)]
    assert "beside" in texts(conn, "two", "999")


def test_a_letter_names_the_row_of_its_lead_that_cannot_be_read(labelled: Platform) -> None:
    conn = labelled.conn
    replace(conn, "contact_name_of", BODIES["cast"][0])
    contact = value(conn, "SELECT contact_id FROM contacts")
    conn.execute("INSERT INTO labels VALUES (%s, 'Ann')", (contact,))
    refresh_once(conn)
    conn.execute("UPDATE extractions SET name = 'Bob'")
    refresh_once(conn)
    said = f'contacts.sql cannot be read with the contact_id {contact}: invalid input syntax for type integer: "Ann"'
    assert {(key, error) for _, key, _, error in letters(conn)} == {(contact, said), ("c", said)}


def test_a_rule_and_a_name_that_fail_stop_nothing_else(labelled: Platform) -> None:
    conn = labelled.conn
    replace(
        conn,
        "touched_by",
        "LANGUAGE sql AS 'SELECT (1 / (length(label) - 4))::text'",
    )
    replace(conn, "tenant_name_of", raising("40001"))
    agent = value(conn, "SELECT agent_id FROM conversations WHERE conversation_id = 'c'")
    for _ in range(2):
        conn.execute("UPDATE agents SET name = name || '!'")
        conn.execute("UPDATE users SET company_name = 'Acme' WHERE user_id = 'one'")
        labelled.message("d", "beside")
        refresh_once(conn)
        assert waiting(conn) == []
    told = {(kind, key): error for kind, key, _, error in letters(conn)}
    assert told == {
        ("agents", agent): f"changes.sql cannot be read with the agents {agent}: division by zero",
        ("tenants", "one"): "tenants.sql cannot be read with the user_id one: not this one",
    }
    replace(conn, "touched_by")
    replace(conn, "tenant_name_of")
    refresh_now(conn)
    assert_exact(conn)


@cases(
    ("lose", "give_back"),
    [
        ("FUNCTION agent_name_of RENAME TO gone", "FUNCTION gone RENAME TO agent_name_of"),
        (
            "TABLE read_model.lead_messages RENAME sent_at TO gone",
            "TABLE read_model.lead_messages RENAME gone TO sent_at",
        ),
    ],
)
def test_what_fails_without_a_key_too_makes_no_letter(labelled: Platform, lose: str, give_back: str) -> None:
    """Something that is gone, as in the middle of a restore: for whatever key a statement fails."""
    conn = labelled.conn
    conn.execute(f"ALTER {lose}".encode())
    labelled.message("c", "waits")
    with pytest.raises((psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedColumn)):
        refresh_once(conn)
    assert letters(conn) == []
    conn.execute(f"ALTER {give_back}".encode())
    refresh_once(conn)
    assert_exact(conn)


def test_what_fails_while_nothing_waits_is_raised(labelled: Platform) -> None:
    conn = labelled.conn
    conn.execute("ALTER TABLE read_model.freshness RENAME COLUMN as_of TO gone")
    prepare_session(conn)
    with pytest.raises(psycopg.errors.UndefinedColumn):
        Drain(DEFAULT_BATCH).take_singles(conn, SHARDS)


def test_status_tells_of_refreshes_that_fail_again_and_again(labelled: Platform, tmp_path: Path) -> None:
    conn, url = labelled.conn, labelled.database.url

    def status() -> tuple[int, str]:
        told = run_command(tmp_path, "status", "--json", DATABASE_URL=url)
        return told.returncode, "\n".join(json.loads(told.stdout)["attention"])

    with running_scheduler(url, tmp_path) as scheduler:
        conn.execute("ALTER FUNCTION agent_name_of RENAME TO gone")
        labelled.message("c", "waits")
        wait_until(conn, "count(*) > 0 FROM projector.runs WHERE kind = 'refresh' AND outcome = 'failed'")
        code, said = status()
        assert code == 1
        assert "Refreshes fail again and again: function public.agent_name_of(text) does not exist" in said
        assert "(sql/refresh/2_lock/20_find_tenants.sql, which reads contacts.sql" in said
        conn.execute("ALTER FUNCTION gone RENAME TO agent_name_of")
        # Verify may fail for the same reason, and work again before.
        scheduler.wait_for_event("works again", job="refresh")
        assert "again and again" not in status()[1]
    assert "waits" in texts(conn, "one", "4915")


def test_a_change_of_an_unknown_kind_stays_and_is_in_nobodys_way(labelled: Platform, tmp_path: Path) -> None:
    conn = labelled.conn
    shard = shard_of(conn, "d")
    moments = f"SELECT shards[{shard + 1}], shards[{(shard + 1) % 4 + 1}] FROM read_model.freshness"
    conn.execute(
        "INSERT INTO projector.changes (shard, bulk, kind, keys)"
        " SELECT %s, n = 1, 'visits', ARRAY['visit-' || n] FROM generate_series(1, 3) AS n",
        (shard,),
    )
    held = conn.execute(moments.encode()).fetchone()
    for text in ("first", "second"):
        labelled.message("d", text)
        refresh(conn, retry_failed=False, progress=QUIET, size=4)
    now = conn.execute(moments.encode()).fetchone()
    assert held is not None
    assert now is not None
    assert (now[0], now[1] > held[1]) == (held[0], True)
    assert {"first", "second"} <= {*texts(conn, "two", "999")}
    assert sorted(waiting(conn)) == [("visits", [f"visit-{n}"]) for n in (1, 2, 3)]
    done = run_command(tmp_path, "status", "--json", DATABASE_URL=labelled.database.url)
    told = json.loads(done.stdout)
    assert (done.returncode, told["unknown_kinds"]) == (1, {"visits": 3})
    assert "3 changes of the kind visits stay in the queue" in "\n".join(told["attention"])
    # The next version may know the kind; and a rebuild of everything knows what there is.
    migrate(conn, create_source=False)
    assert value(conn, "SELECT count(*) FROM projector.changes WHERE shard = %s", shard) == 3
    refresh_once(conn)
    rebuild_now(conn)
    refresh_once(conn)
    assert_exact(conn)


def test_a_refresh_that_finds_no_lead_of_its_keys_warns(
    labelled: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "no key of the changes belongs to a lead"
    nobodys = labelled.conversation(labelled.agent("one"), None)
    for conversation, warns in ((nobodys, True), ("d", False)):
        labelled.message(conversation, "new")
        capsys.readouterr()
        refresh_once(labelled.conn)
        assert (said in capsys.readouterr().out) is warns


ARCHITECTURE = ROOT / "docs" / "internals" / "architecture.md"
_OWNERS = re.compile(r"^\| (`[^|]*`) \| (row|server|either) \|", re.MULTILINE)


def test_whose_failure_each_error_of_postgresql_is_stands_in_the_table() -> None:
    told = _OWNERS.findall(ARCHITECTURE.read_text("utf-8"))
    owners = {entry.strip("`"): owner for entries, owner in told for entry in entries.split(", ")}
    places = [entry.partition(" in ")[::2] for entry in owners if " in " in entry]
    wrong = {}
    # PostgreSQL's list, as psycopg has it.
    codes = {str(error.sqlstate) for error in psycopg.errors._sqlcodes.values()}  # noqa: SLF001
    for code, place in [*((code, "") for code in sorted(codes)), *places]:
        error = failing(code, place or "anywhere_else")
        made = (
            "row"
            if batch.is_lead_failure(error)
            else "server"
            if batch.is_server_failure(error)
            else "either"
        )
        longest = max((entry for entry in owners if code.startswith(entry)), key=len, default="")
        owner = owners[f"{code} in {place}" if place else longest]
        if made != owner:
            wrong[code, place] = made
        assert batch.is_lead_failure(failing(code, "exec_stmt_raise")), (
            f"RAISE with {code} is a row's failure"
        )
    assert wrong == {}


def failing(code: str, place: str) -> psycopg.Error:
    """Return an error of PostgreSQL with an SQLSTATE, as a function of its source raises it."""
    diag = SimpleNamespace(source_function=place, context=None)
    made: psycopg.Error = type("Failing", (psycopg.Error,), {"sqlstate": code, "diag": diag})()
    return made


def explained(labelled: Platform, folder: Path, phone: str = "4915") -> tuple[int, dict[str, Any], str]:
    """What `explain` ends with, and says of a lead of `one`, as an object and as text without its breaks of lines."""
    url = labelled.database.url
    told = run_command(folder, "explain", "one", phone, DATABASE_URL=url)
    assert told.stderr == ""
    as_json = run_command(folder, "explain", "one", phone, "--json", DATABASE_URL=url)
    return told.returncode, json.loads(as_json.stdout), " ".join(told.stdout.split())


FAILS = (
    "LANGUAGE sql AS 'SELECT public.raised(label)'",
    "LANGUAGE sql AS $$SELECT CASE label WHEN 'x' THEN public.raised(label) ELSE label END$$",
)


@cases(
    ("name", "relation"),
    [
        ("agent_name_of", "conversations"),
        ("phone_of", "conversations"),
        ("contact_name_of", "contacts"),
        ("text_of", "messages"),
    ],
)
@pytest.mark.parametrize("body", ["cast", *repeated("no table", "P0001", "40001", "57014", "08006")])
def test_explain_names_the_row_that_fails(
    labelled: Platform, tmp_path: Path, name: str, relation: str, body: str
) -> None:
    conn = labelled.conn
    contact = value(conn, "SELECT contact_id FROM contacts")
    conn.execute("INSERT INTO labels VALUES ('c', '49-15'), (%s, '49-15')", (contact,))
    keys = {
        "conversations": "conversation_id c",
        "contacts": f"contact_id {contact}",
        "messages": f"message_id {labelled.message('c', 'x')}",
    }
    text, said = BODIES[body]
    replace(conn, "raised", text)
    replace(conn, name, FAILS[name == "text_of"])
    told = f"{relation}.sql cannot be read with the {keys[relation]}: {said}"
    for is_set_aside in (False, True):
        code, lead, printed = explained(labelled, tmp_path)
        assert (code, lead["state"], lead["exists"]) == (0, "dead_letter", True)
        assert lead["failure"].startswith(told)
        assert f"cannot be computed from its source rows: {told}" in printed
        assert [letter["error"].startswith(told) for letter in lead["dead_letters"]] == [True] * is_set_aside
        rows = {table: len(of["rows"]) for table, of in lead["candidates"].items()}
        assert (rows[relation], rows["template_sends"]) == (0, 1)
        refresh_once(conn)
    # A bad row does not prevent `explain` for another lead.
    assert run_command(tmp_path, "explain", "two", "999", DATABASE_URL=labelled.database.url).returncode == 0
    replace(conn, name)
    conn.execute("DELETE FROM labels")
    conn.execute("DELETE FROM messages WHERE text = 'x'")
    refresh_now(conn)
    assert explained(labelled, tmp_path)[1]["state"] == "current"


def test_explain_says_which_changes_it_cannot_look_up(labelled: Platform, tmp_path: Path) -> None:
    replace(labelled.conn, "touched_by", raising("P0001"))
    labelled.conn.execute("UPDATE agents SET name = name || '!'")
    code, lead, printed = explained(labelled, tmp_path)
    assert (code, lead["state"], lead["failure"]) == (0, "waiting", None)
    assert (
        "or changes.sql fails for one, and not all were looked at: a change of this lead may wait" in printed
    )


def test_explain_of_messages_without_a_conversation_says_what_is_missing(
    labelled: Platform, tmp_path: Path
) -> None:
    labelled.message("d", "of nobody")
    # Without foreign keys, as on many platforms.
    labelled.conn.execute("SET session_replication_role = replica")
    labelled.conn.execute("DELETE FROM conversations WHERE conversation_id = 'd'")
    refresh_now(labelled.conn)
    told = run_command(tmp_path, "explain", "two", "999", DATABASE_URL=labelled.database.url)
    said = " ".join(told.stdout.split())
    assert (told.returncode, told.stderr) == (1, "")
    assert "Messages count only with a conversation that conversations.sql gives" in said
