"""Parts of SQL that several statements share, as PostgreSQL runs them."""

from typing import NamedTuple

import pytest
from sqlalchemy import literal_column, select

from api.database.pool import Database
from api.database.statement import BoundStatement
from api.plan.sql import LimitOffset, PageRows, constant, with_page
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp


class HeadRow(NamedTuple):
    head: int
    page: list[bytes]


@pytest.fixture
def api(library: Library, make_app: MakeApp) -> Database:
    opened: Database = make_app(library.database).extensions["leads"].database
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


@cases(("offset", "text"), [(None, "LIMIT 2"), (constant(3), "LIMIT 2 OFFSET 3")])
def test_the_rows_of_an_order(offset: object, text: str) -> None:
    cut = LimitOffset(constant(2), offset)  # type: ignore[arg-type]
    assert text in " ".join(str(cut.of(select(literal_column("1")))).split())
