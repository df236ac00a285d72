"""Two platforms with tables of their own, each by its mapping: the read model has what their rows say."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import psycopg
import pytest
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from projector.capture import gaps
from projector.capture.mapping import Texts, read_mapping
from projector.database.rows import Connection, Row
from projector.database.schema import sections
from projector.operate.assess import PROBLEM, Fact, check
from projector.operate.explain import explain_lead
from projector.operate.install import migrate
from projector.report.errors import CaptureGapError, ProjectorError
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.sweep.verify import verify
from tests import oracle
from tests.conftest import MakeDatabase
from tests.exactness.crash_worker import kill_at
from tests.exactness.platform import Platform, assert_at_rest, forget_build, rebuild_now, refresh_now, value
from tests.exactness.test_crashes import POINTS, recover
from tests.exactness.test_sabotage import MISSED, SABOTAGES
from tests.oracle.leads import Agent, Channel, Contact, Conversation, Extraction, Message, Source
from tests.support import edge_cases
from tests.support.cases import cases
from tests.support.commands import run_command
from tests.support.roles import logins
from tests.support.server import Database

FOLDER = Path(__file__).parent / "mappings"
Maker = Callable[[Random], object]


def ids(last: int, *, nulls: bool = False) -> Maker:
    return lambda rng: rng.choice([*range(1, last + 1), *([None] if nulls else [])])


def one_of(*values: object) -> Maker:
    return lambda rng: rng.choice(values)


def moment(rng: Random) -> object:
    return datetime(2025, 1, rng.randrange(1, 5), rng.randrange(3), tzinfo=UTC)


def attributes(key: str, *values: object) -> Maker:
    return lambda rng: Jsonb({} if rng.random() < 0.3 else {key: rng.choice(values), "other": rng.random()})


NAMES = one_of("Ann", "Bob", "Zoë", "")
SELDOM: Maker = lambda rng: rng.random() < 0.3  # noqa: E731  # As the others are.
TEXTS = one_of("hello", "How much?", "", None, "see you")


@dataclass(frozen=True, slots=True)
class World:
    """A platform: its tables, what makes the values of their columns, and its rows as the oracle has them."""

    tables: str
    makers: Mapping[str, Mapping[str, Maker]]
    read: Callable[[Connection], Source]


CHATWOOT_TABLES = """
CREATE TABLE accounts (id serial PRIMARY KEY, name varchar NOT NULL, created_at timestamp, status integer DEFAULT 0);
CREATE TABLE users (id serial PRIMARY KEY, name varchar NOT NULL, display_name varchar, email varchar);
CREATE TABLE inboxes (
    id serial PRIMARY KEY, channel_id integer, account_id integer, name varchar, channel_type varchar
);
CREATE TABLE contacts (
    id serial PRIMARY KEY, name varchar DEFAULT '', email varchar, phone_number varchar, account_id integer NOT NULL,
    created_at timestamp, updated_at timestamp, additional_attributes jsonb DEFAULT '{}', identifier varchar,
    custom_attributes jsonb DEFAULT '{}', last_name varchar DEFAULT '', blocked boolean NOT NULL DEFAULT false
);
CREATE TABLE conversations (
    id serial PRIMARY KEY, account_id integer NOT NULL, inbox_id integer NOT NULL, status integer NOT NULL DEFAULT 0,
    assignee_id integer, created_at timestamp, updated_at timestamp, contact_id bigint, display_id integer,
    additional_attributes jsonb DEFAULT '{}', uuid uuid DEFAULT gen_random_uuid(), last_activity_at timestamp,
    custom_attributes jsonb DEFAULT '{}', cached_label_list text
);
CREATE INDEX ON conversations (contact_id);
CREATE INDEX ON conversations (inbox_id);
CREATE INDEX ON conversations (assignee_id, account_id);
CREATE TABLE messages (
    id serial PRIMARY KEY, content text, account_id integer, inbox_id integer, conversation_id integer NOT NULL,
    message_type integer NOT NULL, created_at timestamp, updated_at timestamp, private boolean NOT NULL DEFAULT false,
    status integer DEFAULT 0, source_id varchar, sender_type varchar, sender_id bigint
);
CREATE INDEX ON messages (conversation_id);
"""

CHATWOOT_MAKERS: dict[str, dict[str, Maker]] = {
    "accounts": {"id": ids(3), "name": NAMES},
    "users": {"id": ids(3), "name": NAMES, "email": TEXTS},
    "inboxes": {
        "id": ids(4),
        "name": NAMES,
        "channel_type": one_of(
            "Channel::Whatsapp", "Channel::Instagram", "Channel::WebWidget", "Channel::Api", None
        ),
    },
    "contacts": {
        "id": ids(6),
        "account_id": ids(2),
        "name": NAMES,
        "last_name": one_of("Lee", "", None),
        "email": one_of("a@x.org", "b@x.org", None),
        "phone_number": one_of("+4915", "+49 15", "+4916", "", None),
        "identifier": one_of("4915", "@ann", None, None),
        "additional_attributes": attributes("company_name", "Acme", "", None),
        "updated_at": moment,
    },
    "conversations": {
        "id": ids(8),
        "account_id": ids(2),
        "inbox_id": ids(5),
        "status": ids(3),
        "assignee_id": ids(4, nulls=True),
        "contact_id": ids(7, nulls=True),
        "created_at": moment,
        "updated_at": moment,
        "last_activity_at": moment,
        "custom_attributes": attributes("lead_status", "hot", "Cold", "who knows", None),
        "cached_label_list": TEXTS,
    },
    "messages": {
        "id": ids(30),
        "conversation_id": ids(9),
        "content": TEXTS,
        "message_type": one_of(0, 1, 2, 3),
        "private": SELDOM,
        "status": one_of(0, 1, 3, None),
        "created_at": moment,
        "updated_at": moment,
    },
}

LIBREDESK_TABLES = """
CREATE TYPE channels AS ENUM ('email', 'livechat');
CREATE TYPE message_type AS ENUM ('incoming', 'outgoing', 'activity');
CREATE TYPE message_sender_type AS ENUM ('agent', 'contact');
CREATE TYPE message_status AS ENUM ('received', 'sent', 'failed', 'pending');
CREATE TYPE user_type AS ENUM ('agent', 'contact', 'visitor', 'ai_assistant');
CREATE TYPE conversation_status_category AS ENUM ('open', 'waiting', 'resolved');
CREATE TABLE inboxes (id serial PRIMARY KEY, name text, channel channels NOT NULL, enabled bool DEFAULT true);
CREATE TABLE users (
    id bigserial PRIMARY KEY, updated_at timestamptz DEFAULT now(), type user_type NOT NULL, deleted_at timestamptz,
    email text, first_name text NOT NULL, last_name text, phone_number_country_code text, phone_number text,
    custom_attributes jsonb NOT NULL DEFAULT '{}', last_active_at timestamptz
);
CREATE TABLE conversation_statuses (
    id serial PRIMARY KEY, name text, category conversation_status_category NOT NULL DEFAULT 'open'
);
CREATE TABLE conversations (
    id bigserial PRIMARY KEY, created_at timestamptz DEFAULT now(), uuid uuid DEFAULT gen_random_uuid(),
    contact_id bigint NOT NULL, assigned_user_id bigint, inbox_id int NOT NULL, status_id int NOT NULL,
    meta jsonb NOT NULL DEFAULT '{}', subject text, last_message_at timestamptz, last_message text
);
CREATE INDEX ON conversations (assigned_user_id);
CREATE INDEX ON conversations (contact_id);
CREATE INDEX ON conversations (inbox_id);
CREATE INDEX ON conversations (status_id);
CREATE TABLE conversation_messages (
    id bigserial PRIMARY KEY, created_at timestamptz DEFAULT now(), type message_type NOT NULL,
    status message_status NOT NULL, private bool NOT NULL DEFAULT false, conversation_id bigint NOT NULL, content text,
    text_content text, sender_type message_sender_type NOT NULL, meta jsonb DEFAULT '{}'
);
CREATE INDEX ON conversation_messages (conversation_id);
"""

LIBREDESK_MAKERS: dict[str, dict[str, Maker]] = {
    "inboxes": {"id": ids(3), "name": NAMES, "channel": one_of("email", "livechat")},
    "users": {
        "id": ids(7),
        "type": one_of("agent", "contact", "contact", "visitor"),
        "first_name": NAMES,
        "last_name": one_of("Lee", None),
        "email": one_of("a@x.org", "b@x.org", None),
        "phone_number_country_code": one_of("+49", None),
        "phone_number": one_of("15", "1 5", "16", None),
        "custom_attributes": attributes("company", "Acme", "", None),
        "updated_at": moment,
        "deleted_at": one_of(None, None, datetime(2025, 1, 1, tzinfo=UTC)),
        "last_active_at": moment,
    },
    "conversation_statuses": {"id": ids(3), "name": NAMES, "category": one_of("open", "waiting", "resolved")},
    "conversations": {
        "id": ids(8),
        "contact_id": ids(8),
        "assigned_user_id": ids(8, nulls=True),
        "inbox_id": ids(4),
        "status_id": ids(4),
        "created_at": moment,
        "last_message_at": moment,
        "subject": TEXTS,
    },
    "conversation_messages": {
        "id": ids(30),
        "conversation_id": ids(9),
        "type": one_of("incoming", "outgoing", "activity"),
        "status": one_of("received", "sent", "failed", "pending"),
        "private": SELDOM,
        "content": TEXTS,
        "text_content": TEXTS,
        "sender_type": one_of("agent", "contact"),
        "created_at": moment,
    },
}


def rows_of(conn: Connection, table: str) -> dict[int, Row]:
    with conn.cursor(row_factory=class_row(Row)) as cursor:
        return {row.id: row for row in cursor.execute(f"SELECT * FROM {table}".encode(), prepare=False)}


def text(value: object) -> str | None:
    return None if value is None else str(value)


def in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value


def talked(
    row: Row,
    tenant: str,
    agent_id: int | None,
    phone: str | None,
    **columns: Any,  # noqa: ANN401  # Those of a conversation.
) -> tuple[Agent, Conversation]:
    """A conversation, and an agent of its own: in the reference tables it has its tenant and its channel from one."""
    key = json.dumps([tenant, agent_id, row.inbox_id])
    agent = Agent(agent_id=key, user_id=tenant, phone_number_id=str(row.inbox_id))
    return agent, Conversation(conversation_id=str(row.id), agent_id=key, customer_phone=phone, **columns)


def read_chatwoot(conn: Connection) -> Source:
    contacts, inboxes, users = (rows_of(conn, table) for table in ("contacts", "inboxes", "users"))
    phones = {key: one.phone_number or one.identifier or one.email for key, one in contacts.items()}
    phones |= {
        key: one.identifier for key, one in contacts.items() if not one.phone_number and one.identifier == ""
    }
    conversations = [one for one in rows_of(conn, "conversations").values() if one.contact_id in contacts]
    words = {"Whatsapp": "whatsapp", "Instagram": "instagram", "WebWidget": "webchat"}
    found = [
        talked(
            one,
            str(one.account_id),
            one.assignee_id,
            phones[one.contact_id],
            created_at=in_utc(one.created_at),
            last_message_at=in_utc(one.last_activity_at),
            is_active=one.status != 1,
        )
        for one in conversations
    ]
    return Source(
        channels=tuple(
            Channel(
                id=str(one.id),
                platform=words.get((one.channel_type or "").partition("::")[2], one.channel_type),
            )
            for one in inboxes.values()
        ),
        agents=tuple(named(agent, users, "name") for agent, _ in found),
        conversations=tuple(one for _, one in found),
        messages=tuple(
            Message(
                message_id=str(one.id),
                conversation_id=str(one.conversation_id),
                sender="user" if one.message_type == 0 else "agent",
                text=one.content,
                timestamp=in_utc(one.created_at),
                status="failed" if one.status == 3 else "sent",  # As Chatwoot has it.
            )
            for one in rows_of(conn, "messages").values()
            if one.message_type in {0, 1, 3} and not one.private
        ),
        extractions=tuple(
            Extraction(
                extraction_id=str(one.id),
                conversation_id=str(one.id),
                extracted_at=in_utc(one.updated_at),
                lead_status_tag=one.custom_attributes["lead_status"],
            )
            for one in conversations
            if "lead_status" in one.custom_attributes
        ),
        contacts=tuple(
            Contact(
                contact_id=str(one.id),
                user_id=str(one.account_id),
                phone=phones[one.id],
                name=" ".join(part for part in (one.name, one.last_name or None) if part is not None),
                email=one.email,
                company=one.additional_attributes.get("company_name"),
                updated_at=in_utc(one.updated_at),
            )
            for one in contacts.values()
        ),
    )


def named(agent: Agent, users: Mapping[int, Row], *columns: str) -> Agent:
    user = users.get(json.loads(agent.agent_id)[1])
    parts = [getattr(user, column) for column in columns] if user is not None else []
    name = " ".join(part for part in parts if part is not None)
    return replace(agent, name=None if user is None and len(columns) == 1 else name)


def read_libredesk(conn: Connection) -> Source:
    users, inboxes, statuses = (
        rows_of(conn, table) for table in ("users", "inboxes", "conversation_statuses")
    )
    phones = {
        key: f"{one.phone_number_country_code or ''}{one.phone_number or ''}" or one.email
        for key, one in users.items()
    }
    found = [
        talked(
            one,
            "libredesk",
            one.assigned_user_id,
            phones[one.contact_id],
            created_at=one.created_at,
            last_message_at=one.last_message_at,
            is_active=one.status_id in statuses and statuses[one.status_id].category != "resolved",
        )
        for one in rows_of(conn, "conversations").values()
        if one.contact_id in users and one.inbox_id in inboxes
    ]
    return Source(
        channels=tuple(
            Channel(id=str(one.id), platform="webchat" if one.channel == "livechat" else "email")
            for one in inboxes.values()
        ),
        agents=tuple(named(agent, users, "first_name", "last_name") for agent, _ in found),
        conversations=tuple(one for _, one in found),
        messages=tuple(
            Message(
                message_id=str(one.id),
                conversation_id=str(one.conversation_id),
                sender="user" if one.sender_type == "contact" else "agent",
                text=one.content if one.text_content is None else one.text_content,
                timestamp=one.created_at,
                status=one.status,
            )
            for one in rows_of(conn, "conversation_messages").values()
            if one.type != "activity" and not one.private
        ),
        contacts=tuple(
            Contact(
                contact_id=str(one.id),
                user_id="libredesk",
                phone=phones[one.id],
                name=" ".join(part for part in (one.first_name, one.last_name) if part is not None),
                email=one.email,
                company=one.custom_attributes.get("company"),
                updated_at=one.updated_at,
            )
            for one in users.values()
            if one.type in {"contact", "visitor"} and one.deleted_at is None
        ),
    )


WORLDS = {
    "chatwoot": World(CHATWOOT_TABLES, CHATWOOT_MAKERS, read_chatwoot),
    "libredesk": World(LIBREDESK_TABLES, LIBREDESK_MAKERS, read_libredesk),
}


def change(conn: Connection, world: World, rng: Random) -> None:
    """Write to a table: mostly a row or some of one column, and seldom all of it."""
    table, columns = rng.choice([*world.makers.items()])
    column = rng.choice([*columns])
    made = columns[column](rng)
    row = columns["id"](rng)
    # A key that is there already, or a column that may not be null, changes nothing.
    try:
        with conn.transaction():
            match rng.randrange(40):
                case 0:
                    conn.execute(f"DELETE FROM {table} WHERE id = %s".encode(), (row,))
                case 1 if rng.random() < 0.2:
                    conn.execute(f"TRUNCATE {table}".encode())
                case 2 if rng.random() < 0.3:
                    conn.execute(f"DELETE FROM {table} WHERE id > %s".encode(), (row,))
                case 3 if column != "id":
                    conn.execute(f"UPDATE {table} SET {column} = %s".encode(), (made,))
                case at if at < 18:  # In nearly half of all cases.
                    conn.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s".encode(), (made, row))
                case _:
                    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
                    values = [make(rng) for make in columns.values()]
                    conn.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})".encode(), values)
    except (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation):
        pass


def assert_as_mapped(conn: Connection, world: World) -> None:
    assert_at_rest(conn)
    model = oracle.compute_leads(world.read(conn), oracle.DatabaseLower(conn))
    expected = oracle.expected_tables(model)
    conversations = [*expected["lead_conversations"].values()]
    conversations += [one for lead in expected["leads"].values() for one in lead["document"]["conversations"]]
    for one in conversations:
        one["agent_id"] = text(json.loads(one["agent_id"])[1])
    found = oracle.differences_of_tables(expected, oracle.read_tables(conn))
    found += oracle.differences_of_keys(conn, model)
    assert not found, "\n".join(found[:20])


def begin(conn: Connection, world: World, rng: Random, changes: int = 150) -> None:
    """Create the tables of a platform, with some rows."""
    conn.execute(world.tables.encode(), prepare=False)
    for _ in range(changes):
        change(conn, world, rng)


def run_world(database: Database, name: str, mapping: Texts, rounds: int) -> None:
    """Write at random, bring the read model up to it, and compare it with the rows, again and again."""
    world, rng = WORLDS[name], Random(name)
    with database.connect() as conn:
        begin(conn, world, rng)
        assert migrate(conn, create_source=False, mapping=mapping) == []
        rebuild_now(conn, first=True)
        assert_as_mapped(conn, world)
        for _ in range(rounds):
            for _ in range(rng.randrange(1, 12)):
                change(conn, world, rng)
            refresh_now(conn)
            assert_as_mapped(conn, world)
        assert verify(conn, tenants=None, sample=None, heal=False, progress=QUIET).drifts == []


@pytest.mark.parametrize("name", [*WORLDS])
def test_what_a_mapping_says_is_in_the_read_model(make_database: MakeDatabase, name: str) -> None:
    run_world(make_database(None), name, read_mapping(str(FOLDER / name)), rounds=12)


@pytest.fixture
def chatwoot(make_database: MakeDatabase) -> Iterator[Connection]:
    """Chatwoot's tables with some rows, and nothing of ours."""
    with make_database(None).connect() as conn:
        begin(conn, WORLDS["chatwoot"], Random(7))
        yield conn


def edited(folder: Path, file: str, old: str, new: str) -> Texts:
    """The mapping of Chatwoot with another text, as from a folder."""
    shutil.copytree(FOLDER / "chatwoot", folder, dirs_exist_ok=True)
    written = (folder / file).read_text("utf-8") if (folder / file).exists() else ""
    assert old in written
    (folder / file).write_text(written.replace(old, new) if old else new)
    return read_mapping(str(folder))


def test_a_mapping_stays_until_another_one_is_given_and_that_one_is_rebuilt(
    chatwoot: Connection, tmp_path: Path
) -> None:
    conn, world = chatwoot, WORLDS["chatwoot"]
    migrate(conn, create_source=False, mapping=edited(tmp_path, "conversations.sql", "c.status <> 1", "true"))
    rebuild_now(conn, first=True)
    assert migrate(conn, create_source=False) == []
    notices = migrate(conn, create_source=False, mapping=read_mapping(str(FOLDER / "chatwoot")))
    assert any("another mapping is read now" in notice for notice in notices)
    recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    assert_as_mapped(conn, world)
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
    with pytest.raises(ProjectorError, match=r"not all there: .*table phone_numbers; .*conversation_id"):
        migrate(conn, create_source=False, mapping=read_mapping("default"))
    # A table that is not read any more has no triggers.
    without = edited(tmp_path, "conversations.sql", "    u.name AS agent_name,\n", "")
    (tmp_path / "conversations.sql").write_text(
        without.files["conversations"].replace("\nLEFT JOIN users AS u ON u.id = c.assignee_id", "")
    )
    (tmp_path / "changes.sql").write_text(without.files["changes"].partition("SELECT c.assignee_id")[0])
    migrate(conn, create_source=False, mapping=read_mapping(str(tmp_path)))
    assert value(conn, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'users'::regclass") == 0


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
        "messages.sql", "m.content AS text", "m.body AS text", "table messages has no column body"
    ),
    "a column that a relation lacks": (
        "messages.sql", "m.id AS message_id", "m.id AS number", "messages.sql gives no column message_id"
    ),
    "a column that no relation has": (
        "contacts.sql", "p.email,", "p.email, p.blocked,", "contacts.sql gives blocked, and may only give contact_id"
    ),
    "a wrong type": (
        "messages.sql", "m.content AS text", "m.private AS text", "messages.private is boolean, and has to be text"
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
    "a table under no alias": (
        "messages.sql", "messages AS m", "messages m", 'messages.sql: relation "messages" does not exist'
    ),
    "rows that a function makes": (
        "messages.sql", "m.content AS text", "regexp_split_to_table(m.content, 'x') AS text",
        "a function in the SELECT list of messages.sql returns several rows for one",
    ),
    "a key twice": (
        "messages.sql", "m.id AS message_id", "m.id / 100 AS message_id", "and has to give one"
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
        conn.execute(CHATWOOT_TABLES.encode(), prepare=False)
        conn.execute(
            "INSERT INTO messages (conversation_id, message_type, content) VALUES (1, 0, 'axb'), (1, 1, 'b')"
        )
        with pytest.raises(ProjectorError) as refused:  # noqa: PT012  # Whichever refuses.
            mapping = edited(folder, file, old, new) if file else read_mapping(str(folder))
            migrate(conn, create_source=False, mapping=mapping)
        assert said in str(refused.value)
        assert value(conn, "SELECT to_regnamespace('projector') IS NULL") is True
        assert value(conn, "SELECT count(*) FROM messages") == 2  # Nothing was deleted.


def mapping_of(name: str) -> Texts:
    return read_mapping("default" if name == "default" else str(FOLDER / name))


@cases(
    ("name", "left_out", "said"),
    [
        ("libredesk", None, []),
        ("libredesk", 4, ["users: a change of", "first_name", "moves rows of conversations", "users.id"]),
        ("libredesk", 6, ["the table conversation_statuses, of which changes.sql has no rule"]),
    ],
)
def test_a_check_names_what_a_mapping_misses(
    make_database: MakeDatabase,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    left_out: int | None,
    said: list[str],
) -> None:
    monkeypatch.setattr(check, "_MASS", 20)
    assert_checked(make_database(None), name, left_out, said)


@pytest.mark.long
@cases(
    ("name", "left_out"),
    [(name, at) for name in (*WORLDS, "default") for at in (None, *range(len(mapping_of(name).rules())))],
)
def test_a_check_names_each_rule_that_is_left_out(
    make_database: MakeDatabase, name: str, left_out: int | None
) -> None:
    assert_checked(make_database(None), name, left_out, [])


def assert_checked(database: Database, name: str, left_out: int | None, said: list[str]) -> None:
    """Check a mapping without one of its rules: what it misses is said, and the platform has nothing of ours."""
    mapping = mapping_of(name)
    rules = mapping.rules()
    [changed] = re.findall(r'"(\w+)\.\w+"', rules[left_out])[:1] if left_out is not None else [""]
    left = ";\n".join(text for at, text in enumerate(rules) if at != left_out)
    with database.connect() as conn:
        if name == "default":
            conn.execute(sections()["source"])
            edge_cases.write(conn, edge_cases.generate(Random(7), 40))
        else:
            begin(conn, WORLDS[name], Random(7), 400)
        conn.execute("SET search_path = pg_catalog, pg_temp")
        databases = value(conn, "SELECT count(*) FROM pg_database")
        try:
            facts = check.check_mapping(conn, [], Texts({**mapping.files, "changes": left}), nowhere)
        except ProjectorError as error:
            facts = [Fact("tables", PROBLEM, str(error))]
        problems = "; ".join(fact.text for fact in facts if fact.state == PROBLEM)
        assert changed in problems if changed else problems == ""
        assert all(words in problems for words in said), problems
        assert value(conn, "SELECT to_regnamespace('projector') IS NULL")
        assert value(conn, "SELECT count(*) FROM pg_database") == databases


def nowhere() -> NoReturn:
    raise ProjectorError("There is no PostgreSQL.")


def test_a_check_asks_for_a_place_to_make_its_changes(chatwoot: Connection, tmp_path: Path) -> None:
    with logins(chatwoot, "reader"):
        chatwoot.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        arguments = ("migrate", "--mapping", str(FOLDER / "chatwoot"), "--check")
        settings = {"DATABASE_URL": Platform(chatwoot).database.by("reader").url}
        done = run_command(tmp_path, *arguments, **settings, LEADS_PG_BIN=str(tmp_path))
        assert done.returncode == 1
        assert "run ALTER ROLE reader CREATEDB; or check it on a copy: pg_dump" in done.stderr
        assert run_command(tmp_path, *arguments, "--create-source", **settings).returncode == 2


MISSED_ROWS = {
    "chatwoot": "INSERT INTO messages (id, conversation_id, message_type, content)"
    " SELECT 999, max(id), 0, 'missed' FROM conversations",
    "libredesk": "INSERT INTO conversation_messages (id, conversation_id, type, status, sender_type, content)"
    " SELECT 999, max(id), 'incoming', 'received', 'contact', 'missed' FROM conversations",
}


@pytest.mark.long
@cases(("name", "sabotage"), [(name, sabotage) for name in WORLDS for sabotage in SABOTAGES])
def test_what_is_missed_of_another_schema_is_healed(
    make_database: MakeDatabase, name: str, sabotage: str
) -> None:
    row, world = MISSED_ROWS[name], WORLDS[name]
    text = row.join(SABOTAGES[sabotage].split(MISSED)).replace("TABLE old;", "TABLE old CASCADE;")
    if name == "libredesk":
        text = re.sub(r"(?<!conversation_)messages", "conversation_messages", text)
    with make_database(None).connect() as conn:
        begin(conn, world, Random(sabotage))
        migrate(conn, create_source=False, mapping=read_mapping(str(FOLDER / name)))
        rebuild_now(conn, first=True)
        conn.execute(text.encode(), prepare=False)
        with pytest.raises(CaptureGapError, match=r"messages|all capture triggers"):
            refresh_now(conn)
        recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
        assert gaps.open_gaps(conn) == []
        assert_as_mapped(conn, world)


@pytest.mark.long
@cases(("name", "work", "point"), [(name, *point) for name in WORLDS for point in POINTS])
def test_a_projector_killed_on_another_schema_loses_nothing(
    make_database: MakeDatabase, name: str, work: str, point: str
) -> None:
    database, world, rng = make_database(None), WORLDS[name], Random(point)
    with database.connect() as conn:
        begin(conn, world, rng)
        migrate(conn, create_source=False, mapping=read_mapping(str(FOLDER / name)))
        rebuild_now(conn, first=True)
        for _ in range(10):
            change(conn, world, rng)
        if work == "first_build":
            forget_build(conn)
        kill_at(database.url, work, point, 1)
        for _ in range(3):
            change(conn, world, rng)
    recover(database, by_cron=work != "in_place", check=lambda conn: assert_as_mapped(conn, world))
