"""Status: how the read model is, in one screen, and what of it needs a person."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from psycopg.rows import TupleRow, class_row

from projector import db, locks
from projector.migrate import PROJECTION_VERSION
from projector.refresh import require_installed
from projector.statements import statement

Connection = psycopg.Connection[TupleRow]
_Row = TypeVar("_Row")

COUNTED_CHANGES = 100_000
"""A queue is counted up to here; whoever reads the status does not wait for the rest."""

SHOWN_DEAD_LETTERS = 5

# Cron starts a refresh each minute where no scheduler runs: a change may wait so long.
_FORGOTTEN_SECONDS = 3600.0
_NOBODY_SECONDS = 90.0
_AHEAD_SECONDS = 1.0
_LAGGING_SECONDS = 60.0
_SHORT = 100


@dataclass(frozen=True, slots=True)
class Projection:
    """What the read model as a whole is."""

    version: int
    built_at: datetime | None
    capture_gap: str | None
    as_of: datetime | None
    as_of_age: float | None
    broken: str | None
    switched_off: str | None
    gap_since: datetime | None
    gap_reason: str | None
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits: changes, counted up to a bound, and seconds since the oldest was queued; null when none."""

    changes: int
    lag: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of its kind."""

    kind: str
    started_at: datetime
    finished_at: datetime | None
    seconds: float
    outcome: str
    tenants: list[str] | None
    changes: int
    leads: int
    messages: int
    leads_total: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Whether a session rebuilds now, whether one was begun and not ended, and how many tenants it has left."""

    is_held: bool
    is_begun: bool
    tenants_left: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A key that is set aside, and its lead where that could be told."""

    kind: str
    key: str
    user_id: str | None
    customer_phone: str | None
    error: str
    attempts: int
    first_failed_at: datetime
    retry_at: datetime
    total: int


@dataclass(frozen=True, slots=True)
class Size:
    """About how many rows a table has, and its bytes with its indexes."""

    table_name: str
    about_rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Schedulers:
    """Sessions of running schedulers, and whether we would see those of other users."""

    sessions: int
    is_all_seen: bool


@dataclass(frozen=True, slots=True)
class Status:
    """Everything of it; without a projection the read model is not installed."""

    projection: Projection | None = None
    queue: Queue = field(default_factory=lambda: Queue(0, None))
    runs: list[Run] = field(default_factory=list)
    rebuild: Rebuild = field(default_factory=lambda: Rebuild(is_held=False, is_begun=False, tenants_left=0))
    dead_letters: list[DeadLetter] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    schedulers: Schedulers = field(default_factory=lambda: Schedulers(0, is_all_seen=True))

    @property
    def attention(self) -> list[str]:
        """What needs a person, and what to do next; empty when all is well."""
        if self.projection is None:
            return ["The read model is not installed in this database: run `migrate`, then `rebuild`."]
        return [
            *self._attention_to_capture(self.projection),
            *self._attention_to_build(self.projection),
            *self._attention_to_queue(self.projection),
            *self._attention_to_rows(),
        ]

    @property
    def rebuild_state(self) -> str:
        """`running`, `interrupted` where its process ended before it, else `none`."""
        if self.rebuild.is_held:
            return "running"
        last = self._last("rebuild")
        is_left = last is not None and last.outcome == "running"
        return "interrupted" if self.rebuild.is_begun or is_left else "none"

    @property
    def capture_state(self) -> str:
        """`intact`, `gap`, or `off`."""
        if self.projection is None:
            return "not installed"
        if self.projection.switched_off is not None:
            return "off"
        is_gap = self.projection.capture_gap is not None or self.projection.broken is not None
        return "gap" if is_gap else "intact"

    def as_dict(self) -> dict[str, Any]:
        """All of it for machines; times are in UTC, ages in seconds."""
        letters = [asdict(letter) for letter in self.dead_letters]
        total = letters[0]["total"] if letters else 0
        for letter in letters:
            del letter["total"]
        projection = self.projection
        return {
            "attention": self.attention,
            "installed": projection is not None,
            "as_of": projection and projection.as_of,
            "as_of_age": projection and projection.as_of_age,
            "lag": self.queue.lag,
            "queue": {"changes": self.queue.changes, "counted_up_to": COUNTED_CHANGES},
            "capture": {
                "state": self.capture_state,
                "gap_since": projection and projection.gap_since,
                "reason": projection
                and (projection.switched_off or projection.gap_reason or projection.broken),
            },
            "projection": {
                "version": PROJECTION_VERSION,
                "built_version": projection and projection.version,
                "built_at": projection and projection.built_at,
            },
            "schedulers": {"sessions": self.schedulers.sessions, "all_seen": self.schedulers.is_all_seen},
            "rebuild": self._rebuild_as_dict(),
            "runs": {run.kind: asdict(run) for run in self.runs},
            "dead_letters": {"count": total, "first": letters},
            "tables": [asdict(size) for size in self.sizes],
        }

    def render(self) -> str:
        """All of it for people."""
        lines = [f"{label:<13}{text}" for label, text in self._lines()]
        if self.attention:
            lines += ["", "Needs attention:", *(f"  - {sentence}" for sentence in self.attention)]
        else:
            lines += ["", "Nothing needs attention."]
        return "\n".join(lines)

    def _lines(self) -> Iterator[tuple[str, str]]:
        projection = self.projection
        if projection is None:
            yield "Read model", "not installed"
            return
        queue = self.queue
        counted = f"{queue.changes:,}" + (" or more" if queue.changes >= COUNTED_CHANGES else "")
        built = "never built" if projection.built_at is None else f"built {_moment(projection.built_at)}"
        version = f"projection version {projection.version}"
        if projection.version != PROJECTION_VERSION:
            version += f", this program has {PROJECTION_VERSION}"
        yield "Read model", f"{built}, {version}"
        yield "Lag", "nothing waits" if queue.lag is None else f"{_age(queue.lag)}, {counted} changes wait"
        if projection.as_of is None or projection.as_of_age is None:
            yield "As of", "nothing yet"
        else:
            yield "As of", f"{_moment(projection.as_of)}, {_age(projection.as_of_age)} ago"
        yield "Capture", self._capture_in_words(projection)
        yield "Scheduler", self._schedulers_in_words()
        yield "Rebuild", self._rebuild_in_words()
        for run in self.runs:
            yield f"Last {run.kind}"[:12], _run_in_words(run)
        yield "Dead letters", f"{self.dead_letters[0].total:,}" if self.dead_letters else "none"
        for letter in self.dead_letters:
            yield "", f"{_lead(letter)}: {_short(letter.error)} (tried {letter.attempts} times)"
        total = sum(size.bytes for size in self.sizes)
        yield "Size", f"{_bytes(total)}, of it:"
        for size in self.sizes[:6]:
            yield "", f"{size.table_name:<32}{_bytes(size.bytes):>10}  about {size.about_rows:,} rows"

    def _last(self, kind: str) -> Run | None:
        return next((run for run in self.runs if run.kind == kind), None)

    def _rebuild_as_dict(self) -> dict[str, Any]:
        run = self._last("rebuild")
        is_under_way = run is not None and self.rebuild_state != "none" and run.outcome != "done"
        total = run.leads_total if run is not None and is_under_way else None
        return {
            "state": self.rebuild_state,
            "leads": run.leads if run is not None and is_under_way else None,
            "leads_total": total,
            "percent": round(100 * run.leads / total, 1) if run is not None and total else None,
            "tenants_left": self.rebuild.tenants_left,
        }

    def _rebuild_in_words(self) -> str:
        found = self._rebuild_as_dict()
        if found["state"] == "none":
            return "none under way"
        run = self._last("rebuild")
        text = str(found["state"])
        if run is not None and run.outcome == "running" and found["state"] == "running":
            text += f" for {_age(run.seconds)}"
        if found["percent"] is not None:
            text += f", {found['leads']:,} of {found['leads_total']:,} leads, {found['percent']} %"
        return text

    def _capture_in_words(self, projection: Projection) -> str:
        if self.capture_state == "off":
            return str(projection.switched_off)
        if self.capture_state == "intact":
            if projection.gap_since is None:
                return "intact"
            return f"intact; {projection.gap_reason}"
        since = "" if projection.gap_since is None else f" since {_moment(projection.gap_since)}"
        return f"gap{since}: {_short(projection.capture_gap or projection.broken or '')}"

    def _schedulers_in_words(self) -> str:
        if self.schedulers.sessions:
            return f"running, {self.schedulers.sessions} sessions"
        return "none connected" if self.schedulers.is_all_seen else "cannot be seen by this database user"

    @property
    def _is_nobody_there(self) -> bool:
        return self.schedulers.sessions == 0 and self.schedulers.is_all_seen

    def _attention_to_capture(self, projection: Projection) -> Iterator[str]:
        if self.capture_state == "off":
            yield f"Changes are not seen, because {projection.switched_off}. Run `capture on` when that is over."
        elif self.capture_state == "gap":
            reason = _short(projection.capture_gap or projection.broken or "")
            yield (
                f"Changes may have been missed: {reason}. A running scheduler heals that by itself, and so does"
                " `refresh`; find out what changed the triggers."
            )

    def _attention_to_build(self, projection: Projection) -> Iterator[str]:
        last = self._last("rebuild")
        if last is not None and last.outcome == "failed" and self.rebuild_state != "running":
            yield f"The last rebuild failed: {_short(last.note or 'no reason known')}. Mend that, and run `rebuild`."
        elif self.rebuild_state == "interrupted" and self._is_nobody_there:
            yield "A rebuild was interrupted, and no scheduler is there to go on with it: run `rebuild`, or `run`."
        if self.rebuild_state == "running":
            return
        if projection.built_at is None:
            yield "The read model was never built: run `rebuild`, or start the scheduler with `run`."
        elif projection.version != PROJECTION_VERSION:
            yield (
                f"The rows are of projection version {projection.version}, this program has {PROJECTION_VERSION}:"
                " run `rebuild`, or restart the scheduler, which rebuilds by itself."
            )

    def _attention_to_queue(self, projection: Projection) -> Iterator[str]:
        silent = projection.as_of_age
        if silent is not None and silent < -_AHEAD_SECONDS:
            yield (
                f"Callers are told of a moment that comes in {_age(-silent)}: the server's clock was set back. The next"
                " refresh mends that: keep `run` running, or run `refresh`."
            )
        if self.capture_state == "off":
            return
        if self.queue.changes == 0:
            if self._is_nobody_there and silent is not None and silent > _FORGOTTEN_SECONDS:
                yield (
                    f"Nothing waits, but nobody has looked for {_age(silent)}: keep `run` running, or start `refresh`"
                    " from cron, so that callers are told how fresh their answers are."
                )
            return
        if self._is_nobody_there and (silent is None or silent > _NOBODY_SECONDS):
            yield (
                f"{self.queue.changes:,} changes wait and no scheduler is connected: keep `run` running,"
                " or start `refresh` from cron."
            )
        elif (
            self.queue.lag is not None
            and self.queue.lag > _LAGGING_SECONDS
            and self.rebuild_state != "running"
        ):
            yield (
                f"The oldest change has waited for {_age(self.queue.lag)}, though a refresh should take it: see the"
                " log of the scheduler for what keeps it, and pg_stat_activity for long transactions."
            )

    def _attention_to_rows(self) -> Iterator[str]:
        if self.dead_letters:
            first = self.dead_letters[0]
            yield (
                f"{first.total:,} dead letters are set aside, first {_lead(first)}: {_short(first.error)}."
                " Mend the row that fails, then run `refresh --retry-failed`."
            )
        last = self._last("verify")
        if last is not None and last.outcome == "failed":
            yield f"The last verify failed: {_short(last.note or 'no reason known')}. Run `verify` to see it again."
        elif last is not None and last.note:
            yield f"The last verify found drift ({last.note}): run `verify --all --heal`, and report the bug."


def read_status(conn: Connection) -> Status:
    """Read all of it, of one moment; raises NotInstalledError where an older version was the last to migrate."""
    installed = conn.execute(
        "SELECT to_regclass('projector.runs') IS NOT NULL AND to_regclass('read_model.projection') IS NOT NULL"
    ).fetchone()
    if installed is None or not installed[0]:
        return Status()
    require_installed(conn)
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        projection = _read(conn, Projection, "read_projection")
        if not projection:
            return Status()
        return Status(
            projection=projection[0],
            queue=_read(conn, Queue, "read_queue", bound=COUNTED_CHANGES)[0],
            runs=sorted(_read(conn, Run, "read_runs"), key=lambda run: run.kind),
            rebuild=_read(conn, Rebuild, "read_rebuild", rebuild_class=locks.REBUILD)[0],
            dead_letters=_read(conn, DeadLetter, "read_dead_letters", size=SHOWN_DEAD_LETTERS),
            sizes=_read(conn, Size, "read_sizes"),
            schedulers=_read(conn, Schedulers, "count_schedulers", application_name=db.SCHEDULER_NAME)[0],
        )


def _read(conn: Connection, made: type[_Row], name: str, **parameters: object) -> list[_Row]:
    with conn.cursor(row_factory=class_row(made)) as cursor:
        return cursor.execute(statement("status", name), parameters or None).fetchall()


def _lead(letter: DeadLetter) -> str:
    if letter.user_id is None:
        return f"{letter.kind} {letter.key}"
    return f"lead {letter.customer_phone} of {letter.user_id} ({letter.kind} {letter.key})"


def _run_in_words(run: Run) -> str:
    text = f"{_moment(run.started_at)}, {run.outcome}, {run.leads:,} leads, {run.messages:,} messages"
    if run.changes:
        text += f", {run.changes:,} changes"
    text += f" in {run.seconds:.1f} s"
    return text + (f": {_short(run.note)}" if run.note else "")


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1024:  # noqa: PLR2004  # As PostgreSQL counts.
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GB"


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
