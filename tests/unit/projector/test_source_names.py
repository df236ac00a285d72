"""Where the platform's tables are: as `migrate` has noted it, or where the login finds them."""

from projector.database.source_names import login_schemas
from tests.support.server import Database


def test_the_schemas_of_the_login_are_read_without_looking_into_them(empty_database: Database) -> None:
    with empty_database.connect() as conn:
        conn.execute("SET search_path = pg_catalog, pg_temp")
        assert login_schemas(conn) == ["public"]
        assert conn.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)
