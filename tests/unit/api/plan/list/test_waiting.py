"""Who waits and whose reply window is open at any moment, and until when an answer says so."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from api.config import Config
from api.database.pool import Database as ApiDatabase
from api.plan.list.facets import lead_facets
from api.plan.list.pages import list_leads
from api.request.parameters import FURTHER_FACETS
from api.request.query import QUERIES
from tests.exactness.platform import Platform, rebuild_now
from tests.support.cases import cases
from tests.support.server import Database, Server

USER = "one"
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
DAY, HOUR, MINUTE, MICROSECOND = (
    timedelta(days=1),
    timedelta(hours=1),
    timedelta(minutes=1),
    timedelta(microseconds=1),
)


@dataclass(frozen=True)
class Waiting:
    """What is stored of a lead, and what the clock decides on."""

    waiting_since: datetime | None
    reply_window_ends_at: datetime | None

    def waits(self, now: datetime, minutes: int) -> bool:
        return self.waiting_since is not None and self.waiting_since + minutes * MINUTE <= now

    def window(self, now: datetime) -> str:
        if self.reply_window_ends_at is None:
            return "none"
        return "open" if now < self.reply_window_ends_at else "closed"

    def closes_within(self, now: datetime, hours: int) -> bool:
        ends = self.reply_window_ends_at
        return ends is not None and now < ends <= now + hours * HOUR


@pytest.fixture(scope="module")
def waiting(server: Server, template: Database) -> Iterator[tuple[ApiDatabase, list[Waiting]]]:
    """Leads of WhatsApp and of a web chat: some wait, some were answered, of some there is no message."""
    made = server.create("waiting", template=template.name)
    with made.connect() as conn:
        world = Platform(conn)
        world.tenant(USER)
        agents = [world.agent(USER, platform=platform) for platform in ("whatsapp", "webchat")]
        for number in range(60):
            conversation = world.conversation(agents[number % 7 == 0], f"49{number}")
            at = NOON - 1.9 * DAY + number * 51 * MINUTE + number * timedelta(milliseconds=7)
            # Every fifth at the same moment as the one before it.
            at -= (number % 5 == 0) * (51 * MINUTE + timedelta(milliseconds=7))
            for sender in ("user", "agent", "bot")[: number % 4 if number % 11 else 0]:
                columns = {"sender": sender, "timestamp": at, "conversation_id": conversation}
                world.insert("messages", message_id=world.id("m"), **columns)
                at += MINUTE
        rebuild_now(conn)
        rows = conn.execute("SELECT waiting_since, reply_window_ends_at FROM read_model.leads").fetchall()
    api = ApiDatabase(Config(made.url))
    yield api, [Waiting(*row) for row in rows]
    api.close()
    server.drop(made)


Counted = Callable[[list[Waiting], datetime], object]


def total(passes: Callable[[Waiting, datetime], bool]) -> Counted:
    return lambda leads, now: sum(passes(lead, now) for lead in leads)


def by_window(leads: list[Waiting], now: datetime) -> object:
    words = [lead.window(now) for lead in leads]
    return {word: words.count(word) for word in ("open", "closed", "none")}


def answered(api: ApiDatabase, query: str, now: datetime) -> tuple[object, datetime | None]:
    """Return the total of a list, or the counts of a facet, and until when they stand."""
    if query.startswith("facets="):
        facets = api.fetch(lead_facets(USER, QUERIES["getLeadFacets"].read(query)).at(now))
        counts: dict[str, Any] = json.loads(facets.facets)["reply_window"]
        return counts, facets.stands_until
    row = api.fetch(list_leads(USER, QUERIES["listLeads"].read(query)).at(now))
    return row.total, row.stands_until


@cases(
    ("query", "counted"),
    [
        ("waiting_minutes=0", total(lambda lead, now: lead.waits(now, 0))),
        ("waiting_minutes=90", total(lambda lead, now: lead.waits(now, 90))),
        ("reply_window=open", total(lambda lead, now: lead.window(now) == "open")),
        ("reply_window=closed", total(lambda lead, now: lead.window(now) == "closed")),
        ("reply_window_hours=2", total(lambda lead, now: lead.closes_within(now, 2))),
        ("facets=reply_window", by_window),
    ],
)
def test_an_answer_stands_until_the_next_lead_enters_or_leaves(
    waiting: tuple[ApiDatabase, list[Waiting]], query: str, counted: Counted
) -> None:
    """Step from end to end: up to it the answer is the same, at the next microsecond another lead counts."""
    api, leads = waiting
    now, answers, ends = NOON - 3 * DAY, [], []
    while True:
        numbers, until = answered(api, query, now)
        assert numbers == counted(leads, now), now
        answers.append(numbers)
        # Without another lead it stands for as long as Python has dates.
        if until is None or until.year == 9999:
            break
        assert answered(api, query, until) == (numbers, until)
        assert now <= until
        ends.append(until)
        now = until + MICROSECOND
    assert len(ends) > 10
    assert all(before < after for before, after in pairwise(ends))
    # A lead may leave when another enters, so that their number stays.
    assert sum(before != after for before, after in pairwise(answers)) > len(ends) / 2


def test_what_no_clock_moves_stands_for_ever(waiting: tuple[ApiDatabase, list[Waiting]]) -> None:
    api, leads = waiting
    without = sum(lead.reply_window_ends_at is None for lead in leads)
    assert answered(api, "reply_window=none", NOON) == (without, None)
    assert answered(api, "sort_by=waiting_since", NOON) == (len(leads), None)


@cases(
    "query",
    [
        "reply_window=closed&reply_window_hours=720",
        "reply_window=none&reply_window_hours=720",
        "waiting_minutes=0&last_message_sender=agent",
        "waiting_minutes=0&has_conversation=false",
        "reply_window=open&has_conversation=false",
        "reply_window=open&sort_by=reply_window_ends_at&to_date=2026-03-01",
    ],
)
def test_contradictions_find_nobody(waiting: tuple[ApiDatabase, list[Waiting]], query: str) -> None:
    api, _ = waiting
    row = api.fetch(list_leads(USER, QUERIES["listLeads"].read(query)).at(NOON))
    assert (row.total, row.page) == (0, [])


@cases("given", [
    "reply_window=open", "reply_window=closed", "reply_window=none", "reply_window_hours=2", "waiting_minutes=5",
    "last_message_sender=user", "platform=whatsapp", "platform=sms", "agent_id=a", "search=a", "became=Hot", "days=7",
])  # fmt: skip
def test_a_tenant_that_does_not_exist_has_facets(
    waiting: tuple[ApiDatabase, list[Waiting]], given: str
) -> None:
    api, _ = waiting
    for facet in FURTHER_FACETS:
        asked = lead_facets("nobody", QUERIES["getLeadFacets"].read(f"{given}&facets={facet}", "nobody")).at(
            NOON
        )
        row = api.fetch(asked)
        counts = json.loads(row.facets)[facet]
        assert (row.total, sum(counts.values())) == (0, 0), facet
