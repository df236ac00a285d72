"""What the history of statuses costs: reads of it against a look at each row, and what is written for it.

Refreshes and first builds are compared with those of a mapping whose extractions have no status, so that no lead has a
history. Their extractions are read and ordered all the same.
"""

from collections.abc import Iterator
from datetime import timedelta

from api.plan.history import history_of_lead, lead_funnel
from api.request.query import QUERIES
from projector.capture.texts import Texts, default_mapping
from projector.operate.install import migrate
from tests.benchmarks import statements
from tests.benchmarks.core import Row
from tests.benchmarks.fixtures import Bench
from tests.benchmarks.refresh import Compared
from tests.benchmarks.statements import Reader, listed
from tests.support.running import value

_CHANGES = "read_model.lead_status_changes WHERE user_id = %s"
_MATCHES = 1000
_STATUS = "e.lead_status_tag"


def measure(bench: Bench) -> Iterator[Row]:
    user_id = bench.main.tenants["big"]
    with statements.reader(bench.main) as reader, statements.reader(bench.main) as owner:
        reader.connection.execute("SET ROLE leads_api")
        longest = f"SELECT customer_phone FROM {_CHANGES} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
        phone = str(value(owner.connection, longest, user_id))
        ours = reader.arm(history_of_lead(user_id, phone, QUERIES["getLeadHistory"].read("")), 50)
        theirs = owner.bare(f"SELECT * FROM {_CHANGES} AND customer_phone = %s", user_id, phone, times=50)
        yield bench.compare(
            "history of the lead with the longest", "ms", ours, "its rows", theirs, "history_lead"
        )
        yield from _funnels(bench, reader, owner, user_id)
        yield _became(bench, reader, owner, user_id)
    with (
        bench.no_autovacuum(),
        bench.database("with_history", bench.main) as with_,
        bench.database("without_history", bench.main) as without,
    ):
        files = dict(default_mapping().files)
        files["extractions"] = files["extractions"].replace(_STATUS, f"NULL::text AS {_STATUS[2:]}")
        with without.connect() as conn:
            migrate(conn, create_source=False, mapping=Texts(files))
        compared = Compared(
            bench, with_, without, "with its history of statuses", "a mapping without a status", "history"
        )
        yield from compared.builds()
        yield from compared.refreshes()


def _funnels(bench: Bench, reader: Reader, owner: Reader, user_id: str) -> Iterator[Row]:
    newest = value(
        owner.connection, "SELECT max(first_contact_at) FROM read_model.leads WHERE user_id = %s", user_id
    )
    month = newest - timedelta(days=30)
    for what, query, goal, start in (
        ("funnel of all leads", "", "history_funnel", "-infinity"),
        ("funnel of a month", f"from_date={month:%Y-%m-%d}", "history_month", f"{month:%Y-%m-%d}Z"),
        ("funnel of all leads by platform", "by=platform", "", "-infinity"),
        ("funnel of all leads by agent", "by=agent", "", "-infinity"),
    ):
        counting = "SELECT count(*) FROM read_model.leads WHERE user_id = %s AND first_contact_at >= %s"
        ours = reader.arm(lead_funnel(user_id, QUERIES["getLeadFunnel"].read(query)), 3)
        yield bench.compare(
            what, "ms", ours, "count(*) of the leads", owner.bare(counting, user_id, start), goal
        )


def _became(bench: Bench, reader: Reader, owner: Reader, user_id: str) -> Row:
    """Return the row of the number of days in which some thousand leads became Hot, or of all."""
    hot = f"{_CHANGES} AND lead_status = 'Hot'"
    matching = f"SELECT count(DISTINCT customer_phone) FROM {hot} AND changed_at >= now() - make_interval(days => %s)"
    days_ago = "ceil(extract(epoch FROM now() - changed_at) / 86400)::integer"
    age = f"SELECT coalesce((SELECT {days_ago} FROM {hot} ORDER BY 1 OFFSET %s LIMIT 1), 36500)"
    days = value(owner.connection, age, user_id, _MATCHES - 1)
    query = f"became=Hot&became_days={days}"
    what = f"{query}: page and total of {value(owner.connection, matching, user_id, days):,} matches"
    ours = reader.arm(listed(user_id, query), 5)
    return bench.compare(
        what, "ms", ours, "count(*) of the changes", owner.bare(matching, user_id, days), "history_became"
    )
