"""Exact totals and far pages, in the database: a list call with its page of one, against a count of the leads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from tests.benchmarks import api_statements
from tests.benchmarks.core import Row, goal, interleave, milliseconds
from tests.benchmarks.fixtures import SEED, Fixtures
from tests.benchmarks.scale import SORTS

AREA = "Totals and far pages"
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


@dataclass(frozen=True, slots=True)
class _Question:
    """A list call, and the count that somebody would write for its total."""

    query: str
    count: str
    now: datetime

    @classmethod
    def of(cls, query: str, now: datetime) -> "_Question":
        parts = [part.split("=", 1) for part in query.split("&") if part]
        conditions = [_CONDITIONS[name](value) for name, value in parts]
        where = " AND ".join(["user_id = %s", *conditions])
        return cls(query, f"SELECT count(*) FROM read_model.leads WHERE {where}", now)

    def counted(self, reader: api_statements.Reader, user_id: str) -> int:
        """The total by counting."""
        values = [user_id, *([self.now] if "%s -" in self.count else [])]
        return int(reader.rows(self.count, *values)[0][0])


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    with api_statements.reader(fixtures.main) as reader:
        rng = Random(SEED)
        questions: dict[str, list[str]] = {"total_facets": [""], "total_time": []}
        for _ in range(_COMBINATIONS if fixtures.size.big > fixtures.size.small * 10 else 5):
            facets = [rng.choice(values) for values in _FILTERS if rng.random() < 0.5]
            questions["total_facets"].append("&".join(facets))
            time = rng.choice(_TIMES).format(past=_some_time(rng, 60), late=_some_time(rng, 3))
            questions["total_time"].append("&".join([*facets, time]))
        for key, title in (("total_facets", "facets"), ("total_time", "facets and a window of time")):
            yield from _dearest(fixtures, reader, key, title, questions[key])
        yield from _far(fixtures, reader)


def _some_time(rng: Random, days: int) -> str:
    """A moment so many days ago at the most, within a day."""
    return datetime.fromtimestamp(
        datetime.now(UTC).timestamp() - (days - 1 + rng.random()) * 86_400, UTC
    ).strftime("%Y-%m-%dT%H:%M:%S")


def _dearest(
    fixtures: Fixtures, reader: api_statements.Reader, key: str, title: str, queries: list[str]
) -> Iterator[Row]:
    """The combination that takes longest, and the one in the middle."""
    user_id, now = fixtures.main.tenants["big"], datetime.now(UTC)
    taken: list[tuple[float, _Question]] = []
    for query in queries:
        question = _Question.of(query, now)
        statement = api_statements.listed(user_id, _total_alone(query), now)
        total, counted = reader.fetch(statement).total, question.counted(reader, user_id)
        if total != counted:
            raise AssertionError(f"The total of {query} is {total}, but {counted} leads match.")
        taken.append((reader.milliseconds(statement, 3), question))
    taken.sort(key=lambda pair: pair[0])
    for place, (_, question) in (("dearest", taken[-1]), ("middle", taken[len(taken) // 2])):
        answer = reader.list_call(user_id, question.query, now)
        alone = api_statements.listed(user_id, _total_alone(question.query), now)
        found = interleave(
            fixtures.size.rounds,
            {
                "total": lambda: reader.milliseconds(alone, 20),  # noqa: B023
                "page": lambda: milliseconds(answer, 20),  # noqa: B023
                "count": lambda: milliseconds(lambda: question.counted(reader, user_id), 3),  # noqa: B023
            },
        )
        for name, what, wanted in (
            ("total", "alone", goal(key)),
            ("page", "with the first page of 50", None),
        ):
            yield Row(
                AREA,
                f"total by {title}, the {place} of {len(queries)} combinations, {what}",
                "ms",
                found[name],
                "count(*) of the matching leads",
                found["count"],
                wanted,
                absolute=wanted is not None,
                note=question.query or "no filter",
            )


def _total_alone(query: str) -> str:
    """A call beyond the last lead, which looks for no page."""
    return "&".join(
        part for part in (query, "sort_by=first_contact_at", "limit=1", f"offset={2**31 - 1}") if part
    )


def _far(fixtures: Fixtures, reader: api_statements.Reader) -> Iterator[Row]:
    """A page in the middle of the largest tenant, in every order; its baseline reads whole rows up to there."""
    user_id = fixtures.main.tenants["big"]
    offset = min(500_000, fixtures.size.big // 2)
    columns = {"total_score": ("lead_profiles", "total_score"), "name": ("lead_profiles", "name_key")}
    for sort in SORTS:
        table, column = columns.get(sort, ("leads", sort))
        for direction in ("desc", "asc"):
            ours = api_statements.listed(user_id, f"sort_by={sort}&sort_order={direction}&offset={offset}")
            # As its index has the leads without a value.
            nulls = (
                {"desc": " NULLS LAST", "asc": " NULLS FIRST"}[direction] if sort == "last_message_at" else ""
            )
            bare = (
                f"SELECT * FROM read_model.{table} WHERE user_id = %s"
                f" ORDER BY {column} {direction}{nulls}, customer_phone {direction} OFFSET {offset} LIMIT 50"
            )
            found = interleave(
                fixtures.size.rounds,
                {
                    "ours": lambda: reader.milliseconds(ours, 3),  # noqa: B023
                    "bare": lambda: milliseconds(lambda: reader.rows(bare, user_id)),  # noqa: B023
                },
            )
            yield Row(
                AREA,
                f"page at offset {offset:,} by {sort}, {direction}",
                "ms",
                found["ours"],
                "rows by OFFSET and LIMIT",
                found["bare"],
                goal("deep_page"),
                absolute=True,
            )
