"""The statement of the numbers by day or hour."""

import orjson

from api.database.pool import Database as ApiDatabase
from api.database.statement import compile_statement
from api.plan.series import lead_series
from api.request.series import SERIES_QUERY
from tests.unit.api.plan.conftest import USER, Connection


def test_days_and_hours_are_two_statements() -> None:
    read = (SERIES_QUERY.read(f"date=2026-03-29{by}") for by in ("", "&by=day", "&by=hour"))
    days, same, hours = (compile_statement(lead_series(USER, parameters)).text for parameters in read)
    assert days == same != hours


def test_the_numbers_are_those_of_the_leads(api: ApiDatabase, leads: Connection) -> None:
    parameters = SERIES_QUERY.read("from_date=2026-02-17&to_date=2026-04-01")
    buckets = orjson.loads(b"[%b]" % b",".join(api.fetch(lead_series(USER, parameters)).page))
    assert [bucket["start"] for bucket in buckets] == sorted(bucket["start"] for bucket in buckets)
    assert len(buckets) == 44
    for kind, column in (("active", "last_message_at"), ("new", "first_contact_at")):
        counted: dict[str, int] = dict(
            leads.execute(
                f"SELECT to_char({column}, 'YYYY-MM-DD'), count(*) FROM read_model.leads WHERE user_id = %s"
                f" AND {column} >= '2026-02-17Z' AND {column} < '2026-04-02Z' GROUP BY 1".encode(),
                (USER,),
            ).fetchall()
        )
        found = {bucket["start"][:10]: bucket[kind]["leads"] for bucket in buckets if bucket[kind]["leads"]}
        assert found == counted
        assert kind == "new" or counted
