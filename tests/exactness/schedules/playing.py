"""Plays schedules of the model on a real PostgreSQL, and compares both after each step."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg.errors import CheckViolation

from projector.core import batch, dead_letters, late, pipeline
from projector.core.batch import refresh_batch
from projector.core.dead_letters import retry_all_dead_letters
from projector.core.late import LateKeys, defer_changes
from projector.core.pipeline import test_point
from projector.database import retry, sql
from projector.database.rows import Connection
from projector.operate import erase as erasure
from projector.operate.erase.ledger import Target
from projector.report.errors import ErasureRefusedError
from projector.report.progress import QUIET
from projector.scheduler.refresh import look
from projector.sweep.leads import rebuild_leads
from tests.exactness.model.state import FIRST, LEADS, NOTHING, NOWHERE, State, World
from tests.exactness.model.steps import Label
from tests.exactness.platform import Platform, rebuild_now, refresh_now, value
from tests.exactness.random_load import not_so
from tests.exactness.schedules.reset import make_reset
from tests.exactness.schedules.sessions import Session, begin_again
from tests.exactness.schedules.sessions import State as At
from tests.exactness.schemas import REFERENCE, Schema
from tests.support.patience import PATIENCE
from tests.support.server import Database

CONVERSATION = "conversation"
PHONES = ("101", "102")
START = datetime(2025, 1, 1, tzinfo=UTC)

_ROUTE = """
CREATE FUNCTION schedules.route() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF coalesce(current_setting('schedules.shard', true), '') <> '' THEN
        NEW.shard := current_setting('schedules.shard');
        NEW.bulk := current_setting('schedules.bulk');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER route BEFORE INSERT ON projector.changes FOR EACH ROW EXECUTE FUNCTION schedules.route();
ALTER TABLE read_model.lead_messages ADD CONSTRAINT poison CHECK (text NOT LIKE 'poison%');
"""
_SEEN = """
SELECT
    ARRAY(SELECT DISTINCT ARRAY[c.shard, c.bulk::integer] FROM projector.changes AS c) AS queue,
    ARRAY(SELECT DISTINCT ARRAY[l.user_id, l.customer_phone] FROM projector.late_keys AS l) AS late,
    ARRAY(SELECT ARRAY[k.user_id, k.customer_phone] FROM projector.source_keys AS k WHERE k.kind = 'conversation'
        AND k.user_id <> '') AS keys,
    ARRAY(SELECT ARRAY[d.user_id, d.customer_phone] FROM projector.dead_letters AS d) AS letters,
    ARRAY(SELECT ARRAY[c.user_id, c.customer_phone, (c.created_at::date - '2025-01-01')::text,
        (SELECT count(*) FROM read_model.lead_messages AS m WHERE (m.user_id, m.customer_phone)
            = (c.user_id, c.customer_phone))::text] FROM read_model.lead_conversations AS c) AS rows,
    ARRAY(SELECT ARRAY[t.user_id, t.leads::text] FROM read_model.lead_totals AS t
        WHERE t.granularity = 'all' AND t.leads <> 0) AS counts,
    (SELECT f.shards[1:2] FROM read_model.freshness AS f) AS moments,
    ARRAY(SELECT ROW(t.user_id, t.late_as_of) FROM read_model.tenants AS t WHERE t.late_as_of IS NOT NULL)
        AS late_moments,
    ARRAY(SELECT t.user_id FROM read_model.tenants AS t WHERE t.dead_letters > 0) AS spoiled
"""


class BrokenError(Exception):
    """A schedule had a result that must not occur; the text describes it."""


@dataclass(slots=True)
class Laid:
    """A world of the model in a database: the leads, and the agents and phones that put the conversation there."""

    world: World
    schema: Schema
    database: Database
    leads: dict[int, tuple[str, str]]
    places: dict[int, tuple[str, str | None]]


LayModel = Callable[[World], Laid]

_PLACE = (
    "UPDATE conversations SET agent_id = %s, customer_phone = %s, created_at = %s WHERE conversation_id = %s"
)


def lay(world: World, database: Database) -> Laid:
    """Write a world of the model into an empty database, and note it for a reset."""
    with database.connect() as conn:
        platform = Platform(conn)
        # A batch locks its tenants in the order of their hashes, and the model in that of its leads.
        tenants = sorted(("one", "two"), key=lambda name: value(conn, "SELECT hashtext(%s)", name))
        owners = tenants if world.tenants == 2 else tenants[:1] * 2
        for tenant in tenants:
            platform.tenant(tenant)
        agents = [platform.agent(owner) for owner in owners]
        leads = {NOWHERE: ("", "")}
        places: dict[int, tuple[str, str | None]] = {NOWHERE: (agents[0], None)}
        for lead, owner, agent, phone in zip(LEADS, owners, agents, PHONES, strict=True):
            leads[lead], places[lead] = (owner, phone), (agent, phone)
        platform.insert("conversations", conversation_id=CONVERSATION, agent_id=agents[0])
        for _ in range(2):
            platform.message(CONVERSATION, "0")
        conn.execute(_PLACE, (*places[world.start], START, CONVERSATION))
        make_ready(conn)
    return Laid(world, REFERENCE, database, leads, places)


def make_ready(conn: Connection) -> None:
    """Bring the read model up to the rows, note all for a reset, and let schedules choose shards of the queue."""
    rebuild_now(conn, first=True)
    refresh_now(conn)
    make_reset(conn)
    conn.execute(_ROUTE.encode(), prepare=False)


@dataclass(slots=True)
class Playing:
    """Plays schedules of a world, one after the other. Make it with `playing`."""

    laid: Laid
    conn: Connection
    actors: dict[str, Session]
    written: list[datetime] = field(default_factory=list)
    played: list[Label] = field(default_factory=list)
    consistent: set[str] = field(default_factory=set)
    number: int = 0
    schedules: int = 0

    def play(self, schedule: Sequence[tuple[Label, State]]) -> None:
        """Play a schedule and a last refresh; raises BrokenError where it comes out otherwise than in the model."""
        self.reset()
        for label, state in schedule:
            self.step(label)
            self._compare(state)
        self.finish()

    def reset(self) -> None:
        self.abandon()
        self.schedules += 1
        if self.schedules % 200 == 0:
            self.conn.execute("VACUUM")
        self.conn.execute("SELECT schedules.reset()")
        self.written, self.played, self.number, self._place = [], [], 0, self.laid.world.start

    def step(self, label: Label) -> None:
        """Let a session take a step."""
        self.played.append(label)
        if label.session == "W":
            self._write(label)
            return
        actor = self.actors[label.session]
        if label.step == "crash":
            actor.abandon()
            assert actor.stands(PATIENCE)
        elif actor.state is At.RUNNING or (label.step == "delete" and actor.step == "deleted"):
            # An erasure that finds nothing recomputes nothing.
            return
        else:
            if actor.state is At.DONE:
                self._begin(actor, label)
            actor.go()
        self._settle()
        if (error := actor.error) is not None:
            raise BrokenError(f"{label} fails: {type(error).__name__}: {str(error).splitlines()[0]}")

    def _begin(self, actor: Session, label: Label) -> None:
        is_erasure = label.step == "erase"
        actor.passes = frozenset({"written"} | ({"locked", "recomputed"} if is_erasure else set()))
        actor.begin(self._works(label)[label.step])
        if is_erasure:
            # The model has it drain the queue before.
            actor.passes |= {"taken", "tenants_found", "late_taken"}

    def finish(self) -> None:
        """Let all end, and compare what a last refresh makes with the reading of the source rows."""
        for _ in range(200):
            for actor in self.actors.values():
                if actor.state is At.READY:
                    actor.go()
                    self._settle()
        if any(actor.state is not At.DONE for actor in self.actors.values()):
            raise BrokenError("it does not come to an end")
        refresh_now(self.conn)
        differences = self.laid.schema.differences(self.conn)
        if differences and not value(self.conn, "SELECT count(*) FROM projector.dead_letters"):
            raise BrokenError(f"in the end: {differences[0]}")

    def abandon(self) -> None:
        for actor in self.actors.values():
            if actor.state is not At.DONE:
                actor.abandon()
        for actor in self.actors.values():
            assert actor.stands(PATIENCE), f"{actor.name} does not end"

    def story(self) -> str:
        return "; ".join(map(str, self.played))

    def _write(self, label: Label) -> None:
        how: Any = label.of
        with self.conn.transaction():
            self.conn.execute("SELECT set_config('schedules.shard', %s, true)", (str(how[0]),))
            self.conn.execute("SELECT set_config('schedules.bulk', %s, true)", (str(how[1]),))
            self._change(label)
        self.written.append(value(self.conn, "SELECT clock_timestamp()"))

    def _change(self, label: Label) -> None:
        """Move or edit the conversation."""
        laid, (verb, _, target) = self.laid, label.step.partition(" ")
        self.number += 1
        if target:
            self._place = int(target)
        at = START + timedelta(days=self.number)
        self.conn.execute(_PLACE, (*laid.places[self._place], at, CONVERSATION))
        if verb in {"edit", "spoil", "mend"}:
            text = f"poison {self.number}" if verb == "spoil" else str(self.number)
            self.conn.execute(
                "UPDATE messages SET text = %s WHERE conversation_id = %s", (text, CONVERSATION)
            )

    _place: int = NOWHERE

    def _works(self, label: Label) -> dict[str, Callable[[Session], object]]:
        """Return what a session can begin, by the names of the first steps."""
        of: Any = label.of
        leads = self.laid.leads

        def piece(session: Session) -> None:
            lead = next(lead for lead in LEADS if self.laid.world.tenant(lead) == of)
            keys = LateKeys()
            keys._after = leads[lead][0]  # noqa: SLF001
            keys._limits = {keys._after: 100}  # noqa: SLF001
            keys.take_piece(session.conn)

        def take(session: Session) -> None:
            try:
                refresh_batch(session.conn, [of])
            except CheckViolation:
                test_point("failed")
                defer_changes(session.conn, [of], mass=False)

        def erase_first(session: Session) -> None:
            with suppress(ErasureRefusedError):
                erasure.erase(session.conn, Target(*leads[FIRST]), progress=QUIET)

        return {
            "take": take,
            "take mass": lambda session: defer_changes(session.conn, [of], mass=True),
            "take late keys": piece,
            "end lateness": lambda session: LateKeys().end(session.conn),
            "look": lambda session: look(session.conn, timedelta(0)),
            "rebuild": lambda session: list(rebuild_leads(session.conn, [leads[of]])),
            "retry": lambda session: retry_all_dead_letters(session.conn),
            "erase": erase_first,
        }

    def _settle(self) -> None:
        """Wait until each session stands at a point, or waits for a lock that another one holds."""
        deadline, patience = time.monotonic() + PATIENCE, 0.003
        ours = [actor.pid for actor in self.actors.values()]
        while running := [actor for actor in self.actors.values() if actor.state is At.RUNNING]:
            if all(actor.stands(patience) for actor in running):
                continue
            running = [actor for actor in running if actor.state is At.RUNNING]
            blocked = (
                "SELECT bool_and(pg_blocking_pids(pid) && %s::integer[]) FROM unnest(%s::integer[]) AS pid"
            )
            pids = [actor.pid for actor in running]
            if (
                pids
                and value(self.conn, blocked, ours, pids)
                and all(actor.state is At.RUNNING for actor in running)
            ):
                return
            assert time.monotonic() < deadline, f"it does not come to rest: {self.story()}"

    def _compare(self, state: State) -> None:
        for name, work in zip(self.laid.world.sessions, state.works, strict=True):
            actor = self.actors[name]
            expected = "ended" if work is None or work.at == "done" else "waits" if work.waits else work.at
            actual = {At.DONE: "ended", At.RUNNING: "waits", At.READY: actor.step}[actor.state]
            # At its end it waits for sessions that could make its tenant late.
            is_passed = name == "E" and (actual == "deleted" or (expected, actual) == ("ended", "waits"))
            if expected != actual and not is_passed:
                raise BrokenError(f"{name} {actual}, and in the model {expected}")
        expected_tables, found_tables = self._expected(state), self._seen()
        for what, there in expected_tables.items():
            if there != found_tables[what]:
                raise BrokenError(f"{what}: {found_tables[what]}, and in the model {there}")
        text = str(found_tables)
        if text not in self.consistent:
            self._check_readers()
            self.consistent.add(text)

    def _check_readers(self) -> None:
        for sentence in not_so(self.conn):
            raise BrokenError(f"readers see that this is not so: {sentence}")

    def _expected(self, state: State) -> dict[str, object]:
        leads, world = self.laid.leads, self.laid.world
        counts: dict[str, int] = {}
        for lead, count in zip(LEADS, state.counts, strict=True):
            counts[leads[lead][0]] = counts.get(leads[lead][0], 0) + count
        late = set(state.late) | {lead for work in state.others if work.kind == "piece" for lead in work.late}
        took = {work.took for work in state.others if work.took is not None}
        spoiled = {leads[lead][0] for lead in (state.letter, state.key)} if state.letter != NOWHERE else set()
        rows = {leads[lead]: row for lead, row in zip(LEADS, state.rows, strict=True) if row[0] != NOTHING}
        tenants = {world.tenant(lead): leads[lead][0] for lead in LEADS}
        return {
            "queue": state.queue | took,
            "late keys": {leads[lead] for lead in late},
            "key": {leads[state.key]} - {leads[NOWHERE]},
            "rows": rows,
            "counts": {tenant: count for tenant, count in counts.items() if count},
            "moments": list(state.moments),
            "late moments": {
                tenants[n]: moment for n, moment in enumerate(state.late_moments, 1) if moment is not None
            },
            "dead letters": {leads[state.letter]} - {leads[NOWHERE]},
            "tenants with dead letters": spoiled - {leads[NOWHERE][0]},
        }

    def _seen(self) -> dict[str, object]:
        row = self.conn.execute(_SEEN.encode()).fetchone()
        assert row is not None
        queue, late, keys, letters, rows, counts, moments, late_moments, spoiled = row
        return {
            "queue": {(shard, bool(bulk)) for shard, bulk in queue},
            "late keys": {tuple(row) for row in late},
            "key": {tuple(row) for row in keys},
            "rows": {(row[0], row[1]): (int(row[2]), row[3] == "2") for row in rows},
            "counts": {user: int(count) for user, count in counts},
            "moments": [self._change_before(moment) for moment in moments],
            "late moments": {user: self._change_before(moment) for user, moment in late_moments},
            "dead letters": {tuple(row) for row in letters},
            "tenants with dead letters": set(spoiled),
        }

    def _change_before(self, moment: object) -> int:
        """Return the number of the last change that was committed before a moment."""
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        return sum(written <= at for written in self.written)  # type: ignore[operator]


@contextmanager
def playing(laid: Laid, database: Database | None = None, kind: type[Playing] = Playing) -> Iterator[Playing]:
    """Open sessions on the database of a world, or on a copy of it where a rule is dropped.

    A batch that collides stands at a point, where it would sleep for a moment. It does not stop waiting for another
    session within a second, because a slow machine would then play other schedules than a fast one.
    """
    where = database or laid.database
    with pytest.MonkeyPatch.context() as patches, ExitStack() as stack:
        clock = SimpleNamespace(sleep=begin_again, monotonic=time.monotonic)
        patches.setattr(retry, "time", clock)
        patches.setattr(batch, "IDLE_FRESHNESS_INTERVAL", timedelta(0))
        _stand(patches, erasure, "_delete_some", "leads of an erasure", before=True)
        _stand(patches, late, "take_changes", "taken", before=False)
        _stand(patches, late, "set_aside", "set aside", before=False)
        _stand(patches, LateKeys, "_isolate", "failed", before=True)
        _stand(patches, dead_letters, "recompute", "taken", before=True)
        read = sql._read  # noqa: SLF001
        patches.setattr(sql, "_read", lambda file: read(file).replace("'700ms'", "'30s'"))
        for cached in (sql.steps, pipeline.planned):
            cached.cache_clear()
            stack.callback(cached.cache_clear)
        conn = stack.enter_context(where.connect(application_name="schedule watcher"))
        pipeline.prepare_session(conn)
        actors = {name: Session(name, where) for name in laid.world.sessions}
        for actor in actors.values():
            stack.callback(actor.close)
            pipeline.prepare_session(actor.conn)
        made = kind(laid, conn, actors)
        stack.callback(made.abandon)
        yield made


def _stand(patches: pytest.MonkeyPatch, owner: object, name: str, point: str, *, before: bool) -> None:
    """Add a point before or after a function."""
    work = getattr(owner, name)

    def stand(*arguments: object, **named: object) -> object:
        if before:
            test_point(point)
        done = work(*arguments, **named)
        # A slice that takes nothing has no more steps.
        if not before and getattr(done, "changes", True):
            test_point(point)
        return done

    patches.setattr(owner, name, stand)
