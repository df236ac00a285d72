"""Exact totals and far pages, in the database: statements of the API, against a count of the leads and OFFSET."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import quote_plus

from api.plan.lead import leads_of_phones
from api.plan.list.facets import lead_facets
from api.request.query import QUERIES
from tests.benchmarks import statements
from tests.benchmarks.core import Row
from tests.benchmarks.fixtures import SEED, Bench
from tests.benchmarks.statements import Reader
from tests.support.running import value

_COMBINATIONS = 60
# As callers combine them: each filter is there or not.
_FILTERS = (
    ("platform=whatsapp", "platform=instagram", "platform=whatsapp,webchat", "platform=webchat"),
    ("lead_status=Hot", "lead_status=Warm,Cold", "lead_status=Cold"),
    ("has_extraction=true", "has_extraction=false"),
    ("has_email=true", "has_email=false"),
    ("min_total_score=9", "max_total_score=8", "min_total_score=7&max_total_score=11"),
)
_TIMES = (
    "days=1",
    "days=7",
    "days=30",
    "days=365",
    "from_date={past}",
    "to_date={past}",
    "from_date={past}&to_date={late}",
)
_CONDITIONS: dict[str, Callable[[str], str]] = {
    "platform": lambda values: "(" + " OR ".join(f"on_{value}" for value in values.split(",")) + ")",
    "lead_status": lambda values: f"lead_status = ANY('{{{values}}}')",
    "has_extraction": lambda value: f"has_extraction = {value}",
    "has_email": lambda value: f"has_email = {value}",
    "min_total_score": lambda value: f"total_score >= {value}",
    "max_total_score": lambda value: f"total_score <= {value}",
    "days": lambda value: f"last_message_at >= %s - interval '{value} days'",
    "from_date": lambda value: f"last_message_at >= '{value}Z'",
    "to_date": lambda value: f"last_message_at < '{value}Z'::timestamptz + interval '1 ms'",
}
# The columns by which the leads are listed.
_SORTED = {
    "last_message_at": ("leads", "last_message_at"),
    "first_contact_at": ("leads", "first_contact_at"),
    "total_messages": ("leads", "total_messages"),
    "total_score": ("lead_profiles", "total_score"),
    "name": ("lead_profiles", "name_key"),
}
_MOST_MATCHES = 10_000
_MATCHES = "SELECT count(*) FROM read_model.lead_profiles WHERE user_id = %s AND position(lower(%s) IN search_text) > 0"


# What the page asks for; beside filters that the combinations count; beside one that only leads have; and what no
# statistics count.
_FACETS = {
    "facets=lead_status,platform,has_email,last_message_sender": "facets",
    "facets=lead_status,platform,has_email&lead_status=Hot&platform=whatsapp": "facets",
    "facets=lead_status,platform,has_email,last_message_sender&last_message_sender=user": "",
    "facets=agent_id": "",
}
_ALL_COUNTS = (
    "SELECT count(*), count(*) FILTER (WHERE lead_status = 'Hot'), count(*) FILTER (WHERE on_whatsapp),"
    " count(*) FILTER (WHERE has_email), count(*) FILTER (WHERE last_message_sender = 'user')"
    " FROM read_model.leads WHERE user_id = %s"
)
_LOOKED_UP = 500
_SOME_PHONES = (
    "SELECT customer_phone FROM read_model.leads WHERE user_id = %s ORDER BY md5(customer_phone) LIMIT %s"
)
_BY_PHONES = "SELECT document FROM read_model.leads WHERE user_id = %s AND customer_phone = ANY(%s)"


def measure_facets(bench: Bench) -> Iterator[Row]:
    """Return the rows of facets, against five counts of every lead, and of a lookup, against the rows alone."""
    user_id = bench.main.tenants["big"]
    with statements.reader(bench.main) as reader:
        counting = reader.bare(_ALL_COUNTS, user_id)
        for query, goal in _FACETS.items():
            facets = reader.arm(lead_facets(user_id, QUERIES["getLeadFacets"].read(query)), 3)
            yield bench.compare(query, "ms", facets, "count(*) of every lead", counting, goal)
        phones = [phone for (phone,) in reader.rows(_SOME_PHONES, user_id, _LOOKED_UP)]
        ours, theirs = (
            reader.arm(leads_of_phones(user_id, phones), 5),
            reader.bare(_BY_PHONES, user_id, phones),
        )
        what = f"lookup of {len(phones)} leads"
        yield bench.compare(what, "ms", ours, "the rows by = ANY", theirs, "lookup")


def measure(bench: Bench) -> Iterator[Row]:
    user_id = bench.main.tenants["big"]
    rng = Random(SEED)
    facets, times = [""], []
    for _ in range(_COMBINATIONS if bench.size.big > bench.size.small * 10 else 5):
        chosen = [rng.choice(values) for values in _FILTERS if rng.random() < 0.5]
        facets.append("&".join(chosen))
        time = rng.choice(_TIMES).format(past=_some_time(rng, 60), late=_some_time(rng, 3))
        times.append("&".join([*chosen, time]))
    with statements.reader(bench.main) as reader:
        yield from _dearest(bench, reader, "facets", "total_facets", facets)
        yield from _dearest(bench, reader, "facets and a window of time", "total_time", times)
        for word, matches in _words(reader, user_id):
            page = statements.listed(user_id, f"search={quote_plus(word)}&limit=1")
            _require(word, reader.total(page), matches)
            ours, theirs = reader.arm(page, 5), reader.bare(_MATCHES, user_id, word)
            what = f"total of {matches:,} matches of {word!r}, with one lead"
            name = "a look at every lead of the tenant"
            yield bench.compare(what, "ms", ours, name, theirs, "total_search")
        yield from _far(bench, reader, user_id)


def _some_time(rng: Random, days: int) -> str:
    moment = datetime.now(UTC) - timedelta(days=days, seconds=rng.randrange(86_400))
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _require(what: str, total: int, counted: int) -> None:
    if total != counted:
        raise AssertionError(f"The total of {what} is {total}, but {counted} leads match.")


def _dearest(bench: Bench, reader: Reader, title: str, key: str, queries: list[str]) -> Iterator[Row]:
    """The combination whose total takes longest, and the one in the middle."""
    user_id, now = bench.main.tenants["big"], datetime.now(UTC)
    taken = []
    for query in queries:
        # Beyond the last lead, a call looks for no page.
        parts = [query, "sort_by=first_contact_at", "limit=1", f"offset={2**31 - 1}"]
        ours = statements.listed(user_id, "&".join(filter(None, parts)), now)
        conditions = [
            _CONDITIONS[name](value) for name, value in (p.split("=", 1) for p in query.split("&") if p)
        ]
        count = "SELECT count(*) FROM read_model.leads WHERE " + " AND ".join(["user_id = %s", *conditions])
        values = (user_id, now)[: count.count("%s")]
        _require(query, reader.total(ours), value(reader.connection, count, *values))
        taken.append((reader.arm(ours, 3)(), query, ours, reader.bare(count, *values, times=3)))
    taken.sort(key=lambda timed: timed[0])
    for place, (_, query, ours, counting) in (("dearest", taken[-1]), ("middle", taken[len(taken) // 2])):
        what = f"total by {title}, the {place} of {len(queries)} combinations"
        arms = (reader.arm(ours, 20), "count(*) of the matching leads", counting)
        yield bench.compare(what, "ms", *arms, key, note=query or "no filter")


def _words(reader: Reader, user_id: str) -> list[tuple[str, int]]:
    """A word that matches nearly 10,000 leads, one that matches few, and one that matches none."""
    beginnings = reader.rows(
        "SELECT left(word, 3), count(*) FROM (SELECT DISTINCT customer_phone, word FROM read_model.lead_profiles"
        "  CROSS JOIN LATERAL regexp_split_to_table(name_key, '\\s+') AS word WHERE user_id = %s) AS each"
        " WHERE word ~ '^[a-z]{4,}$' GROUP BY 1 HAVING count(*) <= %s ORDER BY count(*) DESC, 1 LIMIT 40",
        user_id,
        _MOST_MATCHES,
    )
    counted = [(word, value(reader.connection, _MATCHES, user_id, word)) for word, _ in beginnings]
    fitting = sorted((pair for pair in counted if pair[1] <= _MOST_MATCHES), key=lambda pair: -pair[1])
    return [fitting[0], fitting[-1], ("xqzxqz", 0)]


def _far(bench: Bench, reader: Reader, user_id: str) -> Iterator[Row]:
    """A page in the middle of the largest tenant, in every order; its baseline reads whole rows up to there."""
    offset = min(500_000, bench.size.big // 2)
    for sort, (table, column) in _SORTED.items():
        for direction in ("desc", "asc"):
            ours = statements.listed(user_id, f"sort_by={sort}&sort_order={direction}&offset={offset}")
            # As its index has the leads without a value.
            nulls = (
                {"desc": " NULLS LAST", "asc": " NULLS FIRST"}[direction] if sort == "last_message_at" else ""
            )
            bare = (
                f"SELECT * FROM read_model.{table} WHERE user_id = %s"
                f" ORDER BY {column} {direction}{nulls}, customer_phone {direction} OFFSET {offset} LIMIT 50"
            )
            arms = (reader.arm(ours, 3), "rows by OFFSET and LIMIT", reader.bare(bare, user_id))
            what = f"page at offset {offset:,} by {sort}, {direction}"
            yield bench.compare(what, "ms", *arms, "deep_page")
