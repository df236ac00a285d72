"""The tenants that a page offers: the first ones, one more than it lists, and nothing else about them."""

import orjson

from api.app import create_app
from api.config import Config
from api.database.pool import Database as ApiDatabase
from api.database.statement import compile_statement
from api.plan.projection import FIRST_TENANTS, MOST_LISTED
from tests.support.server import Database


def listed(database: Database) -> list[str]:
    opened = ApiDatabase(Config(database.url))
    try:
        found: list[str] = orjson.loads(opened.fetch(FIRST_TENANTS).user_ids)
    finally:
        opened.close()
    return found


def test_no_more_than_a_page_can_offer_and_one(database: Database) -> None:
    with database.connect() as conn:
        conn.execute(
            "INSERT INTO read_model.tenants (user_id)"
            " SELECT 't' || lpad(n::text, 5, '0') FROM generate_series(1, 20000) AS n"
        )
        conn.execute("VACUUM (ANALYZE) read_model.tenants")
        text = compile_statement(FIRST_TENANTS).text
        plan = "\n".join(str(line) for (line,) in conn.execute(b"EXPLAIN (ANALYZE, TIMING OFF) " + text))
    assert "tenants_pkey" in plan
    assert f"rows={MOST_LISTED + 1}" in plan
    assert "rows=20000 loops" not in plan
    found = listed(database)
    assert found == [f"t{number:05}" for number in range(1, MOST_LISTED + 2)]


def test_ids_come_as_they_are(database: Database) -> None:
    hostile = sorted(['"', "</script>", "\\", "\x01", "מ", "<b>"], key=str.encode)
    with database.connect() as conn:
        conn.execute("INSERT INTO read_model.tenants (user_id) SELECT unnest(%s::text[])", (hostile,))
    assert listed(database) == hostile
    app = create_app(Config(database.url, rate_limit="", log_level="ERROR"))
    text = app.test_client().get("/").get_data(as_text=True)
    app.extensions["leads"].database.close()
    assert '<option value="&#34;">&#34;</option>' in text
    assert '<option value="&lt;/script&gt;">' in text
    assert "<b>" not in text
