"""The demo: its rows are those of the reference, of every kind, always the same, and of any number."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow, dict_row

from projector import demo
from projector.demo.source_rows import TABLES
from projector.errors import ProjectorError, SourceMissingError
from projector.progress import QUIET, Progress
from projector.statements import schema_sections
from tests.support.server import Database, Server

Connection = psycopg.Connection[TupleRow]

TODAY = date(2026, 11, 25)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)

TIMES = {
    "users": ("created_at", "updated_at"),
    "conversations": ("created_at", "last_message_at"),
    "messages": ("timestamp",),
    "extractions": ("extracted_at",),
    "contacts": ("updated_at",),
    "template_sends": ("sent_at", "created_at"),
}

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


class Recorder:
    """Progress that can be looked at, and that can stop a load in the middle."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.total = 0
        self.done = 0
        self.finished = False
        self.stop_after = stop_after

    def start(self, title: str, total: int, unit: str) -> None:
        assert title
        assert unit == "leads"
        self.total = total

    def advance(self, n: int) -> None:
        self.done += n
        if self.stop_after is not None and self.done > self.stop_after:
            raise KeyboardInterrupt

    def finish(self) -> None:
        self.finished = True


def load(  # noqa: PLR0913  # As the function itself.
    conn: psycopg.Connection[Any],
    *,
    tenants: int = 0,
    leads: int = 100,
    messages_per_lead: float = 5,
    seed: int = 1,
    today: date = TODAY,
    progress: Progress = QUIET,
) -> demo.DemoReport:
    return demo.load(
        conn,
        tenants=tenants,
        leads=leads,
        messages_per_lead=messages_per_lead,
        seed=seed,
        today=today,
        progress=progress,
    )


def rows(conn: Connection, query: str, *parameters: object) -> list[TupleRow]:
    return conn.execute(query.encode(), parameters).fetchall()


def one(conn: Connection, query: str, *parameters: object) -> Any:  # noqa: ANN401  # Whatever the query returns.
    ((value,),) = rows(conn, query, *parameters)
    return value


def contents(conn: Connection) -> dict[str, list[TupleRow]]:
    return {
        table: rows(conn, f'SELECT {", ".join(columns)} FROM {table} ORDER BY {columns[0]} COLLATE "C"')
        for table, columns in TABLES.items()
        if table != "extractions"
    } | {"extractions": rows(conn, "SELECT * FROM extractions ORDER BY extraction_id")}


@pytest.fixture(scope="module")
def full(server: Server, source_template: Database) -> Iterator[Connection]:
    """A database with the demo in its usual size; only to be read."""
    database = server.create("demo", template=source_template.name)
    with database.connect() as conn:
        conn.execute("ALTER TABLE messages ADD COLUMN arrival bigserial")
        load(conn, leads=demo.DEFAULT_LEADS, messages_per_lead=demo.DEFAULT_MESSAGES_PER_LEAD)
        conn.execute(LEADS)
        yield conn
    server.drop(database)


@pytest.fixture
def source(source_database: Database) -> Iterator[Connection]:
    """Empty source tables."""
    with source_database.connect() as conn:
        conn.execute(LEADS)
        yield conn


# The reference's tenant


def test_reference_lead_has_the_printed_conversation(full: Connection) -> None:
    found = full.cursor(row_factory=dict_row).execute(
        """
        SELECT c.*, a.user_id, a.name AS agent_name, a.phone_number_id, p.platform
        FROM conversations AS c
        JOIN agents AS a USING (agent_id)
        JOIN phone_numbers AS p ON p.id = a.phone_number_id
        WHERE customer_phone LIKE '%8979556941'
        """
    )
    assert found.fetchall() == [
        {
            "user_id": "789895c8-4bd6-43e9-bfea-a4171ec47197",
            "conversation_id": "b1a93252-f8c6-448f-a765-195eea996d9a",
            "agent_id": "test-agent-001",
            "agent_name": "Test AI Agent",
            "platform": "whatsapp",
            "phone_number_id": "test-phone-001",
            "customer_phone": "918979556941",
            "is_active": True,
            "created_at": datetime(2025, 10, 5, 6, 21, 34, 662_000),  # noqa: DTZ001  # As the column has it.
            "last_message_at": datetime(2025, 12, 12, 9, 7, 38, 656_000),  # noqa: DTZ001
        }
    ]


def test_reference_lead_has_the_printed_messages(full: Connection) -> None:
    messages = rows(
        full,
        """
        SELECT message_id, sender, text, timestamp::text, status, sequence_no
        FROM messages WHERE conversation_id = 'b1a93252-f8c6-448f-a765-195eea996d9a'
        ORDER BY timestamp
        """,
    )
    assert messages[:2] == [
        (
            "wamid.HBgMOTE4OTc5NTU2OTQxFQIAEhgUM0ZBMDM4RkM0QTg5NkI1ODIzRTgA",
            "user",
            "hi my name is siddhant",
            "2025-10-05 06:21:35.197",
            "sent",
            1,
        ),
        (
            "out-1759645300741-hij9fvlyv",
            "agent",
            (
                "Thanks, Siddhant! How can I help you today? May I have your email to send detailed docs? "
                "Quick one — what's your budget range for this?"
            ),
            "2025-10-05 06:21:42.667",
            "sent",
            2,
        ),
    ]
    assert messages[-1][1:] == (
        "agent",
        (
            "No problem, Siddhant. If you'd like, I can share a quick feature overview or pricing details. "
            "Which would you prefer?"
        ),
        "2025-12-12 09:07:38.656",
        "sent",
        37,
    )
    assert [number for *_, number in messages] == list(range(1, 38))
    assert len({at for *_, at, _, _ in messages}) == 37


def test_reference_lead_has_the_printed_extraction(full: Connection) -> None:
    found = rows(
        full,
        """
        SELECT extraction_id::text, is_latest, name, email, company, lead_status_tag, total_score,
            intent_score, urgency_score, budget_score, fit_score, engagement_score
        FROM extractions WHERE conversation_id = 'b1a93252-f8c6-448f-a765-195eea996d9a'
        """,
    )
    extraction_id = "791a2e81-4706-4703-9532-842a2fd16e0c"
    assert found == [
        (extraction_id, True, "Siddhant", "sddhantjaiii@gmail.com", None, "Cold", 7, 1, 1, 2, 2, 2)
    ]


def test_nothing_else_enriches_the_reference_lead(full: Connection) -> None:
    assert one(full, "SELECT count(*) FROM contacts WHERE user_id = %s", demo.REFERENCE_USER_ID) == 0
    assert one(full, "SELECT count(*) FROM template_sends WHERE customer_phone LIKE '%%8979556941'") == 0


@pytest.mark.parametrize(
    ("now", "last_7_days", "last_30_days"),
    [
        (MIDNIGHT, 2, 2),
        (MIDNIGHT + timedelta(days=4, microseconds=-1), 2, 2),
        (MIDNIGHT + timedelta(days=5), 1, 2),
        (MIDNIGHT + timedelta(days=27, microseconds=-1), 0, 2),
        (MIDNIGHT + timedelta(days=30), 0, 0),
    ],
)
def test_reference_statistics_drift_as_documented(
    full: Connection, now: datetime, last_7_days: int, last_30_days: int
) -> None:
    statistics = rows(
        full,
        """
        WITH leads AS (
            SELECT lead,
                max(coalesce(
                    (SELECT max(timestamp) FROM messages AS m WHERE m.conversation_id = c.conversation_id),
                    (SELECT coalesce(sent_at, created_at) FROM template_sends AS s
                        WHERE s.send_id = c.send_id)
                )) AS last_message_at,
                min((SELECT lead_status_tag FROM extractions AS e
                    WHERE e.conversation_id = c.conversation_id)) AS status,
                bool_and(platform = 'whatsapp') AS whatsapp
            FROM canonical AS c WHERE user_id = %s GROUP BY lead
        )
        SELECT count(*), count(status), count(*) FILTER (WHERE status = 'Cold'),
            count(*) FILTER (WHERE whatsapp),
            count(*) FILTER (WHERE last_message_at >= %s - interval '7 days'),
            count(*) FILTER (WHERE last_message_at >= %s - interval '30 days')
        FROM leads
        """,
        demo.REFERENCE_USER_ID,
        now.replace(tzinfo=None),
        now.replace(tzinfo=None),
    )
    assert statistics == [(4, 3, 3, 4, last_7_days, last_30_days)]


# The showcase tenant

KINDS = {
    "leads": ("SELECT DISTINCT lead FROM canonical WHERE user_id = %(user)s", 2000),
    "WhatsApp numbers": (
        "SELECT 1 FROM canonical WHERE platform = 'whatsapp' AND lead ~ '^[1-9][0-9]{9,12}$'",
        500,
    ),
    "spelled with +": ("SELECT 1 FROM conversations WHERE customer_phone ~ '^[+][0-9]+$'", 50),
    "spelled with + and blanks": ("SELECT 1 FROM conversations WHERE customer_phone ~ '^[+][0-9]+ '", 3),
    "Instagram ids": (
        "SELECT 1 FROM canonical WHERE platform = 'instagram' AND lead ~ '^17841[0-9]{12}$'",
        200,
    ),
    "web sessions": (
        "SELECT 1 FROM canonical WHERE platform = 'webchat' AND lead ~ '^web-[a-z0-9]{6}-[a-z0-9]{6}$'",
        200,
    ),
    "several conversations": (
        "SELECT 1 FROM canonical GROUP BY user_id, lead HAVING count(conversation_id) > 1",
        100,
    ),
    "two platforms": (
        "SELECT 1 FROM canonical GROUP BY user_id, lead HAVING count(DISTINCT platform) > 1",
        50,
    ),
    "two spellings": ("SELECT 1 FROM canonical GROUP BY user_id, lead HAVING count(DISTINCT phone) > 1", 50),
    "template only": (
        "SELECT 1 FROM canonical GROUP BY user_id, lead HAVING count(conversation_id) = 0",
        100,
    ),
    "conversations with sends": (
        (
            "SELECT 1 FROM canonical GROUP BY user_id, lead "
            "HAVING count(conversation_id) > 0 AND count(send_id) > 0"
        ),
        50,
    ),
    "uncounted sends": ("SELECT 1 FROM template_sends WHERE status = 'PENDING' AND sent_at IS NULL", 20),
    "failed sends": ("SELECT 1 FROM template_sends WHERE status = 'FAILED'", 20),
    "counted sends without time": (
        "SELECT 1 FROM template_sends WHERE status NOT IN ('PENDING', 'FAILED') AND sent_at IS NULL",
        5,
    ),
    "recipients who are no leads": (
        (
            "SELECT 1 FROM template_sends WHERE regexp_replace(customer_phone, '[^0-9]', '', 'g') "
            "NOT IN (SELECT lead FROM canonical)"
        ),
        10,
    ),
    "contacts who are no leads": (
        "SELECT 1 FROM contacts WHERE ltrim(phone, '+') NOT IN (SELECT lead FROM canonical)",
        10,
    ),
    "contacts with +": ("SELECT 1 FROM contacts WHERE phone LIKE '+%%'", 300),
    "contacts twice": ("SELECT 1 FROM contacts GROUP BY user_id, ltrim(phone, '+') HAVING count(*) > 1", 10),
    "contacts that fill in": (
        (
            "SELECT 1 FROM contacts AS k JOIN canonical AS c ON c.lead = ltrim(k.phone, '+') "
            "JOIN extractions AS e USING (conversation_id) "
            "WHERE e.is_latest AND trim(coalesce(e.name, '')) = '' AND k.name > ''"
        ),
        10,
    ),
    "contacts without time": ("SELECT 1 FROM contacts WHERE updated_at IS NULL", 5),
    "histories": ("SELECT 1 FROM extractions GROUP BY conversation_id HAVING count(*) > 2", 100),
    "histories without latest": (
        "SELECT 1 FROM extractions GROUP BY conversation_id HAVING NOT bool_or(is_latest)",
        20,
    ),
    "conversations without extraction": (
        "SELECT 1 FROM conversations WHERE conversation_id NOT IN (SELECT conversation_id FROM extractions)",
        200,
    ),
    "empty extractions": (
        (
            "SELECT 1 FROM extractions WHERE trim(concat(name, email, company), E' \\t') = '' "
            "AND total_score IS NULL AND intent_score IS NULL"
        ),
        5,
    ),
    "hot": ("SELECT 1 FROM extractions WHERE is_latest AND lead_status_tag = 'Hot'", 100),
    "warm": ("SELECT 1 FROM extractions WHERE is_latest AND lead_status_tag = 'Warm'", 100),
    "cold": ("SELECT 1 FROM extractions WHERE is_latest AND lead_status_tag = 'Cold'", 100),
    "oddly spelled status": (
        (
            "SELECT 1 FROM extractions WHERE lead_status_tag NOT IN ('Hot', 'Warm', 'Cold') "
            "AND lower(trim(lead_status_tag, E' \\n')) IN ('hot', 'warm', 'cold')"
        ),
        50,
    ),
    "no status": ("SELECT 1 FROM extractions WHERE coalesce(lead_status_tag, '') = ''", 20),
    "unknown status": ("SELECT 1 FROM extractions WHERE lead_status_tag = 'Not interested'", 10),
    "total to be summed up": (
        (
            "SELECT 1 FROM extractions WHERE total_score IS NULL "
            "AND intent_score + urgency_score + budget_score + fit_score + engagement_score IS NOT NULL"
        ),
        20,
    ),
    "a score missing": (
        "SELECT 1 FROM extractions WHERE intent_score IS NOT NULL AND engagement_score IS NULL",
        5,
    ),
    "total that is not the sum": (
        (
            "SELECT 1 FROM extractions "
            "WHERE total_score <> intent_score + urgency_score + budget_score + fit_score + engagement_score"
        ),
        20,
    ),
    "late messages": (
        (
            "SELECT 1 FROM messages AS a JOIN messages AS b USING (conversation_id) "
            "WHERE a.sequence_no < b.sequence_no AND a.timestamp > b.timestamp"
        ),
        50,
    ),
    "inserted out of order": (
        (
            "SELECT 1 FROM messages AS a JOIN messages AS b USING (conversation_id) "
            "WHERE a.sequence_no < b.sequence_no AND a.arrival > b.arrival"
        ),
        50,
    ),
    "equal times": (
        "SELECT 1 FROM messages GROUP BY conversation_id, timestamp HAVING count(*) > 1",
        20,
    ),
    "gaps in sequence_no": (
        "SELECT 1 FROM messages GROUP BY conversation_id HAVING max(sequence_no) > count(*)",
        50,
    ),
    "more messages than a page": ("SELECT 1 FROM messages GROUP BY conversation_id HAVING count(*) > 200", 1),
    "silent conversations": (
        "SELECT 1 FROM conversations WHERE conversation_id NOT IN (SELECT conversation_id FROM messages)",
        30,
    ),
    "inactive conversations": ("SELECT 1 FROM conversations WHERE NOT is_active", 100),
    "neither active nor inactive": ("SELECT 1 FROM conversations WHERE is_active IS NULL", 10),
    "a note that is off": (
        (
            "SELECT 1 FROM conversations AS c WHERE last_message_at <> "
            "(SELECT max(timestamp) FROM messages AS m WHERE m.conversation_id = c.conversation_id)"
        ),
        100,
    ),
    "no note": ("SELECT 1 FROM conversations WHERE last_message_at IS NULL", 50),
    "active on the last day": (
        "SELECT DISTINCT conversation_id FROM messages WHERE timestamp >= timestamp '2026-11-24'",
        100,
    ),
    "active a year ago": (
        "SELECT DISTINCT conversation_id FROM messages WHERE timestamp < timestamp '2025-12-01'",
        50,
    ),
    "apostrophes": ("SELECT 1 FROM extractions WHERE name LIKE '%%''%%'", 10),
    "accents": ("SELECT 1 FROM extractions WHERE name ~ '[éíóñçüŁığ]'", 50),
    "Devanagari": ("SELECT 1 FROM extractions WHERE name ~ '[ऀ-ॿ]'", 10),
    "Arabic": ("SELECT 1 FROM extractions WHERE name ~ '[؀-ۿ]'", 10),
    "Cyrillic": ("SELECT 1 FROM extractions WHERE name ~ '[\u0400-\u04ff]'", 10),
    "Chinese characters": ("SELECT 1 FROM extractions WHERE name ~ '[一-龯]'", 10),
    "emoji": ("SELECT 1 FROM extractions WHERE name ~ '[✨🌸🔥🙏💎🌍⚽🦋]'", 10),
    "wild cards": ("SELECT 1 FROM extractions WHERE company ~ '[%%_]'", 10),
    "backslashes": ("SELECT 1 FROM extractions WHERE position(E'\\\\' IN company) > 0", 3),
    "several lines": ("SELECT 1 FROM messages WHERE position(E'\\n' IN text) > 0", 50),
    **{
        f"messages that are {status}": (f"SELECT 1 FROM messages WHERE status = '{status}'", 50)
        for status in ("sent", "delivered", "read", "failed", "pending")
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_showcase_has_rows_of_every_kind(full: Connection, kind: str) -> None:
    query, least = KINDS[kind]
    found = full.execute(
        f"SELECT count(*) FROM ({query}) AS x".encode(), {"user": demo.SHOWCASE_USER_ID}
    ).fetchone()
    assert found is not None
    assert found[0] >= least


def test_leads_are_as_many_as_asked_for(full: Connection) -> None:
    count = one(full, "SELECT count(DISTINCT lead) FROM canonical WHERE user_id = %s", demo.SHOWCASE_USER_ID)
    assert count == demo.DEFAULT_LEADS


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in TIMES for column in TIMES[table]])
def test_no_time_is_in_the_future_or_before_the_demo(full: Connection, table: str, column: str) -> None:
    earliest, latest = rows(full, f"SELECT min({column}), max({column}) FROM {table}")[0]
    assert latest < MIDNIGHT.replace(tzinfo=None)
    assert earliest >= (MIDNIGHT - timedelta(days=600)).replace(tzinfo=None)
    showcase = rows(full, f"SELECT min({column}) FROM {table} WHERE {column} < timestamp '2025-10-21'")
    # What is older than 400 days belongs to the reference's lead, whose times are printed.
    assert showcase[0][0] is None or showcase[0][0].date() in {
        date(2025, 10, 1),
        date(2025, 10, 5),
    }


def test_conversations_begin_before_their_first_message(full: Connection) -> None:
    assert (
        one(
            full,
            "SELECT count(*) FROM messages JOIN conversations USING (conversation_id) "
            "WHERE timestamp < created_at",
        )
        == 0
    )


def test_message_ids_and_texts_look_as_in_the_reference(full: Connection) -> None:
    patterns = {
        "user": re.compile(r"wamid\.HBg[A-Za-z0-9+/]{50,70}={0,2}"),
        "agent": re.compile(r"out-\d{13}-[a-z0-9]{9}"),
    }
    for message_id, sender, text in rows(full, "SELECT message_id, sender, text FROM messages"):
        assert patterns[sender].fullmatch(message_id), message_id
        assert 10 <= len(text) <= 200, text
        assert "{" not in text, text


def test_names_come_without_leftovers(full: Connection) -> None:
    odd = rows(
        full, r"SELECT name, email FROM contacts WHERE name ~ '[_=]' OR email !~ '^$|^[a-z0-9._-]+@[a-z.]+$'"
    )
    assert odd == []


# The same every time


def test_same_seed_and_day_make_the_same_rows(
    make_database: Callable[[Database | None], Database], source_template: Database
) -> None:
    found = []
    for _ in range(2):
        with make_database(source_template).connect() as conn:
            load(conn)
            load(conn, tenants=2, leads=30)
            found.append(contents(conn))
    assert found[0] == found[1]


def test_another_seed_makes_other_rows_but_the_same_reference_tenant(
    make_database: Callable[[Database | None], Database], source_template: Database
) -> None:
    found = []
    for seed in (1, 2):
        with make_database(source_template).connect() as conn:
            load(conn, seed=seed)
            found.append(contents(conn))
    for table in TABLES:
        first, second = set(found[0][table]), set(found[1][table])
        assert first != second or table == "users", table
    ids = [{message_id for message_id, *_ in contents["messages"]} for contents in found]
    reference = ids[0] & ids[1]
    assert len(reference) == 37 + 6 + 3


def test_everything_but_the_printed_lead_moves_with_the_day(
    make_database: Callable[[Database | None], Database], source_template: Database
) -> None:
    found = []
    for day in (TODAY, TODAY + timedelta(days=10)):
        with make_database(source_template).connect() as conn:
            load(conn, today=day)
            found.append(
                rows(
                    conn,
                    """
                    SELECT conversation_id, sequence_no, text, timestamp FROM messages
                    ORDER BY conversation_id COLLATE "C", sequence_no
                    """,
                )
            )
    for before, after in zip(*found, strict=True):
        printed = before[0] == "b1a93252-f8c6-448f-a765-195eea996d9a"
        moved = timedelta(0) if printed else timedelta(days=10)
        assert (*before[:3], before[3] + moved) == after


@pytest.mark.parametrize("declared", ["timestamp", "timestamptz"])
def test_times_are_utc_whatever_the_session_and_the_columns(empty_database: Database, declared: str) -> None:
    source = re.sub(r"(?<=\w )timestamp\b", declared, schema_sections()["source"])
    with empty_database.connect() as conn:
        conn.execute(source.encode())
        conn.execute("SET TimeZone = 'Asia/Kolkata'")
        conn.execute("SET DateStyle = 'SQL, DMY'")
        load(conn, leads=10)
        conn.execute("SET TimeZone = 'UTC'")
        at = one(
            conn,
            "SELECT to_char(timestamp, 'YYYY-MM-DD HH24:MI:SS.MS') FROM messages WHERE message_id = %s",
            "out-1759645300741-hij9fvlyv",
        )
    assert at == "2025-10-05 06:21:42.667"


# Any number


def test_benchmark_tenants_have_the_asked_size_and_nothing_comes_with_them(source: Connection) -> None:
    report = load(source, tenants=3, leads=400, messages_per_lead=8)
    leads = rows(source, "SELECT user_id, count(DISTINCT lead) FROM canonical GROUP BY user_id")
    assert sorted(leads) == sorted((user_id, 400) for user_id in report.user_ids)
    assert demo.REFERENCE_USER_ID not in report.user_ids
    assert report.leads == 1200
    assert report.messages == pytest.approx(1200 * 8, rel=0.1)
    for table in TABLES:
        assert report.rows[table] == one(source, f"SELECT count(*) FROM {table}"), table


def test_messages_are_skewed(source: Connection) -> None:
    load(source, tenants=1, leads=1000, messages_per_lead=10)
    counts = [
        count
        for (count,) in rows(
            source,
            "SELECT count(m.*) FROM canonical LEFT JOIN messages AS m USING (conversation_id) GROUP BY lead",
        )
    ]
    counts.sort(reverse=True)
    assert sum(counts[:100]) > 0.35 * sum(counts)
    assert counts[500] < 10


def test_further_tenants_come_beside_those_that_are_there(source: Connection) -> None:
    reports = [
        load(source),
        load(source, tenants=2, leads=20),
        load(source, tenants=2, leads=20, seed=2),
        load(source, tenants=1, leads=21),
        load(source, tenants=1, leads=20, messages_per_lead=6),
    ]
    user_ids = [user_id for report in reports for user_id in report.user_ids]
    assert len(set(user_ids)) == 8
    assert one(source, "SELECT count(*) FROM users") == 8


def test_a_tenant_that_is_there_is_refused(source: Connection) -> None:
    load(source, tenants=1, leads=20)
    before = contents(source)
    with pytest.raises(ProjectorError, match=r"already there: .* Nothing was loaded"):
        load(source, tenants=3, leads=20)
    assert contents(source) == before


def test_the_demo_is_refused_when_it_is_there(source: Connection) -> None:
    load(source)
    with pytest.raises(ProjectorError, match=demo.REFERENCE_USER_ID):
        load(source, seed=2)


def test_rows_of_others_with_the_same_ids_are_kept(source: Connection) -> None:
    source.execute("INSERT INTO users (user_id) VALUES ('somebody')")
    source.execute("INSERT INTO phone_numbers (id, user_id) VALUES ('test-phone-001', 'somebody')")
    with pytest.raises(ProjectorError, match="test-phone-001"):
        load(source)
    assert rows(source, "SELECT user_id FROM users") == [("somebody",)]


def test_a_long_conversation_is_written_in_pieces(source: Connection) -> None:
    load(source, tenants=1, leads=3, messages_per_lead=30_000)
    longest, pieces, numbers, first, last = rows(
        source,
        """
        SELECT count(*), count(DISTINCT xmin::text), count(DISTINCT sequence_no),
            min(timestamp), max(timestamp)
        FROM messages GROUP BY conversation_id ORDER BY count(*) DESC LIMIT 1
        """,
    )[0]
    assert longest > 20_000
    assert pieces > 1
    assert numbers == longest
    assert MIDNIGHT - timedelta(days=400) <= first.replace(tzinfo=UTC) < last.replace(tzinfo=UTC) < MIDNIGHT


def test_leads_without_any_message(source: Connection) -> None:
    report = load(source, tenants=1, leads=50, messages_per_lead=0)
    assert report.messages == 0
    assert one(source, "SELECT count(DISTINCT lead) FROM canonical") == 50


# How it tells


def test_progress_adds_up(source: Connection) -> None:
    progress = Recorder()
    report = load(source, leads=250, progress=progress)
    assert progress.done == progress.total == report.leads == 254
    assert progress.finished


def test_a_demo_that_is_interrupted_leaves_nothing(source: Connection) -> None:
    progress = Recorder(stop_after=150)
    with pytest.raises(KeyboardInterrupt):
        load(source, leads=1000, messages_per_lead=200, progress=progress)
    assert progress.finished
    assert one(source, "SELECT count(*) FROM users") == 0
    load(source, leads=10)


def test_the_planner_knows_of_the_rows(source: Connection) -> None:
    load(source, leads=10)
    assert one(source, "SELECT reltuples FROM pg_class WHERE oid = 'messages'::regclass") > 0


def test_missing_source_tables_are_named(empty_database: Database) -> None:
    with empty_database.connect() as conn, pytest.raises(SourceMissingError, match=r"users.*--create-source"):
        load(conn)


@pytest.mark.parametrize(
    "sizes",
    [{"tenants": -1}, {"leads": 0}, {"messages_per_lead": -1.0}, {"messages_per_lead": float("nan")}],
    ids=str,
)
def test_sizes_that_make_no_sense_are_refused(source: Connection, sizes: dict[str, Any]) -> None:
    with pytest.raises(ProjectorError, match="No demo has"):
        load(source, **sizes)
    assert one(source, "SELECT count(*) FROM users") == 0
