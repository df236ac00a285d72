"""Each rule of the projector dropped in turn: the test that is there for it turns red.

A rule that no test would miss is not shown by the tests. So every rule stands in the table below, with a way to break
it and the test that notices.
"""

import re
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from inspect import isgeneratorfunction, signature, unwrap
from typing import Any

import psycopg
import pytest

from api.database import connect, session, snapshot
from api.database import statement as asked
from api.limits import waiting
from api.plan.projection import tenant_now
from api.request.change_token import Position, history_of
from api.response import body
from api.routes import changes, memory, read_model
from projector.capture import control, gaps, mapping, triggers
from projector.core import batch, late, names, pipeline, refresh, staging, yielding
from projector.core.late import LateKeys
from projector.database import connect as db
from projector.database import locks, source_names, sql
from projector.database.rows import Connection
from projector.database.schema import ROOT
from projector.database.source_names import SourceTable
from projector.database.sql import file_text
from projector.operate.origin import proof as origin
from projector.operate.origin import publications
from projector.report.errors import CaptureGapError, ProjectorError
from projector.scheduler import main as scheduler_main
from projector.sweep import first_build, recovery
from tests.exactness import (
    interleaving,
    test_capture,
    test_change_feed,
    test_citus,
    test_clock,
    test_exports,
    test_faults,
    test_freshness,
    test_giving_way,
    test_late,
    test_mappings,
    test_memory,
    test_names,
    test_origin,
    test_publications,
    test_races,
    test_rebuild,
    test_refresh,
    test_restores,
    test_sabotage,
    test_schema_changes,
    test_settings,
    test_source_types,
    test_tenant_names,
    test_versions,
)
from tests.exactness.platform import Platform, refresh_now
from tests.support.source import SOURCE_TABLES
from tests.unit.projector import test_rights

# The last is what pytest.raises says where nothing was raised.
RED = (AssertionError, psycopg.Error, ProjectorError, pytest.fail.Exception)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a mutant is made on: the platform with one lead, and the patches that are taken back afterwards."""

    request: pytest.FixtureRequest
    stack: ExitStack
    patches: pytest.MonkeyPatch
    filled: Platform

    def run(self, test: Callable[..., None], values: dict[str, object]) -> None:
        """Run a test with these values of its parameters, and with its fixtures for the others."""
        given, test = dict(values), unwrap(test)
        test(**{name: self._give(name, test.__module__, given) for name in signature(test).parameters})

    def _give(self, name: str, module: str, given: dict[str, object]) -> object:
        """Return a value that is given, or what a fixture of the test's module returns, or else of its folder."""
        if name not in given:
            fixture = vars(sys.modules[module]).get(name)
            if name == "busy":
                # A copy of the template of that fixture has nothing of what was done to the platform here.
                given[name] = test_schema_changes.fill(self.filled)
            elif fixture is None:
                given[name] = self.request.getfixturevalue(name)
            else:
                function = unwrap(fixture)
                made = function(*(self._give(one, module, given) for one in signature(function).parameters))
                is_open = isgeneratorfunction(function)
                given[name] = self.stack.enter_context(contextmanager(lambda: made)()) if is_open else made
        return given[name]


class Mutant:
    """A rule, what is done to it, how, and the test that must notice, with values of its parameters."""

    def __init__(
        self, rule: str, what: str, drop: "Drop", noticed: Callable[..., None], **values: object
    ) -> None:
        self.rule, self.what, self.drop, self.noticed, self.values = rule, what, drop, noticed, values


Drop = Callable[[Bench], None]


def _statement(name: str, old: str, new: str) -> Drop:
    """Change the text of sql/NAME.sql, until the end of the test."""

    def drop(bench: Bench) -> None:
        file = ROOT / "sql" / f"{name}.sql"
        text = file.read_text("utf-8")
        assert text.count(old) >= 1, f"sql/{name}.sql does not say {old}"
        changed, read = text.replace(old, new, 1), sql._read  # noqa: SLF001

        bench.patches.setattr(sql, "_read", lambda wanted: changed if wanted == file else read(wanted))
        forget_texts()
        bench.stack.callback(forget_texts)

    return drop


def forget_texts() -> None:
    sql.steps.cache_clear()
    sql.functions.cache_clear()
    sql.query.cache_clear()
    sql._queries.cache_clear()  # noqa: SLF001


def _function(name: str, old: str, new: str) -> Drop:
    def drop(bench: Bench) -> None:
        row = bench.filled.conn.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc"
            " WHERE pronamespace = 'projector'::regnamespace AND proname = %s",
            (name,),
        ).fetchone()
        assert row is not None
        assert row[0].count(old) >= 1, f"{name} does not say {old}"
        _command(row[0].replace(old, new, 1))(bench)

    return drop


def _command(command: str) -> Drop:
    """Change the database, and have the projector take it for what was installed."""

    def drop(bench: Bench) -> None:
        bench.filled.conn.execute(command.encode())
        bench.filled.conn.execute(
            "UPDATE projector.capture_triggers AS e SET fingerprint = n.fingerprint"
            " FROM projector.capture_fingerprints AS n"
            " WHERE (n.table_name, n.trigger_name) = (e.table_name, e.trigger_name)"
        )

    return drop


def _changed_rows(table: str, old: str, new: str) -> Drop:
    """Change what the triggers of a table read."""

    def drop(bench: Bench) -> None:
        _statement("capture/35_changed_rows", old, new)(bench)
        _command(triggers.trigger_function(_table(table)).as_string(bench.filled.conn))(bench)

    return drop


def _table(name: str) -> SourceTable:
    return next(table for table in SOURCE_TABLES if table.name == name)


def _provable(old: str, new: str) -> Drop:
    """Change the view that says up to when as-of may go."""

    def drop(bench: Bench) -> None:
        text = file_text("install/after_tables/80_feeds")
        assert text.count(old) == 1
        bench.filled.conn.execute(text.replace(old, new).encode(), prepare=False)

    return drop


def _asked(old: bytes, new: bytes) -> Drop:
    """Change the text of each statement of the API that says something."""
    compiled = asked._compiled  # noqa: SLF001

    def changed(statement: Any, row: Any) -> Any:  # noqa: ANN401
        found = compiled(statement, row)
        return found._replace(text=found.text.replace(old, new))

    return _patch(asked, "_compiled", changed)


def _patch(target: object, name: str, new: object) -> Drop:
    return lambda bench: bench.patches.setattr(target, name, new)


def _stands_without(**values: None) -> Drop:
    """Have an answer from memory stand whatever one of its values is."""
    stands = memory.Memory._stands  # noqa: SLF001

    def anyhow(self: memory.Memory, kept: memory.Kept, look: memory.Look) -> bool:
        present: dict[str, Any] = {"version": look.row.version} if "version" in values else values
        return stands(self, replace(kept, **present), look)

    return _patch(memory.Memory, "_stands", anyhow)


def _keep_under_the_version_of_now(bench: Bench) -> None:
    keep = memory.Memory.keep

    def late(self: memory.Memory, response: Any, one: Any) -> Any:  # noqa: ANN401
        if one.row is not None:
            one.row.version = self._parts.database.fetch(tenant_now("one")).version
        return keep(self, response, one)

    bench.patches.setattr(memory.Memory, "keep", late)


def _join_the_parents(bench: Bench) -> None:
    """A conversation is queued only where its agent can be found, and nothing else tells of it."""
    conn = bench.filled.conn
    conn.execute("DELETE FROM messages")
    conn.execute("DELETE FROM extractions")
    refresh_now(conn)
    _function(
        "capture_conversations",
        ") AS o\n        ) AS hashed",
        ") AS o INNER JOIN public.agents AS a ON a.agent_id = o.agent_id\n        ) AS hashed",
    )(bench)


def _leave_out_a_rule(bench: Bench) -> None:
    """Of a contact that changes, the contact alone is read again."""
    rules = mapping.Texts.rules
    bench.patches.setattr(
        mapping.Texts, "rules", lambda self: [rule for rule in rules(self) if "c.contact_id" not in rule]
    )


def _recompute_before_delete(
    conn: Connection, opened: batch.OpenedBatch, *_limits: object, **_options: object
) -> batch.Batch:
    """A batch that reads the source first and takes the changes then."""
    shards = list(opened.owned)
    staging.clear(conn, opened.bloated_tables)
    staged = conn.execute(
        "INSERT INTO taken_changes SELECT change_id, shard, kind, keys, message_ids, queued_at"
        " FROM projector.changes WHERE shard = ANY(%s)",
        (shards,),
    )
    if not staged.rowcount:
        return batch.Batch(shards, 0, drained=True)
    pipeline.reach("taken")
    written = batch.recompute(conn)
    changes = conn.execute("DELETE FROM projector.changes WHERE shard = ANY(%s)", (shards,)).rowcount
    pieces = batch.spread_changes(conn)
    return batch.Batch(shards, changes, written.leads, written.messages, drained=pieces == 0)


def _read_before_a_piece(bench: Bench) -> None:
    """A piece that reads what its late keys say first, and takes them then, with those that came meanwhile."""
    stage = LateKeys._stage  # noqa: SLF001

    def stage_only(self: LateKeys, conn: Connection) -> object:
        conn.execute("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM projector.late_keys")
        taken = stage(self, conn)
        conn.execute("INSERT INTO projector.late_keys SELECT * FROM kept")
        return taken

    def take(conn: Connection) -> pipeline.BatchResult:
        written = batch.recompute(conn)
        conn.execute("DELETE FROM projector.late_keys")
        return written

    bench.patches.setattr(LateKeys, "_stage", stage_only)
    bench.patches.setattr(late, "recompute", take)


def _in_seconds(name: str, old: str, new: str) -> Drop:
    """As _statement, where a session then waits for one that stands still."""

    def drop(bench: Bench) -> None:
        bench.patches.setattr(interleaving, "PATIENCE", 3.0)
        _statement(name, old, new)(bench)

    return drop


def _pass_over_mass_changes(
    conn: Connection, opened: batch.OpenedBatch, size: int, *, newest: bool
) -> batch.Batch:
    return TAKE_AND_RECOMPUTE(conn, replace(opened, has_mass_changes=False), size, newest=newest)


TAKE_AND_RECOMPUTE = batch._take_and_recompute  # noqa: SLF001


def _forget_old_leads(bench: Bench) -> None:
    """The messages would tell of the old lead too."""
    bench.filled.conn.execute("DELETE FROM messages")
    refresh_now(bench.filled.conn)
    _statement(
        "refresh/3_resolve/50_note_keys",
        "WHERE r.old_user_id IS NOT NULL\n    UNION ALL",
        "WHERE false\n    UNION ALL",
    )(bench)


def _isolate(bench: Bench) -> None:
    bench.patches.setitem(db.SETTINGS, "default_transaction_isolation", "repeatable read")


def _stop_for_ever(bench: Bench) -> None:
    bench.patches.setattr(test_faults, "STOPPED_TIMEOUT", "0")
    bench.patches.setattr(test_faults, "PLATFORM_PATIENCE", "2s")


def _look_at_no_waiter(bench: Bench) -> None:
    bench.patches.setattr(yielding._Read, "look", lambda *_: None)  # noqa: SLF001
    bench.patches.setattr(test_giving_way, "ALTER", test_giving_way.ALTER.replace("25s", "3s"))
    bench.patches.setattr(test_giving_way, "LONG", "SELECT pg_sleep(5)")


def _follow_the_wall_clock(bench: Bench) -> None:
    bench.patches.setattr(scheduler_main, "_clock", lambda: time.time())  # noqa: PLW0108  # It jumps.
    bench.patches.setattr(interleaving, "PATIENCE", 5.0)


def _every_version_moves(bench: Bench) -> None:
    _statement(
        "refresh/7_compare_leads/90_compare_leads", "FROM message_differences\n", "FROM stale_leads\n"
    )(bench)
    _statement("refresh/8_write_leads/90_change_tenants", "FROM lead_differences", "FROM stale_leads")(bench)


def _take_a_full_page_for_the_last(bench: Bench) -> None:
    checked = read_model.ReadModel.checked

    def without_more(model: read_model.ReadModel, row: Any, min_as_of: Any) -> Any:  # noqa: ANN401
        return checked(model, replace(row, has_more=False) if hasattr(row, "has_more") else row, min_as_of)

    bench.patches.setattr(read_model.ReadModel, "checked", without_more)


def _without_deletions(page: Callable[[Any], list[bytes]]) -> Callable[[Any], list[bytes]]:
    gone = re.compile(rb'\{"customer_phone":"[^"]*","deleted":true,"lead":null\}')
    return lambda result: [text for text in page(result) if gone.fullmatch(text) is None]


def _read_position_first(server: Connection, slots: list[str]) -> tuple[datetime, str, int]:
    row = server.execute(sql.query("origin", "read_origin_position"), {"slots": slots}).fetchone()
    clock = server.execute(sql.query("origin", "read_origin_clock")).fetchone()
    assert clock is not None
    assert row is not None
    return clock[0], row[0], row[1]


MUTANTS = (
    Mutant("C1", "the queue holds each change once",
        _command("CREATE UNIQUE INDEX ON projector.changes (kind, keys)"),
        test_capture.test_writers_of_one_conversation_do_not_wait_for_each_other),
    Mutant("C1", "the queue is unique",
        _command("CREATE UNIQUE INDEX ON projector.changes (change_id)"),
        test_capture.test_the_queue_has_no_rule_that_a_writer_could_break),
    Mutant("C2", "the trigger joins",
        _join_the_parents,
        test_capture.test_what_a_cascade_deletes_is_gone_from_the_read_model,
            table="users", command="DELETE FROM {}"),
    Mutant("C2", "a rule of a mapping is left out",
        _leave_out_a_rule,
        test_mappings.test_what_a_mapping_says_is_in_the_read_model, name="libredesk"),
    Mutant("C2", "a change that is spread concerns no names of tenants",
        _statement("install/functions/40_change_kinds",
            "OR (projector.is_spread(of_kind) AND projector.is_spread_to_tenants(of_kind, of_keys))",
            ""),
        test_mappings.test_a_table_that_names_tenants_and_touches_more_changes_their_names),
    Mutant("C2", "a truncate of a table that is spread to tenants concerns no names of them",
        _statement("install/functions/40_change_kinds",
            "(t.change_kind = of_kind OR (of_kind = 'truncate' AND t.change_kind = any(of_keys)))",
            "t.change_kind = of_kind"),
        test_mappings.test_a_table_that_names_tenants_and_touches_more_changes_their_names),
    Mutant("C3", "no trigger in replica role",
        _command("ALTER TABLE messages DISABLE TRIGGER leads_capture_replica"),
        test_capture.test_every_kind_of_statement_is_captured_in_every_role, name="insert", role="replica"),
    Mutant("C3", "rows and statements are both captured",
        _command("ALTER TABLE messages ENABLE ALWAYS TRIGGER leads_capture_replica"),
        test_capture.test_each_change_is_queued_once, role="origin"),
    Mutant("C3", "no trigger for TRUNCATE",
        _command("ALTER TABLE messages DISABLE TRIGGER leads_capture_truncate"),
        test_capture.test_every_kind_of_statement_is_captured_in_every_role, name="truncate", role="origin"),
    Mutant("C3", "an update of two rows is taken for one of one",
        _function("capture_messages", "PERFORM FROM old_rows OFFSET 1", "PERFORM FROM old_rows OFFSET 2"),
        test_capture.test_a_few_rows_and_one_more_are_queued_once_each,
            statement="UPDATE messages SET text = 'edited' WHERE message_id LIKE %s"),
    Mutant("C4", "the trigger has the rights of the writer",
        _command("ALTER FUNCTION projector.capture_messages() SECURITY INVOKER"),
        test_capture.test_a_writer_without_any_right_on_our_schemas_writes),
    Mutant("C4", "the trigger waits for the lock of the tenant",
        _function("capture_messages",
            "BEGIN\n",
            f"BEGIN PERFORM pg_advisory_xact_lock({locks.TENANT}, hashtext('one'));\n"),
        test_capture.test_a_writer_never_waits_for_a_refresh_in_flight, point="written"),
    Mutant("C4", "the trigger needs every column to exist",
        _changed_rows("contacts", "(SELECT {missing})", "(SELECT 1 AS {queue_key})"),
        test_schema_changes.test_a_renamed_column_stops_no_write_and_is_named_until_it_is_back,
            table=_table("contacts")),
    Mutant("C4", "the row trigger reads columns without catching errors",
        _function("capture_contacts", "WHEN OTHERS THEN", "WHEN division_by_zero THEN"),
        test_schema_changes.test_a_type_that_changes_within_a_session_breaks_no_replicated_row),
    Mutant("C4", "a first build does not look who waits for it",
        _look_at_no_waiter,
        test_giving_way.test_a_first_build_gives_way_and_is_complete_afterwards, point="built"),
    Mutant("C4", "a session may stand still in a transaction",
        _stop_for_ever,
        test_faults.test_a_projector_that_is_stopped_keeps_no_table_of_the_platform,
            work="refresh", point="recomputed"),
    Mutant("C5", "the trigger notifies",
        _function("capture_messages", "BEGIN\n", "BEGIN PERFORM pg_notify('changes', '');\n"),
        test_capture.test_no_function_of_the_writers_notifies),
    Mutant("C6", "the build comes before the triggers",
        _patch(control, "reinstall", lambda _: None),
        test_capture.test_migrate_waits_for_the_writers_that_it_found),
    Mutant("C7", "a refresh does not compare the triggers",
        _command('CREATE OR REPLACE VIEW projector.broken_capture AS SELECT NULL::text COLLATE "C" AS reason'),
        test_sabotage.test_a_refresh_heals_what_was_missed_and_captures_again, name="a trigger disabled"),
    Mutant("C7", "the comparison does not see what was changed and changed back",
        _command(file_text("capture/views/10_trigger_fingerprints").replace("t.xmin", "0")),
        test_sabotage.test_a_refresh_heals_what_was_missed_and_captures_again,
            name="disabled and enabled in one transaction"),
    Mutant("C7", "ALTER TABLE and new partitions are not looked for",
        _command('CREATE OR REPLACE VIEW projector.changed_source AS SELECT 1 AS place,'
            ' NULL::text COLLATE "C" AS table_name, NULL::text COLLATE "C" AS reason WHERE false'),
        test_schema_changes.test_a_change_of_values_that_fires_no_trigger_is_noticed_and_healed,
            name="rewritten in the same type"),
    Mutant("C7", "tables of the read model may be others",
        _statement("capture/views/17_changed_source", "s.name = 'read_model_tables'", "false"),
        test_restores.test_a_schema_of_ours_that_was_restored_alone, schema="read_model"),
    Mutant("C7", "a row without a key is queued as any other",
        _changed_rows("messages", "(-1)::smallint", "0::smallint"),
        test_schema_changes.test_a_key_that_is_renamed_and_renamed_back_between_two_looks_is_a_gap,
            table=_table("messages"), role="origin"),
    Mutant("C7", "a column that was missing is read without a rebuild",
        _patch(gaps, "open_gap", lambda *_: False),
        test_source_types.test_what_was_missing_is_read_from_the_next_migrate_on),
    Mutant("C7", "another mapping is read without a rebuild",
        _patch(gaps, "open_gap", lambda *_: False),
        test_mappings.test_a_mapping_stays_until_another_one_is_given_and_that_one_is_rebuilt),
    Mutant("C8", "a session of the projector looks into the schemas of its login",
        _patch(db, "SEARCH_PATH", "public, pg_catalog, pg_temp"),
        test_names.test_nothing_that_others_planted_runs_in_the_projector),
    Mutant("C8", "a session of the API looks into the schemas of its login",
        _patch(connect, "SEARCH_PATH", "public, pg_catalog, pg_temp"),
        test_names.test_nothing_that_others_planted_runs_in_the_api, role="leads_api"),
    Mutant("C8", "what another role owns is called",
        _patch(source_names, "require_trusted", lambda _: None),
        test_rights.test_nothing_that_another_role_owns_is_called),
    Mutant("C10", "a session of the projector has what is set for the database",
        _patch(db, "SETTINGS", {"TimeZone": "UTC"}),
        test_settings.test_no_setting_of_a_database_or_a_role_makes_a_difference, part=None),
    Mutant("C10", "a session of the API has what is set for the database",
        _patch(connect, "settings", lambda _: {"search_path": connect.SEARCH_PATH}),
        test_settings.test_a_database_that_is_set_so_is_answered_from_as_any_other,
            drops_options=False, tenant_setting="session"),
    Mutant("C10", "a transaction behind a pooler has what is set for the database",
        _patch(connect, "settings", lambda _: {"search_path": connect.SEARCH_PATH}),
        test_settings.test_a_database_that_is_set_so_is_answered_from_as_any_other,
            drops_options=True, tenant_setting="transaction"),
    Mutant("C9", "the loops follow the wall clock",
        _follow_the_wall_clock,
        test_clock.test_no_job_stands_still_when_the_clock_jumps, seconds=-90.0),
    Mutant("C9", "a dead letter waits for the clock",
        _statement("queries/core",
            "OR d.retry_at > clock_timestamp()",
            "OR d.retry_at > 'infinity'::timestamptz"),
        test_clock.test_a_dead_letter_is_not_kept_by_a_clock_that_was_set_back, seconds=-3600.0),
    Mutant("R1", "the source is read before the changes are taken",
        _patch(batch, "_take_and_recompute", _recompute_before_delete),
        test_refresh.test_what_is_written_while_a_refresh_is_stopped_at_a_point_is_not_lost, point="recomputed"),
    Mutant("R2", "a batch reads in one snapshot",
        _isolate,
        test_refresh.test_a_batch_reads_what_was_committed_before_each_of_its_statements),
    Mutant("R2", "nothing is locked",
        _statement("refresh/2_lock/40_lock_tenants",
            "pg_advisory_xact_lock(%(lock_class)s",
            "int8pl(%(lock_class)s"),
        test_refresh.test_two_refreshes_of_one_lead_count_each_others_rows),
    Mutant("R2", "two batches write names at once",
        _patch(names, "_lock", lambda _conn: None),
        test_tenant_names.test_a_truncation_forgets_no_name_that_came_after_it),
    Mutant("R3", "counts move by the changes in the queue",
        _statement("refresh/7_compare_leads/30_compute_conversations",
            "coalesce(m.difference, 0)",
            "(SELECT count(*) FROM taken_changes)"),
        test_refresh.test_a_change_that_is_queued_twice_counts_once),
    Mutant("R4", "every message that was read is written",
        _statement("refresh/5_compare_messages/30_compare_messages", "WHERE (", "WHERE true OR ("),
        test_refresh.test_a_lead_that_differs_in_one_table_is_rewritten_there_alone, table="leads"),
    Mutant("R4", "numbers are moved only where the count of leads moves",
        _statement("refresh/8_write_leads/70_add_to_statistics",
            "<> ROW({zeros.table})",
            "IS NOT NULL AND d.leads <> 0"),
        test_refresh.test_a_lead_that_turns_from_hot_to_warm_moves_the_numbers_of_every_span),
    Mutant("R4", "no number moves by who wrote last",
        _statement("refresh/7_compare_leads/90_compare_leads", "o.last_message_sender", "n.last_message_sender"),
        test_refresh.test_who_wrote_last_moves_its_numbers_and_leaves_those_of_new_leads_alone),
    Mutant("R4", "no number moves by the first contact",
        _statement("refresh/7_compare_leads/90_compare_leads", "o.first_contact_at", "n.first_contact_at"),
        test_refresh.test_an_earlier_first_contact_moves_the_new_leads_of_its_time),
    Mutant("R4", "the numbers of all leads are written with every message",
        _statement("refresh/8_write_leads/70_add_to_statistics", "<> ROW({zeros.table})", "IS NOT NULL"),
        test_refresh.test_a_message_leaves_the_numbers_of_all_leads_alone_and_moves_its_day_and_hour),
    Mutant("R4", "a message that goes stays counted",
        _statement("refresh/6_write_messages/30_count_messages", "-1 AS weight", "0 AS weight"),
        test_refresh.test_messages_are_counted_by_the_hour_in_which_they_were_sent),
    Mutant("R5", "the recompute looks through all messages",
        _statement("refresh/4_recompute/20_read_messages",
            "WHERE d.message_id = projector",
            "WHERE d.message_id || '' = projector"),
        test_refresh.test_a_message_of_a_lead_with_a_long_history_reads_and_writes_a_few_rows),
    Mutant("R6", "a mass change is one piece",
        _statement("refresh/1_take/50_spread_changes", "/ 500 AS piece", "/ 500000 AS piece"),
        test_refresh.test_a_mass_change_goes_in_pieces_and_gives_way_to_single_changes),
    Mutant("R6", "a mass change that replication brings is many single changes",
        _function("queue_keys", ">= 100", ">= 100000"),
        test_refresh.test_a_replicated_mass_change_goes_in_pieces_and_gives_way_to_single_changes),
    Mutant("R7", "a lead that fails stops the others",
        _patch(refresh, "is_lead_failure", lambda _: False),
        test_refresh.test_a_lead_that_fails_is_set_aside_and_stops_no_other),
    Mutant("R7", "a key of another type is not set aside",
        _patch(batch, "set_misfits_aside", lambda _: None),
        test_source_types.test_a_key_that_is_no_id_any_more_is_a_dead_letter,
            kind="conversations", key="no number"),
    Mutant("R7", "each failing key of a tenant is tried before the others go on",
        _patch(late, "_next", lambda text: text),
        test_refresh.test_failing_keys_of_one_tenant_keep_no_other_waiting),
    Mutant("R8", "every message makes its conversation be read whole",
        _statement("refresh/3_resolve/40_read_conversations",
            "    s.reload_messages\n    OR",
            "    true\n    OR"),
        test_refresh.test_a_message_of_a_lead_with_a_long_history_reads_and_writes_a_few_rows),
    Mutant("R9", "what the read model knew of a conversation is not asked",
        _forget_old_leads,
        test_refresh.test_the_lead_that_a_conversation_left_is_recomputed,
            statement="UPDATE conversations SET customer_phone = '777'"),
    Mutant("R10", "the queue grows for ever",
        _patch(recovery, "_shed_queue", lambda *_: 0),
        test_refresh.test_a_queue_beyond_its_limit_is_traded_for_a_rebuild),
    Mutant("R10", "the queue is vacuumed as any other table",
        _command("ALTER TABLE projector.changes RESET (autovacuum_vacuum_scale_factor)"),
        test_refresh.test_the_queue_is_vacuumed_often),
    Mutant("refresh/refresh", "what moved to a tenant that is not locked is left to others",
        _statement("refresh/3_resolve/30_check_tenants",
            "SELECT projector.raise_serialization_failure()\nFROM stale_keys AS s",
            "DELETE FROM stale_keys AS s"),
        test_races.test_a_conversation_moved_on_while_another_refresh_moves_it_is_not_lost),
    Mutant("refresh/refresh", "the tenant that was looked up stands for its lock",
        _statement("refresh/2_lock/40_lock_tenants",
            "pg_advisory_xact_lock(%(lock_class)s",
            "int8pl(%(lock_class)s"),
        test_late.test_a_tenant_that_was_looked_up_stands_for_no_lock),
    Mutant("refresh/refresh", "a piece takes the late keys of a tenant on whom another session works",
        _in_seconds("queries/core",
            "ELSE pg_try_advisory_xact_lock(%(late_class)s,",
            "ELSE int4ne(%(late_class)s,"),
        test_late.test_projectors_take_different_tenants),
    Mutant("refresh/refresh", "a key of no lead does not wait for a batch that brings it in",
        _statement("refresh/3_resolve/50_note_keys",
            "WHERE r.old_user_id IS NULL\nORDER BY",
            "WHERE r.old_user_id IS NULL AND r.user_id IS NOT NULL\nORDER BY"),
        test_late.test_a_key_that_goes_while_a_piece_brings_it_in_does_not_stay),
    Mutant("refresh/refresh", "a piece takes late keys while a dead letter is retried",
        _in_seconds("queries/core",
            "pg_try_advisory_xact_lock_shared(%(shard_class)s, %(late_keys)s)",
            "%(shard_class)s <> %(late_keys)s"),
        test_late.test_a_piece_takes_no_key_whose_dead_letter_is_being_retried),
    Mutant("R1", "a piece reads the source before it takes its keys",
        _read_before_a_piece,
        test_late.test_what_is_written_while_a_piece_is_stopped_at_a_point_is_not_lost, point="late_taken"),
    Mutant("refresh/rebuild", "a rebuild in place locks no tenant",
        _statement("refresh/2_lock/40_lock_tenants",
            "pg_advisory_xact_lock(%(lock_class)s",
            "int8pl(%(lock_class)s"),
        test_rebuild.test_what_changes_during_a_rebuild_in_place_comes_with_the_next_refresh, point="recomputed"),
    Mutant("refresh/rebuild", "a first build does not check whether the platform rewrote a table",
        _patch(first_build, "source_files", lambda _: []),
        test_rebuild.test_a_table_that_the_platform_rewrites_during_a_rebuild_is_not_taken_for_empty,
            how=test_rebuild.FIRST, statement="ALTER TABLE messages ALTER COLUMN text TYPE varchar(9000)"),
    Mutant("refresh/rebuild", "an interrupted rebuild is resumed by another projection version",
        _statement("queries/sweep", "AND p.version = %(version)s", "AND %(version)s::text IS NOT NULL"),
        test_rebuild.test_a_rebuild_of_another_version_is_not_resumed),
    Mutant("refresh/rebuild", "a rebuild goes on writing when another projection version has migrated",
        _patch(pipeline, "require_migrated_version", lambda _: None),
        test_rebuild.test_a_rebuild_of_a_replaced_version_writes_nothing_more),
    Mutant("refresh/rebuild", "an interrupted rebuild is resumed although a gap opened",
        _statement("queries/sweep",
            "DELETE FROM projector.sweep_positions\nWHERE purpose = %(purpose)s;",
            "SELECT 1;"),
        test_sabotage.test_a_gap_during_an_interrupted_rebuild_is_healed_for_the_leads_that_were_done),
    Mutant("as-of", "a waiting change does not hold freshness back",
        _statement("refresh/9_finish/20_advance_freshness",
            "WHEN s.place - 1 = any(%(shards)s::smallint[])",
            "WHEN true"),
        test_rebuild.test_freshness_claims_nothing_of_a_shard_that_was_never_refreshed),
    Mutant("as-of", "a change beyond those that a batch took does not hold freshness back",
        _statement("refresh/1_take/30_take_changes", "HAVING count(*) >= %(size)s", "HAVING count(*) > %(size)s"),
        test_late.test_what_a_batch_did_not_take_holds_freshness_back),
    Mutant("as-of", "a mass change whose tenants are not known yet does not hold freshness back",
        _patch(batch, "_take_and_recompute", _pass_over_mass_changes),
        test_late.test_a_mass_change_holds_back_its_own_tenants_alone),
    Mutant("as-of", "a tenant that a mass change concerns is not late",
        _statement("refresh/1_take/65_note_late_tenants",
            "FROM stale_tenants AS s\n",
            "FROM stale_tenants AS s WHERE false\n"),
        test_late.test_a_mass_change_holds_back_its_own_tenants_alone),
    Mutant("as-of", "a tenant is late from the moment at which it is found out",
        _statement("queries/core", "coalesce(min(s.as_of), 'epoch') AS moment", "clock_timestamp() AS moment"),
        test_late.test_a_moment_never_steps_back_when_a_tenant_becomes_late),
    Mutant("as-of", "a tenant is no longer late after its first piece",
        _statement("queries/core",
            "NOT EXISTS (SELECT FROM projector.late_keys AS l WHERE l.user_id = one.user_id)",
            "true"),
        test_late.test_a_tenant_is_late_until_its_last_key_is_done),
    Mutant("as-of", "lateness ends while another session looks up whom a mass change concerns",
        _patch(locks, "SHARDS", ()),
        test_late.test_a_tenant_that_becomes_late_again_meanwhile_stays_late),
    Mutant("as-of", "lateness ends although late keys were traded for a rebuild",
        _statement("queries/core",
            "AND NOT EXISTS (SELECT FROM projector.capture_gaps AS g WHERE g.healed_at IS NULL);",
            ";"),
        test_refresh.test_a_tenant_whose_late_keys_were_traded_is_late_until_the_rebuild_has_ended),
    Mutant("as-of", "a key is looked up in the source alone",
        _statement("refresh/1_take/60_sort_changes", "projector.leads_of_key(f", "projector.current_key(f"),
        test_late.test_keys_that_move_in_a_mass_change_make_both_tenants_late),
    Mutant("as-of", "a key is looked up among the known ones alone",
        _statement("refresh/1_take/60_sort_changes",
            "projector.leads_of_key(f.key_kind, f.key) AS lead",
            "(SELECT k.* FROM projector.source_keys AS k WHERE k.kind = f.key_kind AND k.key = f.key) AS lead"),
        test_late.test_keys_that_move_in_a_mass_change_make_both_tenants_late),
    Mutant("refresh/refresh", "a mass change of messages that no rule names reads none",
        _statement("refresh/1_take/60_sort_changes", "IN ('messages', 'reload_messages'))", "= 'messages')"),
        test_mappings.test_a_mass_change_of_messages_that_no_rule_names_is_read),
    Mutant("refresh/refresh", "messages that no rule names are looked for by their ids",
        _statement("refresh/1_take/60_sort_changes",
            "IN ('reload_conversations', 'reload_messages'))", "= 'reload_conversations')"),
        test_mappings.test_a_mass_change_of_messages_that_no_rule_names_is_read),
    Mutant("as-of", "a conversation that moves is read from what is stored of it",
        _statement("refresh/3_resolve/40_read_conversations",
            "OR (c.user_id, c.customer_phone) IS DISTINCT FROM (s.old_user_id, s.old_customer_phone)",
            "OR s.old_user_id IS NULL"),
        test_late.test_a_conversation_that_moves_while_it_waits_is_read_whole),
    Mutant("as-of", "a look does not ask whether a change waits",
        _statement("queries/core", "NOT looked.has_changes AND NOT", "NOT"),
        test_freshness.test_a_change_that_waits_holds_freshness_back),
    Mutant("as-of", "a look promises the moment at which it ends",
        _statement("queries/core", "array_fill(looked.fresh_until,", "array_fill(clock_timestamp(),"),
        test_freshness.test_what_is_committed_while_a_look_waits_is_not_promised),
    Mutant("as-of", "a look does not ask whether capture is intact",
        _statement("queries/core", "AND looked.gap IS NULL", ""),
        test_freshness.test_a_look_that_fails_promises_nothing,
            spoil=test_freshness.disable_a_trigger, error=CaptureGapError),
    Mutant("as-of", "a look does not ask whether a gap is open",
        _statement("queries/core", "AND NOT looked.freshness_frozen AND", "AND"),
        test_freshness.test_an_open_gap_freezes_freshness),
    Mutant("as-of", "an answer may be older than its request asks for",
        _patch(read_model, "is_fresh", lambda *_: True),
        test_freshness.test_an_answer_is_never_older_than_min_as_of),
    Mutant("as-of", "a tenant that is late is told the moment of the others",
        _asked(b"f.shards[4], known.late_as_of)", b"f.shards[4])"),
        test_freshness.test_a_tenant_that_is_late_is_told_its_own_moment),
    Mutant("as-of", "a moment that the clock has not reached is claimed",
        _asked(b"(clock_timestamp() +", b"('infinity'::timestamptz +"),
        test_freshness.test_a_moment_that_the_clock_has_not_reached_is_not_claimed,
            spoil=test_freshness.ALL_AHEAD, ready=503),
    Mutant("as-of", "the least moment alone is compared with the clock",
        _asked(b"ANY (array_append(f.shards, known.late_as_of))", b"ALL (array_append(f.shards, known.late_as_of))"),
        test_freshness.test_a_moment_that_the_clock_has_not_reached_is_not_claimed,
            spoil=test_freshness.ONE_AHEAD, ready=503),
    Mutant("as-of", "1970 is a moment as any other",
        _patch(body, "NOTHING_CLAIMED", None),
        test_freshness.test_a_moment_that_the_clock_has_not_reached_is_not_claimed,
            spoil=test_freshness.ALL_AHEAD, ready=503),
    Mutant("as-of", "what was committed before 1970 is claimed always",
        _patch(waiting, "NOTHING_CLAIMED", None),
        test_freshness.test_a_moment_that_the_clock_has_not_reached_is_not_claimed,
            spoil=test_freshness.ALL_AHEAD, ready=503),
    Mutant("window", "the clock of the API's machine decides what a window has",
        _patch(read_model.State, "now", lambda _: body.system_clock()),
        test_freshness.test_the_clock_of_the_database_decides_what_a_window_has),
    Mutant("memory", "an answer from memory is of any version",
        _stands_without(version=None), test_memory.test_an_answer_is_of_the_present_version, how="a change"),
    Mutant("memory", "the version of a tenant is remembered for an hour",
        _patch(memory, "LOOK_SECONDS", 3600.0),
        test_memory.test_an_answer_is_of_the_present_version, how="a rebuild in place"),
    Mutant("memory", "an answer is kept under the version that the tenant has by then",
        _keep_under_the_version_of_now, test_memory.test_what_is_kept_was_read_at_the_version_that_it_is_kept_under),
    Mutant("memory", "an answer stands although a lead has left its window",
        _stands_without(stands_until=None), test_memory.test_a_window_ends_with_the_first_lead_that_leaves_it),
    Mutant("memory", "a look from before an answer is remembered",
        _patch(memory.Answers, "note", lambda *_: None), test_memory.test_no_caller_sees_a_tenant_go_back),
    Mutant("memory", "an answer from memory may be older than its request asks for",
        _stands_without(min_as_of=None), test_memory.test_an_answer_from_memory_is_as_fresh_as_it_has_to_be),
    Mutant("window", "each statement of an export has a moment of its own",
        _asked(b" now())", b" statement_timestamp())"),
        test_exports.test_a_window_stands_still_while_an_export_is_read),
    Mutant("as-of", "a look does not ask what the origin proves",
        _statement("queries/core", "        state.provable_until,", "        now() AS provable_until,"),
        test_origin.test_as_of_ends_where_the_origin_is_proved, move=test_origin.move_by_a_look),
    Mutant("as-of", "a batch does not ask what the origin proves",
        _statement("refresh/1_take/20_open_batch", "state.provable_until AS fresh_until", "now() AS fresh_until"),
        test_origin.test_as_of_ends_where_the_origin_is_proved, move=test_origin.move_by_a_batch),
    Mutant("as-of", "a batch promises the moment at which it started",
        _statement("refresh/9_finish/20_advance_freshness", "greatest(%(fresh_until)s", "greatest(now()"),
        test_origin.test_as_of_ends_where_the_origin_is_proved, move=test_origin.move_by_an_idle_refresh),
    Mutant("as-of", "what has no proof yet needs none",
        _provable("'epoch'::timestamptz", "'infinity'::timestamptz"),
        test_origin.test_as_of_ends_where_the_origin_is_proved, move=test_origin.move_by_a_look),
    Mutant("as-of", "what no subscription brings any more needs no proof",
        _provable(" AND NOT EXISTS (SELECT FROM projector.origin)", ""),
        test_origin.test_a_subscription_that_was_dropped_moves_nothing),
    Mutant("as-of", "a first build promises what has not arrived",
        _statement("queries/sweep", "WHEN p.until < 'infinity'", "WHEN false"),
        test_origin.test_a_first_build_of_replicated_rows_promises_nothing),
    Mutant("as-of", "a moment is proved by the subscription that is furthest",
        _statement("queries/origin", "SELECT min(coalesce(", "SELECT max(coalesce("),
        test_origin.test_a_moment_is_proved_once_every_subscription_has_passed_its_position,
            feeds=[test_origin.WELL, test_origin.WELL.replace("0/5", "0/4")], proved=0),
    Mutant("as-of", "what was proved before the clock was set back goes on to hold",
        _provable("o.noted_at <= clock_timestamp()", "true"),
        test_origin.test_what_was_proved_before_the_clock_was_set_back_moves_nothing),
    Mutant("as-of", "a moment is proved before its position is passed",
        _statement("queries/origin", "WHERE m.position <= (", "WHERE m.position >= ("),
        test_origin.test_a_moment_is_proved_once_every_subscription_has_passed_its_position,
            feeds=[test_origin.WELL], proved=1),
    Mutant("as-of", "a table that is still copied counts as arrived",
        _statement("queries/origin", "f.unready_tables = 0 AND ", ""),
        test_origin.test_a_moment_is_proved_once_every_subscription_has_passed_its_position,
            feeds=[test_origin.COPYING], proved=None),
    Mutant("as-of", "a subscription without a worker is left out",
        _statement("queries/origin", "END, '0/0'::pg_lsn))", "END))"),
        test_origin.test_a_moment_is_proved_once_every_subscription_has_passed_its_position,
            feeds=[test_origin.WELL, test_origin.WITHOUT_WORKER], proved=None),
    Mutant("as-of", "a worker that has not told its position is left out",
        _statement("queries/origin", "END, '0/0'::pg_lsn))", "ELSE '0/0'::pg_lsn END))"),
        test_origin.test_a_moment_is_proved_once_every_subscription_has_passed_its_position,
            feeds=[test_origin.WELL, test_origin.WITHOUT_POSITION], proved=None),
    Mutant("as-of", "a table that no subscription brings is not waited for",
        _statement("queries/origin", "NOT EXISTS (SELECT FROM projector.unfed_tables)", "true"),
        test_origin.test_nothing_is_proved_while_no_subscription_brings_a_table),
    Mutant("as-of", "what a publication leaves out is not waited for",
        _statement("queries/origin", "AND NOT EXISTS (SELECT FROM projector.left_out)", ""),
        test_publications.test_nothing_is_proved_while_something_is_left_out),
    Mutant("as-of", "a row filter of a publication is not looked for",
        _statement("queries/origin", "->> 'rowfilter' IS NULL AS", "IS NOT NULL AS"),
        test_publications.test_what_publications_leave_out,
            commands=test_publications.FILTERED, publications="leads", said=test_publications.FILTERED_SAID),
    Mutant("as-of", "a list of columns of a publication is not looked for",
        _statement("queries/origin", "to_jsonb(t) -> 'attnames'", "NULL::jsonb"),
        test_publications.test_a_column_that_computes_itself_need_not_arrive),
    Mutant("as-of", "a publication that leaves out statements is taken for a whole one",
        _statement("queries/origin", "bool_or(p.is_whole AND p.pubtruncate)", "true"),
        test_publications.test_each_kind_of_statement_has_to_be_published),
    Mutant("as-of", "what was left out counts as arrived once it is published",
        _patch(publications, "read_left_out", lambda _: []),
        test_publications.test_what_was_left_out_is_missing_until_the_table_is_copied_again),
    Mutant("as-of", "a copy that runs while something is left out counts as whole",
        _statement("queries/origin", "WHEN r.srsubstate IN ('s', 'r')", "WHEN true"),
        test_publications.test_a_copy_that_ran_while_something_was_left_out_lacks_it_too),
    Mutant("as-of", "the position of the origin is read before its clock",
        _patch(origin, "read_moment", _read_position_first),
        test_origin.test_what_is_committed_after_the_clock_was_read_is_not_promised),
    Mutant("as-of", "the origin is as far as its disk",
        _statement("queries/origin", "ELSE w.inserted", "ELSE w.flushed"),
        test_origin.test_the_position_of_the_origin_is_behind_what_is_not_on_its_disk_yet),
    Mutant("as-of", "any server proves what has arrived",
        _statement("queries/origin", "SELECT count(*)\n", "SELECT 1 + count(*)\n"),
        test_origin.test_a_server_without_the_slots_proves_nothing),
    Mutant("as-of", "what a server has only prepared counts as written",
        _patch(batch, "is_finished", lambda _: True),
        test_citus.test_freshness_stands_still_while_a_server_has_not_finished_what_was_committed, move=refresh_now),
    Mutant("version", "a message that is not the last moves no version",
        _statement("refresh/8_write_leads/90_change_tenants",
            "FROM message_differences AS d",
            "FROM message_differences AS d WHERE false"),
        test_versions.test_a_change_moves_the_version, change="an older message"),
    Mutant("version", "a lead that differs moves no version",
        _statement("refresh/8_write_leads/90_change_tenants",
            "FROM lead_differences AS d",
            "FROM lead_differences AS d WHERE d.table_name <> 'leads'"),
        test_versions.test_a_correction_moves_the_version, drift="leads"),
    Mutant("version", "a conversation that differs moves no version",
        _statement("refresh/7_compare_leads/90_compare_leads",
            "FROM differing\n",
            "FROM differing AS d WHERE d.table_name <> 'lead_conversations'\n"),
        test_versions.test_a_correction_moves_the_version, drift="lead_conversations"),
    Mutant("version", "a profile that was missing moves no version",
        _statement("refresh/8_write_leads/90_change_tenants",
            "FROM lead_differences AS d",
            "FROM lead_differences AS d WHERE d.table_name <> 'lead_profiles' OR NOT d.is_new"),
        test_versions.test_a_correction_moves_the_version, drift="lead_profiles that are missing"),
    Mutant("version", "a correction of the statistics moves no version",
        _statement("queries/tenants", "version = t.version + 1", "version = t.version"),
        test_versions.test_a_correction_moves_the_version, drift="lead_totals"),
    Mutant("version", "a first build moves no version",
        _statement("sweep/first_build/80_build_tenants", "version = t.version + 1", "version = t.version"),
        test_versions.test_a_first_build_moves_the_versions_that_were),
    Mutant("version", "a version has no id of its own",
        _statement("refresh/8_write_leads/90_change_tenants", "gen_random_uuid()", "md5(changed.user_id)::uuid"),
        test_versions.test_two_histories_never_share_a_version),
    Mutant("version", "every batch moves the version",
        _every_version_moves,
        test_versions.test_what_changes_no_row_moves_no_version, change="a change that was taken back"),
    Mutant("version", "nobody is told of a tenant that changes",
        _statement("refresh/8_write_leads/95_tell_listeners",
            "FROM stale_tenants AS t",
            "FROM stale_tenants AS t WHERE false"),
        test_versions.test_who_listens_is_told_of_each_version_that_moves),
    Mutant("version", "nobody is told of a first build",
        _statement("sweep/first_build/95_tell_listeners", "'*'", "''"),
        test_versions.test_who_listens_is_told_of_each_version_that_moves),
    Mutant("version", "nobody is told of an erasure",
        _statement("queries/tenants", "pg_notify('leads', '*')", "pg_notify('leads', '')"),
        test_versions.test_who_listens_is_told_of_each_version_that_moves),
    Mutant("change feed", "a lead that differs keeps its version",
        _statement("refresh/8_write_leads/40_upsert_leads",
            ", version = excluded.version",
            ", version = leads.version"),
        test_change_feed.test_a_change_is_reported_once_with_its_newest_state),
    Mutant("change feed", "a lead is written with the version before",
        _statement("refresh/8_write_leads/40_upsert_leads",
            "coalesce(stored.version, 0) + 1",
            "coalesce(stored.version, 0)"),
        test_change_feed.test_a_new_lead_and_a_deleted_one),
    Mutant("change feed", "a lead that goes leaves no tombstone",
        _statement("refresh/8_write_leads/30_note_deleted_leads", "AND d.is_gone", "AND false"),
        test_change_feed.test_a_new_lead_and_a_deleted_one),
    Mutant("change feed", "a lead that comes again keeps its tombstone",
        _statement("refresh/7_compare_leads/90_compare_leads", "AND d.is_new", "AND false"),
        test_change_feed.test_a_lead_that_comes_again_has_no_tombstone),
    Mutant("change feed", "every lead that is recomputed gets a new version",
        _statement("refresh/7_compare_leads/90_compare_leads",
            "n.customer_phone = o.customer_phone\n    WHERE (o.*) IS DISTINCT FROM (n.*)",
            "n.customer_phone = o.customer_phone\n    WHERE true"),
        test_change_feed.test_only_what_differs_is_reported),
    Mutant("change feed", "tombstones go without a word",
        _statement("queries/tenants", "greatest(pruned_version,", "least(pruned_version,"),
        test_change_feed.test_a_token_that_is_older_than_the_tombstones_is_gone),
    Mutant("change feed", "a tombstone that goes spares the oldest token that missed it",
        _statement("queries/tenants", "(SELECT max(p.version)", "(SELECT max(p.version) - 1"),
        test_change_feed.test_a_token_that_is_older_than_the_tombstones_is_gone),
    Mutant("change feed", "an erasure ends no token",
        _statement("queries/tenants", "SET epoch = %(epoch)s", "SET epoch = coalesce(epoch, %(epoch)s)"),
        test_change_feed.test_an_erasure_ends_the_tokens_of_its_tenant_alone),
    Mutant("change feed", "a first build ends no token",
        _statement("sweep/first_build/80_build_tenants", "epoch = excluded.epoch", "epoch = t.epoch"),
        test_change_feed.test_a_first_build_ends_tokens),
    Mutant("change feed", "a token of another installation is taken",
        _patch(changes, "history_of", lambda _, epoch: history_of(None, epoch)),
        test_change_feed.test_another_installation_ends_all_tokens),
    Mutant("change feed", "a failover ends no token",
        _statement("install/after_tables/85_place_of_versions",
            "ltrim(left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8), '0')",
            "'1'"),
        test_change_feed.test_a_failover_ends_the_tokens_of_the_change_feed),
    Mutant("change feed", "a token is a version alone",
        _patch(changes, "Position", lambda version, _phone="": Position(version + 1)),
        test_change_feed.test_many_leads_of_one_version_come_page_by_page),
    Mutant("change feed", "a full page is taken for the last",
        _take_a_full_page_for_the_last,
        test_change_feed.test_many_leads_of_one_version_come_page_by_page),
    Mutant("change feed", "a lead that leaves the set is left out",
        _patch(session, "_page", _without_deletions(session._page)),  # noqa: SLF001
        test_change_feed.test_a_lead_that_leaves_the_set_is_sent_as_deleted),
    Mutant("change feed", "a token that is still to come is taken",
        _patch(changes, "after_all", lambda _: Position(10**9)),
        test_change_feed.test_a_token_from_the_time_before_a_restore_is_gone),
    Mutant("export", "an export reads every statement anew",
        _patch(snapshot, "_BEGIN", snapshot._BEGIN.replace("REPEATABLE READ", "READ COMMITTED")),  # noqa: SLF001
        test_exports.test_what_is_written_between_the_count_and_the_lines_is_not_in_the_file),
)  # fmt: skip


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(
            mutant, marks=pytest.mark.citus if mutant.noticed.__module__ == test_citus.__name__ else ()
        )
        for mutant in MUTANTS
    ],
    ids=lambda mutant: f"{mutant.rule} {mutant.what}",
)
def test_without_its_rule_the_test_of_it_is_red(
    mutant: Mutant, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, filled: Platform
) -> None:
    # A thousand and one are enough to tell a few from all.
    monkeypatch.setattr(test_refresh, "HISTORY", 1001)
    with ExitStack() as stack:
        bench = Bench(request, stack, monkeypatch, filled)
        mutant.drop(bench)
        with pytest.raises(RED):
            bench.run(mutant.noticed, mutant.values)


def test_the_table_has_every_rule() -> None:
    rules = {mutant.rule for mutant in MUTANTS}
    assert {f"C{number}" for number in (*range(1, 8), 9)} | {f"R{number}" for number in range(1, 11)} <= rules
