"""The demo data: rows of every kind, the same every time, any number of tenants, and refusals.

`tests/acceptance/test_reference.py` shows that the reference's tenant is as printed.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.report.errors import ProjectorError, SourceMissingError
from projector.report.progress import QUIET, Lines
from projector.trial import demo
from tests.support.server import Database, Server

TODAY = date(2026, 11, 25)

# One row per conversation, counted send or extraction, with tenant and canonical phone.
LEADS = """
CREATE TEMPORARY VIEW canonical AS
    SELECT source.*,
        CASE WHEN phone ~ '^[+]?[0-9 ().-]*$' THEN regexp_replace(phone, '[^0-9]', '', 'g') ELSE phone END
            AS lead
    FROM (
        SELECT a.user_id, p.platform, c.customer_phone AS phone, c.conversation_id, NULL AS send_id
        FROM conversations AS c
        JOIN agents AS a USING (agent_id)
        JOIN phone_numbers AS p ON p.id = a.phone_number_id
        UNION ALL
        SELECT t.user_id, p.platform, s.customer_phone, NULL, s.send_id
        FROM template_sends AS s
        JOIN templates AS t USING (template_id)
        JOIN phone_numbers AS p ON p.id = t.phone_number_id
        WHERE s.status NOT IN ('PENDING', 'FAILED')
    ) AS source
"""

PER_LEAD = "canonical GROUP BY user_id, lead HAVING"
SUM = "intent_score + urgency_score + budget_score + fit_score + engagement_score"
# What the showcase tenant has, and of how many rows at least.
KINDS = {
    "canonical WHERE platform = 'whatsapp' AND lead ~ '^[1-9][0-9]{9,12}$'": 500,
    "canonical WHERE platform = 'instagram' AND lead ~ '^17841[0-9]{12}$'": 200,
    "canonical WHERE platform = 'webchat' AND lead ~ '^web-[a-z0-9]{6}-[0-9]{9}$'": 200,
    "conversations WHERE customer_phone ~ '^[+][0-9]+$'": 50,
    "conversations WHERE customer_phone ~ '^[+][0-9]+ '": 3,
    f"{PER_LEAD} count(conversation_id) > 1": 100,
    f"{PER_LEAD} count(DISTINCT platform) > 1": 50,
    f"{PER_LEAD} count(DISTINCT phone) > 1": 50,
    f"{PER_LEAD} count(conversation_id) = 0": 100,
    f"{PER_LEAD} count(conversation_id) > 0 AND count(send_id) > 0": 50,
    "template_sends WHERE status = 'PENDING' AND sent_at IS NULL": 20,
    "template_sends WHERE status NOT IN ('PENDING', 'FAILED') AND sent_at IS NULL": 5,
    "template_sends WHERE regexp_replace(customer_phone, '[^0-9]', '', 'g') NOT IN (SELECT lead FROM canonical)": 10,
    "contacts WHERE ltrim(phone, '+') NOT IN (SELECT lead FROM canonical)": 10,
    "contacts GROUP BY user_id, ltrim(phone, '+') HAVING count(*) > 1": 10,
    "contacts AS k JOIN canonical AS c ON c.lead = ltrim(k.phone, '+') JOIN extractions AS e USING (conversation_id)"
    " WHERE e.is_latest AND trim(coalesce(e.name, '')) = '' AND k.name > ''": 10,
    "extractions GROUP BY conversation_id HAVING NOT bool_or(is_latest)": 20,
    "extractions WHERE trim(concat(name, email, company), E' \\t') = '' AND total_score IS NULL": 5,
    **{f"extractions WHERE is_latest AND lead_status_tag = '{one}'": 100 for one in ("Hot", "Warm", "Cold")},
    "extractions WHERE lead_status_tag <> initcap(trim(lead_status_tag, E' \\n'))": 50,
    "extractions WHERE lead_status_tag = 'Not interested'": 10,
    f"extractions WHERE total_score IS NULL AND {SUM} IS NOT NULL": 20,
    "extractions WHERE intent_score IS NOT NULL AND engagement_score IS NULL": 5,
    f"extractions WHERE total_score <> {SUM}": 20,
    "messages AS a JOIN messages AS b USING (conversation_id)"
    " WHERE a.sequence_no < b.sequence_no AND a.timestamp > b.timestamp": 50,
    "messages AS a JOIN messages AS b USING (conversation_id)"
    " WHERE a.sequence_no < b.sequence_no AND a.arrival > b.arrival": 50,
    "messages GROUP BY conversation_id, timestamp HAVING count(*) > 1": 20,
    "messages GROUP BY conversation_id HAVING count(*) > 200": 1,
    "conversations WHERE conversation_id NOT IN (SELECT conversation_id FROM messages)": 30,
    "conversations WHERE is_active IS NULL": 10,
    "conversations AS c WHERE last_message_at <>"
    " (SELECT max(timestamp) FROM messages AS m WHERE m.conversation_id = c.conversation_id)": 100,
    "messages WHERE timestamp < timestamp '2025-12-01'": 50,
    "messages WHERE position(E'\\n' IN text) > 0": 50,
    **{f"messages WHERE status = '{one}'": 50 for one in ("sent", "delivered", "read", "failed", "pending")},
    **{
        f"extractions WHERE name ~ '[{few}]'": 10
        for few in ("''", "éíóñçüŁığ", "ऀ-ॿ", "؀-ۿ", "一-龯", "✨🌸🔥🙏💎")
    },
    "extractions WHERE company ~ '[%_]'": 10,
    "extractions WHERE position(E'\\\\' IN company) > 0": 3,
}


class Interrupted(Lines):
    """Progress that stops a load in the middle."""

    def advance(self, n: int) -> None:
        super().advance(n)
        if self._done > 150:
            raise KeyboardInterrupt


def load(conn: psycopg.Connection[Any], **options: Any) -> demo.DemoReport:  # noqa: ANN401  # As the function itself.
    small = {"today": TODAY, "progress": QUIET, "leads": 100, "messages_per_lead": 5}
    return demo.load(conn, **{**small, **options})


def rows(conn: Connection, query: str, *parameters: object) -> list[TupleRow]:
    return conn.execute(query.encode(), parameters or None).fetchall()


def count(conn: Connection, what: str) -> int:
    return int(rows(conn, f"SELECT count(*) FROM (SELECT 1 FROM {what}) AS found")[0][0])


def contents(conn: Connection) -> dict[str, list[TupleRow]]:
    return {
        table: rows(conn, f'SELECT {", ".join(columns)} FROM {table} ORDER BY {columns[0]}::text COLLATE "C"')
        for table, columns in demo.TABLES.items()
    }


@pytest.fixture(scope="module")
def full(server: Server, source_template: Database) -> Iterator[Connection]:
    """A database with the demo in its usual size; only to be read."""
    database = server.create("demo", template=source_template.name)
    with database.connect() as conn:
        conn.execute("ALTER TABLE messages ADD COLUMN arrival bigserial")
        demo.load(conn, today=TODAY, progress=QUIET)
        conn.execute(LEADS)
        yield conn
    server.drop(database)


@pytest.fixture
def source(source_database: Database) -> Iterator[Connection]:
    """Empty source tables."""
    with source_database.connect() as conn:
        conn.execute(LEADS)
        yield conn


def test_the_showcase_has_rows_of_every_kind(full: Connection) -> None:
    found = {kind: count(full, kind) for kind in KINDS}
    assert {kind: number for kind, number in found.items() if number < KINDS[kind]} == {}
    assert count(full, f"{PER_LEAD} user_id = '{demo.SHOWCASE_USER_ID}'") == demo.DEFAULT_LEADS


def test_same_seed_and_day_make_the_same_rows_and_others_do_not(
    make_database: Callable[[Database | None], Database], source_template: Database
) -> None:
    def loaded(seed: int, today: date) -> dict[str, list[TupleRow]]:
        with make_database(source_template).connect() as conn:
            load(conn, seed=seed, today=today)
            load(conn, tenants=2, leads=30, seed=seed, today=today)
            return contents(conn)

    found = loaded(1, TODAY)
    assert loaded(1, TODAY) == found
    other = loaded(2, TODAY)
    assert [table for table in found if found[table] == other[table]] == []
    # The reference's tenant is the same.
    assert len(set(found["messages"]) & set(other["messages"])) == 37 + 6 + 3
    # Everything but the printed lead moves with the day.
    later = loaded(1, TODAY + timedelta(days=10))["messages"]
    times = {message_id: at for message_id, *_, at, _, _ in found["messages"]}
    same = [at for message_id, *_, at, _, _ in later if times.get(message_id) == at]
    assert len(same) == 37
    texts = [[(row[1], row[3], row[6]) for row in messages] for messages in (found["messages"], later)]
    assert sorted(texts[0]) == sorted(texts[1])


def test_benchmark_tenants_have_the_asked_size_and_come_beside_others(source: Connection) -> None:
    load(source, leads=20)
    report = load(source, tenants=3, leads=400, messages_per_lead=8)
    leads = rows(source, "SELECT user_id, count(DISTINCT lead) FROM canonical GROUP BY user_id")
    assert {(user_id, 400) for user_id in report.user_ids} <= set(leads)
    assert report.leads == 1200
    assert report.messages == pytest.approx(1200 * 8, rel=0.1)
    talk = "canonical LEFT JOIN messages AS m USING (conversation_id)"
    per_lead = rows(source, f"SELECT count(m.*) FROM {talk} GROUP BY user_id, lead ORDER BY count(m.*) DESC")
    assert sum(number for (number,) in per_lead[:120]) > 0.35 * report.messages
    before = contents(source)
    with pytest.raises(ProjectorError, match=r"already there: .* Nothing was loaded"):
        load(source, tenants=4, leads=400, messages_per_lead=8)
    with pytest.raises(ProjectorError, match=demo.REFERENCE_USER_ID):
        load(source, seed=2)
    assert contents(source) == before
    others: list[dict[str, Any]] = [{"seed": 2}, {"leads": 21}, {"messages_per_lead": 0}]
    reports = [load(source, **{"tenants": 1, "leads": 20, **other}) for other in others]
    assert len({*report.user_ids, *(one for report in reports for one in report.user_ids)}) == 6
    assert reports[-1].messages == 0


def test_progress_adds_up_and_an_interrupted_demo_leaves_nothing(source: Connection) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(source, leads=1000, messages_per_lead=200, progress=Interrupted())
    assert count(source, "users") == 0
    said: list[str] = []
    assert load(source, leads=250, progress=Lines(said.append)).leads == 254
    assert (said[0], said[-1].partition(" in ")[0]) == (
        "Loading demo leads: 254 leads",
        "Loading demo leads: 254 of 254 leads",
    )
    # The planner knows of the rows.
    assert count(source, "pg_class WHERE oid = 'messages'::regclass AND reltuples > 0") == 1


def test_what_cannot_be_loaded_is_refused(source: Connection, empty_database: Database) -> None:
    refused: list[dict[str, Any]] = [
        {"tenants": -1},
        {"leads": 0},
        {"messages_per_lead": -1.0},
        {"messages_per_lead": float("nan")},
    ]
    for sizes in refused:
        with pytest.raises(ProjectorError, match="No demo has"):
            load(source, **sizes)
    source.execute("INSERT INTO users (user_id) VALUES ('somebody')")
    source.execute("INSERT INTO phone_numbers (id, user_id) VALUES ('test-phone-001', 'somebody')")
    with pytest.raises(ProjectorError, match="test-phone-001"):
        load(source)
    assert rows(source, "SELECT user_id FROM users") == [("somebody",)]
    with empty_database.connect() as conn, pytest.raises(SourceMissingError, match=r"users.*--create-source"):
        load(conn)
    source.execute("DROP TABLE contacts")
    migrate(source, create_source=False)
    with pytest.raises(SourceMissingError, match=r"no contacts.*--create-source"):
        load(source)


def test_a_platform_that_demands_its_token_gets_one(source: Connection) -> None:
    source.execute("ALTER TABLE phone_numbers ALTER access_token SET NOT NULL")
    load(source)
    assert count(source, "phone_numbers WHERE access_token = 'demo'") == count(source, "phone_numbers") > 0


def test_what_a_platform_demands_else_is_named_before_the_first_row(source: Connection) -> None:
    source.execute(
        "ALTER TABLE agents ADD COLUMN region text NOT NULL, ADD COLUMN made_at date NOT NULL DEFAULT now();"
        " ALTER TABLE contacts ALTER email SET NOT NULL, ALTER email SET DEFAULT ''"
    )
    for tenants in (0, 2):
        with pytest.raises(
            ProjectorError, match=r"do not have: agents\.region, contacts\.email\. Nothing was"
        ):
            load(source, tenants=tenants)
        assert count(source, "users") == 0


def test_the_demo_leaves_nothing_else_empty(full: Connection) -> None:
    for table, columns in demo.TABLES.items():
        for column in {*columns} - demo.SOMETIMES_EMPTY.get(table, set()):
            assert count(full, f'{table} WHERE "{column}" IS NULL') == 0, (table, column)
