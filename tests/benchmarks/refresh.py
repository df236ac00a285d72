"""What a refresh costs: by stale leads, by size of the tenant, by length of a lead's history, by index."""

from collections.abc import Iterator
from contextlib import closing

from projector.core.batch import refresh_batch
from projector.database import locks
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.benchmarks import baseline_rebuild
from tests.benchmarks.core import Row, goal, interleave, milliseconds, seconds
from tests.benchmarks.fixtures import Connection, Database, Fixtures
from tests.benchmarks.staleness import Stale

AREA = "Refresh"
# The goal for many stale leads compares them with a rebuild of so many.
_MANY, _OF = 10_000, 150_000


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    with closing(Stale(fixtures.main)) as main, closing(Stale(fixtures.medium)) as medium:
        yield from _by_size(fixtures, main, medium)
        yield from _many(fixtures, main)
        yield _idle(fixtures, main)
    with fixtures.copy_of(fixtures.main) as copied, closing(Stale(copied)) as spoilt:
        yield _hot_lead(fixtures, spoilt)
        yield from _indexes(fixtures, spoilt)


def _by_size(fixtures: Fixtures, main: Stale, medium: Stale) -> Iterator[Row]:
    """The same refresh in the largest tenant and in the one of medium size."""
    name = f"the same among {fixtures.size.medium:,} leads"
    changes = (
        ("new message", "message", 1, 10),
        ("other score", "extract", 1, 10),
        ("new message", "message", 10, 5),
        ("new message", "message", 1000, 1),
    )
    for title, change, asked, times in changes:
        leads = min(asked, fixtures.size.medium // 2)
        found = interleave(
            fixtures.size.rounds,
            {
                "main": lambda: main.milliseconds(getattr(main, change), leads, times),  # noqa: B023
                "medium": lambda: medium.milliseconds(getattr(medium, change), leads, times),  # noqa: B023
            },
        )
        what = (
            f"refresh of {leads:,} stale lead{'s' if leads > 1 else ''} among {fixtures.size.big:,} ({title})"
        )
        if leads == 1:
            yield Row(
                AREA, what, "ms", found["main"], name, found["medium"], goal("refresh_one"), absolute=True
            )
        yield Row(AREA, what, "ms", found["main"], name, found["medium"], goal("refresh_scale"))


def _many(fixtures: Fixtures, main: Stale) -> Iterator[Row]:
    """Very many stale leads against a rebuild of a right model, and one against a materialized view."""
    leads = min(_MANY, fixtures.size.big // 2)
    with fixtures.main.connect() as conn:
        baseline_rebuild.create_view(conn)
        found = interleave(
            fixtures.size.rounds,
            {
                "many": lambda: main.milliseconds(main.message, leads),
                "rebuild": lambda: 1000 * seconds(lambda: rebuild(conn, tenants=None, progress=QUIET)),
                # A rebuild analyzes the tables, after which every plan is made again: the second refresh counts.
                "one": lambda: [main.milliseconds(main.message, 1) for _ in range(2)][1],
                "view": lambda: (
                    1000 * seconds(lambda: baseline_rebuild.refresh_view(conn, concurrently=True))
                ),
            },
            warm_up=False,
        )
        baseline_rebuild.drop_view(conn)
    # By lead, so that the ratio means the same at every size.
    by_lead = fixtures.size.big / _OF * _MANY / leads
    ratio = found["many"].over(found["rebuild"]).times(by_lead)
    yield Row(
        AREA,
        f"refresh of {leads:,} stale leads (a statement each)",
        "ms",
        found["many"],
        f"rebuild of {fixtures.size.big:,} leads",
        found["rebuild"],
        goal("refresh_many"),
        own_ratio=ratio,
        note=f"ratio brought to {_MANY:,} of {_OF:,}: times {by_lead:.2f}",
    )
    view = "REFRESH MATERIALIZED VIEW CONCURRENTLY (leads only)"
    yield Row(AREA, "refresh of 1 stale lead", "ms", found["one"], view, found["view"])
    yield Row(AREA, f"refresh of {leads:,} stale leads", "ms", found["many"], view, found["view"])


def _idle(fixtures: Fixtures, main: Stale) -> Row:
    found = interleave(
        fixtures.size.rounds,
        {
            "idle": lambda: milliseconds(lambda: refresh_batch(main.refresher, locks.SHARDS), 50),
            "bare": lambda: milliseconds(lambda: _transaction(main.refresher), 50),
        },
    )
    name = "BEGIN, SELECT 1, COMMIT on the same connection"
    what = "refresh with nothing to do"
    return Row(AREA, what, "ms", found["idle"], name, found["bare"], goal("refresh_idle"), absolute=True)


def _transaction(conn: Connection) -> None:
    with conn.transaction():
        conn.execute("SELECT 1")


def _hot_lead(fixtures: Fixtures, spoilt: Stale) -> Row:
    """One new message of a lead that never stops to talk, and of one that has just begun."""
    hot, cool = spoilt.pick(2)
    for conversation_id, wanted in ((hot, fixtures.size.hot), (cool, 10)):
        spoilt.writer.execute("DELETE FROM messages WHERE conversation_id = %s", (conversation_id,))
        spoilt.writer.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status, sequence_no)"
            " SELECT 'benchmark-' || nextval('benchmark.numbers'), %s, 'user', 'And one more question', "
            " now() AT TIME ZONE 'UTC' - interval '1 second' * (%s - n), 'sent', n FROM generate_series(1, %s) AS n",
            (conversation_id, wanted, wanted),
        )
    spoilt.refresh()
    spoilt.writer.execute("VACUUM ANALYZE")
    found = interleave(
        fixtures.size.rounds,
        {"hot": lambda: _message(spoilt, hot), "cool": lambda: _message(spoilt, cool)},
    )
    what = f"new message of a lead with {fixtures.size.hot:,} messages"
    name = "the same of a lead with 10"
    return Row(AREA, what, "ms", found["hot"], name, found["cool"], goal("hot_lead"))


def _message(stale: Stale, conversation_id: str, times: int = 10) -> float:
    total = 0.0
    for _ in range(times):
        stale.message([conversation_id])
        total += 1000 * seconds(stale.refresh)
    return total / times


def _indexes(fixtures: Fixtures, spoilt: Stale) -> Iterator[Row]:
    """A batch of new messages with every index, and without one of them."""
    leads = min(1000, fixtures.size.big // 4)
    for name, definition, size in _secondary_indexes(spoilt.database):

        def without(name: str = name, definition: str = definition) -> float:
            spoilt.writer.execute(f"DROP INDEX read_model.{name}".encode())
            spoilt.milliseconds(spoilt.message, 1)
            taken = spoilt.milliseconds(spoilt.message, leads)
            spoilt.writer.execute(definition.encode())
            return taken

        def with_it() -> float:
            spoilt.milliseconds(spoilt.message, 1)
            return spoilt.milliseconds(spoilt.message, leads)

        found = interleave(fixtures.size.rounds, {"with": with_it, "without": without})
        cost = (found["with"].median - found["without"].median) * 1000 / leads
        yield Row(
            AREA,
            f"refresh of {leads:,} stale leads with {name}",
            "ms",
            found["with"],
            "the same without this index",
            found["without"],
            note=f"{size / 1e6:.1f} MB; {cost:+.1f} µs a lead",
        )


def _secondary_indexes(database: Database) -> list[tuple[str, str, int]]:
    """Name, definition and size of every index that is there for readers alone."""
    with database.connect() as conn:
        return conn.execute(
            "SELECT c.relname::text, pg_get_indexdef(c.oid), pg_relation_size(c.oid) FROM pg_index AS i"
            " JOIN pg_class AS c ON c.oid = i.indexrelid"
            " WHERE c.relnamespace = 'read_model'::regnamespace AND NOT i.indisunique"
            # The refresh itself finds a lead's messages by their index.
            " AND i.indrelid <> 'read_model.lead_messages'::regclass ORDER BY c.relname"
        ).fetchall()
