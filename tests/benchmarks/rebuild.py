"""A first build and rebuilds in place against CREATE TABLE AS and materialized views: seconds, WAL and readers."""

from collections.abc import Callable, Iterator

from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.benchmarks import baseline_rebuild, model_states, readers
from tests.benchmarks.core import Row, Sample, goal, interleave, seconds
from tests.benchmarks.fixtures import Connection, Database, Fixtures
from tests.benchmarks.model_states import Wal

AREA = "Rebuild"
_LEADS_OF_THE_WAL_GOAL = 100_000


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    with fixtures.no_autovacuum(), fixtures.copy_of(fixtures.main) as database:
        yield from _alone(fixtures, database)
        yield from readers.measure(fixtures, database)


def _alone(fixtures: Fixtures, database: Database) -> Iterator[Row]:
    """What a rebuild costs while nothing else runs."""
    right_wal: list[Wal] = []
    changed_wal: list[float] = []
    tables_wal: list[float] = []
    with database.connect() as conn, database.connect() as other, database.connect() as third:
        baseline_rebuild.create_tables(other)
        baseline_rebuild.check(other)
        baseline_rebuild.create_view(third)

        def first() -> float:
            model_states.never_built(other)
            return seconds(lambda: _rebuild(conn))

        def right() -> float:
            model_states.right(other)
            began = model_states.wal_position(other)
            taken = seconds(lambda: _rebuild(conn))
            right_wal.append(model_states.wal_since(other, began))
            return taken

        def changed() -> float:
            model_states.every_document_differs(other)
            return _with_wal(other, changed_wal, lambda: _rebuild(conn))

        def computed() -> float:
            other.execute("CHECKPOINT")
            return _with_wal(other, tables_wal, lambda: baseline_rebuild.create_tables(other))

        found = interleave(
            fixtures.size.rounds,
            {
                "first": first,
                "right": right,
                "changed": changed,
                "computed": computed,
                "copied": lambda: seconds(lambda: baseline_rebuild.create_tables(other, finished=True)),
                "view": lambda: seconds(lambda: baseline_rebuild.refresh_view(third, concurrently=False)),
                "concurrently": lambda: seconds(
                    lambda: baseline_rebuild.refresh_view(third, concurrently=True)
                ),
            },
            warm_up=False,
        )
        baseline_rebuild.drop(other)
        baseline_rebuild.drop_view(other)
    yield from _durations(found)
    scale = _LEADS_OF_THE_WAL_GOAL / fixtures.size.big
    yield from _wal(right_wal, Sample(tuple(changed_wal)), Sample(tuple(tables_wal)), scale)


def _rebuild(conn: Connection) -> None:
    rebuild(conn, tenants=None, progress=QUIET)


def _with_wal(conn: Connection, wal: list[float], work: Callable[[], object]) -> float:
    began = model_states.wal_position(conn)
    taken = seconds(work)
    wal.append(model_states.megabytes_since(conn, began))
    return taken


def _durations(found: dict[str, Sample]) -> Iterator[Row]:
    leads_only = "the view has neither messages nor statistics"
    whats = {
        "first": "first build",
        "right": "rebuild of a right model",
        "changed": "rebuild where every document differs",
    }
    goals = {"first": "first_build", "right": "rebuild_right", "changed": "rebuild_changed"}
    for arm, what in whats.items():
        name = "CREATE TABLE AS + indexes, computed from the source"
        yield Row(AREA, what, "s", found[arm], name, found["computed"], goal(goals[arm]))
    for name, title, note in (
        ("copied", "CREATE TABLE AS + indexes, finished rows copied", "no work but the writing"),
        ("view", "REFRESH MATERIALIZED VIEW", leads_only),
        ("concurrently", "REFRESH MATERIALIZED VIEW CONCURRENTLY", leads_only),
    ):
        arm = "first" if name == "copied" else "right"
        yield Row(AREA, whats[arm], "s", found[arm], title, found[name], note=note)


def _wal(right: list[Wal], changed: Sample, tables: Sample, scale: float) -> Iterator[Row]:
    name = "WAL of CREATE TABLE AS + indexes"
    baseline = tables.times(scale)
    yield Row(
        AREA,
        "WAL of a rebuild of a right model, for 100,000 leads",
        "MB",
        Sample(tuple(wal.records * scale for wal in right)),
        name,
        baseline,
        goal("rebuild_wal"),
        absolute=True,
        note=f"without {max(wal.images * scale for wal in right):.1f} MB of full-page images at most",
    )
    what = "WAL of a rebuild where every document differs, for 100,000 leads"
    yield Row(AREA, what, "MB", changed.times(scale), name, baseline, note="full-page images included")
