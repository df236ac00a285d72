"""A rebuild against CREATE TABLE AS and materialized views, its memory, and the WAL of a heal."""

from collections.abc import Iterator

from projector.progress import QUIET
from projector.rebuild import rebuild
from tests.benchmarks import baseline_rebuild
from tests.benchmarks.core import Row, goal, interleave, seconds
from tests.benchmarks.fixtures import Connection, Fixtures

AREA = "Rebuild"


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    with fixtures.main.connect() as conn, fixtures.main.connect() as other, fixtures.main.connect() as third:
        baseline_rebuild.create_tables(other)
        _check(other)
        baseline_rebuild.create_view(third)
        found = interleave(
            fixtures.size.rounds,
            {
                "ours": lambda: seconds(lambda: rebuild(conn, tenants=None, progress=QUIET)),
                "computed": lambda: seconds(lambda: baseline_rebuild.create_tables(other)),
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
    what = "rebuild of everything, alone"
    leads_only = "the view has neither messages nor statistics"
    for name, title, note in (
        ("computed", "CREATE TABLE AS + indexes, computed from the source", ""),
        ("copied", "CREATE TABLE AS + indexes, finished rows copied", "no work but the writing"),
        ("view", "REFRESH MATERIALIZED VIEW", leads_only),
        ("concurrently", "REFRESH MATERIALIZED VIEW CONCURRENTLY", leads_only),
    ):
        wanted = goal("rebuild") if name == "computed" else None
        yield Row(AREA, what, "s", found["ours"], title, found[name], wanted, note=note)


def _check(conn: Connection) -> None:
    """The baseline is none unless it has the same rows."""
    for name in baseline_rebuild.parts():
        columns = "*" if name != "leads" else "user_id, customer_phone, document::jsonb"
        query = (
            f"SELECT (SELECT count(*) FROM (SELECT {columns} FROM read_model.{name}"
            f" EXCEPT SELECT {columns} FROM {baseline_rebuild.SCHEMA}.{name}) AS ours)"
            f" + (SELECT count(*) FROM (SELECT {columns} FROM {baseline_rebuild.SCHEMA}.{name}"
            f" EXCEPT SELECT {columns} FROM read_model.{name}) AS theirs)"
        )
        row = conn.execute(query.encode()).fetchone()
        if row is None or row[0]:
            raise AssertionError(f"CREATE TABLE AS and the read model differ in {name}: {row}")
