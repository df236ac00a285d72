"""The loader of the SQL: headers, placeholders, named queries, and the digest of the definition."""

from collections.abc import Callable
from pathlib import Path

import pytest

from projector.database import sql
from projector.database.schema import table_columns
from projector.database.sql import _PLACEHOLDER, _digest, _queries

Write = Callable[[str, str], None]

LOADERS = (sql.steps, sql.functions, sql.query, _queries)
COUNTS = ("lead_counts", "lead_daily_counts", "lead_totals")


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


def texts(folder: str) -> list[str]:
    return [one.text.decode() for one in sql.steps(folder)]


def test_steps_are_in_the_order_of_their_numbers(write: Write) -> None:
    for name in ("20_second", "10_first", "30_third"):
        write(f"work/{name}", f"-- What it does.\nSELECT '{name}';\n")
    assert [one.name for one in sql.steps("work")] == ["work/10_first", "work/20_second", "work/30_third"]
    assert texts("work")[0] == "SELECT '10_first';"
    assert [one.name for one in sql.steps("work/20_second")] == ["work/20_second"]


def test_a_step_without_headers_runs_always_and_names_nothing(write: Write) -> None:
    write("work/10_one", "-- It says: when, for and with are words too.\nSELECT 1;\n")
    one = sql.step("work/10_one")
    assert (one.when, one.returns_conditions, one.point, one.analyzes, one.takes_parameters) == (
        None,
        False,
        None,
        None,
        False,
    )


def test_headers_are_read(write: Write) -> None:
    write(
        "work/10_one",
        "-- Do it.\n--\n-- when: needed\n-- returns: conditions\n-- point: done\n-- analyze: read_model.leads\n"
        "SELECT %(size)s;\n",
    )
    one = sql.step("work/10_one")
    assert one.when == "needed"
    assert one.returns_conditions
    assert one.point == "done"
    assert one.analyzes == "read_model.leads"
    assert one.takes_parameters
    assert one.text == b"SELECT %(size)s;"


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
        sql.step("work/10_add")


def test_a_definition_is_put_in_without_comments_wherever_its_folder_is(write: Write) -> None:
    write("definition/rows", "-- Reads staged.\nSELECT r.*\nFROM ({definition.more}) AS r\n-- As they are.\n")
    write("definition/folder/more", "SELECT m.* FROM staged AS m {fence}\n")
    write("work/10_one", "WITH staged AS (SELECT 1) SELECT ({definition.rows});\n")
    [text] = texts("work")
    assert text == (
        "WITH staged AS (SELECT 1) SELECT (SELECT r.*\nFROM (SELECT m.* FROM staged AS m OFFSET 0\n) AS r\n);"
    )
    assert sql.definition("more", fence="") == "SELECT m.* FROM staged AS m \n"


def test_the_caller_may_leave_out_the_fence(write: Write) -> None:
    write("work/10_one", "SELECT 1 {fence};\n")
    assert texts("work") == ["SELECT 1 OFFSET 0;"]
    [one] = sql.steps("work", fence="")
    assert one.text == b"SELECT 1 ;"


def test_the_caller_gives_the_names_that_a_query_leaves_open(write: Write) -> None:
    write("queries/things", "-- What things ask.\n\n-- name: count\nSELECT count(*) FROM {table};\n")
    assert sql.query("things", "count", table="a.b") == "SELECT count(*) FROM a.b;"
    with pytest.raises(LookupError, match=r"\{table\} means nothing"):
        sql.query("things", "count")


@pytest.mark.parametrize(
    ("placeholder", "meaning"),
    [
        ("{columns.source_keys}", "kind, key, user_id, customer_phone"),
        ("{columns.source_keys of k}", "k.kind, k.key, k.user_id, k.customer_phone"),
        ("{key.source_keys}", "kind, key"),
        ("{values.source_keys of k}", "k.user_id, k.customer_phone"),
        ("{lookup.lead_daily_counts of s}", "s.user_id, s.day"),
        ("{updates.source_keys}", "user_id = excluded.user_id, customer_phone = excluded.customer_phone"),
        ("{additions.lead_counts of s}", "leads = s.leads + excluded.leads"),
        ("{zeros.lead_counts}", "0"),
        ("{sums.lead_counts of found}", "coalesce(sum(side.leads) FILTER (WHERE side.found), 0)"),
        ("{key_texts.source_keys of k}", "k.kind::text, k.key::text"),
    ],
)
def test_placeholders_name_columns_of_the_schema(write: Write, placeholder: str, meaning: str) -> None:
    write("work/10_one", f"SELECT {placeholder};\n")
    assert texts("work") == [f"SELECT {meaning};"]


@pytest.mark.parametrize("placeholder", ["{messages}", "{message.leads}", "{coloumns.leads of l}"])
def test_an_unknown_placeholder_is_an_error_that_names_it(write: Write, placeholder: str) -> None:
    write("work/10_one", f"SELECT {placeholder};\n")
    with pytest.raises(LookupError) as raised:
        sql.steps("work")
    assert placeholder in str(raised.value)


def test_an_unknown_table_or_definition_is_an_error_that_names_it(write: Write) -> None:
    write("work/10_one", "SELECT {columns.no_table};\n")
    with pytest.raises(LookupError, match="no_table"):
        sql.steps("work")
    write("work/10_one", "SELECT ({definition.no_definition});\n")
    with pytest.raises(LookupError, match="no_definition"):
        sql.steps("work")


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match=r"no step sql/refresh/5_nothing\.sql"):
        sql.steps("refresh/5_nothing")


def test_named_queries_are_read_without_comments(write: Write) -> None:
    write(
        "queries/things",
        "-- What things ask.\n\n-- name: first\n-- Returns: one.\nSELECT 1;\n\n"
        "-- name: second\nSELECT\n    -- Two.\n    2;\n",
    )
    assert sql.query("things", "first") == "SELECT 1;"
    assert sql.query("things", "second") == "SELECT\n    2;"
    with pytest.raises(LookupError, match=r"queries/things\.sql has no query named third"):
        sql.query("things", "third")


def test_two_queries_of_one_name_are_an_error(write: Write) -> None:
    write("queries/things", "-- name: first\nSELECT 1;\n-- name: first\nSELECT 2;\n")
    with pytest.raises(ValueError, match=r"things\.sql has two queries of one name"):
        sql.query("things", "first")


def test_the_digest_changes_with_a_definition_and_its_name_only(write: Write) -> None:
    write("definition/leads", "-- Leads.\nSELECT a\nFROM b;\n")
    before = _digest()
    assert len(before) == 12
    for same in ("-- Other words.\nSELECT a\nFROM b;\n", "SELECT a -- at the end\n\n    FROM b;"):
        write("definition/leads", same)
        assert _digest() == before
    write("refresh/10_step", "SELECT 1;\n")
    assert _digest() == before
    write("definition/leads", "SELECT a, c\nFROM b;\n")
    assert _digest() != before
    write("definition/leads", "SELECT a\nFROM b;\n")
    assert _digest() == before
    write("definition/more", "")
    assert _digest() != before


def test_the_projection_version_is_the_digest_of_the_definition() -> None:
    assert _digest() == sql.PROJECTION_VERSION


@pytest.mark.parametrize(
    "folder",
    sorted(
        {
            str(file.parent.relative_to(sql.ROOT / "sql"))
            for area in ("refresh", "sweep")
            for file in sql.ROOT.glob(f"sql/{area}/**/*.sql")
        }
    ),
)
def test_every_step_of_the_project_is_complete(folder: str) -> None:
    for one in sql.steps(folder):
        assert one.text
        left = [match[0] for match in _PLACEHOLDER.finditer(one.text.decode())]
        assert left == [], one.name


@pytest.mark.parametrize(
    "file", sorted((sql.ROOT / "sql" / "queries").glob("*.sql")), ids=lambda file: file.stem
)
def test_every_query_of_the_project_can_be_read(file: Path) -> None:
    assert file.read_text("utf-8").startswith("-- ")
    for name, text in _queries(file.stem).items():
        assert text.rstrip().endswith(";"), name


@pytest.mark.parametrize("table", COUNTS)
def test_steps_that_write_name_all_columns(table: str) -> None:
    [one] = [one for one in sql.steps("sweep/first_build/70_build_statistics") if one.name.endswith(table)]
    for column in table_columns(table):
        assert f"d.{column}".encode() in one.text
