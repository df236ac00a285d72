"""A rebuild against CREATE TABLE AS and materialized views, its memory, and the WAL of a heal."""

from collections.abc import Iterator

from projector.progress import QUIET
from projector.rebuild import rebuild
from tests.benchmarks import anew
from tests.benchmarks.core import Row, goal, interleave, seconds
from tests.benchmarks.setting import Connection, Setting

AREA = "Rebuild"


def measure(setting: Setting) -> Iterator[Row]:
    """The rows of this area."""
    with setting.main.connect() as conn, setting.main.connect() as other:
        anew.create_tables(other)
        _check(other)
        found = interleave(
            setting.size.rounds,
            {
                "ours": lambda: seconds(lambda: rebuild(conn, tenants=None, progress=QUIET)),
                "computed": lambda: seconds(lambda: anew.create_tables(other)),
                "copied": lambda: seconds(lambda: anew.create_tables(other, finished=True)),
            },
        )
        what = "rebuild of everything, alone"
        computed = "CREATE TABLE AS + indexes, computed from the source"
        yield Row(AREA, what, "s", found["ours"], computed, found["computed"], goal("rebuild"))
        copied = "CREATE TABLE AS + indexes, finished rows copied"
        yield Row(AREA, what, "s", found["ours"], copied, found["copied"], note="no work but the writing")
        anew.create_view(other)
        found = interleave(
            setting.size.rounds,
            {
                "ours": lambda: seconds(lambda: rebuild(conn, tenants=None, progress=QUIET)),
                "view": lambda: seconds(lambda: anew.refresh_view(other, concurrently=False)),
                "concurrently": lambda: seconds(lambda: anew.refresh_view(other, concurrently=True)),
            },
            warm_up=False,
        )
        for name, title in (("view", ""), ("concurrently", " CONCURRENTLY")):
            yield Row(
                AREA,
                what,
                "s",
                found["ours"],
                f"REFRESH MATERIALIZED VIEW{title} (leads only)",
                found[name],
                note="the view has neither messages nor statistics",
            )
        anew.drop(other)


def _check(conn: Connection) -> None:
    """The baseline is none unless it has the same rows."""
    for name in anew.parts():
        columns = "*" if name != "leads" else "user_id, customer_phone, document::jsonb"
        query = (
            f"SELECT (SELECT count(*) FROM (SELECT {columns} FROM read_model.{name}"
            f" EXCEPT SELECT {columns} FROM {anew.SCHEMA}.{name}) AS ours)"
            f" + (SELECT count(*) FROM (SELECT {columns} FROM {anew.SCHEMA}.{name}"
            f" EXCEPT SELECT {columns} FROM read_model.{name}) AS theirs)"
        )
        row = conn.execute(query.encode()).fetchone()
        if row is None or row[0]:
            raise AssertionError(f"CREATE TABLE AS and the read model differ in {name}: {row}")
