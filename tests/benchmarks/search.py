"""Search: exact totals of words that match many leads, and a tiny tenant that does not feel a large one beside it."""

from collections.abc import Iterator
from urllib.parse import quote_plus

from tests.benchmarks import api_statements
from tests.benchmarks.core import Row, goal, interleave, milliseconds
from tests.benchmarks.fixtures import Fixtures

AREA = "Search"
_MOST = 10_000
_BARE = (
    "SELECT count(*) FROM read_model.lead_profiles WHERE user_id = %s"
    " AND position(lower(%s) IN search_text) > 0"
)


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    user_id = fixtures.main.tenants["big"]
    with api_statements.reader(fixtures.main) as reader:
        for word, matches in _words(reader, user_id):
            for page, title in (
                ("limit=1", "with one lead"),
                ("limit=50&sort_by=name", "with a page by name"),
            ):
                statement = api_statements.listed(user_id, f"search={quote_plus(word)}&{page}")
                total = reader.fetch(statement).total
                if total != matches:
                    raise AssertionError(f"The total of {word} is {total}, but {matches} leads match.")
                found = interleave(
                    fixtures.size.rounds,
                    {
                        "ours": lambda: reader.milliseconds(statement, 5),  # noqa: B023
                        "bare": lambda: milliseconds(lambda: reader.rows(_BARE, user_id, word)),  # noqa: B023
                    },
                )
                yield Row(
                    AREA,
                    f"total of {matches:,} matches of {word!r}, {title}",
                    "ms",
                    found["ours"],
                    "a look at every lead of the tenant",
                    found["bare"],
                    goal("total_search"),
                    absolute=True,
                )
    yield _small(fixtures)


def _words(reader: api_statements.Reader, user_id: str) -> list[tuple[str, int]]:
    """A word that matches nearly 10,000 leads, one that matches few, and one that matches none."""
    beginnings = reader.rows(
        "SELECT left(word, 3), count(*) FROM (SELECT DISTINCT customer_phone, word FROM read_model.lead_profiles"
        "  CROSS JOIN LATERAL regexp_split_to_table(name_key, '\\s+') AS word WHERE user_id = %s) AS each"
        " WHERE word ~ '^[a-z]{4,}$' GROUP BY 1 HAVING count(*) <= %s ORDER BY count(*) DESC, 1 LIMIT 40",
        user_id,
        _MOST,
    )
    words = [word.decode() for word, _ in beginnings]
    counted = [(word, int(reader.rows(_BARE, user_id, word)[0][0])) for word in words]
    fitting = sorted((pair for pair in counted if pair[1] <= _MOST), key=lambda pair: -pair[1])
    return [fitting[0], fitting[-1], ("xqzxqz", 0)]


def _small(fixtures: Fixtures) -> Row:
    """The same word in the same tiny tenant, beside the largest tenant and alone."""
    user_id = fixtures.main.tenants["tiny"]
    with api_statements.reader(fixtures.main) as beside, api_statements.reader(fixtures.alone) as alone:
        word = _words(beside, user_id)[0][0]
        statement = api_statements.listed(user_id, f"search={quote_plus(word)}")
        found = interleave(
            fixtures.size.rounds,
            {
                "beside": lambda: beside.milliseconds(statement, 50),
                "alone": lambda: alone.milliseconds(statement, 50),
            },
        )
    what = f"search {word!r} in a tenant of {fixtures.size.tiny:,} leads beside one of {fixtures.size.big:,}"
    return Row(
        AREA, what, "ms", found["beside"], "the same tenant alone", found["alone"], goal("search_small")
    )
