"""Each rule of the projector dropped in turn: the test that is there for it turns red.

A rule that no test would miss is not shown by the tests. So every rule stands in the table below, with a way to break
it and the test that notices.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import TupleRow

from api.database import conninfo, session, snapshot
from api.request.change_token import Position, history_of
from api.routes import changes, read_model
from projector import capture
from projector.capture import functions
from projector.capture.source import SOURCE_TABLES, SourceTable
from projector.core import batch, choice, giving_way, isolation, pipeline, refresh, staging
from projector.core.pipeline import InjectionPoint
from projector.database import connect as db
from projector.database import locks, sql
from projector.database.sql import file_text
from projector.operate.origin import proof as origin
from projector.operate.origin import publications
from projector.report.errors import CaptureGapError, ProjectorError
from projector.scheduler import loops
from projector.sweep import first_build, recovery
from projector.trial.postgres.embedded import EmbeddedServer
from tests.conftest import MakeDatabase
from tests.exactness import (
    feed_copy,
    interleaving,
    test_capture,
    test_change_feed,
    test_clock,
    test_exports,
    test_faults,
    test_freshness,
    test_giving_way,
    test_names,
    test_origin,
    test_publications,
    test_races,
    test_read_your_write,
    test_rebuild,
    test_refresh,
    test_sabotage,
    test_schema_changes,
    test_sharing,
    test_standby,
    test_versions,
)
from tests.exactness.platform import Platform, refresh_now
from tests.support.server import FAST, Database, running_server

Connection = psycopg.Connection[TupleRow]

# The last is what pytest.raises says where nothing was raised.
RED = (AssertionError, psycopg.Error, ProjectorError, pytest.fail.Exception)


@dataclass(frozen=True, slots=True)
class Bench:
    """Databases to break, and the patches that are taken back afterwards."""

    stack: ExitStack
    make_database: MakeDatabase
    patches: pytest.MonkeyPatch
    built: Database
    source: Database
    filled: Platform

    def platform(self) -> tuple[Platform, Database]:
        """A platform without rows, and its database."""
        database = self.make_database(self.built)
        return Platform(self.connection(database)), database

    def connection(self, database: Database | None = None) -> Connection:
        """One more connection, to the platform with one lead unless another database is given."""
        return self.stack.enter_context((database or self.filled.database).connect())

    def change_statement(self, name: str, old: str, new: str) -> None:
        """Change the text of sql/NAME.sql, until the end of the test."""
        file = sql.ROOT / "sql" / f"{name}.sql"
        text = file.read_text("utf-8")
        assert text.count(old) >= 1, f"sql/{name}.sql does not say {old}"
        changed, read = text.replace(old, new, 1), sql._read  # noqa: SLF001

        self.patches.setattr(sql, "_read", lambda wanted: changed if wanted == file else read(wanted))
        forget_texts()
        self.stack.callback(forget_texts)

    def change_function(self, conn: Connection, name: str, old: str, new: str) -> None:
        """Change a function of the database, with nobody noticing."""
        row = conn.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc"
            " WHERE pronamespace = 'projector'::regnamespace AND proname = %s",
            (name,),
        ).fetchone()
        assert row is not None
        assert row[0].count(old) >= 1, f"{name} does not say {old}"
        self.execute(conn, row[0].replace(old, new, 1))

    def execute(self, conn: Connection, command: str) -> None:
        """Change the database, with nobody noticing."""
        conn.execute(command.encode())
        conn.execute(
            "UPDATE projector.capture_triggers AS e SET fingerprint = n.fingerprint"
            " FROM projector.capture_fingerprints AS n"
            " WHERE (n.table_name, n.trigger_name) = (e.table_name, e.trigger_name)"
        )


def forget_texts() -> None:
    """Have the texts of sql/ read again."""
    sql.steps.cache_clear()
    sql.functions.cache_clear()
    sql.query.cache_clear()
    sql._queries.cache_clear()  # noqa: SLF001


@pytest.fixture
def bench(
    make_database: MakeDatabase,
    monkeypatch: pytest.MonkeyPatch,
    built_template: Database,
    source_template: Database,
    filled: Platform,
) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack, make_database, monkeypatch, built_template, source_template, filled)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule, what is done to it, how, and the test that must notice."""

    rule: str
    what: str
    dropped: Callable[[Bench], None]
    noticed: Callable[[Bench], None]


def _statement(name: str, old: str, new: str) -> Callable[[Bench], None]:
    return lambda bench: bench.change_statement(name, old, new)


def _function(name: str, old: str, new: str) -> Callable[[Bench], None]:
    return lambda bench: bench.change_function(bench.filled.conn, name, old, new)


def _command(command: str) -> Callable[[Bench], None]:
    return lambda bench: bench.execute(bench.filled.conn, command)


def _changed_rows(table: str, old: str, new: str) -> Callable[[Bench], None]:
    def dropped(bench: Bench) -> None:
        bench.change_statement("capture/35_changed_rows", old, new)
        conn = bench.filled.conn
        bench.execute(conn, functions.trigger_function(_table(table)).as_string(conn))

    return dropped


def _table(name: str) -> SourceTable:
    return next(table for table in SOURCE_TABLES if table.name == name)


def _join_the_parents(bench: Bench) -> None:
    """A conversation is queued only where its agent can be found, and nothing else tells of it."""
    conn = bench.filled.conn
    conn.execute("DELETE FROM messages")
    conn.execute("DELETE FROM extractions")
    refresh_now(conn)
    bench.change_function(
        conn,
        "capture_conversations",
        ") AS o\n        ) AS hashed",
        ") AS o INNER JOIN public.agents AS a ON a.agent_id = o.agent_id\n        ) AS hashed",
    )


def _recompute_before_delete(
    conn: Connection, shards: list[int], *_limits: object, wait: bool, point: InjectionPoint
) -> batch.Batch:
    """A batch that reads the source first and takes the changes then."""
    with conn.transaction():
        opened = batch.open_batch(conn, shards, wait=wait)
        staging.clear(conn, opened.bloated_tables)
        staged = conn.execute(
            "INSERT INTO taken_changes SELECT change_id, shard, kind, keys, message_ids, queued_at"
            " FROM projector.changes WHERE shard = ANY(%s)",
            (list(shards),),
        )
        if not staged.rowcount:
            return batch.Batch(shards, 0, drained=True)
        point("taken")
        written = batch.recompute(conn, point=point)
        changes = conn.execute(
            "DELETE FROM projector.changes WHERE shard = ANY(%s)", (list(shards),)
        ).rowcount
        pieces = batch.spread_changes(conn)
    return batch.Batch(shards, changes, written.leads, written.messages, drained=pieces == 0)


def _forget_old_leads(bench: Bench) -> None:
    """The messages would tell of the old lead too."""
    bench.filled.conn.execute("DELETE FROM messages")
    refresh_now(bench.filled.conn)
    bench.change_statement(
        "refresh/3_resolve/50_note_keys",
        "WHERE r.old_user_id IS NOT NULL\n    UNION ALL",
        "WHERE false\n    UNION ALL",
    )


def _isolate(bench: Bench) -> None:
    bench.patches.setitem(db._SETTINGS, "default_transaction_isolation", "repeatable read")  # noqa: SLF001


def _rewritten_table(bench: Bench, *, first: bool) -> None:
    platform, database = _two_leads(bench)
    test_rebuild.test_a_table_that_the_platform_rewrites_during_a_rebuild_is_not_taken_for_empty(
        platform,
        database,
        bench.connection(database),
        first,
        "ALTER TABLE messages ALTER COLUMN text TYPE varchar(9000)",
    )


def _alter_during_a_first_build(bench: Bench) -> None:
    bench.patches.setattr(test_giving_way, "ALTER", test_giving_way.ALTER.replace("25s", "3s"))
    bench.patches.setattr(test_giving_way, "LONG", "SELECT pg_sleep(5)")
    test_giving_way.test_a_first_build_gives_way_and_is_complete_afterwards(bench.filled, "built")


def _stop_for_ever(bench: Bench) -> None:
    bench.patches.setattr(test_faults, "STOPPED_TIMEOUT", "0")
    bench.patches.setattr(test_faults, "PLATFORM_PATIENCE", "2s")


def _jump_back(bench: Bench) -> None:
    bench.patches.setattr(interleaving, "PATIENCE", 5.0)
    test_clock.test_no_job_stands_still_when_the_clock_jumps(bench.filled.database, bench.patches, -90.0)


def _read_what_was_written(bench: Bench) -> None:
    with test_read_your_write.serving(bench.filled) as app:
        test_read_your_write.test_an_answer_is_never_older_than_min_as_of(bench.filled, app, bench.patches)


def _first_refresh_of_a_shard(bench: Bench) -> None:
    test_rebuild.test_freshness_claims_nothing_of_a_shard_that_was_never_refreshed(bench.platform()[0])


# What follows the part of the step for leads.
_PROFILES = "\n    UNION\n    SELECT coalesce(n.user_id, o.user_id)\n    FROM new_profiles"


def _every_version_moves(bench: Bench) -> None:
    bench.change_statement("refresh/7_compare_leads/95_find_lead_work", "WHEN c.gone OR", "WHEN true OR")
    bench.change_statement(
        "refresh/8_write_leads/90_change_tenants",
        f"WHERE (o.*) IS DISTINCT FROM (n.*){_PROFILES}",
        _PROFILES,
    )


def _follow(bench: Bench, test: Callable[[Platform, feed_copy.Copy], None]) -> None:
    with feed_copy.serving(bench.filled.database) as app:
        copy = feed_copy.Copy(app.test_client())
        copy.begin()
        test(bench.filled, copy)


def _fail_over(bench: Bench) -> None:
    def start(*, fast: bool, **settings: str) -> EmbeddedServer:
        return bench.stack.enter_context(running_server(**{**(FAST if fast else {}), **settings}))

    test_standby.test_a_failover_ends_the_tokens_of_the_change_feed(start)


def _export(bench: Bench) -> None:
    with test_exports.exporting(bench.filled, bench.patches) as client:
        test_exports.test_what_is_written_between_the_count_and_the_lines_is_not_in_the_file(
            bench.filled, client, bench.patches
        )


def _take_a_full_page_for_the_last(bench: Bench) -> None:
    checked = read_model.ReadModel.checked

    def without_more(model: read_model.ReadModel, row: Any, min_as_of: Any) -> Any:  # noqa: ANN401
        return checked(model, row._replace(has_more=False) if hasattr(row, "has_more") else row, min_as_of)

    bench.patches.setattr(read_model.ReadModel, "checked", without_more)


def _without_deletions(page: Callable[[Any], list[bytes]]) -> Callable[[Any], list[bytes]]:
    gone = re.compile(rb'\{"customer_phone":"[^"]*","deleted":true,"lead":null\}')
    return lambda result: [text for text in page(result) if gone.fullmatch(text) is None]


def _follow_many(bench: Bench) -> None:
    _follow(bench, test_change_feed.test_only_what_differs_is_reported)


def _provable(old: str, new: str) -> Callable[[Bench], None]:
    def dropped(bench: Bench) -> None:
        text = file_text("install/after_tables/80_feeds")
        assert text.count(old) == 1
        bench.filled.conn.execute(text.replace(old, new).encode(), prepare=False)

    return dropped


def _prove(positions: list[str], proved: int) -> Callable[[Bench], None]:
    return lambda bench: test_origin.test_a_moment_is_proved_once_every_subscription_has_passed_its_position(
        bench.filled, [test_origin.WELL.replace("0/5", position) for position in positions], proved
    )


def _read_position_first(server: Connection, slots: list[str]) -> tuple[datetime, str, int]:
    row = server.execute(sql.query("origin", "read_origin_position"), {"slots": slots}).fetchone()
    clock = server.execute(sql.query("origin", "read_origin_clock")).fetchone()
    assert clock is not None
    assert row is not None
    return clock[0], row[0], row[1]


def _look_at_publications_once(bench: Bench) -> None:
    read = publications.Publications.look
    bench.patches.setattr(
        publications.Publications, "look", lambda self, server, _, brought: read(self, server, "0/1", brought)
    )


MUTANTS = (
    Mutant(
        "C1",
        "the queue holds each change once",
        _command("CREATE UNIQUE INDEX ON projector.changes (kind, keys)"),
        lambda bench: test_capture.test_writers_of_one_conversation_do_not_wait_for_each_other(
            bench.filled, bench.connection()
        ),
    ),
    Mutant(
        "C1",
        "the queue is unique",
        _command("CREATE UNIQUE INDEX ON projector.changes (change_id)"),
        lambda bench: test_capture.test_the_queue_has_no_rule_that_a_writer_could_break(bench.filled),
    ),
    Mutant(
        "C2",
        "the trigger joins",
        _join_the_parents,
        lambda bench: test_capture.test_what_a_cascade_deletes_is_gone_from_the_read_model(
            bench.filled, "users", "DELETE FROM {}"
        ),
    ),
    Mutant(
        "C3",
        "no trigger in replica role",
        _command("ALTER TABLE messages DISABLE TRIGGER leads_capture_replica"),
        lambda bench: test_capture.test_every_kind_of_statement_is_captured_in_every_role(
            bench.filled, "insert", "replica"
        ),
    ),
    Mutant(
        "C3",
        "rows and statements are both captured",
        _command("ALTER TABLE messages ENABLE ALWAYS TRIGGER leads_capture_replica"),
        lambda bench: test_capture.test_each_change_is_queued_once(bench.filled, "origin"),
    ),
    Mutant(
        "C3",
        "no trigger for TRUNCATE",
        _command("ALTER TABLE messages DISABLE TRIGGER leads_capture_truncate"),
        lambda bench: test_capture.test_every_kind_of_statement_is_captured_in_every_role(
            bench.filled, "truncate", "origin"
        ),
    ),
    Mutant(
        "C3",
        "an update of two rows is taken for one of one",
        _function("capture_messages", "PERFORM FROM old_rows OFFSET 1", "PERFORM FROM old_rows OFFSET 2"),
        lambda bench: test_capture.test_a_few_rows_and_one_more_are_queued_once_each(
            bench.filled, 2, "UPDATE messages SET text = 'edited' WHERE message_id LIKE 'few-%'"
        ),
    ),
    Mutant(
        "C4",
        "the trigger has the rights of the writer",
        _command("ALTER FUNCTION projector.capture_messages() SECURITY INVOKER"),
        lambda bench: test_capture.test_a_writer_without_any_right_on_our_schemas_writes(bench.filled),
    ),
    Mutant(
        "C4",
        "the trigger waits for the lock of the tenant",
        _function(
            "capture_messages",
            "BEGIN\n",
            f"BEGIN PERFORM pg_advisory_xact_lock({locks.TENANT}, hashtext('one'));\n",
        ),
        lambda bench: test_capture.test_a_writer_never_waits_for_a_refresh_in_flight(bench.filled, "written"),
    ),
    Mutant(
        "C4",
        "the trigger needs every column to exist",
        _changed_rows("contacts", "(SELECT {missing})", "(SELECT 1 AS {queue_key})"),
        lambda bench: test_schema_changes.test_a_renamed_column_stops_no_write_and_is_named_until_it_is_back(
            test_schema_changes.fill(bench.filled), bench.connection(), _table("contacts")
        ),
    ),
    Mutant(
        "C4",
        "the row trigger reads columns without catching errors",
        _function("capture_contacts", "WHEN OTHERS THEN", "WHEN division_by_zero THEN"),
        lambda bench: test_schema_changes.test_a_type_that_changes_within_a_session_breaks_no_replicated_row(
            test_schema_changes.fill(bench.filled), bench.connection()
        ),
    ),
    Mutant(
        "C4",
        "a first build does not look who waits for it",
        lambda bench: bench.patches.setattr(giving_way._Watcher, "_look", lambda *_: None),  # noqa: SLF001
        _alter_during_a_first_build,
    ),
    Mutant(
        "C4",
        "a session may stand still in a transaction",
        _stop_for_ever,
        lambda bench: test_faults.test_a_projector_that_is_stopped_keeps_no_table_of_the_platform(
            bench.filled, "refresh", "recomputed"
        ),
    ),
    Mutant(
        "C5",
        "the trigger notifies",
        _function("capture_messages", "BEGIN\n", "BEGIN PERFORM pg_notify('changes', '');\n"),
        lambda bench: test_capture.test_no_function_of_the_writers_notifies(bench.filled),
    ),
    Mutant(
        "C6",
        "the build comes before the triggers",
        lambda bench: bench.patches.setattr(capture, "reinstall", lambda _: None),
        lambda bench: test_capture.test_migrate_waits_for_the_writers_that_it_found(
            bench.make_database(bench.source)
        ),
    ),
    Mutant(
        "C7",
        "a refresh does not compare the triggers",
        _command(
            'CREATE OR REPLACE VIEW projector.broken_capture AS SELECT NULL::text COLLATE "C" AS reason'
        ),
        lambda bench: test_capture.test_a_refresh_says_that_changes_may_have_been_missed(
            bench.filled, "disabled"
        ),
    ),
    Mutant(
        "C7",
        "the comparison does not see what was changed and changed back",
        lambda bench: bench.execute(
            bench.filled.conn, file_text("capture/10_trigger_fingerprints").replace("t.xmin", "0")
        ),
        lambda bench: test_capture.test_a_refresh_says_that_changes_may_have_been_missed(
            bench.filled, "one disabled and enabled"
        ),
    ),
    Mutant(
        "C7",
        "ALTER TABLE and new partitions are not looked for",
        _command(
            "CREATE OR REPLACE VIEW projector.changed_source AS"
            ' SELECT 1 AS place, NULL::text COLLATE "C" AS table_name, NULL::text COLLATE "C" AS reason WHERE false'
        ),
        lambda bench: test_schema_changes.test_a_change_of_values_that_fires_no_trigger_is_noticed_and_healed(
            test_schema_changes.fill(bench.filled), bench.connection(), "rewritten in the same type"
        ),
    ),
    Mutant(
        "C7",
        "a row without a key is queued as any other",
        _changed_rows("messages", "(-1)::smallint", "0::smallint"),
        lambda bench: test_schema_changes.test_a_key_that_is_renamed_and_renamed_back_between_two_looks_is_a_gap(
            test_schema_changes.fill(bench.filled), bench.connection(), _table("messages"), "origin"
        ),
    ),
    Mutant(
        "C8",
        "a session of the projector looks into the schemas of its login",
        lambda bench: bench.patches.setattr(db, "SEARCH_PATH", "public, pg_catalog, pg_temp"),
        lambda bench: test_names.test_nothing_that_others_planted_runs_in_the_projector(
            bench.stack.enter_context(test_names.planted(bench.filled))
        ),
    ),
    Mutant(
        "C8",
        "a session of the API looks into the schemas of its login",
        lambda bench: bench.patches.setattr(conninfo, "SEARCH_PATH", "public, pg_catalog, pg_temp"),
        lambda bench: test_names.test_nothing_that_others_planted_runs_in_the_api(
            bench.stack.enter_context(test_names.planted(bench.filled)), "leads_api"
        ),
    ),
    Mutant(
        "C9",
        "the loops follow the wall clock",
        lambda bench: bench.patches.setattr(loops, "_clock", lambda: time.time()),  # noqa: PLW0108  # It jumps.
        _jump_back,
    ),
    Mutant(
        "C9",
        "a dead letter waits for the clock",
        _statement(
            "queries/core", "OR d.retry_at > clock_timestamp()", "OR d.retry_at > 'infinity'::timestamptz"
        ),
        lambda bench: test_clock.test_a_dead_letter_is_not_kept_by_a_clock_that_was_set_back(bench.filled, -3600.0),
    ),
    Mutant(
        "R1",
        "the source is read before the changes are taken",
        lambda bench: bench.patches.setattr(batch, "_refresh_batch", _recompute_before_delete),
        lambda bench: test_refresh.test_what_is_written_while_a_refresh_is_stopped_at_a_point_is_not_lost(
            bench.filled, "recomputed"
        ),
    ),
    Mutant(
        "R2",
        "a batch reads in one snapshot",
        _isolate,
        lambda bench: test_refresh.test_a_batch_reads_what_was_committed_before_each_of_its_statements(
            bench.filled
        ),
    ),
    Mutant(
        "R2",
        "nothing is locked",
        _statement("refresh/2_lock/40_lock_tenants", "pg_advisory_xact_lock(%(lock_class)s", "int8pl(%(lock_class)s"),
        lambda bench: test_refresh.test_two_refreshes_of_one_lead_count_each_others_rows(bench.filled),
    ),
    Mutant(
        "R3",
        "counts move by the changes in the queue",
        _statement(
            "refresh/7_compare_leads/30_compute_conversations",
            "coalesce(m.difference, 0)",
            "(SELECT count(*) FROM taken_changes)",
        ),
        lambda bench: test_refresh.test_a_change_that_is_queued_twice_counts_once(bench.filled),
    ),
    Mutant(
        "R4",
        "every message that was read is written",
        _statement("refresh/5_compare_messages/30_compare_messages", "WHERE (", "WHERE true OR ("),
        lambda bench: test_refresh.test_a_lead_that_differs_in_one_table_is_rewritten_there_alone(
            bench.filled, "leads"
        ),
    ),
    Mutant(
        "R4",
        "numbers are moved only where the count of leads moves",
        _statement(
            "refresh/8_write_leads/70_add_to_statistics", "<> ROW({zeros.table})", "IS NOT NULL AND d.leads <> 0"
        ),
        lambda bench: test_refresh.test_a_lead_that_turns_from_hot_to_warm_moves_the_numbers_of_every_span(
            bench.filled
        ),
    ),
    Mutant(
        "R4",
        "no number moves by who wrote last",
        _statement(
            "refresh/7_compare_leads/90_find_lead_moves",
            "    side.last_message_sender,\n    side.has_conversation,\n    sum",
            "    NULL,\n    side.has_conversation,\n    sum",
        ),
        lambda bench: test_refresh.test_who_wrote_last_moves_its_numbers_and_leaves_those_of_new_leads_alone(
            bench.filled
        ),
    ),
    Mutant(
        "R4",
        "no number moves by the first contact",
        _statement(
            "refresh/7_compare_leads/90_find_lead_moves",
            "    side.first_hour,\n    side.last_message_sender,\n    side.has_conversation,\n    sum",
            "    NULL,\n    side.last_message_sender,\n    side.has_conversation,\n    sum",
        ),
        lambda bench: test_refresh.test_an_earlier_first_contact_moves_the_new_leads_of_its_time(bench.filled),
    ),
    Mutant(
        "R4",
        "the numbers of all leads are written with every message",
        _statement("refresh/8_write_leads/70_add_to_statistics", "<> ROW({zeros.table})", "IS NOT NULL"),
        lambda bench: test_refresh.test_a_message_leaves_the_numbers_of_all_leads_alone_and_moves_its_day_and_hour(
            bench.filled
        ),
    ),
    Mutant(
        "R5",
        "the recompute looks through all messages",
        _statement(
            "refresh/4_recompute/20_read_messages",
            "WHERE d.message_id = s.message_id",
            "WHERE d.message_id || '' = s.message_id",
        ),
        lambda bench: test_refresh.test_a_message_of_a_lead_with_a_long_history_reads_and_writes_a_few_rows(
            bench.filled
        ),
    ),
    Mutant(
        "R6",
        "a mass change is one piece",
        _statement("refresh/1_take/50_spread_changes", "/ 500 AS piece", "/ 500000 AS piece"),
        lambda bench: test_refresh.test_a_mass_change_goes_in_pieces_and_gives_way_to_single_changes(
            bench.filled
        ),
    ),
    Mutant(
        "R6",
        "a mass change that replication brings is many single changes",
        _function("queue_keys", ">= 100", ">= 100000"),
        lambda bench: test_refresh.test_a_replicated_mass_change_goes_in_pieces_and_gives_way_to_single_changes(
            bench.filled
        ),
    ),
    Mutant(
        "R6",
        "a mass change that replication brings is taken row by row",
        _function("upcoming_changes", "LIMIT pieces * rows_per_piece", "LIMIT pieces"),
        lambda bench: test_refresh.test_a_replicated_mass_change_goes_in_pieces_and_gives_way_to_single_changes(
            bench.filled
        ),
    ),
    Mutant(
        "R7",
        "a lead that fails stops the others",
        lambda bench: bench.patches.setattr(refresh, "is_lead_failure", lambda _: False),
        lambda bench: test_refresh.test_a_lead_that_fails_is_set_aside_and_stops_no_other(bench.filled),
    ),
    Mutant(
        "R7",
        "each failing key of a tenant is tried before the others go on",
        lambda bench: bench.patches.setattr(isolation, "FAILURES_OF_A_CROWD", 10**9),
        lambda bench: test_refresh.test_failing_keys_of_one_tenant_keep_no_other_waiting(
            bench.filled, bench.patches
        ),
    ),
    Mutant(
        "R8",
        "every message makes its conversation be read whole",
        _statement("refresh/3_resolve/40_read_conversations", "    s.reload_messages\n    OR", "    true\n    OR"),
        lambda bench: test_refresh.test_a_message_of_a_lead_with_a_long_history_reads_and_writes_a_few_rows(
            bench.filled
        ),
    ),
    Mutant(
        "R9",
        "what the read model knew of a conversation is not asked",
        _forget_old_leads,
        lambda bench: test_refresh.test_the_lead_that_a_conversation_left_is_recomputed(
            bench.filled, "UPDATE conversations SET customer_phone = '777'"
        ),
    ),
    Mutant(
        "R10",
        "the queue grows for ever",
        lambda bench: bench.patches.setattr(recovery, "_shed_queue", lambda *_: 0),
        lambda bench: test_refresh.test_a_queue_beyond_its_limit_is_traded_for_a_rebuild(bench.filled),
    ),
    Mutant(
        "R10",
        "the queue is vacuumed as any other table",
        _command("ALTER TABLE projector.changes RESET (autovacuum_vacuum_scale_factor)"),
        lambda bench: test_refresh.test_the_queue_is_vacuumed_often(bench.filled),
    ),
    Mutant(
        "refresh/refresh",
        "what moved to a tenant that is not locked is left to others",
        _statement(
            "refresh/3_resolve/30_check_tenants",
            "SELECT projector.raise_serialization_failure()\nFROM stale_keys AS s",
            "DELETE FROM stale_keys AS s",
        ),
        lambda bench: test_races.test_a_conversation_moved_on_while_another_refresh_moves_it_is_not_lost(
            *bench.platform()
        ),
    ),
    Mutant(
        "refresh/refresh",
        "the guess of a tenant stands for its lock",
        _statement("refresh/2_lock/40_lock_tenants", "pg_advisory_xact_lock(%(lock_class)s", "int8pl(%(lock_class)s"),
        lambda bench: test_sharing.test_the_guess_of_a_tenant_stands_for_no_lock(_shared(bench)),
    ),
    Mutant(
        "refresh/refresh",
        "a batch takes the changes of tenants that another batch works on",
        _statement("refresh/1_take/35_choose_changes", "pg_try_advisory_xact_lock(", "int4lt("),
        lambda bench: test_sharing.test_a_batch_leaves_the_tenants_that_another_one_works_on(_shared(bench)),
    ),
    Mutant(
        "refresh/refresh",
        "a tenant that is always busy is passed over for ever",
        lambda bench: bench.patches.setattr(choice.Passes, "overdue", ()),
        lambda bench: test_sharing.test_a_tenant_that_is_always_busy_is_waited_for_in_the_end(_shared(bench)),
    ),
    Mutant(
        "refresh/rebuild",
        "a rebuild in place locks no tenant",
        _statement("refresh/2_lock/40_lock_tenants", "pg_advisory_xact_lock(%(lock_class)s", "int8pl(%(lock_class)s"),
        lambda bench: test_rebuild.test_what_changes_during_a_rebuild_in_place_comes_with_the_next_refresh(
            *_two_leads(bench), "recomputed"
        ),
    ),
    Mutant(
        "refresh/rebuild",
        "a first build does not check whether the platform rewrote a table",
        lambda bench: bench.patches.setattr(first_build, "source_files", lambda _: []),
        lambda bench: _rewritten_table(bench, first=True),
    ),
    Mutant(
        "refresh/rebuild",
        "an interrupted rebuild is resumed by another projection version",
        _statement("queries/sweep", "AND p.version = %(version)s", "AND %(version)s::text IS NOT NULL"),
        lambda bench: test_rebuild.test_a_rebuild_of_another_version_is_not_resumed(_two_leads(bench)[0]),
    ),
    Mutant(
        "refresh/rebuild",
        "a rebuild goes on writing when another projection version has migrated",
        lambda bench: bench.patches.setattr(pipeline, "require_migrated_version", lambda _: None),
        lambda bench: test_rebuild.test_a_rebuild_of_a_replaced_version_writes_nothing_more(*_two_leads(bench)),
    ),
    Mutant(
        "refresh/rebuild",
        "an interrupted rebuild is resumed although a gap opened",
        _statement("queries/capture", "DELETE FROM projector.sweep_positions\nWHERE purpose = 'rebuild';", "SELECT 1;"),
        lambda bench: test_sabotage.test_a_gap_during_an_interrupted_rebuild_is_healed_for_the_leads_that_were_done(
            bench.filled, bench.connection(), bench.patches
        ),
    ),
    Mutant(
        "as-of",
        "a waiting change does not hold freshness back",
        _statement(
            "refresh/9_finish/20_advance_freshness",
            "WHEN s.place - 1 = any(%(shards)s::smallint[])",
            "WHEN true",
        ),
        _first_refresh_of_a_shard,
    ),
    Mutant(
        "as-of",
        "a change that a batch passed over does not hold freshness back",
        _statement(
            "refresh/1_take/35_choose_changes",
            "(SELECT count(*) FROM upcoming) = (SELECT count(*) FROM chosen)",
            "true",
        ),
        lambda bench: test_sharing.test_what_a_batch_leaves_holds_freshness_back(_shared(bench)),
    ),
    Mutant(
        "as-of",
        "a change beyond those that a batch looked at does not hold freshness back",
        _statement("refresh/1_take/40_take_changes", "OR count(*) >= CASE", "OR count(*) > CASE"),
        lambda bench: test_sharing.test_what_a_batch_did_not_look_at_holds_freshness_back(_shared(bench), None),
    ),
    Mutant(
        "as-of",
        "a batch that chooses looks at no more changes than it takes",
        lambda bench: bench.patches.setattr(choice, "WINDOW", 1),
        lambda bench: test_sharing.test_what_a_batch_did_not_look_at_holds_freshness_back(_shared(bench), ()),
    ),
    Mutant(
        "as-of",
        "a look does not ask whether a change waits",
        _statement("queries/core", "NOT looked.has_changes AND NOT", "NOT"),
        lambda bench: test_freshness.test_a_change_that_waits_holds_freshness_back(bench.filled),
    ),
    Mutant(
        "as-of",
        "a look promises the moment at which it ends",
        _statement("queries/core", "SET as_of = looked.fresh_until", "SET as_of = clock_timestamp()"),
        lambda bench: test_freshness.test_what_is_committed_while_a_look_waits_is_not_promised(bench.filled),
    ),
    Mutant(
        "as-of",
        "a look does not ask whether capture is intact",
        _statement("queries/core", "AND looked.gap IS NULL", ""),
        lambda bench: test_freshness.test_a_look_that_fails_promises_nothing(
            bench.filled, test_freshness.disable_a_trigger, CaptureGapError
        ),
    ),
    Mutant(
        "as-of",
        "a look does not ask whether a gap is open",
        _statement("queries/core", "AND NOT looked.freshness_frozen AND", "AND"),
        lambda bench: test_freshness.test_an_open_gap_freezes_freshness(bench.filled),
    ),
    Mutant(
        "as-of",
        "an answer may be older than its request asks for",
        lambda bench: bench.patches.setattr(read_model, "is_fresh", lambda *_: True),
        _read_what_was_written,
    ),
    Mutant(
        "as-of",
        "a look does not ask what the origin proves",
        _statement("queries/core", "        state.provable_until,", "        now() AS provable_until,"),
        lambda bench: test_origin.test_as_of_ends_where_the_origin_is_proved(
            bench.filled, test_origin.move_by_a_look
        ),
    ),
    Mutant(
        "as-of",
        "a batch does not ask what the origin proves",
        _statement(
            "refresh/1_take/20_open_batch", "state.provable_until AS fresh_until", "now() AS fresh_until"
        ),
        lambda bench: test_origin.test_as_of_ends_where_the_origin_is_proved(
            bench.filled, test_origin.move_by_a_batch
        ),
    ),
    Mutant(
        "as-of",
        "a batch promises the moment at which it started",
        _statement("refresh/9_finish/20_advance_freshness", "greatest(%(fresh_until)s", "greatest(now()"),
        lambda bench: test_origin.test_as_of_ends_where_the_origin_is_proved(
            bench.filled, test_origin.move_by_an_idle_refresh
        ),
    ),
    Mutant(
        "as-of",
        "what has no proof yet needs none",
        _provable("'epoch'::timestamptz", "'infinity'::timestamptz"),
        lambda bench: test_origin.test_as_of_ends_where_the_origin_is_proved(
            bench.filled, test_origin.move_by_a_look
        ),
    ),
    Mutant(
        "as-of",
        "what no subscription brings any more needs no proof",
        _provable(" AND NOT EXISTS (SELECT FROM projector.origin)", ""),
        lambda bench: test_origin.test_a_subscription_that_was_dropped_moves_nothing(bench.filled),
    ),
    Mutant(
        "as-of",
        "a first build promises what has not arrived",
        _statement(
            "queries/sweep", "WHEN p.until < 'infinity'", "WHEN false"
        ),
        lambda bench: test_origin.test_a_first_build_of_replicated_rows_promises_nothing(bench.filled),
    ),
    Mutant(
        "as-of",
        "a moment is proved by the subscription that is furthest",
        _statement("queries/origin", "SELECT min(coalesce(", "SELECT max(coalesce("),
        _prove(["0/5", "0/4"], 0),
    ),
    Mutant(
        "as-of",
        "a moment is proved before its position is passed",
        _statement("queries/origin", "WHERE m.position <= (", "WHERE m.position >= ("),
        _prove(["0/5"], 1),
    ),
    Mutant(
        "as-of",
        "a table that is still copied counts as arrived",
        _statement("queries/origin", "f.unready_tables = 0 AND ", ""),
        lambda bench: test_origin.test_a_moment_is_proved_once_every_subscription_has_passed_its_position(
            bench.filled, [test_origin.COPYING], None
        ),
    ),
    Mutant(
        "as-of",
        "a subscription without a worker is left out",
        _statement("queries/origin", "END, '0/0'::pg_lsn))", "END))"),
        lambda bench: test_origin.test_a_moment_is_proved_once_every_subscription_has_passed_its_position(
            bench.filled, [test_origin.WELL, test_origin.WITHOUT_WORKER], None
        ),
    ),
    Mutant(
        "as-of",
        "a worker that has not told its position is left out",
        _statement("queries/origin", "END, '0/0'::pg_lsn))", "ELSE '0/0'::pg_lsn END))"),
        lambda bench: test_origin.test_a_moment_is_proved_once_every_subscription_has_passed_its_position(
            bench.filled, [test_origin.WELL, test_origin.WITHOUT_POSITION], None
        ),
    ),
    Mutant(
        "as-of",
        "a table that no subscription brings is not waited for",
        _statement("queries/origin", "NOT EXISTS (SELECT FROM projector.unfed_tables)", "true"),
        lambda bench: test_origin.test_nothing_is_proved_while_no_subscription_brings_a_table(bench.filled),
    ),
    Mutant(
        "as-of",
        "what a publication leaves out is not waited for",
        _statement("queries/origin", "AND NOT EXISTS (SELECT FROM projector.left_out)", ""),
        lambda bench: test_publications.test_nothing_is_proved_while_something_is_left_out(bench.filled),
    ),
    Mutant(
        "as-of",
        "a row filter of a publication is not looked for",
        _statement("queries/origin", "->> 'rowfilter' IS NOT NULL", "IS NULL"),
        lambda bench: test_publications.test_what_publications_leave_out(
            bench.filled, test_publications.FILTERED, "leads", test_publications.FILTERED_SAID
        ),
    ),
    Mutant(
        "as-of",
        "a list of columns of a publication is not looked for",
        _statement("queries/origin", "to_jsonb(t) -> 'attnames'", "NULL::jsonb"),
        lambda bench: test_publications.test_a_column_that_computes_itself_need_not_arrive(bench.filled),
    ),
    Mutant(
        "as-of",
        "a publication that leaves out statements is taken for a whole one",
        _statement("queries/origin", "CASE WHEN p.pubtruncate", "CASE WHEN true"),
        lambda bench: test_publications.test_each_kind_of_statement_has_to_be_published(bench.filled),
    ),
    Mutant(
        "as-of",
        "the publications are read once only",
        _look_at_publications_once,
        lambda bench: test_publications.test_the_catalog_is_read_when_the_position_has_moved(bench.filled),
    ),
    Mutant(
        "as-of",
        "what was left out counts as arrived once it is published",
        lambda bench: bench.patches.setattr(publications, "read_left_out", lambda _: []),
        lambda bench: test_publications.test_what_was_left_out_is_missing_until_the_table_is_copied_again(
            bench.filled
        ),
    ),
    Mutant(
        "as-of",
        "a copy that runs while something is left out counts as whole",
        _statement("queries/origin", "WHEN r.srsubstate IN ('s', 'r')", "WHEN true"),
        lambda bench: test_publications.test_a_copy_that_ran_while_something_was_left_out_lacks_it_too(
            bench.filled
        ),
    ),
    Mutant(
        "as-of",
        "the position of the origin is read before its clock",
        lambda bench: bench.patches.setattr(origin, "read_moment", _read_position_first),
        lambda bench: test_origin.test_what_is_committed_after_the_clock_was_read_is_not_promised(bench.filled),
    ),
    Mutant(
        "as-of",
        "the origin is as far as its disk",
        _statement("queries/origin", "ELSE w.inserted", "ELSE w.flushed"),
        lambda bench: test_origin.test_the_position_of_the_origin_is_behind_what_is_not_on_its_disk_yet(
            bench.filled
        ),
    ),
    Mutant(
        "as-of",
        "any server proves what has arrived",
        _statement("queries/origin", "SELECT count(*)\n", "SELECT 1 + count(*)\n"),
        lambda bench: test_origin.test_a_server_without_the_slots_proves_nothing(bench.filled),
    ),
    Mutant(
        "version",
        "a message that is not the last moves no version",
        _statement(
            "refresh/8_write_leads/90_change_tenants",
            "FROM message_differences AS d",
            "FROM message_differences AS d WHERE false",
        ),
        lambda bench: test_versions.test_a_change_moves_the_version(bench.filled, "an older message"),
    ),
    Mutant(
        "version",
        "a lead that differs moves no version",
        _statement(
            "refresh/8_write_leads/90_change_tenants",
            f"WHERE (o.*) IS DISTINCT FROM (n.*){_PROFILES}",
            f"WHERE false{_PROFILES}",
        ),
        lambda bench: test_versions.test_a_correction_moves_the_version(bench.filled, "leads"),
    ),
    Mutant(
        "version",
        "a conversation that differs moves no version",
        _statement("refresh/7_compare_leads/95_find_lead_work", "WHEN c.gone OR c.differ OR l.gone", "WHEN l.gone"),
        lambda bench: test_versions.test_a_correction_moves_the_version(bench.filled, "lead_conversations"),
    ),
    Mutant(
        "version",
        "a profile that was missing moves no version",
        _statement(
            "refresh/8_write_leads/90_change_tenants",
            "FULL JOIN old_profiles",
            "INNER JOIN old_profiles",
        ),
        lambda bench: test_versions.test_a_correction_moves_the_version(
            bench.filled, "lead_profiles that are missing"
        ),
    ),
    Mutant(
        "version",
        "a correction of the statistics moves no version",
        _statement("queries/tenants", "version = t.version + 1", "version = t.version"),
        lambda bench: test_versions.test_a_correction_moves_the_version(bench.filled, "lead_totals"),
    ),
    Mutant(
        "version",
        "a first build moves no version",
        _statement("sweep/first_build/80_build_tenants", "version = t.version + 1", "version = t.version"),
        lambda bench: test_versions.test_a_first_build_moves_the_versions_that_were(bench.filled),
    ),
    Mutant(
        "version",
        "a version has no id of its own",
        _statement("refresh/8_write_leads/90_change_tenants", "gen_random_uuid()", "md5(changed.user_id)::uuid"),
        lambda bench: test_versions.test_two_histories_never_share_a_version(
            bench.filled, bench.make_database
        ),
    ),
    Mutant(
        "version",
        "every batch moves the version",
        _every_version_moves,
        lambda bench: test_versions.test_what_changes_no_row_moves_no_version(
            bench.filled, "a change that was taken back"
        ),
    ),
    Mutant(
        "change feed",
        "a lead that differs keeps its version",
        _statement(
            "refresh/8_write_leads/40_upsert_leads", ", version = excluded.version", ", version = leads.version"
        ),
        lambda bench: _follow(bench, test_change_feed.test_a_change_is_reported_once_with_its_newest_state),
    ),
    Mutant(
        "change feed",
        "a lead is written with the version before",
        _statement("refresh/8_write_leads/40_upsert_leads", "coalesce(t.version, 0) + 1", "coalesce(t.version, 0)"),
        lambda bench: _follow(bench, test_change_feed.test_a_new_lead_and_a_deleted_one),
    ),
    Mutant(
        "change feed",
        "a lead that goes leaves no tombstone",
        _statement("refresh/8_write_leads/35_note_deleted_leads", "WHERE n.user_id IS NULL", "WHERE false"),
        lambda bench: _follow(bench, test_change_feed.test_a_new_lead_and_a_deleted_one),
    ),
    Mutant(
        "change feed",
        "a lead that comes again keeps its tombstone",
        _statement("refresh/7_compare_leads/95_find_lead_work", "WHEN l.come THEN", "WHEN false THEN"),
        lambda bench: _follow(bench, test_change_feed.test_a_lead_that_comes_again_has_no_tombstone),
    ),
    Mutant(
        "change feed",
        "every lead that is recomputed gets a new version",
        _statement(
            "refresh/8_write_leads/40_upsert_leads", "WHERE (o.*) IS DISTINCT FROM (n.*)", "WHERE true"
        ),
        _follow_many,
    ),
    Mutant(
        "change feed",
        "tombstones go without a word",
        _statement("queries/tenants", "greatest(pruned_version,", "least(pruned_version,"),
        lambda bench: _follow(
            bench, test_change_feed.test_a_token_that_is_older_than_the_tombstones_is_gone
        ),
    ),
    Mutant(
        "change feed",
        "a tombstone that goes spares the oldest token that missed it",
        _statement("queries/tenants", "(SELECT max(p.version)", "(SELECT max(p.version) - 1"),
        lambda bench: _follow(
            bench, test_change_feed.test_a_token_that_is_older_than_the_tombstones_is_gone
        ),
    ),
    Mutant(
        "change feed",
        "an erasure ends no token",
        _statement("queries/tenants", "SET epoch = %(epoch)s", "SET epoch = coalesce(epoch, %(epoch)s)"),
        lambda bench: _follow(bench, test_change_feed.test_an_erasure_ends_the_tokens_of_its_tenant_alone),
    ),
    Mutant(
        "change feed",
        "a first build ends no token",
        _statement(
            "sweep/first_build/80_build_tenants", "epoch = excluded.epoch", "epoch = t.epoch"
        ),
        lambda bench: _follow(bench, test_change_feed.test_a_first_build_ends_tokens),
    ),
    Mutant(
        "change feed",
        "a token of another installation is taken",
        lambda bench: bench.patches.setattr(changes, "history_of", lambda _, epoch: history_of(None, epoch)),
        lambda bench: _follow(bench, test_change_feed.test_another_installation_ends_all_tokens),
    ),
    Mutant(
        "change feed",
        "a failover ends no token",
        _statement(
            "install/after_tables/85_place_of_versions",
            "ltrim(left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8), '0')",
            "'1'",
        ),
        _fail_over,
    ),
    Mutant(
        "change feed",
        "a token is a version alone",
        lambda bench: bench.patches.setattr(changes, "Position", lambda version, _phone="": Position(version + 1)),
        lambda bench: _follow(bench, test_change_feed.test_many_leads_of_one_version_come_page_by_page),
    ),
    Mutant(
        "change feed",
        "a full page is taken for the last",
        _take_a_full_page_for_the_last,
        lambda bench: _follow(bench, test_change_feed.test_many_leads_of_one_version_come_page_by_page),
    ),
    Mutant(
        "change feed",
        "a lead that leaves the set is left out",
        lambda bench: bench.patches.setattr(session, "_page", _without_deletions(session._page)),  # noqa: SLF001
        lambda bench: test_change_feed.test_a_lead_that_leaves_the_set_is_sent_as_deleted(
            bench.filled, bench.stack.enter_context(feed_copy.serving(bench.filled.database)).test_client()
        ),
    ),
    Mutant(
        "change feed",
        "a token that is still to come is taken",
        lambda bench: bench.patches.setattr(changes, "_after_all", lambda _: Position(10**9)),
        lambda bench: _follow(bench, test_change_feed.test_a_token_from_the_time_before_a_restore_is_gone),
    ),
    Mutant(
        "export",
        "an export reads every statement anew",
        lambda bench: bench.patches.setattr(
            snapshot, "_BEGIN", snapshot._BEGIN.replace("REPEATABLE READ", "READ COMMITTED")  # noqa: SLF001
        ),
        _export,
    ),
)  # fmt: skip


def _shared(bench: Bench) -> Platform:
    return test_sharing.share(bench.platform()[0])


def _two_leads(bench: Bench) -> tuple[Platform, Database]:
    platform, database = bench.platform()
    for tenant in ("one", "two"):
        platform.tenant(tenant)
        platform.message(platform.conversation(platform.agent(tenant, shard=1), "4915", shard=0), "before")
    refresh_now(platform.conn)
    return platform, database


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.rule} {mutant.what}")
def test_without_its_rule_the_test_of_it_is_red(bench: Bench, mutant: Mutant) -> None:
    # A thousand and one are enough to tell a few from all.
    bench.patches.setattr(test_refresh, "HISTORY", 1001)
    mutant.dropped(bench)
    with pytest.raises(RED):
        mutant.noticed(bench)


def test_the_table_has_every_rule() -> None:
    rules = {mutant.rule for mutant in MUTANTS}
    assert {f"C{number}" for number in (*range(1, 8), 9)} | {f"R{number}" for number in range(1, 11)} <= rules
