"""Parts of SQL that several statements share, as PostgreSQL runs them."""

from typing import NamedTuple

import orjson
import pytest
from sqlalchemy import column as named
from sqlalchemy import literal_column, select, values

from api.database.pool import Database
from api.database.statement import BoundStatement
from api.plan.sql import LimitOffset, PageRows, constant, json_members, sum_of, with_page
from tests.unit.api.conftest import Library, MakeApp


class HeadRow(NamedTuple):
    head: int
    page: list[bytes]


@pytest.fixture
def api(library: Library, make_app: MakeApp) -> Database:
    opened: Database = make_app(library.database).extensions["leads_database"]
    return opened


def test_a_page_is_the_rows_after_the_first_in_their_order(api: Database) -> None:
    one, other = (
        select(literal_column(text).label("t")).subquery(f"s{number}")
        for number, text in enumerate(("'b'::text", "'a'::text"))
    )
    nothing = select(literal_column("NULL::text").label("t")).subquery("nothing")
    parts = [PageRows(rows, rows.c.t) for rows in (one, nothing, other)]
    statement = with_page([literal_column("7").label("head")], parts)
    assert api.fetch(BoundStatement(statement, HeadRow, {})) == HeadRow(7, [b"b", b"a"])


def test_json_members_print_null_and_escape_texts(api: Database) -> None:
    text = json_members(
        a=literal_column("NULL::text"), b=literal_column("chr(34) || chr(10)"), c=literal_column("1")
    )
    printed = select(text.label("t")).subquery("s")
    statement = with_page([literal_column("0").label("head")], [PageRows(printed, printed.c.t)])
    [page] = api.fetch(BoundStatement(statement, HeadRow, {})).page
    assert page.startswith(b'"a":null,"b":')
    assert orjson.loads(b"{%b}" % page) == {"a": None, "b": '"\n', "c": 1}


class SumRow(NamedTuple):
    all: int
    some: int
    none: int


def test_a_sum_of_no_rows_is_0(api: Database) -> None:
    rows = values(named("n"), name="rows").data([(literal_column("3"),), (literal_column("4"),)])
    statement = select(
        sum_of(rows.c.n).label("all"),
        sum_of(rows.c.n, rows.c.n > constant(3)).label("some"),
        sum_of(rows.c.n, rows.c.n > constant(4)).label("none"),
    )
    assert api.fetch(BoundStatement(statement, SumRow, {})) == SumRow(7, 4, 0)


@pytest.mark.parametrize(("offset", "text"), [(None, "LIMIT 2"), (constant(3), "LIMIT 2 OFFSET 3")])
def test_the_rows_of_an_order(offset: object, text: str) -> None:
    cut = LimitOffset(constant(2), offset)  # type: ignore[arg-type]
    assert text in " ".join(str(cut.of(select(literal_column("1")))).split())
