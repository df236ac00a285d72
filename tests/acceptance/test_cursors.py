"""Who follows the links of pages, while everything changes, sees what stays where it is exactly once.

Each page is what follows the last result of the page before in an independent reading of the source rows; what
docs/api.md promises follows from that.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urljoin

import pytest

from projector.database.rows import Connection
from tests.acceptance.conftest import NOW, MakePlatform, Platform
from tests.conftest import MakeDatabase
from tests.oracle import answers
from tests.oracle.leads import Lead, LeadMessage, Model, place_of_message
from tests.oracle.parameters import OF_LIST, SORTS, read_parameters
from tests.support import edge_cases, mutations, queries
from tests.support.server import Database

WALKS_AMONG_MESSAGES = 5
LEADS = 30
FILTERS = (
    "",
    "",
    "platform=whatsapp,instagram",
    "has_email=true",
    "min_total_score=6",
    "days=400",
    "search=a",
    "without_attributes=opted_out",
    "attributes[source]=web,Web&include=attributes",
)


Places = dict[str, Any]


def places_of_leads(model: Model, user_id: str, query: str) -> Places:
    """The place in the list of each lead that the filters leave."""
    values = read_parameters(OF_LIST, parse_qsl(query)).values
    places = answers.places_of_leads(model, user_id, values, NOW)
    return {lead.customer_phone: place for place, lead in places}


def places_of_messages(messages: Sequence[LeadMessage], order: str) -> Places:
    """The place of each message."""
    places = {message.message_id: place_of_message(message) for message in messages}
    return places if order == "asc" else {key: answers.Backwards(place) for key, place in places.items()}


@dataclass
class Walk:
    """Pages that are read one after the other: where the last result was, and how many results changed meanwhile."""

    read_places: Callable[[], Places]
    story: str
    places: Places = field(default_factory=dict)
    last: Any = None
    changed: int = 0

    def check_page(self, results: list[str], pagination: dict[str, Any], limit: int) -> None:
        """A page is what follows the last result of the page before, wherever everything else is now."""
        before, self.places = self.places, self.read_places()
        places = self.places
        left = sorted(places, key=places.__getitem__)
        if self.last is not None:
            left = [key for key in left if places[key] > self.last]
            self.changed += len(before.items() ^ places.items())
        assert results == left[:limit], self.story
        expected = {"total": len(places), "limit": limit, "offset": 0, "hasMore": len(left) > limit}
        assert pagination == expected, self.story
        if results:
            self.last = places[results[-1]]


@dataclass
class World:
    platform: Platform
    rng: Random
    writer: Connection
    read: Model | None = None

    def refresh(self) -> None:
        self.read = None
        self.platform.refresh()

    def model(self) -> Model:
        """The independent reading of the source rows, which is read again after each refresh."""
        if self.read is None:
            self.read = self.platform.model()
        return self.read

    def change(self) -> str:
        """Some changes that a platform makes, which the read model then has."""
        done = [mutations.mutate(self.rng, self.writer, now=NOW) for _ in range(self.rng.randint(1, 4))]
        self.refresh()
        return "; ".join(done)

    def largest_tenant(self) -> str:
        """A tenant with enough leads to walk through."""
        while True:
            model = self.model()
            if model.leads:
                user_id = max(model.leads, key=lambda tenant: len(model.leads[tenant]))
                if LEADS / 2 < len(model.leads[user_id]) < 95:
                    return user_id
            if model.leads:
                self.writer.execute("TRUNCATE users CASCADE")
            edge_cases.write(self.writer, edge_cases.generate(self.rng, 2 * LEADS, now=NOW))
            self.refresh()

    def follow(self, walk: Walk, address: str, limit: int, id_name: str) -> None:
        """Read page after page, with changes in between."""
        while address:
            answer = self.platform.client.get(address)
            body = answer.get_json()
            if answer.status_code == 404:
                # The lead is gone, with all its messages.
                return
            assert answer.status_code == 200, (body, walk.story)
            page = body if isinstance(body["data"], list) else body["data"]
            results = page["data"] if isinstance(body["data"], list) else page["messages"]
            walk.check_page([result[id_name] for result in results], page["pagination"], limit)
            assert ("Link" in answer.headers) is page["pagination"]["hasMore"], walk.story
            address = urljoin(address, answer.headers["Link"][1:-13]) if "Link" in answer.headers else ""
            # Sometimes nothing happens.
            if self.rng.random() < 0.7:
                walk.story += f"; {self.change()}"


@pytest.fixture
def make_world(
    make_platform: MakePlatform, make_database: MakeDatabase, template: Database
) -> Iterator[Callable[[int], World]]:
    with ExitStack() as stack:

        def make(seed: int) -> World:
            platform, rng = make_platform(make_database(template), NOW), Random(seed)
            edge_cases.write(platform.connection, edge_cases.generate(rng, 2 * LEADS, now=NOW))
            platform.rebuild()
            return World(platform, rng, stack.enter_context(platform.database.connect()))

        yield make


SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 20))]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_page_is_what_follows_the_page_before(make_world: Callable[[int], World], seed: int) -> None:
    world = make_world(seed)
    rng = world.rng
    changed = {"leads": 0, "messages": 0}
    for number, sort_by in enumerate(SORTS):
        user_id = world.largest_tenant()
        order, query = rng.choice(("asc", "desc")), rng.choice(FILTERS)
        limit = rng.choice((2, 3, 5))
        asked = f"{query}&sort_by={sort_by}&sort_order={order}&limit={limit}"

        def places(u: str = user_id, q: str = asked) -> Places:
            return places_of_leads(world.model(), u, q)

        walk = Walk(places, f"seed {seed}, walk {number}, {asked}")
        world.follow(walk, f"{queries.path(user_id)}?{asked}", limit, "customer_phone")
        changed["leads"] += walk.changed
    for number in range(WALKS_AMONG_MESSAGES):
        user_id = world.largest_tenant()
        leads = world.model().of_tenant(user_id).values()
        lead = max(
            (lead for lead in leads if queries.has_page(lead.customer_phone)),
            key=lambda lead: len(lead.messages),
        )
        order, limit = rng.choice(("asc", "desc")), rng.choice((1, 2, 3))

        def places_of_lead(of: Lead = lead, o: str = order) -> Places:
            return places_of_messages(world.model().of_tenant(of.user_id)[of.customer_phone].messages, o)

        walk = Walk(places_of_lead, f"seed {seed}, walk {number}, {lead.customer_phone}, {order}, {limit}")
        path = queries.path(lead.user_id, lead.customer_phone, "messages")
        world.follow(walk, f"{path}?sort_order={order}&limit={limit}", limit, "message_id")
        changed["messages"] += walk.changed
    # Often enough to show something; of the other seeds, some walks meet no change.
    assert (changed["leads"] > len(SORTS) and changed["messages"] > 0) or seed != SEEDS[0]
