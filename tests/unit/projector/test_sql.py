"""The loader of the SQL: headers, placeholders, named queries, and the digest of the definition."""

from collections.abc import Callable
from pathlib import Path

import pytest

from projector.database import sql
from projector.database.sql import _queries
from tests.support.cases import cases

Write = Callable[[str, str], None]

LOADERS = (sql.steps, sql.functions, sql.query, _queries)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes files below a folder `sql/` that the loader reads instead of the project's."""
    monkeypatch.setattr(sql, "ROOT", tmp_path)
    for loader in LOADERS:
        monkeypatch.setattr(sql, loader.__name__, loader.__wrapped__)

    def write_file(name: str, text: str) -> None:
        file = tmp_path / "sql" / f"{name}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write_file


def test_a_step_for_several_tables_is_one_for_each_and_its_point_comes_after_the_last(write: Write) -> None:
    write(
        "work/10_add",
        "-- for: lead_counts lead_totals\n-- point: added\n-- when: moved\n"
        "INSERT INTO read_model.{table} ({columns.table}) SELECT {values.table of d};\n",
    )
    first, second = sql.steps("work")
    assert (first.name, second.name) == ("work/10_add lead_counts", "work/10_add lead_totals")
    assert (first.point, second.point) == (None, "added")
    assert first.when == second.when == "moved"
    assert first.text.startswith(b"INSERT INTO read_model.lead_counts (user_id, lead_status, ")
    assert first.text.endswith(b"SELECT d.leads;")
    with pytest.raises(ValueError, match="too many values"):
        sql.statement("work/10_add")


@cases(
    ("text", "expected"),
    [
        ("SELECT {messages};", "{messages}"),
        ("SELECT {message.leads};", "{message.leads}"),
        ("SELECT {coloumns.leads of l};", "{coloumns.leads of l}"),
        ("SELECT {columns.no_table};", "no_table"),
        ("SELECT ({definition.no_definition});", "no_definition"),
        (None, "no step sql/work/20_none.sql"),
    ],
)
def test_what_the_loader_cannot_put_in_is_named(write: Write, text: str | None, expected: str) -> None:
    write("work/10_one", text or "SELECT 1;")
    with pytest.raises(LookupError) as raised:
        sql.steps("work/20_none" if text is None else "work")
    assert expected in str(raised.value)


def test_a_query_that_is_not_there_is_named_and_so_is_what_it_leaves_open(write: Write) -> None:
    write("queries/things", "-- name: count\nSELECT count(*) FROM {table};\n")
    with pytest.raises(LookupError, match=r"queries/things\.sql has no query named third"):
        sql.query("things", "third")
    with pytest.raises(LookupError, match=r"\{table\} means nothing"):
        sql.query("things", "count")
    write("queries/things", "-- name: first\nSELECT 1;\n-- name: first\nSELECT 2;\n")
    with pytest.raises(ValueError, match=r"things\.sql has two queries of one name"):
        sql.query("things", "first")
