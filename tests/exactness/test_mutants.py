"""Each rule of docs/internals/exactness-rules.md dropped in turn: the test that is there for it turns red.

If no test misses a rule, the tests do not prove it. The page names file, test and mutant of each rule, and the table
below has what the mutant does. test_model.py makes those of the rules that the model tests.
"""

import importlib
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from inspect import isgeneratorfunction, signature, unwrap
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import psycopg
import pytest
from psycopg import sql as composing

from api.database import connect, session
from api.database import statement as asked
from api.limits import waiting
from api.plan import changes as change_plan
from api.plan.changes import ChangesRow, Feed
from api.plan.projection import tenant_now
from api.request.parameters import Parameters
from api.request.position.change_token import Position, StatusKey, Token, history_of
from api.request.record import system_clock
from api.response import body
from api.routes import changes, memory, read_model
from api.routes.changes import ChangesPage, page_after
from api.server import app
from projector.capture import attributes, control, gaps, texts, triggers
from projector.core import (
    batch,
    blocking,
    clock,
    dead_letters,
    faults,
    late,
    names,
    pipeline,
    refresh,
    staging,
)
from projector.core.batch import own_shards, recompute
from projector.core.late import LateKeys
from projector.core.pipeline import BatchResult
from projector.database import connect as db
from projector.database import locks, retry, rows, source_names, sql
from projector.database.rows import Connection
from projector.database.schema import ROOT
from projector.database.sql import file_text
from projector.operate import erase, rights, roles
from projector.operate.origin import proof as origin
from projector.operate.origin import publications
from projector.report.errors import CaptureGapError, ProjectorError
from projector.scheduler import main as scheduler_main
from projector.sweep import fill, leads, rebuild, recovery
from projector.sweep.leads import LeadKey
from tests.consistency import planted
from tests.exactness import (
    interleaving,
    test_clock,
    test_failing_rows,
    test_faults,
    test_freshness,
    test_giving_way,
    test_origin,
    test_publications,
    test_rebuild,
    test_refresh,
    test_schema_changes,
)
from tests.exactness.platform import Platform, refresh_now
from tests.exactness.test_mappings import READING
from tests.rules.test_exactness_rules import mutants_of_the_page
from tests.support.source import SOURCE_TABLES
from tests.unit.projector.scheduler import test_clock as test_set_clock

# The last is what pytest.raises says where nothing was raised.
RED = (AssertionError, psycopg.Error, ProjectorError, pytest.fail.Exception)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a mutant is made on: the platform with one lead, and the patches that are taken back afterwards."""

    request: pytest.FixtureRequest
    stack: ExitStack
    patches: pytest.MonkeyPatch
    filled: Platform
    name: str
    """The name of the mutant."""

    def run(self, test: Callable[..., None], values: dict[str, object]) -> None:
        """Run a test with these values of its parameters, and with its fixtures for the others."""
        arguments, test = dict(values), unwrap(test)
        test(**{name: self._give(name, test.__module__, arguments) for name in signature(test).parameters})

    def _give(self, name: str, module: str, arguments: dict[str, object]) -> object:
        """Return a value that is given, or what a fixture of the test's module returns, or else of its folder."""
        if name not in arguments:
            fixture = vars(sys.modules[module]).get(name)
            if name == "busy":
                # A copy of the template of that fixture has nothing of what was done to the platform here.
                arguments[name] = test_schema_changes.fill(self.filled)
            elif fixture is None:
                arguments[name] = self.request.getfixturevalue(name)
            else:
                function = unwrap(fixture)
                made = function(
                    *(
                        self._give(parameter, module, arguments)
                        for parameter in signature(function).parameters
                    )
                )
                is_open = isgeneratorfunction(function)
                arguments[name] = (
                    self.stack.enter_context(contextmanager(lambda: made)()) if is_open else made
                )
        return arguments[name]


class Mutant:
    """The change of a rule, and values of parameters for the test that must notice it."""

    def __init__(self, drop: Callable[[Bench], object], **values: object) -> None:
        self.drop, self.values = drop, values


def _statement(name: str, old: str, new: str, **values: object) -> Mutant:
    """Change the text of sql/NAME.sql, until the end of the test."""

    def drop(bench: Bench) -> None:
        file = ROOT / "sql" / f"{name}.sql"
        text = file.read_text("utf-8")
        assert text.count(old) >= 1, f"sql/{name}.sql does not say {old}"
        changed, read = text.replace(old, new, 1), sql._read  # noqa: SLF001

        bench.patches.setattr(sql, "_read", lambda path: changed if path == file else read(path))
        forget_texts()
        bench.stack.callback(forget_texts)

    return Mutant(drop, **values)


def _text(old: str, new: str, **values: object) -> Mutant:
    """Do so with the file of the rule that says it, as the page names it."""

    def drop(bench: Bench) -> None:
        files = re.findall(r"sql/([\w/]+)\.sql", mutants_of_the_page()[bench.name].files)
        saying = [file for file in files if old in (ROOT / "sql" / f"{file}.sql").read_text("utf-8")]
        assert len(saying) == 1, f"of the files that the page names for it, {saying} say {old}"
        _statement(saying[0], old, new).drop(bench)

    return Mutant(drop, **values)


def forget_texts() -> None:
    sql.steps.cache_clear()
    pipeline.planned.cache_clear()
    sql.functions.cache_clear()
    sql.query.cache_clear()
    sql._queries.cache_clear()  # noqa: SLF001


def _function(name: str, old: str, new: str, **values: object) -> Mutant:
    def drop(bench: Bench) -> None:
        row = bench.filled.conn.execute(
            "SELECT pg_get_functiondef(oid) FROM pg_proc"
            " WHERE pronamespace = 'projector'::regnamespace AND proname = %s",
            (name,),
        ).fetchone()
        assert row is not None
        assert row[0].count(old) >= 1, f"{name} does not say {old}"
        _command(row[0].replace(old, new, 1)).drop(bench)

    return Mutant(drop, **values)


def _command(command: str, **values: object) -> Mutant:
    """Change the database, and make the projector believe that it was installed so."""

    def drop(bench: Bench) -> None:
        bench.filled.conn.execute(command.encode())
        bench.filled.conn.execute(
            "UPDATE projector.capture_triggers AS e SET fingerprint = n.fingerprint"
            " FROM projector.capture_fingerprints AS n"
            " WHERE (n.table_name, n.trigger_name) = (e.table_name, e.trigger_name)"
        )

    return Mutant(drop, **values)


def _changed_rows(table: str, old: str, new: str, **values: object) -> Mutant:
    """Change what the triggers of a table read."""
    [source_table] = [source for source in SOURCE_TABLES if source.name == table]

    def drop(bench: Bench) -> None:
        _statement("capture/35_changed_rows", old, new).drop(bench)
        _command(triggers.trigger_function(source_table).as_string(bench.filled.conn)).drop(bench)

    return Mutant(drop, table=source_table, **values)


def _provable(old: str, new: str, **values: object) -> Mutant:
    """Change the view that says up to when as-of may go."""

    def drop(bench: Bench) -> None:
        text = file_text("install/after_tables/80_feeds")
        assert text.count(old) == 1
        bench.filled.conn.execute(text.replace(old, new).encode(), prepare=False)

    return Mutant(drop, **values)


def _asked(old: bytes, new: bytes, **values: object) -> Mutant:
    """Change the text of each statement of the API that says something."""
    compiled = asked._compiled  # noqa: SLF001

    def changed(statement: Any, row: Any) -> Any:  # noqa: ANN401
        compiled_statement = compiled(statement, row)
        return compiled_statement._replace(text=compiled_statement.text.replace(old, new))

    return _patch(asked, "_compiled", changed, **values)


def _patch(target: object, attribute: str, new: object, **values: object) -> Mutant:
    return Mutant(lambda bench: bench.patches.setattr(target, attribute, new), **values)


def _stands_without(name: str, **values: object) -> Mutant:
    """Let an answer from memory be valid whatever one of its values is."""
    stands = memory.AnswerCache._stands  # noqa: SLF001

    def anyhow(self: memory.AnswerCache, cached: memory.CachedAnswer, probe: memory.VersionProbe) -> bool:
        present: dict[str, Any] = {name: probe.row.state if name == "state" else None}
        return stands(self, replace(cached, **present), probe)

    return _patch(memory.AnswerCache, "_stands", anyhow, **values)


def _fill_in_a_snapshot(bench: Bench) -> None:
    real = fill._fill_leads  # noqa: SLF001

    def fill_leads(conn: Connection, some: Sequence[LeadKey]) -> BatchResult:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        try:
            return real(conn, some)
        finally:
            conn.isolation_level = None

    bench.patches.setattr(fill, "_fill_leads", fill_leads)


def _keep_under_the_version_of_now(bench: Bench) -> None:
    keep = memory.AnswerCache.keep

    def late(self: memory.AnswerCache, response: Any, record: Any) -> Any:  # noqa: ANN401
        if record.row is not None:
            record.row.version = self._parts.database.fetch(tenant_now("one")).version
        return keep(self, response, record)

    bench.patches.setattr(memory.AnswerCache, "keep", late)


def _without_messages(mutant: Mutant) -> Mutant:
    """Delete messages and extractions before, which would tell of a lead too."""

    def drop(bench: Bench) -> None:
        bench.filled.conn.execute("DELETE FROM messages; DELETE FROM extractions", prepare=False)
        refresh_now(bench.filled.conn)
        mutant.drop(bench)

    return Mutant(drop, **mutant.values)


def _leave_out_a_rule(bench: Bench) -> None:
    """Read of a contact that changes the contact alone again."""
    rules = texts.Texts.rules
    bench.patches.setattr(
        texts.Texts, "rules", lambda self: [rule for rule in rules(self) if "c.contact_id" not in rule]
    )


def _recompute_before_delete(
    conn: Connection, opened: batch.Opened, *_limits: object, **_options: object
) -> batch.Batch:
    """Read the source first, and take the changes then."""
    shards = list(opened.owned)
    staging.clear(conn, opened.bloated_tables)
    staged = conn.execute(
        "INSERT INTO taken_changes SELECT change_id, shard, kind, keys, message_ids, queued_at"
        " FROM projector.changes WHERE shard = ANY(%s)",
        (shards,),
    )
    if not staged.rowcount:
        return batch.Batch(shards, 0, drained=True)
    pipeline.test_point("taken")
    written = batch.recompute(conn)
    changes = conn.execute("DELETE FROM projector.changes WHERE shard = ANY(%s)", (shards,)).rowcount
    pieces = batch.expand_changes(conn)
    return batch.Batch(shards, changes, written.leads, written.messages, drained=pieces == 0)


def _read_before_a_piece(bench: Bench) -> None:
    """Read what the late keys of a piece say first, and take them then, with those that came meanwhile."""
    stage = LateKeys._stage  # noqa: SLF001

    def stage_only(self: LateKeys, conn: Connection) -> object:
        conn.execute("CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM projector.late_keys")
        taken = stage(self, conn)
        conn.execute("INSERT INTO projector.late_keys SELECT * FROM kept")
        return taken

    def take(conn: Connection, *, strict: bool) -> pipeline.BatchResult:
        written = batch.recompute(conn, strict=strict)
        conn.execute("DELETE FROM projector.late_keys")
        return written

    bench.patches.setattr(LateKeys, "_stage", stage_only)
    bench.patches.setattr(late, "recompute", take)


def _keep_moments(bench: Bench) -> None:
    read = origin.Origin._read_newest_clock  # noqa: SLF001

    def keep(self: origin.Origin, conn: Connection) -> datetime | None:
        kept = self._moments.copy()
        newest = read(self, conn)
        self._moments = kept
        return newest

    bench.patches.setattr(origin.Origin, "_read_newest_clock", keep)


def _in_seconds(name: str, old: str, new: str, **values: object) -> Mutant:
    """Do the same as _statement, for a mutant that makes a session wait for one that does not continue."""

    def drop(bench: Bench) -> None:
        bench.patches.setattr(interleaving, "PATIENCE", 3.0)
        _statement(name, old, new).drop(bench)

    return Mutant(drop, **values)


def _pass_over_mass_changes(
    conn: Connection, opened: batch.Opened, size: int, *, newest: bool
) -> batch.Batch:
    return TAKE_AND_RECOMPUTE(conn, replace(opened, has_mass_changes=False), size, newest=newest)


TAKE_AND_RECOMPUTE = batch._take_and_recompute  # noqa: SLF001


def _settle_all(conn: Connection, _: Sequence[int]) -> None:
    SETTLE(conn, rows.values(conn, sql.query("sweep", "read_queued_changes")))


SETTLE = rebuild._settle  # noqa: SLF001


def _stop_for_ever(bench: Bench) -> None:
    bench.patches.setattr(test_faults, "STOPPED_TIMEOUT", "0")
    bench.patches.setattr(test_faults, "PLATFORM_PATIENCE", "2s")


def _look_at_no_waiter(bench: Bench) -> None:
    bench.patches.setattr(blocking._Read, "check", lambda *_: None)  # noqa: SLF001
    bench.patches.setattr(test_giving_way, "ALTER", test_giving_way.ALTER.replace("25s", "3s"))
    bench.patches.setattr(test_giving_way, "LONG", "SELECT pg_sleep(5)")


def _take_limits_for_rows(bench: Bench) -> None:
    for module in (batch, retry):
        bench.patches.setattr(module, "is_server_limit", lambda _: False)


def _miss_steps_of_the_clock(bench: Bench) -> None:
    bench.patches.setattr(scheduler_main, "STEP_SECONDS", float("inf"))
    bench.patches.setattr(test_set_clock, "PATIENCE", 2.0)


def _blame_no_row(_: Connection, error: Exception) -> psycopg.Error:
    raise error


def _every_version_moves(bench: Bench) -> None:
    _statement(
        "refresh/7_compare_leads/90_compare_leads", "FROM message_differences\n", "FROM stale_leads\n"
    ).drop(bench)
    _statement("refresh/8_write_leads/90_change_tenants", "FROM lead_differences", "FROM stale_leads").drop(
        bench
    )


def _look_before_it_deletes(bench: Bench) -> None:
    look, forget = erase._require_no_standing_rows, erase._forget  # noqa: SLF001

    def forget_after_a_look(conn: Connection, target: Any) -> None:  # noqa: ANN401
        look(conn, target)
        forget(conn, target)
        bench.patches.setattr(erase, "_require_no_standing_rows", lambda *_: None)

    bench.patches.setattr(erase, "_forget", forget_after_a_look)


def _take_a_full_page_for_the_last(
    feed: Feed, token: Token, row: ChangesRow, parameters: Parameters
) -> ChangesPage:
    return page_after(feed, token, replace(row, page=row.page[: parameters.page.limit]), parameters)


def _without_deletions(page: Callable[[Any], list[bytes]]) -> Callable[[Any], list[bytes]]:
    gone = re.compile(rb'\d+ \{"customer_phone":"[^"]*","deleted":true,"lead":null\}')
    return lambda result: [text for text in page(result) if gone.fullmatch(text) is None]


def _tell_by_time(bench: Bench) -> None:
    bench.patches.setattr(change_plan, "_SINCE_STATUS", planted.by_time(change_plan._SINCE_STATUS))  # noqa: SLF001
    change_plan._status_changes_statement.cache_clear()  # noqa: SLF001
    bench.stack.callback(change_plan._status_changes_statement.cache_clear)  # noqa: SLF001


def _read_position_first(server: Connection, slots: list[str]) -> tuple[datetime, str, int]:
    row = server.execute(sql.query("origin", "read_origin_position"), {"slots": slots}).fetchone()
    clock = server.execute(sql.query("origin", "read_origin_clock")).fetchone()
    assert clock is not None
    assert row is not None
    return clock[0], row[0], row[1]


# How the rules of docs/internals/exactness-rules.md are dropped, in their order.
MUTANTS = {
    "the queue holds each change once": _command("CREATE UNIQUE INDEX ON projector.changes (kind, keys)"),
    "the queue is unique": _command("CREATE UNIQUE INDEX ON projector.changes (change_id)"),
    "the trigger joins":
        _without_messages(_function("capture_conversations", 'FROM "old_rows" ) AS row_read) AS changed',
            'FROM "old_rows" ) AS row_read) AS changed INNER JOIN public.agents AS a ON a.agent_id = changed.agent_id',
            table="users", command="DELETE FROM {}")),
    "a rule of a mapping is left out": Mutant(_leave_out_a_rule, name="libredesk"),
    "a function of a mapping is what it declares":
        _text("WHERE u.class_id = 'pg_class'::regclass OR", "WHERE false AND",
            made=next(iter(READING.values())), refusals=1),
    "a change that is expanded concerns no names of tenants":
        _text("OR (projector.needs_expansion(of_kind) AND projector.expands_to_tenants(of_kind, of_keys))", ""),
    "a truncate of a table that is expanded to tenants concerns no names of them":
        _text("(t.change_kind = of_kind OR (of_kind = 'truncate' AND t.change_kind = any(of_keys)))",
            "t.change_kind = of_kind"),
    "no trigger in replica role":
        _command("ALTER TABLE messages DISABLE TRIGGER leads_capture_replica", name="insert", role="replica"),
    "rows and statements are both captured":
        _command("ALTER TABLE messages ENABLE ALWAYS TRIGGER leads_capture_replica", role="origin"),
    "no trigger for TRUNCATE":
        _command("ALTER TABLE messages DISABLE TRIGGER leads_capture_truncate", name="truncate", role="origin"),
    "an update of two rows is taken for one of one":
        _function("capture_messages", "PERFORM FROM old_rows OFFSET 1", "PERFORM FROM old_rows OFFSET 2",
            statement="UPDATE messages SET text = 'edited' WHERE message_id LIKE %s"),
    "the trigger has the rights of the writer":
        _command("ALTER FUNCTION projector.capture_messages() SECURITY INVOKER"),
    "the trigger waits for the lock of the tenant":
        _function("capture_messages",
            "BEGIN\n", f"BEGIN PERFORM pg_advisory_xact_lock({locks.TENANT}, hashtext('one'));\n",
            point="written"),
    "the trigger needs every column to exist":
        _changed_rows("contacts", "(SELECT {missing})", "(SELECT 1 AS nothing)"),
    "the row trigger reads columns without catching errors":
        _function("capture_contacts", "WHEN OTHERS THEN", "WHEN division_by_zero THEN"),
    "a first build does not look who waits for it": Mutant(_look_at_no_waiter, name="a piece of a first build"),
    "a session may stand still in a transaction": Mutant(_stop_for_ever, work="refresh", point="recomputed"),
    "the trigger notifies": _function("capture_messages", "BEGIN\n", "BEGIN PERFORM pg_notify('changes', '');\n"),
    "the build comes before the triggers": _patch(control, "reinstall", lambda _: None),
    "a refresh does not compare the triggers":
        _command('CREATE OR REPLACE VIEW projector.broken_capture AS SELECT NULL::text COLLATE "C" AS reason',
            name="a trigger disabled"),
    "the comparison does not see what was changed and changed back":
        _command(file_text("capture/views/10_trigger_fingerprints").replace("t.xmin", "0"),
            name="disabled and enabled in one transaction"),
    "ALTER TABLE and new partitions are not looked for":
        _command('CREATE OR REPLACE VIEW projector.changed_source AS SELECT 1 AS place,'
            ' NULL::text COLLATE "C" AS table_name, NULL::text COLLATE "C" AS reason WHERE false',
            name="rewritten in the same type"),
    "a partition that was attached again is the same":
        _text("AND i.xmin::text = p.row_version", "", way="detached, written to and attached again"),
    "a partition that was moved without rows is a new one":
        _text("WHERE n.partition_id NOT IN (SELECT p.partition_id"
            " FROM projector.capture_partitions AS p)", "", way="emptied and attached elsewhere"),
    "what a transaction has read is what its name means at the next look":
        _text("swapped.reason IS NOT NULL", "false", swapped="tables", point="taken"),
    "tables of the read model may be others": _text("s.name = 'read_model_tables'", "false", schema="read_model"),
    "a row without a key is queued as any other":
        _changed_rows("messages", "(-1)::smallint", "0::smallint", role="origin"),
    "a column that was missing is read without a rebuild": _patch(gaps, "open_gap", lambda *_: False),
    "another mapping is read without a rebuild": _patch(gaps, "open_gap", lambda *_: False),
    "a session of the projector looks into the schemas of its login":
        _patch(db, "SEARCH_PATH", "public, pg_catalog, pg_temp"),
    "a session of the API looks into the schemas of its login":
        _patch(connect, "SEARCH_PATH", "public, pg_catalog, pg_temp", role="leads_api"),
    "what another role owns is called": _patch(source_names, "require_trusted", lambda _: None),
    "a richer login installs": _patch(rights, "find_further_rights", lambda *_: None, way="an index"),
    "the projector's login writes keys":
        _patch(roles, "access_rights", lambda login: [*rights.access_rights(login),
            f"GRANT ALL ON ALL TABLES IN SCHEMA leads_access TO {login};"], way="an index"),
    "the trigger casts keys":
        _patch(triggers, "_printed", lambda record, column: composing.SQL(record) + composing.Identifier(column)
            + composing.SQL("::text"), way="a key"),
    "a rebuild reads a view": _patch(rebuild, "find_missing_source", lambda _: [], way="a view"),
    "a session of the projector has what is set for the database":
        _patch(db, "SETTINGS", {"TimeZone": "UTC"}, part=None),
    "a session of the API has what is set for the database":
        _patch(connect, "settings", lambda _: {"search_path": connect.SEARCH_PATH},
            drops_options=False, tenant_setting="session"),
    "a transaction behind a pooler has what is set for the database":
        _patch(connect, "settings", lambda _: {"search_path": connect.SEARCH_PATH},
            drops_options=True, tenant_setting="transaction"),
    "a step of the clock is missed": Mutant(_miss_steps_of_the_clock, step=timedelta(seconds=-90)),
    "a dead letter waits for the clock":
        _text("OR d.retry_at > clock_timestamp()", "OR d.retry_at > 'infinity'::timestamptz", seconds=-3600.0),
    "the source is read before the changes are taken":
        _patch(batch, "_take_and_recompute", _recompute_before_delete),
    "a batch reads in one snapshot":
        _patch(db, "SETTINGS", {**db.SETTINGS, "default_transaction_isolation": "repeatable read"}),
    "nothing is locked": _text("pg_advisory_xact_lock(%(lock_class)s", "int8pl(%(lock_class)s"),
    "two batches write names at once": _patch(names, "_lock", lambda _conn: None),
    "counts move by the changes in the queue":
        _text("coalesce(m.difference, 0)", "(SELECT count(*) FROM taken_changes)"),
    "an answer that goes counts":
        _text("m.agent_removed >= t.old_agent", "false", story="the newest answer goes"),
    "a question that goes counts":
        _text("m.customer_removed >= t.old_customer", "false", story="the newest message of the customer goes"),
    "a sender is kept":
        _text("(d.customer_phone, d.conversation_id, d.sent_at, d.sender)",
            "(d.customer_phone, d.conversation_id, d.sent_at, d.old_sender)", story="another sender is written"),
    "equal times are not read":
        _text("any(ARRAY[a.sent_at, a.next_at])", "any(ARRAY[a.next_at])",
            story="equal times are ordered by the number"),
    "a sweep leaves out who waits":
        _text("WHERE l.compare_fully AND r.sender", "WHERE false AND r.sender", story="the newest answer goes"),
    "a bot counts as the customer":
        _text("WHERE m.sender = 'user' AND", "WHERE m.sender <> 'agent' AND", story="neither of them writes"),
    "the first window counts":
        _text("max(lc.newest_customer_message_at + ", "min(lc.newest_customer_message_at + ",
            story="a conversation comes and goes"),
    "a window of years counts":
        _text("AND interval '366 days'", "AND interval '3660 days'"),
    "a month is that of the calendar":
        _text("interval '1 second' * extract(EPOCH FROM value)", "value"),
    "every message that was read is written": _text("WHERE (", "WHERE true OR (", table="leads"),
    "numbers are moved only where the count of leads moves":
        _text("<> ROW({zeros.table})", "IS NOT NULL AND d.leads <> 0"),
    "no number moves by who wrote last": _text("o.last_message_sender", "n.last_message_sender"),
    "no number moves by a window":
        _text("n.reply_window_ends_at", "o.reply_window_ends_at", story="the newest message of the customer goes"),
    "no number moves by the first contact": _text("o.first_contact_at", "n.first_contact_at"),
    "the numbers of all leads are written with every message": _text("<> ROW({zeros.table})", "IS NOT NULL"),
    "a message that goes stays counted": _text("-1 AS weight", "0 AS weight"),
    "the last value of a name counts": _text("is_valid DESC, source.place", "is_valid DESC, source.place DESC"),
    "a misfit hides a value": _text("validity.is_valid DESC, source.place", "source.place"),
    "a name that is declared of the other level fits":
        _text("ELSE jsonb_typeof(made.value) = coalesce(",
            "ELSE types ->> entry.key = 'elsewhere' OR jsonb_typeof(made.value) = coalesce("),
    "an infinite time is a value": _text("CASE WHEN isfinite(value) THEN to_jsonb(", "CASE WHEN true THEN to_jsonb("),
    "any value fits": _text("THEN jsonb_typeof(made.value) = 'string'", "THEN true"),
    "plain JSON of the loser counts first":
        _text("|| coalesce(s.first_json, jsonb_build_object()) || coalesce(s.first_declared, jsonb_build_object()) AS",
            "|| coalesce(s.first_declared, jsonb_build_object()) || coalesce(s.last_json, jsonb_build_object()) AS"),
    "JSON is merged as it comes": _text("u.is_clean\n", "true\n", of_type="json"),
    "a declared name is plain": _text("\n    AND NOT value ?| declared", "", of_type="jsonb"),
    "plain JSON has any length": _text("<= 512 THEN true", "> 0 THEN true", of_type="jsonb"),
    "65 attributes are kept": _text("in_order <= 64", "in_order <= 65", of_type="jsonb"),
    "a byte more is kept": _text("in_order <= 8192", "in_order <= 8193", of_type="jsonb"),
    "JSON is kept before what is declared":
        _text("(ORDER BY types ? chosen.name DESC, chosen.name)", "(ORDER BY chosen.name)", of_type="jsonb"),
    "a lead fails with its JSON": _text("WHEN data_exception OR", "WHEN division_by_zero OR", of_type="json"),
    "a whole emoji goes with half of one": _text(r"'\\p\1\\p\2'", r"'\\uFFFF'", of_type="json"),
    "long JSON is looked at": _patch(attributes, "MOST_JSON_BYTES", 10**9, of_type="jsonb"),
    "a look-behind reads JSON": _text(
        r"'\\u[dD][89a-fA-F]..'", r"'(?<!\\u[dD]....)\\u[dD][89a-fA-F]..'", most=20_000
    ),
    "a text is longer": _text("2048", "2049"),
    "a number has any length": _text("abs(value) < 1e308 AND min_scale(value) <= 400", "abs(value) < 'Infinity'"),
    "attributes of leads move no count":
        _text("(o.attributes IS DISTINCT FROM n.attributes) AS moves\n    FROM old_lead_profiles",
            "false AS moves\n    FROM old_lead_profiles"),
    "what a lead had stays counted":
        _text("FROM old_lead_profiles AS o\n)", "FROM old_lead_profiles AS o WHERE false)"),
    "attributes of conversations move no count":
        _text("(o.attributes IS DISTINCT FROM n.attributes) AS moves\n    FROM old_lead_conversations",
            "false AS moves\n    FROM old_lead_conversations"),
    "what a conversation had stays counted":
        _text("FROM old_lead_conversations AS o\n)", "FROM old_lead_conversations AS o WHERE false)"),
    "counts are replaced": _text("SET {additions.attribute_counts of s}", "SET leads = excluded.leads"),
    "a count of 0 stays": _text("stored.leads = 0", "stored.leads < 0"),
    "each conversation counts":
        _text("GROUP BY c.user_id, c.customer_phone, c.weight, entry.key",
            "GROUP BY c.user_id, c.customer_phone, c.conversation_id, c.weight, entry.key"),
    "each kind of a value counts":
        _text("GROUP BY c.user_id, c.customer_phone, c.weight, entry.key",
            "GROUP BY c.user_id, c.customer_phone, c.weight, entry.key, jsonb_typeof(entry.value)"),
    "attributes leave a lead its version": _text(" OR m.user_id IS NOT NULL", ""),
    "declared attributes move no version": _text("SET version = version + 1", "SET version = version"),
    "the recompute looks through all messages":
        _text("WHERE d.message_id = projector", "WHERE d.message_id || '' = projector"),
    "a mass change is one piece": _text("/ 500 AS piece", "/ 500000 AS piece"),
    "a mass change that replication brings is many single changes": _function("queue_keys", ">= 100", ">= 100000"),
    "a lead that fails stops the others": _patch(refresh, "find_row_failure", _blame_no_row),
    "the class of an error alone blames a row":
        _patch(faults, "_runs_without_keys", lambda _: False, name="agent_name_of", body="no table"),
    "what a function raises is taken for a collision":
        _patch(retry, "is_raised", lambda _: False, name="agent_name_of", body="40P01"),
    "a key that cannot be looked up stops the others":
        _patch(late, "set_unreadable_aside", lambda *_: None, name="phone_of", body="cast"),
    "an outage sets keys aside":
        _patch(faults, "_runs_without_keys", lambda _: True,
            lose="TABLE read_model.lead_messages RENAME sent_at TO gone",
            give_back="TABLE read_model.lead_messages RENAME gone TO sent_at"),
    "a key that is given twice is written":
        _text("generate_series(1, r.given_rows)", "generate_series(1, 1)", table="labels",
            said=test_failing_rows.GIVES),
    "a change of an unknown kind is dropped": _text("WHERE NOT unknown.is_known", "WHERE false"),
    "a change of an unknown kind holds nothing back": _text("owned.shard + 10", "owned.shard + 20"),
    "a key of another type is not set aside":
        _patch(batch, "set_malformed_keys_aside", lambda _: None, kind="conversations", key="no number"),
    "a newer letter counts":
        _patch(batch, "recompute", lambda conn, **_: recompute(conn)),
    "a dead letter goes beside a batch": _patch(locks, "own_queue", lambda _: None),
    "an erasure deletes a letter beside a batch": _patch(locks, "own_queue", lambda _: None),
    "an erasure deletes the letter of a key that has moved on":
        _patch(erase, "follow_dead_letters", lambda *_, **__: None),
    "a dead letter stays with the lead that its key has left":
        _patch(batch, "follow_dead_letters", lambda *_, **__: None),
    "each failing key of a tenant is tried before the others go on": _patch(late, "_next", lambda text: text),
    "every message makes its conversation be read whole": _text("    s.reload_messages\n    OR", "    true\n    OR"),
    "what the read model knew of a conversation is not asked":
        _without_messages(_text("WHERE r.old_user_id IS NOT NULL\n    UNION ALL", "WHERE false\n    UNION ALL",
            statement="UPDATE conversations SET customer_phone = '777'")),
    "the queue grows for ever": _patch(recovery, "_shed_queue", lambda *_: 0),
    "the queue is vacuumed as any other table":
        _command("ALTER TABLE projector.changes RESET (autovacuum_vacuum_scale_factor)"),
    "what moved to a tenant that is not locked is left to others":
        _text("SELECT projector.raise_serialization_failure()\nFROM stale_keys AS s", "DELETE FROM stale_keys AS s"),
    "the tenant that was looked up stands for its lock":
        _statement("refresh/2_lock/40_lock_tenants", "pg_advisory_xact_lock(%(lock_class)s", "int8pl(%(lock_class)s"),
    "a piece takes the late keys of a tenant on whom another session works":
        _in_seconds("queries/core", "ELSE pg_try_advisory_xact_lock(%(late_class)s,", "ELSE int4ne(%(late_class)s,"),
    "a key of no lead does not wait for a batch that brings it in":
        _text("WHERE r.old_user_id IS NULL\nORDER BY",
            "WHERE r.old_user_id IS NULL AND r.user_id IS NOT NULL\nORDER BY"),
    "leads of keys are looked up beside a batch that brings them in": _text("AND l.granted", "AND NOT l.granted"),
    "a piece takes late keys while a dead letter is retried":
        _in_seconds("queries/core",
            "pg_try_advisory_xact_lock_shared(%(shard_class)s, %(late_keys)s)", "%(shard_class)s <> %(late_keys)s"),
    "a piece reads the source before it takes its keys": Mutant(_read_before_a_piece),
    "a rebuild in place locks no tenant": _text("pg_advisory_xact_lock(%(lock_class)s", "int8pl(%(lock_class)s"),
    "a first build reads the tables in one snapshot":
        Mutant(_fill_in_a_snapshot,
            how=test_rebuild.FIRST, statement="ALTER TABLE messages ALTER COLUMN text TYPE varchar(9000)"),
    "a batch takes changes before the first build has ended":
        _text("WHERE p.built_at IS NOT NULL) AS is_built", "WHERE true) AS is_built", point="written"),
    "how far a first build is, is noted after its leads":
        _patch(fill, "move_sweep", lambda *_: None, point="filled", count=2),
    "a first build writes the lead that a conversation has moved to":
        _text("WHERE s.kind = 'conversation'\n        AND s.key", "WHERE false\n        AND s.key",
            point="written", count=1),
    "a first build keeps the key of a conversation that it leaves out":
        _text("AND (c.conversation_id IS NULL OR m.conversation_id IS NOT NULL)", "AND false",
            point="written", count=1),
    "a queue is traded for a first build": _patch(recovery, "is_built", lambda _: True, point="written", count=3),
    "a first build loses the indexes that it dropped":
        _patch(fill, "_create_indexes", lambda *_: None, point="written", count=1),
    "keys are compared beside a piece that read them before a gap": _patch(locks, "own_queue", lambda _: None),
    "a lead of which rows are stored is not compared after its keys":
        _text("WHERE m.user_id = l.user_id", "WHERE false", kept="read_model.lead_messages"),
    "changes are settled up to the newest that waited":
        _text("WHERE change_id = any(%(change_ids)s::bigint[])",
            "WHERE change_id <= (SELECT max(id) FROM unnest(%(change_ids)s::bigint[]) AS one (id))"),
    "what waits at the end of a rebuild is settled": _patch(rebuild, "_settle", _settle_all),
    "an interrupted rebuild is resumed by another projection version":
        _text("AND p.version = %(version)s", "AND %(version)s::text IS NOT NULL"),
    "a rebuild goes on writing when another projection version has migrated":
        _patch(pipeline, "require_migrated_version", lambda _: None),
    "an interrupted rebuild is resumed although a gap opened":
        _statement("queries/sweep", "DELETE FROM projector.sweep_positions\nWHERE purpose = %(purpose)s;", "SELECT 1;"),
    "a waiting change does not hold freshness back":
        _text("WHEN s.place - 1 = any(%(shards)s::smallint[])", "WHEN true"),
    "a change beyond those that a batch took does not hold freshness back":
        _text("HAVING count(*) >= %(size)s", "HAVING count(*) > %(size)s"),
    "a shard is read before it is owned":
        _patch(batch, "own_shards", lambda *some, **how: Mock(fetchone=lambda: own_shards(*some, **how).fetchone())),
    "a mass change whose tenants are not known yet does not hold freshness back":
        _patch(batch, "_take_and_recompute", _pass_over_mass_changes),
    "a tenant that a mass change concerns is not late":
        _text("FROM stale_tenants AS s\n", "FROM stale_tenants AS s WHERE false\n"),
    "a tenant is late from the moment at which it is found out":
        _text("coalesce(min(s.as_of), 'epoch') AS moment", "clock_timestamp() AS moment"),
    "a tenant is no longer late after its first piece":
        _text("NOT EXISTS (SELECT FROM projector.late_keys AS l WHERE l.user_id = one.user_id)", "true"),
    "lateness ends while another session looks up whom a mass change concerns": _patch(locks, "SHARDS", ()),
    "lateness ends although late keys were traded for a rebuild":
        _text("AND NOT EXISTS (SELECT FROM projector.capture_gaps AS g WHERE g.healed_at IS NULL);", ";"),
    "a dead letter counts for the tenant of the source alone":
        _text("WHERE sk.kind = kinds.key_kind AND sk.key = d.key\n",
            "WHERE sk.kind = kinds.key_kind AND sk.key = d.key AND false\n"),
    "a key is looked up in the source alone": _text("projector.leads_of_key(f", "projector.current_key(f"),
    "a key is looked up among the known ones alone":
        _text("projector.leads_of_key(f.key_kind, f.key) AS lead",
            "(SELECT k.* FROM projector.source_keys AS k WHERE k.kind = f.key_kind AND k.key = f.key) AS lead"),
    "a key that is not known may be brought in while its lead is looked up": _text("known.user_id IS NULL OR ", ""),
    "a key that is known may be moved while its lead is looked up":
        _text(" OR hashtext(known.user_id) = held.lock_key", ""),
    "a mass change of messages that no rule names reads none": _text("WHEN s.all_messages OR (", "WHEN ("),
    "messages that no rule names are looked for by their ids":
        _text("= 'named'), false) AS names_messages,\n        coalesce(bool_or(kinds.messages = 'all'), false)",
            "<> ''), false) AS names_messages,\n        coalesce(bool_or(n.kind = 'reload_conversations'), false)"),
    "a conversation that moves is read from what is stored of it":
        _text("OR (c.user_id, c.customer_phone) IS DISTINCT FROM (s.old_user_id, s.old_customer_phone)",
            "OR s.old_user_id IS NULL"),
    "a look does not ask whether a change waits": _text("WHEN looked.has_changes OR", "WHEN"),
    "a look promises the moment at which it ends":
        _statement("queries/core", "array_fill(looked.fresh_until,", "array_fill(clock_timestamp(),"),
    "a look does not ask whether capture is intact":
        _text("AND looked.gap IS NULL", "", spoil=test_freshness.disable_a_trigger, error=CaptureGapError),
    "a look does not ask whether a gap is open": _text("OR looked.freshness_frozen OR", "OR"),
    "an answer may be older than its request asks for": _patch(read_model, "is_fresh", lambda *_: True),
    "a tenant that is late is told the moment of the others":
        _asked(b"f.shards[4], known.late_as_of)", b"f.shards[4])"),
    "a moment that the clock has not reached is claimed":
        _asked(b"(clock_timestamp() +", b"('infinity'::timestamptz +", spoil=test_freshness.ALL_AHEAD, warns=True),
    "the least moment alone is compared with the clock":
        _asked(b"ANY (array_append(array_append(", b"ALL (array_append(array_append(",
            spoil=test_freshness.ONE_AHEAD, warns=True),
    "the newest clock is not compared":
        _asked(b"array_append(f.shards, f.newest_clock)", b"f.shards", spoil=test_freshness.NEWEST_AHEAD, warns=True),
    "1970 is a moment as any other": _patch(body, "NOTHING_CLAIMED", None, spoil=test_freshness.ALL_AHEAD, warns=True),
    "what was committed before 1970 is claimed always":
        _patch(waiting, "NOTHING_CLAIMED", None, spoil=test_freshness.ALL_AHEAD, warns=True),
    "the clock of the API's machine decides what a window has":
        _patch(app, "ReadModel", lambda database, _: read_model.ReadModel(database, system_clock)),
    "an answer from memory is of any version": _stands_without("state", how="a change"),
    "the version of a tenant is remembered for an hour":
        _patch(memory, "PROBE_SECONDS", 3600.0, how="a rebuild in place"),
    "an answer is kept under the version that the tenant has by then": Mutant(_keep_under_the_version_of_now),
    "an answer stands although a lead has left its window": _stands_without("stands_until"),
    "an answer ignores who waits next":
        _asked(b"interval '1 microsecond'", b"interval '0'"),
    "a look from before an answer is remembered": _patch(memory.Answers, "note", lambda *_: None),
    "an answer from memory may be older than its request asks for": _stands_without("min_as_of"),
    "a look does not ask what the origin proves":
        _text("ELSE looked.provable_until", "ELSE now()", move=test_origin.move_by_a_look),
    "a batch does not ask what the origin proves":
        _text("state.provable_until AS fresh_until", "now() AS fresh_until", move=test_origin.move_by_a_batch),
    "a batch promises the moment at which it started":
        _text("greatest(%(fresh_until)s", "greatest(now()", move=test_origin.move_by_an_idle_refresh),
    "what has no proof yet needs none":
        _provable("'epoch'::timestamptz", "'infinity'::timestamptz", move=test_origin.move_by_a_look),
    "what no subscription brings any more needs no proof":
        _provable(" AND NOT EXISTS (SELECT FROM projector.origin)", ""),
    "a first build promises what has not arrived": _text("WHEN p.until < 'infinity'", "WHEN false"),
    "a moment is proved by the subscription that is furthest":
        _text("SELECT min(coalesce(", "SELECT max(coalesce(",
            feeds=[test_origin.WELL, test_origin.WELL.replace("0/5", "0/4")], proved=0),
    "what was proved before the clock was set back goes on to hold":
        _text("SET proved_at = NULL, set_backs", "SET set_backs"),
    "the newest clock of the origin is not compared": _text("max(o.newest_clock),\n", ""),
    "void moments of the origin are kept": Mutant(_keep_moments),
    "a void proof is noted": _text("WHERE o.set_backs = %(set_backs)s AND", "WHERE"),
    "a batch does not compare the newest clock":
        _statement("refresh/1_take/20_open_batch", "f.shards || f.newest_clock ||", "f.shards ||", move=refresh_now),
    "a look does not compare the newest clock":
        _statement("queries/core", "f.shards || f.newest_clock ||", "f.shards ||", move=test_clock.look_now),
    "a batch does not note the clock":
        _statement("refresh/9_finish/20_advance_freshness",
            "f.newest_clock <= %(clock)s - interval '1 s'", "false", move=refresh_now),
    "a look does not note the clock":
        _text("f.newest_clock <= clock_timestamp() - interval '1 s'", "false", move=test_clock.look_now),
    "a clock may stand still": _patch(clock.Clock, "least", None, move=test_clock.look_now),
    "a batch stores a void moment": _text("f.set_backs = %(set_backs)s", "true"),
    "a look stores a void moment": _text("AND f.set_backs = looked.set_backs", ""),
    "a void moment makes a tenant late": _text("SELECT f.set_backs\nFROM", "SELECT 0 AS set_backs\nFROM", step="noted"),
    "a moment that becomes void makes a tenant late":
        _in_seconds("queries/core", "FOR SHARE;", ";", step="committed"),
    "a moment is proved before its position is passed":
        _text("WHERE m.position <= (", "WHERE m.position >= (", feeds=[test_origin.WELL], proved=1),
    "a table that is still copied counts as arrived":
        _text("f.unready_tables = 0 AND ", "", feeds=[test_origin.COPYING], proved=None),
    "a subscription without a worker is left out":
        _text("END, '0/0'::pg_lsn))", "END))", feeds=[test_origin.WELL, test_origin.WITHOUT_WORKER], proved=None),
    "a worker that has not told its position is left out":
        _text("END, '0/0'::pg_lsn))", "ELSE '0/0'::pg_lsn END))",
            feeds=[test_origin.WELL, test_origin.WITHOUT_POSITION], proved=None),
    "a table that no subscription brings is not waited for":
        _text("NOT EXISTS (SELECT FROM projector.unfed_tables)", "true"),
    "what a publication leaves out is not waited for": _text("AND NOT EXISTS (SELECT FROM projector.left_out)", ""),
    "a row filter of a publication is not looked for":
        _text("->> 'rowfilter' IS NULL AS", "IS NOT NULL AS", commands=test_publications.FILTERED, publications="leads",
            said=test_publications.FILTERED_SAID),
    "a list of columns of a publication is not looked for": _text("to_jsonb(t) -> 'attnames'", "NULL::jsonb"),
    "a publication that leaves out statements is taken for a whole one":
        _text("bool_or(p.is_whole AND p.pubtruncate)", "true"),
    "what was left out counts as arrived once it is published": _patch(publications, "read_left_out", lambda _: []),
    "a copy that runs while something is left out counts as whole":
        _text("WHEN r.srsubstate IN ('s', 'r')", "WHEN true"),
    "the position of the origin is read before its clock": _patch(origin, "read_moment", _read_position_first),
    "the origin is as far as its disk": _text("ELSE w.inserted", "ELSE w.flushed"),
    "any server proves what has arrived": _text("SELECT count(*)\n", "SELECT 1 + count(*)\n"),
    "what a server has only prepared counts as written": _patch(batch, "is_finished", lambda _: True, move=refresh_now),
    "a message that is not the last moves no version":
        _text("FROM message_differences AS d", "FROM message_differences AS d WHERE false", change="an older message"),
    "a lead that differs moves no version":
        _text("FROM lead_differences AS d", "FROM lead_differences AS d WHERE d.table_name <> 'leads'", drift="leads"),
    "a conversation that differs moves no version":
        _text("FROM differing\n", "FROM differing AS d WHERE d.table_name <> 'lead_conversations'\n",
            drift="lead_conversations"),
    "a profile that was missing moves no version":
        _text("FROM lead_differences AS d",
            "FROM lead_differences AS d WHERE d.table_name = 'lead_conversations'",
            drift="lead_profiles that are missing"),
    "a correction of the statistics moves no version":
        _text("version = t.version + 1", "version = t.version", drift="lead_totals"),
    "a first build moves no version":
        _text("SET version = version + 1", "SET version = version", how=test_rebuild.FIRST),
    "a version has no id of its own": _text("gen_random_uuid()", "md5(changed.user_id)::uuid"),
    "every batch moves the version": Mutant(_every_version_moves, change="a change that was taken back"),
    "nobody is told of a tenant that changes": _text("FROM stale_tenants AS t", "FROM stale_tenants AS t WHERE false"),
    "nobody is told of a first build": _statement("queries/sweep", "pg_notify('leads', '*')", "pg_notify('leads', '')"),
    "nobody is told of an erasure": _statement("queries/tenants", "pg_notify('leads', '*')", "pg_notify('leads', '')"),
    "a late key has as long as a batch": _patch(late, "ONE_KEY_TIMEOUT", "11s", name="agent_name_of"),
    "a dead letter has as long as a batch": _patch(dead_letters, "ONE_KEY_TIMEOUT", "11s", name="agent_name_of"),
    "a dead letter is looked up for as long as a batch":
        _patch(batch, "ONE_KEY_TIMEOUT", "11s", name="phone_of"),
    "a full queue is written to": _text("HAVING pg_notification_queue_usage() <= 0.9", ""),
    "a full queue is a row's failure": Mutant(_take_limits_for_rows),
    "a lead that differs keeps its version": _text(", version = excluded.version", ", version = leads.version"),
    "a lead is written with the version before":
        _text("coalesce(stored.version, 0) + 1", "coalesce(stored.version, 0)"),
    "a lead that goes leaves no tombstone": _text("AND d.is_gone", "AND false"),
    "a lead that comes again keeps its tombstone":
        _statement("refresh/7_compare_leads/90_compare_leads", "AND d.is_new", "AND false"),
    "every lead that is recomputed gets a new version":
        _text("WHERE (o.*) IS DISTINCT FROM (n.*) OR m.user_id IS NOT NULL", "WHERE true"),
    "tombstones go without a word": _text("greatest(pruned_version,", "least(pruned_version,"),
    "a tombstone that goes spares the oldest token that missed it":
        _text("SELECT max(p.version) FROM pruned ", "SELECT max(p.version) - 1 FROM pruned "),
    "an erasure deletes the rows of a lead itself":
        _patch(erase, "_recompute", lambda conn, target, _: [
            erase._delete_from(conn, target, table) for table in erase._RECOMPUTED  # noqa: SLF001
        ], row="a conversation"),
    "an erasure passes over a lead that is left":
        _patch(erase, "_recompute", lambda conn, _, keys: leads.recompute_leads(conn, keys, all_keys=True),
            row="a conversation"),
    "an erasure reads the keys of conversations alone": _text("OR %(all_keys)s", "", row="a template send"),
    "an erasure looks at the source before it deletes": Mutant(_look_before_it_deletes, row="a contact"),
    "a tenant stays late for what was erased":
        _patch(erase, "LateKeys", lambda: SimpleNamespace(end=lambda *_, **__: None),
            row="a conversation in a mass change"),
    "an erasure ends no token": _text("SET epoch = %(epoch)s", "SET epoch = coalesce(epoch, %(epoch)s)"),
    "a first build ends no token": _text(
        "epoch = md5('epoch' || user_id || %(random)s)::uuid", "epoch = epoch"
    ),
    "a token of another installation is taken": _patch(changes, "history_of", lambda _, epoch: history_of(None, epoch)),
    "a failover ends no token":
        _text("ltrim(left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8), '0')", "'1'"),
    "a token is a version alone": _patch(Feed, "position_of",
        lambda _, printed: Position(int(printed.partition(b" ")[0]) + 1)),
    "a full page is taken for the last": _patch(changes, "page_after", _take_a_full_page_for_the_last),
    "a lead that leaves the set is left out":
        _patch(session, "page_of", _without_deletions(session.page_of)),
    "a token that is still to come is taken": _patch(changes, "after_all", lambda _: Position(10**9)),
    "extractions after the winner count": _text("k.place <= k.last_place", "true", story="the winner is the last"),
    "each extraction of a millisecond counts":
        _text("n.next_at > n.changed_at", "true", story="of one millisecond the last counts"),
    "an extraction without a time is the newest":
        _text("e.extracted_at ASC NULLS FIRST", "e.extracted_at ASC NULLS LAST", story="without a time"),
    "a lost status is no change":
        _text("s.lead_status IS DISTINCT FROM s.from_status", "s.lead_status <> coalesce(s.from_status, '')",
            story="no status is one, but not at first"),
    "of equal times the id decides": _text("                            e.is_latest IS TRUE,\n", "",
        story="of equal times the latest one counts"),
    "another status of an extraction withdraws nothing":
        _text("AND (n.*) IS NOT DISTINCT FROM (o.*)", "", story="an extraction is edited, moves in time, and goes"),
    "an edit withdraws nothing":
        _text("(n.*) IS NOT DISTINCT FROM (o.*)", "n.lead_status IS NOT DISTINCT FROM o.lead_status",
            story="an extraction is edited, moves in time, and goes"),
    "a withdrawn change has the version before":
        _text("coalesce(stored.version, 0) + 1", "coalesce(stored.version, 0)", story="the winner is the last"),
    "a change has the version before":
        _text("coalesce(stored.version, 0) + 1", "coalesce(stored.version, 0)", story="the winner is the last"),
    "a change that is corrected keeps its version":
        _text(", version = excluded.version", ", version = lead_status_changes.version",
            story="an extraction is edited, moves in time, and goes"),
    "a change that comes again loses its tombstone": _text(*planted.FORGOTTEN),
    "the feed of statuses goes by time": Mutant(_tell_by_time),
    "a token of the older order is one of this order":
        _patch(change_plan, "status_key", lambda text: StatusKey(*text.split("\n")[::2], *text.split("\n")[1:2])),
    "after what is withdrawn nothing stands":
        _patch(StatusKey, "written", lambda key: f"{key.customer_phone}\n1\n{key.changed_at}",
            story="of one millisecond the last counts"),
    "what stands is told again":
        _patch(StatusKey, "written", lambda key: f"{key.customer_phone}\n0\n{key.changed_at}",
            story="of one millisecond the last counts"),
    "what was there is not read":
        _text("WHERE i.reload_profile", "WHERE false", story="an extraction is edited, moves in time, and goes"),
    "what fills the table is told":
        _text("WHEN (SELECT p.is_history_built FROM read_model.projection AS p)", "WHEN true"),
    "what goes meanwhile is withdrawn":
        _text("AND (SELECT p.is_history_built FROM read_model.projection AS p)", ""),
    "the feed answers before it is filled": _patch(read_model, "unfilled_part", lambda *_: None),
    "a part is answered before it is filled": _patch(read_model, "unfilled_part", lambda *_: None),
    "what is not filled is found out by reading it":
        _patch(read_model.ReadModel, "require_built", lambda *_: None),
    "what a migrate has created is filled":
        _text("AND NOT r.name = any(%(before)s::text[])", "AND false"),
    "a new attribute is filled": _text("WHERE p.parts -> f.key ->> 'name' = present.name", ""),
    "a rebuild fills what came after its beginning":
        _text("any(%(parts)s::text[] || p.filled)", "any(%(parts)s::text[] || p.filled || part.name)"),
    "an installation is believed that was to be rebuilt":
        _text("%(is_trusted)s", "true", left="UPDATE read_model.projection SET version = 'another'"),
    "a withdrawn change is forgotten without a word":
        _text("greatest(pruned_status_version,", "least(pruned_status_version,"),
    "each feed forgets what the other does":
        _text("FROM pruned_changes AS p", "FROM (TABLE pruned UNION ALL TABLE pruned_changes) AS p"),
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "noticed"),
    [
        pytest.param(
            name,
            row.test,
            id=f"{row.rule} {name}",
            marks=pytest.mark.citus if "test_citus" in row.test else (),
        )
        for name, row in mutants_of_the_page().items()
        # Those of the model are made on its worlds.
        if "test_model" not in row.test
    ],
)
def test_without_its_rule_the_test_of_it_is_red(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    filled: Platform,
    name: str,
    noticed: str,
) -> None:
    # A thousand and one are enough to tell a few from all.
    monkeypatch.setattr(test_refresh, "HISTORY", 1001)
    file, _, test = noticed.partition("::")
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    with ExitStack() as stack:
        bench, mutant = Bench(request, stack, monkeypatch, filled, name), MUTANTS[name]
        mutant.drop(bench)
        with pytest.raises(RED):
            bench.run(getattr(module, test), mutant.values)
