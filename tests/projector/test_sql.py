"""The loader of definitions, steps and named queries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projector import sql

QUERIES = sorted(path.stem for path in (sql.ROOT / "sql" / "queries").glob("*.sql"))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in the place of `sql/`."""
    monkeypatch.setattr(sql, "ROOT", tmp_path)
    for cached in (sql.steps, sql._queries):  # noqa: SLF001  # What was read of the real folder would be found.
        cached.cache_clear()
    yield tmp_path / "sql"
    for cached in (sql.steps, sql._queries):  # noqa: SLF001
        cached.cache_clear()


def write(root: Path, name: str, text: str) -> None:
    path = root / f"{name}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("module", QUERIES)
def test_each_query_of_a_module_can_be_read(module: str) -> None:
    names = sql._queries(module)  # noqa: SLF001  # There is no other list of them.
    assert names
    for name, text in names.items():
        assert sql.query(module, name) == text
        assert "--" not in text


def test_a_query_that_does_not_exist_is_named() -> None:
    with pytest.raises(LookupError, match=r"sql/queries/status\.sql has no query named nothing"):
        sql.query("status", "nothing")


def test_two_queries_of_one_name_are_refused(root: Path) -> None:
    write(root, "queries/m", "-- What.\n\n-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n")
    with pytest.raises(ValueError, match="two queries of one name"):
        sql.query("m", "a")


def test_steps_come_in_the_order_of_their_files(root: Path) -> None:
    write(root, "run/20_second", "SELECT 2")
    write(root, "run/10_first", "-- A comment.\n-- when: needed\nSELECT %(one)s")
    first, second = sql.steps("run")
    assert (first.name, first.text, first.when, first.takes_parameters) == (
        "run/10_first",
        b"SELECT %(one)s",
        "needed",
        True,
    )
    assert (second.text, second.when, second.takes_parameters) == (b"SELECT 2", None, False)
    assert sql.step("run/20_second").text == b"SELECT 2"


def test_a_step_that_does_not_exist_is_named(root: Path) -> None:
    write(root, "run/10_first", "SELECT 1")
    with pytest.raises(LookupError, match="no step sql/walk"):
        sql.steps("walk")


def test_a_step_for_several_tables_is_several_steps(root: Path) -> None:
    write(
        root,
        "run/10_write",
        "-- for: leads lead_profiles\nDELETE FROM {table} USING x WHERE ({key.table}) = 1",
    )
    names = [step.name for step in sql.steps("run")]
    assert names == ["run/10_write leads", "run/10_write lead_profiles"]
    assert sql.steps("run")[0].text == b"DELETE FROM leads USING x WHERE (user_id, customer_phone) = 1"


def test_a_definition_is_put_in_where_a_step_names_it(root: Path) -> None:
    write(root, "definition/leads", "-- What a lead is.\nSELECT p.a FROM {lead_profiles} AS p")
    write(root, "run/10_write", "-- with lead_profiles = stage_profiles\nINSERT INTO s {definition.leads}")
    assert sql.step("run/10_write").text == b"INSERT INTO s SELECT p.a FROM stage_profiles AS p"


def test_a_placeholder_without_a_meaning_is_named(root: Path) -> None:
    write(root, "run/10_write", "SELECT 1 FROM {nothing}")
    with pytest.raises(LookupError, match="-- with nothing ="):
        sql.steps("run")


@pytest.mark.parametrize(
    ("text", "is_another"),
    [
        ("-- Another comment.\nSELECT  1\n  AS a", False),
        ("SELECT 2 AS a", True),
    ],
)
def test_the_projection_version_is_a_digest_of_the_definition(
    root: Path, text: str, *, is_another: bool
) -> None:
    write(root, "definition/leads", "-- A comment.\nSELECT 1 AS a\n")
    before = sql._digest()  # noqa: SLF001  # It is read once, when the module is imported.
    write(root, "definition/leads", text)
    assert (sql._digest() != before) is is_another  # noqa: SLF001


def test_the_name_of_a_definition_is_part_of_the_version(root: Path) -> None:
    write(root, "definition/leads", "SELECT 1 AS a")
    before = sql._digest()  # noqa: SLF001
    (root / "definition" / "leads.sql").rename(root / "definition" / "others.sql")
    assert sql._digest() != before  # noqa: SLF001
