"""What a database, a role, a planner or a locale is set to changes no row, no answer, and no write of the platform.

Every setting that a database or a role may have is tried: each value of an enum and a boolean, the extremes of a
number, and some texts. The sessions of the platform, of the projector and of the API begin with it. What is written
meanwhile is compared with the oracle, the API's answers with those of a session that was spared, and each write with
the same one on a platform without our triggers.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg.conninfo import make_conninfo

from api.database import connect as api_connect
from projector.core.refresh import refresh
from projector.database import connect as db
from projector.database.rows import Connection
from projector.database.schema import sections
from projector.operate.install import migrate
from projector.report.errors import ProjectorError
from projector.report.progress import QUIET
from projector.sweep.verify import verify
from tests.acceptance.conftest import expected_answers
from tests.exactness.feed_copy import serving
from tests.exactness.platform import assert_exact, assert_verified, rebuild_now, refresh_now
from tests.oracle import Model, answers, read_model
from tests.support import edge_cases, queries
from tests.support.mutations import mutate
from tests.support.server import Database, Server

NOW = datetime(2026, 3, 29, 13, 7, 11, tzinfo=UTC)
PARTS = 8

# Whatever has text values, of which no list is complete.
TEXTS = {
    "TimeZone": ("Asia/Kolkata", "America/St_Johns"),
    "DateStyle": ("SQL, DMY", "German", "Postgres, MDY"),
    "timezone_abbreviations": ("India",),
    "search_path": ("public", '""'),
    "client_encoding": ("LATIN1", "SQL_ASCII"),
    "default_text_search_config": ("pg_catalog.turkish",),
    "restrict_nonsystem_relation_kind": ("view", "view, foreign-table"),
    "createrole_self_grant": ("set, inherit",),
    "dynamic_library_path": ("/nowhere",),
    "wal_consistency_checking": ("all",),
    "plpgsql.extra_errors": ("all",),
    "plpgsql.extra_warnings": ("all",),
}

LEFT_OUT = {
    "dynamic_library_path=/nowhere": "PostgreSQL finds no PL/pgSQL, for the platform's triggers neither.",
    **dict.fromkeys(
        (
            "statement_timeout=1", "transaction_timeout=1", "idle_session_timeout=1", "lock_timeout=1",
            "idle_in_transaction_session_timeout=1",
        ),
        "A session ends by the first statement that takes a millisecond, if only to set it to something else.",
    ),
    "tcp_user_timeout=1": "A session ends when its client takes a millisecond to read what it was sent.",
}  # fmt: skip
"""Values with which no server can run, and why."""

# What is pinned, and what decides about triggers and plans: all at once, for the tests that everybody runs.
KNOWN = {
    "gin_fuzzy_search_limit": "1",
    "row_security": "off",
    "quote_all_identifiers": "on",
    "extra_float_digits": "-15",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "DateStyle": "German",
    "TimeZone": "America/St_Johns",
    "IntervalStyle": "iso_8601",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "restrict_nonsystem_relation_kind": "view",
    "session_replication_role": "replica",
    "debug_parallel_query": "regress",
    "work_mem": "64kB",
}

_WRITES = """
INSERT INTO public.conversations (conversation_id, agent_id, customer_phone, created_at)
SELECT 's{n}', min(a.agent_id), '+49 151 {n}', '2026-01-01' FROM public.agents AS a;
INSERT INTO public.messages (message_id, conversation_id, sender, text, timestamp, sequence_no)
VALUES ('s{n}-0', 's{n}', 'user', 'Grüße {n}', '2026-01-02', 0);
INSERT INTO public.messages (message_id, conversation_id, sender, text, timestamp, sequence_no)
SELECT 's{n}-' || i, 's{n}', 'agent', 'again', '2026-01-02', i FROM generate_series(1, 120) AS i;
UPDATE public.messages SET text = text || '!' WHERE message_id = 's{n}-0';
UPDATE public.messages SET text = 'more' WHERE conversation_id = 's{n}' AND sequence_no < 7;
DELETE FROM public.messages WHERE conversation_id = 's{n}' AND sequence_no > 4;
INSERT INTO public.extractions (extraction_id, conversation_id, name, email, lead_status_tag, total_score)
VALUES (gen_random_uuid(), 's{n}', 'Ann \\ İpek {n}', 'a@b.example', ' HOT ', 12);
INSERT INTO public.template_sends (send_id, template_id, customer_phone, status, sent_at)
SELECT 's{n}', min(t.template_id), '+49 152 {n}', 'SENT', '2026-01-03' FROM public.templates AS t;
SET session_replication_role = replica;
INSERT INTO public.messages (message_id, conversation_id, sender, text, timestamp)
VALUES ('r{n}', 's{n}', 'user', 'replicated', '2026-01-04');
UPDATE public.messages SET text = 'replicated again' WHERE message_id = 'r{n}';
RESET session_replication_role;
DELETE FROM public.conversations WHERE conversation_id = 's{before}'
"""
WRITES = [statement.strip() for statement in _WRITES.split(";")]


def option(name: str, value: str) -> str:
    """Return a setting as libpq takes it for a new session."""
    escaped = value.replace("\\", "\\\\").replace(" ", "\\ ")
    return f"-c {name}={escaped}"


def with_options(database: Database, options: str) -> Database:
    return Database(make_conninfo(database.url, options=options), database.name)


def universe(conn: Connection) -> tuple[list[tuple[str, str]], int]:
    """Return each setting of a database or a role, with its values; and how many of these PostgreSQL refuses."""
    conn.execute("LOAD 'plpgsql'")
    conn.execute("LOAD 'pg_trgm'")
    candidates: list[tuple[str, str]] = []
    settings = conn.execute(
        "SELECT name, vartype, enumvals, min_val, max_val, reset_val FROM pg_settings"
        " WHERE context IN ('user', 'superuser') ORDER BY name"
    ).fetchall()
    for name, kind, enumvals, least, most, present in settings:
        numbers = [least, str(int(float(least)) + 1), most] if kind in ("integer", "real") else []
        values = {"bool": ["on", "off"], "enum": enumvals}.get(kind, numbers) or TEXTS.get(name, ())
        candidates += [
            (name, value)
            for value in dict.fromkeys(values)
            if value != present and f"{name}={value}" not in LEFT_OUT
        ]
    legal = []
    for name, value in candidates:
        try:
            with conn.transaction(force_rollback=True):
                conn.execute("SELECT set_config(%s, %s, true)", (name, value))
        except psycopg.Error:
            continue
        legal.append((name, value))
    assert not conn.closed
    return legal, len(candidates) - len(legal)


@contextmanager
def client_of(database: Database, **settings: str) -> Iterator[FlaskClient]:
    with serving(database, clock=lambda: NOW, **settings) as app:
        yield app.test_client()


@dataclass
class World:
    """A platform with an exact read model, the same platform without ours, and requests."""

    database: Database
    bare: Database
    conn: Connection
    client: FlaskClient
    paths: list[str]
    number: int = 0

    def differences(self, options: str) -> list[str]:
        """Return what differs from the same without these options."""
        self.number += 1
        ours, theirs = (self._write(database, options) for database in (self.database, self.bare))
        wrong = [f"a write: {pair}" for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
        try:
            with db.connect(with_options(self.database, options).url, application_name="test") as conn:
                refresh(conn, retry_failed=False, progress=QUIET)
                report = verify(conn, tenants=None, sample=None, heal=False, progress=QUIET)
                wrong += [f"verify: {drift}" for drift in report.drifts]
            assert_exact(self.conn)
        except (psycopg.Error, ProjectorError, AssertionError) as error:
            wrong.append(f"the projector: {type(error).__name__}: {error}")
            refresh_now(self.conn)
        with client_of(with_options(self.database, options)) as hostile:
            return wrong + self.answers_that_differ(hostile)

    def answers_that_differ(self, client: FlaskClient) -> list[str]:
        wrong = []
        for path in self.paths:
            spared, answered = (self._answer(caller, path) for caller in (self.client, client))
            if spared != answered:
                wrong.append(f"{path}: {answered} and not {spared}"[:500])
        return wrong

    def known(self) -> dict[str, str]:
        """Return those of KNOWN that the server has."""
        names = {name for (name,) in self.conn.execute("SELECT name FROM pg_settings")}
        return {name: value for name, value in KNOWN.items() if name in names}

    def _write(self, database: Database, options: str) -> list[object]:
        """Return what became of each write: the number of rows, or the code of its error."""
        done: list[object] = []
        with psycopg.connect(with_options(database, options).url, autocommit=True) as conn:
            for text in WRITES:
                statement = text.format(n=self.number, before=self.number - 1)
                try:
                    done.append((statement, conn.execute(statement.encode(), prepare=False).rowcount))
                except psycopg.Error as error:
                    done.append((statement, error.sqlstate))
        return done

    def _answer(self, client: FlaskClient, path: str) -> tuple[int, object]:
        answer = client.get(path)
        body = answer.get_json(silent=True)
        if not isinstance(body, dict):
            return answer.status_code, answer.get_data()
        return answer.status_code, {k: v for k, v in body.items() if k not in ("timestamp", "correlationId")}


def paths_of(model: Model) -> list[str]:
    """Return requests of every way to a page, every number, every export, and the state."""
    user_id = max(model.leads, key=lambda tenant: len(model.leads[tenant]))
    lead = next(lead for lead in model.of_tenant(user_id).values() if queries.has_page(lead.customer_phone))
    of_tenant = queries.path(user_id)
    lists = (
        "", "search=ann", "search=a", "search=GRÜSS", "search=istanbul&ignore_accents=true", "search=491",
        "lead_status=Hot", "platform=whatsapp&has_email=true", "sort_by=name&sort_order=asc", "days=365",
        "sort_by=total_score",
        "from_date=2020-01-01&to_date=2026-12-31", "min_total_score=5&sort_by=total_messages", "is_active=true",
        "agent_id=none", "last_message_sender=user", "limit=3&offset=2", "fields=name,email",
    )  # fmt: skip
    return [
        *(f"{of_tenant}?{query}" for query in lists),
        queries.path(user_id, "stats"),
        queries.path(user_id, "stats", "series") + "?from_date=2026-01-01&to_date=2026-01-31",
        queries.path(user_id, lead.customer_phone),
        queries.path(user_id, lead.customer_phone, "messages"),
        f"{of_tenant}.csv",
        f"{of_tenant}.ndjson",
        f"{of_tenant.removesuffix('/leads')}/messages.ndjson",
        "/health/ready",
    ]


@pytest.fixture
def world(database: Database, source_database: Database) -> Iterator[World]:
    rows = edge_cases.generate(random.Random(7), 10)
    with ExitStack() as stack:
        conn, bare = (stack.enter_context(target.connect()) for target in (database, source_database))
        for own in (conn, bare):
            edge_cases.write(own, rows)
        rebuild_now(conn)
        client = stack.enter_context(client_of(database))
        yield World(database, source_database, conn, client, paths_of(read_model(conn)))


@pytest.mark.parametrize(
    "part", [None, *(pytest.param(number, marks=pytest.mark.long) for number in range(PARTS))]
)
def test_no_setting_of_a_database_or_a_role_makes_a_difference(
    world: World, part: int | None, report: Callable[[str], None]
) -> None:
    if part is None:
        assert world.differences(" ".join(option(*setting) for setting in world.known().items())) == []
        return
    tried, refused = universe(world.conn)
    wrong: dict[str, list[str]] = {}
    mine = tried[part::PARTS]
    for name, value in mine:
        # What it prints of each statement is not kept.
        quiet = " -c log_min_messages=panic" if name.startswith("debug_print") else ""
        differences = world.differences(option(name, value) + quiet)
        if differences:
            wrong[f"{name}={value}"] = differences[:3]
    report(
        f"settings, part {part}: {len(mine)} of {len(tried)} values of {len({name for name, _ in tried})} settings,"
        f" {refused} that PostgreSQL refuses"
    )
    assert wrong == {}


@pytest.mark.parametrize(
    ("drops_options", "tenant_setting"), [(False, "session"), (True, "session"), (True, "transaction")]
)
def test_a_database_that_is_set_so_is_answered_from_as_any_other(
    world: World, monkeypatch: pytest.MonkeyPatch, *, drops_options: bool, tenant_setting: str
) -> None:
    """As an operator sets it; and through a pooler, which hands on no options."""
    # Its session is there before.
    assert world.answers_that_differ(world.client) == []
    for name, value in world.known().items():
        world.conn.execute(f"ALTER DATABASE \"{world.database.name}\" SET {name} = '{value}'".encode())
    if drops_options:
        made = api_connect.conninfo
        monkeypatch.setattr(api_connect, "conninfo", lambda config: make_conninfo(made(config), options=""))
    with client_of(world.database, tenant_setting=tenant_setting) as client:
        assert world.answers_that_differ(client) == []
        pool = client.application.extensions["leads"].database
        session = pool.lend()
        [stays] = session.connection.execute("SHOW gin_fuzzy_search_limit").fetchone()
        pool.give_back(session)
        assert stays == (b"1" if tenant_setting == "transaction" else b"0")


PLAN_PINS = {
    "jit", "max_parallel_workers_per_gather", "plan_cache_mode", "enable_seqscan", "enable_sort", "random_page_cost",
}  # fmt: skip


def ways_to_plan(conn: Connection) -> dict[str, tuple[str, ...]]:
    """Return the settings that decide how a statement is run, with values that lead to other plans."""
    names = conn.execute(
        "SELECT name FROM pg_settings WHERE name LIKE 'enable\\_%' AND vartype = 'bool' ORDER BY name"
    ).fetchall()
    parallel = "debug_parallel_query" if conn.info.server_version >= 160000 else "force_parallel_mode"
    return {
        **{name: ("on", "off") for (name,) in names},
        parallel: ("off", "on", "regress"),
        "work_mem": ("64kB", "4MB"),
        "hash_mem_multiplier": ("1", "1000"),
        "plan_cache_mode": ("auto", "force_generic_plan", "force_custom_plan"),
        # Where there is a compiler, it takes a second for each statement.
        "jit": (*["off"] * 9, "on"),
        "random_page_cost": ("0.01", "1.1", "10000"),
        "parallel_setup_cost": ("0", "1000"),
        "parallel_tuple_cost": ("0", "0.1"),
        "min_parallel_table_scan_size": ("0", "8MB"),
        "max_parallel_workers_per_gather": ("0", "4"),
        "from_collapse_limit": ("1", "8"),
        "join_collapse_limit": ("1", "8"),
        "geqo_threshold": ("2", "12"),
        "cursor_tuple_fraction": ("0.000001", "1"),
    }


@contextmanager
def without_plan_pins() -> Iterator[None]:
    """Make both programs use the plans that they are given."""
    pinned, of_api = dict(db.SETTINGS), api_connect.settings

    def unpinned(settings: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in settings.items() if name not in PLAN_PINS}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "SETTINGS", unpinned(pinned))
        patch.setattr(api_connect, "settings", lambda config: unpinned(of_api(config)))
        yield


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(number, marks=pytest.mark.long) for number in range(1, 40))]
)
def test_no_plan_makes_a_difference(world: World, seed: int, report: Callable[[str], None]) -> None:
    rng, names = random.Random(seed), ways_to_plan(world.conn)
    with without_plan_pins():
        for _ in range(2):
            options = " ".join(option(name, rng.choice(values)) for name, values in names.items())
            hostile = with_options(world.database, options)
            with hostile.connect() as conn:
                rebuild_now(conn)
                for _ in range(12):
                    mutate(rng, conn)
                refresh_now(conn)
                assert_verified(conn)
            assert_exact(world.conn)
            with client_of(hostile) as client:
                assert world.answers_that_differ(client) == [], options
    report(f"plans, seed {seed}: 2 of {len(names)} settings, 24 changes")


TURKISH = "LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C.UTF-8'"
LOCALES = {
    "turkish": TURKISH,
    "c": "LOCALE_PROVIDER libc LOCALE 'C'",
    "c_utf8": "LOCALE_PROVIDER libc LOCALE 'C.UTF-8'",
    "icu": "LOCALE_PROVIDER icu ICU_LOCALE 'und' LOCALE 'C.UTF-8'",
    "lithuanian": "LOCALE_PROVIDER icu ICU_LOCALE 'lt' LOCALE 'C.UTF-8'",
    "case_first": "LOCALE_PROVIDER icu ICU_LOCALE 'de-u-kf-upper-kn-true' LOCALE 'C.UTF-8'",
}


@pytest.mark.parametrize(
    "locale",
    [pytest.param(name, marks=() if name == "turkish" else pytest.mark.long) for name in LOCALES],
)
def test_no_locale_makes_a_difference(server: Server, locale: str, report: Callable[[str], None]) -> None:
    """But for what is a lower case there, which the oracle asks the database."""
    name = f"{server.prefix}locale_{locale}"
    create = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {LOCALES[locale]}"
    try:
        server.conn.execute(create.encode())
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.SyntaxError) as error:
        report(f"locale {locale}: {error}")
        return
    database = Database(make_conninfo(server.url, dbname=name), name)
    rng = random.Random(locale)
    try:
        with database.connect() as conn, client_of(database) as client:
            conn.execute(sections()["source"])
            migrate(conn, create_source=False)
            edge_cases.write(conn, edge_cases.generate(rng, 15, now=NOW))
            rebuild_now(conn, first=True)
            for _ in range(10):
                mutate(rng, conn, now=NOW)
            edge_cases.write(conn, edge_cases.generate(rng, 5, now=NOW))
            refresh_now(conn)
            assert_verified(conn)
            lists = [
                {"search": "istanbul"}, {"search": "ISTANBUL"}, {"search": "\N{LATIN SMALL LETTER DOTLESS I}"},
                {"search": "STRASSE", "ignore_accents": "true"},
                {"platform": "INSTAGRAM"}, {"sort_by": "name"}, {"sort_by": "NAME", "sort_order": "ASC"},
                {"last_message_sender": "AGENT"}, {"lead_status": "HOT"},
            ]  # fmt: skip
            for path, params, expected in expected_answers(read_model(conn), NOW, lists):
                answer = client.get(f"{path}?{queries.query_string(params)}")
                assert answers.differences(expected, answer.status_code, answer.get_json()) == [], (
                    path,
                    params,
                )
    finally:
        server.drop(database)
