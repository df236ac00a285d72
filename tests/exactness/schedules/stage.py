"""The stage: a database with a world, the sessions that play a schedule on it, and the checks of what comes out."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace

import pytest

from projector.core import pipeline
from projector.core.batch import DEFAULT_BATCH
from projector.core.refresh import Drain
from projector.database import retry, sql
from projector.database.locks import SHARDS
from projector.database.rows import Connection
from tests.exactness.platform import assert_at_rest, rebuild_now, refresh_now, value
from tests.exactness.random_load import not_so
from tests.exactness.schedules import sessions
from tests.exactness.schedules.sessions import Mode, Session, State
from tests.exactness.schedules.steps import Statement, Tables, Writer
from tests.exactness.schedules.worlds import World
from tests.support.patience import PATIENCE
from tests.support.server import Database

NAMES = "ABW"
"""The sessions: two refreshes and the writer."""

MODEL = (
    "leads", "lead_profiles", "lead_conversations", "lead_messages", "lead_counts", "lead_daily_counts",
    "lead_totals", "message_counts", "lead_tombstones", "tenants",
)  # fmt: skip
"""The tables of the read model that a batch merges its leads into."""

_OURS = (
    *(f"read_model.{table}" for table in (*MODEL, "freshness")),
    "projector.source_keys", "projector.dead_letters", "projector.late_keys", "projector.runs",
)  # fmt: skip
_QUEUE = "projector.changes"
# What the end of a schedule shows: no row of it depends on how often or in which order something was written, as
# versions do, and tombstones of leads that were there only in between.
_SHOWN = (
    *(f"read_model.{table}" for table in MODEL if table not in ("leads", "lead_tombstones", "tenants")),
    "projector.source_keys",
    "projector.dead_letters",
)
_LEADS = "SELECT 'leads ' || (to_jsonb(l) - 'version')::text FROM read_model.leads AS l"
# No lead is reported as gone while it is there.
_GONE = (
    "SELECT 'gone and there ' || l.customer_phone FROM read_model.leads AS l"
    " JOIN read_model.lead_tombstones USING (user_id, customer_phone)"
)


class BrokenError(Exception):
    """A schedule made something that must not be; the text says what."""


@dataclass(frozen=True, slots=True)
class LaidWorld:
    """A world in a database: what the writer does, and what the read model must show in the end."""

    world: World
    tables: Tables
    database: Database
    statements: Sequence[Statement]
    truth: str
    reset: Sequence[str]


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of a schedule, with what followed from it."""

    session: str
    step: str
    outcome: str = ""

    def __str__(self) -> str:
        return f"{self.session} {self.step}{self.outcome}"


def lay(world: World, tables: Tables, database: Database) -> LaidWorld:
    """Write a world into an empty database, note it for a reset, and find out what has to come of it."""
    with database.connect() as conn:
        writer = Writer(tables, conn)
        writer.write(*world.built)
        rebuild_now(conn, first=True)
        writer.write(*world.waits)
        if world.queued_in is not None:
            conn.execute("UPDATE projector.changes SET shard = %s", (world.queued_in,))
        statements = list(writer.statements(*world.writes))
        reset = make_reset(conn)
        conn.execute(_state_function().encode())
        for query, values in statements:
            conn.execute(query.encode(), values)
        refresh_now(conn)
        assert_at_rest(conn)
        assert tables.schema.differences(conn) == []
        truth = _state(conn)
        conn.execute("SELECT schedules.reset()")
    return LaidWorld(world, tables, database, statements, truth, reset)


def make_reset(conn: Connection) -> list[str]:
    """Note what a database has, for `schedules.reset()`; return the names of the tables."""
    theirs = conn.execute("SELECT format('public.%I', tablename) FROM pg_tables WHERE schemaname = 'public'")
    reset = [*(name for (name,) in theirs), *_OURS, _QUEUE]
    conn.execute("CREATE SCHEMA schedules")
    for table in reset:
        conn.execute(f"CREATE TABLE schedules.{_copy_of(table)} AS TABLE {table}".encode())
    # A batch that finds nothing does not move a moment that is younger than a second.
    conn.execute(
        "UPDATE schedules.read_model_freshness SET as_of = as_of - interval '1 minute',"
        " shards = ARRAY(SELECT s - interval '1 minute' FROM unnest(shards) AS s)"
    )
    for command in _reset_functions(reset):
        conn.execute(command.encode())
    return reset


class Stage:
    """Plays schedules of a world, one after the other. Make it with `staged`."""

    def __init__(self, laid: LaidWorld, database: Database, stack: ExitStack) -> None:
        self.laid = laid
        self.played: list[Transition] = []
        self.conn: Connection = stack.enter_context(database.connect(application_name="schedule watcher"))
        pipeline.prepare_session(self.conn)
        self._sessions = {name: Session(name, database) for name in NAMES}
        for name, session in self._sessions.items():
            stack.callback(session.close)
            if name != "W":
                pipeline.prepare_session(session.conn)
        stack.callback(self.abandon)
        self._mode, self._cast = Mode.STATEMENTS, NAMES
        self._committed: list[datetime] = []
        self._consistent: set[str] = set()
        self._schedules = 0

    def reset(self, mode: Mode, cast: str = NAMES) -> None:
        """Give up what is under way, and begin a schedule in which these sessions take part."""
        self.abandon()
        self._schedules += 1
        # Each leaves some hundred dead rows.
        if self._schedules % 200 == 0:
            self.conn.execute(f"VACUUM {', '.join(self.laid.reset)}".encode())
        self._committed = [value(self.conn, "SELECT clock_timestamp() FROM schedules.reset()")]
        self.played, self._mode, self._cast = [], mode, cast
        (of_a, of_b), most = self.laid.world.shards, mode.most_batches
        works = {
            "A": sessions.refresh_of(of_a, waits=False, most_batches=most),
            "B": sessions.refresh_of(of_b, waits=self.laid.world.waits_for_shard, most_batches=most),
            "W": sessions.writer_of(self.laid.statements, mode),
        }
        for name in cast:
            self._sessions[name].begin(*works[name])

    def enabled(self) -> str:
        """The sessions that can take a step: they neither wait for a lock nor have ended."""
        return "".join(name for name in self._cast if self._sessions[name].state is State.READY)

    def is_over(self) -> bool:
        return all(self._sessions[name].state is State.DONE for name in self._cast)

    def step(self, name: str) -> Transition:
        """Let a session take its next step, and those go on that it lets go on; raises BrokenError."""
        before = {one.name: one.step for one in self._sessions.values() if one.state is State.RUNNING}
        session = self._sessions[name]
        before[name] = step = session.step
        for one in before:
            self._sessions[one].began_again = False
        session.go()
        self._settle()
        outcomes = []
        for one in before:
            found = self._sessions[one]
            is_blocked = found.state is State.RUNNING
            if is_blocked and one == name:
                outcomes.append("waits")
            elif found.began_again:
                outcomes.append("begins again" if one == name else f"{one} begins again")
            elif not is_blocked and one != name:
                outcomes.append(f"{one} goes on")
        outcome = f" ({', '.join(outcomes)})" if outcomes else ""
        made = Transition(name, step, outcome)
        self.played.append(made)
        self._check_step(before)
        return made

    def play(self, word: str) -> None:
        """Play a schedule: a letter lets its session take a step if it can; the rest follows in order."""
        for name in word:
            if name in self.enabled():
                self.step(name)
        while not self.is_over():
            enabled = self.enabled()
            # None needs more than thirty.
            if len(self.played) > 80:
                raise BrokenError("it does not come to an end")
            assert enabled, f"nobody can go on: {self.story()}"
            self.step(enabled[0])

    def check_end(self) -> None:
        """Run a last refresh and compare the read model with what the source rows say; raises BrokenError."""
        try:
            # None needs more than three.
            drain = Drain(DEFAULT_BATCH)
            for _ in range(20):
                done = drain.take_singles(self.conn, SHARDS, wait=True)
                if drain.take_mass(self.conn, SHARDS, done, wait=True) is None and done.drained:
                    break
        except Exception as error:
            raise BrokenError(f"the last refresh fails: {_text(error)}") from error
        if self.state() != self.laid.truth:
            found = self.laid.tables.schema.differences(self.conn)
            raise BrokenError(_brief(found[0]) if found else "a change waits")

    def state(self) -> str:
        """The rows of the read model, the keys, and the changes that wait, as they were committed."""
        return _state(self.conn)

    def abandon(self) -> None:
        for session in self._sessions.values():
            if session.state is not State.DONE:
                session.abandon()
        for session in self._sessions.values():
            assert session.stands(PATIENCE), f"{session.name} does not end"

    def story(self) -> str:
        """The schedule that was played: the steps of a session, and of the next one after a point."""
        text = ""
        for number, one in enumerate(self.played):
            if number == 0 or self.played[number - 1].session != one.session:
                text += f"{' · ' if number else ''}{one.session}"
            text += f" {one.step}{one.outcome}"
        return text

    def _settle(self) -> None:
        """Wait until each session has ended its step, or waits for a lock that another session keeps."""
        deadline = time.monotonic() + PATIENCE
        patience = 0.003
        while running := [one for one in self._sessions.values() if one.state is State.RUNNING]:
            if all(one.stands(patience) for one in running):
                return
            running = [one for one in running if one.state is State.RUNNING] or running
            # Autovacuum may hold a table too, for a moment.
            query = (
                "SELECT bool_and(pg_blocking_pids(pid) && %s::integer[]) FROM unnest(%s::integer[]) AS pid"
            )
            ours = [one.pid for one in self._sessions.values()]
            if value(self.conn, query, ours, [one.pid for one in running]) and all(
                one.state is State.RUNNING for one in running
            ):
                return
            assert time.monotonic() < deadline, f"it does not come to rest: {self.story()}"

    def _check_step(self, moved: Mapping[str, str]) -> None:
        for one in self._sessions.values():
            if one.error is not None:
                raise BrokenError(f"{one.name} fails: {_text(one.error)}")
        if self._sessions["W"].state is State.RUNNING:
            raise BrokenError("the writer waits")
        is_committed = self._mode is Mode.STATEMENTS or self._sessions["W"].state is State.DONE
        if "W" in moved and is_committed:
            self._committed.append(value(self.conn, "SELECT clock_timestamp()"))
        if any(one.state is State.DONE for one in self._sessions.values()):
            self._check_readers()

    def _check_readers(self) -> None:
        """What readers see after a commit agrees with itself, and freshness promises nothing that waits."""
        row = self.conn.execute(
            # A and B have the shards 0 and 1; the others must not hold the freshness of all back.
            "SELECT least(f.shards[1], f.shards[2]), (SELECT min(c.queued_at) FROM projector.changes AS c)"
            " FROM read_model.freshness AS f"
        ).fetchone()
        assert row is not None
        as_of, queued_at = row
        if queued_at is not None:
            committed = next((at for at in self._committed if at >= queued_at), None)
            if committed is not None and as_of > committed:
                raise BrokenError("freshness promises a change that waits")
        state = self.state()
        if state not in self._consistent:
            for sentence in not_so(self.conn):
                raise BrokenError(f"readers see that this is not so: {sentence}")
            self._consistent.add(state)


@contextmanager
def staged(laid: LaidWorld, database: Database | None = None) -> Iterator[Stage]:
    """A stage for schedules of a world, on its database or on a copy of it where a rule is dropped.

    A batch that collides stands at a point, where it would sleep for a moment. And it does not give up to wait for
    another session after less than a second: a slow machine would play other schedules than a fast one.
    """
    with pytest.MonkeyPatch.context() as patches, ExitStack() as stack:
        clock = SimpleNamespace(sleep=sessions.begin_again, monotonic=time.monotonic)
        patches.setattr(retry, "time", clock)
        read = sql._read  # noqa: SLF001
        patches.setattr(sql, "_read", lambda file: read(file).replace("'700ms'", "'30s'"))
        sql.steps.cache_clear()
        stack.callback(sql.steps.cache_clear)
        yield Stage(laid, database or laid.database, stack)


def _brief(difference: str) -> str:
    """A difference without the values: they may be a whole lead, and are the same in each run."""
    table, _, rest = difference.partition(" ")
    if table == "source_keys":
        return "a key leads to a wrong lead"
    column = rest.partition(") ")[2].partition(": expected")[0]
    if ": expected 'no such column'" in rest:
        return f"{table} has a row too many"
    return f"{table} lacks a row" if "found 'no such column'" in rest else f"{table}.{column} is wrong"


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def _copy_of(table: str) -> str:
    return table.replace(".", "_")


def _reset_functions(tables: Sequence[str]) -> list[str]:
    """The replica role writes rows in any order of the tables. What the triggers would queue then is not queued."""
    commands = "".join(
        f"DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE schedules.{_copy_of(table)};\n"
        for table in tables
    )
    return [
        (
            "CREATE FUNCTION schedules.reset() RETURNS void LANGUAGE plpgsql"
            f" SET session_replication_role = replica AS $$ BEGIN\n{commands}END $$"
        ),
        (
            "CREATE FUNCTION schedules.leave_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" PERFORM FROM schedules.{_copy_of(_QUEUE)} AS c WHERE c.change_id = NEW.change_id;"
            " RETURN CASE WHEN FOUND THEN NEW END; END $$"
        ),
        (
            f"CREATE TRIGGER leave_out BEFORE INSERT ON {_QUEUE}"
            " FOR EACH ROW EXECUTE FUNCTION schedules.leave_out()"
        ),
        f"ALTER TABLE {_QUEUE} ENABLE REPLICA TRIGGER leave_out",
    ]


def _state_function() -> str:
    rows = " UNION ALL ".join(f"SELECT '{table} ' || t::text AS line FROM {table} AS t" for table in _SHOWN)
    waiting = f"SELECT '{_QUEUE} ' || kind || keys::text FROM {_QUEUE}"
    return (
        "CREATE FUNCTION schedules.state() RETURNS text LANGUAGE sql AS $$"
        f" SELECT string_agg(line, E'\\n' ORDER BY line) FROM ({rows} UNION ALL {_LEADS} UNION ALL {_GONE}"
        f" UNION ALL {waiting}) AS lines $$"
    )


def _state(conn: Connection) -> str:
    return str(value(conn, "SELECT schedules.state()"))
