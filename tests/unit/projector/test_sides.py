"""On which connection a statement of either side runs."""

import psycopg
import pytest

from projector.sides import on_read_model, side_of
from tests.support.server import Database
from tests.unit.projector.recovering import Connection


def test_one_server_has_both_sides(connection: Connection) -> None:
    assert on_read_model(connection) is connection
    for table in ("read_model.leads", "projector.source_keys", "leads_access.api_keys"):
        assert side_of(connection, table) is connection


def test_a_connection_that_is_not_ours_has_no_sides(database: Database) -> None:
    with psycopg.connect(database.url) as foreign, pytest.raises(TypeError, match="use projector"):
        on_read_model(foreign)
