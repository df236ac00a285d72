"""What the reader of SELECT lists makes of SQL."""

import pytest

from tests.rules.files import ROOT
from tests.rules.select_lists import (
    UnnamedColumnError,
    columns_read,
    output_columns,
    parse,
    sub_select,
    table_columns,
)

BASELINE = ROOT / "tests" / "benchmarks" / "sql"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT a, b FROM t", ["a", "b"]),
        ("SELECT t.a, coalesce(t.b, t.c, 'x, y') AS b FROM t", ["a", "b"]),
        ("SELECT DISTINCT ON (a, b) a, b AS c FROM t", ["a", "c"]),
        ("SELECT DISTINCT a FROM t", ["a"]),
        ("SELECT a IS DISTINCT FROM b AS differs, c FROM t", ["differs", "c"]),
        ("WITH x AS (SELECT 1 AS no) SELECT ARRAY[1, 2] AS yes FROM x", ["yes"]),
        ('INSERT INTO {t} (p, q)\nSELECT "a", -- not this, nor that\n {s}.b FROM {s}', ["a", "b"]),
        ("SELECT CASE WHEN a THEN b END AS c, (SELECT max(d) FROM u) AS e", ["c", "e"]),
        ("SELECT a FROM t UNION ALL SELECT b FROM u", ["a"]),
    ],
)
def test_the_columns_of_a_select(text: str, columns: list[str]) -> None:
    assert output_columns(parse(text)) == columns


@pytest.mark.parametrize("item", ["t.*", "a IS NOT NULL", "coalesce(a, b)", "1"])
def test_a_column_without_a_name_is_refused(item: str) -> None:
    with pytest.raises(UnnamedColumnError, match="AS name"):
        output_columns(parse(f"SELECT {item} FROM t"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT c.a FROM contacts AS c", {"contacts": {"a"}}),
        ("SELECT c.a FROM contacts c WHERE c.b", {"contacts": {"a", "b"}}),
        ("SELECT contacts.a FROM public.contacts", {"contacts": {"a"}}),
        ("SELECT p.a FROM {lead_profiles} AS p", {"{lead_profiles}": {"a"}}),
        (
            "SELECT (SELECT x.a FROM one AS x), (SELECT x.b FROM two AS x WHERE x.c = y.d) FROM three AS y",
            {"one": {"a"}, "two": {"b", "c"}, "three": {"d"}},
        ),
        ("SELECT x.a FROM one AS x UNION SELECT x.b FROM two AS x", {"one": {"a"}, "two": {"b"}}),
        ("SELECT x.a FROM (SELECT s.b AS a FROM one AS s OFFSET 0) AS x", {"one": {"b"}}),
        ("SELECT y.a FROM one AS x LEFT JOIN LATERAL (SELECT x.b) AS y ON true", {"one": {"b"}}),
        ("SELECT c.a FROM one JOIN contacts AS c ON c.b = one.d", {"contacts": {"a", "b"}, "one": {"d"}}),
    ],
)
def test_the_columns_that_are_read(text: str, found: dict[str, set[str]]) -> None:
    assert columns_read(parse(text)) == found


def test_a_sub_select_is_found_by_its_alias() -> None:
    tree = parse("SELECT 1 FROM (SELECT 2 AS a) AS x CROSS JOIN LATERAL (SELECT 3 AS b, (4) AS c) AS printed")
    assert output_columns(sub_select(tree, "printed")) == ["b", "c"]
    with pytest.raises(LookupError, match="called summary"):
        sub_select(tree, "summary")


def test_the_columns_of_a_table() -> None:
    tree = parse(
        "CREATE TABLE IF NOT EXISTS s.t (a text NOT NULL, b numeric(1, 2), CONSTRAINT t_pkey PRIMARY KEY (a, b));"
        " CREATE INDEX ON s.t (c); ALTER TABLE s.t ADD COLUMN IF NOT EXISTS d text; ALTER TABLE s.u ADD COLUMN e text;"
    )
    assert table_columns(tree, "s", "t") == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("file", "table"), [("30_lead_profiles.sql", "lead_profiles"), ("40_leads.sql", "leads")]
)
def test_long_statements_are_read(file: str, table: str) -> None:
    schema = parse((ROOT / "schema.sql").read_text("utf-8"))
    given = output_columns(parse((BASELINE / file).read_text("utf-8")))
    # The baseline of the benchmark need not have what was added since.
    assert len(given) > 10
    assert set(given) <= set(table_columns(schema, "read_model", table))
