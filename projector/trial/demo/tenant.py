"""A demo tenant of any size: its account, and lead after lead with everything that belongs to it.

What people are called and what they say is in `data/people.json` and `data/chats.json`. A region there may have
`times`: it is drawn as often as that many others. A name is written as `written=spelled`, where `spelled` is its form
in an e-mail address; a name without `=` is spelled as its small letters. `{name}` in what is said is the customer's
first name, or `nameless` where that is unknown; `{item}`, `{price}` and `{city}` are one of `words`.

`data/habits.json` has the channels, and the pools of what else is drawn: each element as often as its number says. Of
what is told of a lead, `{name}` and such are fields of it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from itertools import accumulate, product
from math import log
from random import Random
from types import SimpleNamespace
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

Row: TypeAlias = tuple[Any, ...]
"""The name of a source table, and the values of a row in the order of its columns."""

T = TypeVar("T")

DAYS = 400
"""How far back the demo goes."""

_TEMPLATE_ONLY = 0.1
_SILENT = 0.03
# As the AI judges.
_SCORES = {
    status: tuple(scores for scores in product((1, 2, 3), repeat=5) if least <= sum(scores) <= most)
    for status, least, most in (("Cold", 5, 8), ("Warm", 9, 11), ("Hot", 12, 15))
}
# Coprime to 10⁹, so that its multiples run through all nine-digit numbers before one comes again.
_STRIDE = 618_033_989
# Multiples of the golden ratio meet all parts of [0, 1) evenly: small tenants come near the average too.
_GOLDEN = 0.6180339887498949
_MS = timedelta(milliseconds=1)


class Chance(Random):
    """Chance from `random()` alone: of the methods of `Random` only that returns the same in every Python."""

    def happens(self, probability: float) -> bool:
        """Return true with a probability between 0 and 1."""
        return self.random() < probability

    def pick(self, pool: Sequence[T]) -> T:
        """Return one element of a pool, each as often as it is listed."""
        return pool[int(self.random() * len(pool))]

    def below(self, number: float) -> int:
        """Return a whole number from 0 to below a number."""
        return int(self.random() * number)

    def uuid(self) -> str:
        """Return a version 4 UUID."""
        return str(UUID(int=self.getrandbits(128), version=4))


_Lead: TypeAlias = SimpleNamespace
"""One lead while its rows are made: who it is, how warm, and when it was first and last heard of."""


@cache
def load_data(subject: str) -> Any:  # noqa: ANN401  # Each file has a shape of its own.
    """Return the contents of `data/<subject>.json`."""
    return json.loads(resources.files(__package__).joinpath("data", f"{subject}.json").read_text("utf-8"))


@cache
def _pool(name: str) -> tuple[Any, ...]:
    """Return a pool of `data/habits.json`, with each element as often as it is drawn."""
    return tuple(element for element, times in load_data("habits")["pools"][name] for _ in range(times))


def _drawn(chance: Chance, *pools: str) -> list[Any]:
    """Return an element of each of some pools."""
    return [chance.pick(_pool(name)) for name in pools]


def _extracted(extraction_id: str, at: datetime) -> Row:
    """Return the attributes that an extraction gives: a demo is booked for a half hour of the days after it."""
    # By the id alone, so that what else is drawn stays as it is.
    chance = Chance(extraction_id)
    *texts, days = _drawn(
        chance, "requirements", "calls to action", "summaries", "notifications", "days until a demo"
    )
    words = {word: chance.pick(pool) for word, pool in load_data("chats")["words"].items()}
    booked = at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0)
    return (
        *(text and text.format(**words) for text in texts),
        None if days is None else booked + timedelta(days=days),
    )


_ANY = _pool("statuses of sends that count") * 2 + _pool("statuses of sends that do not count")


@dataclass
class Tenant:
    """Makes the rows of a tenant: always the same for the same fields. None but a booked demo is later than `now`."""

    user_id: str
    company_name: str
    email: str
    messages_per_lead: float
    seed: int
    now: datetime

    def __post_init__(self) -> None:
        """Begin with the first rows."""
        self._rng = rng = Chance(f"{self.user_id} {self.seed}")
        self._horizon = self.now - timedelta(days=DAYS)
        self._agents: dict[str, list[str]] = {}
        self._templates: list[str] = []
        self._first_number = rng.below(1_000_000_000)
        self._average = self.messages_per_lead / (1 - _TEMPLATE_ONLY) / (1 - _SILENT)
        self._quantile = rng.random()

    def account(self) -> Iterator[Row]:
        """Make the tenant itself, with its channels, agents and templates."""
        rng = self._rng
        yield "users", self.user_id, self.email, self.company_name, self._horizon, self._horizon
        channels = []
        for platform, display_name, agent_name in load_data("habits")["channels"]:
            channels.append(rng.uuid())
            meta_id = f"10{rng.below(1e13):013}"
            yield "phone_numbers", channels[-1], self.user_id, platform, meta_id, "demo", display_name
            agent_id = rng.uuid()
            self._agents.setdefault(platform, []).append(agent_id)
            yield "agents", agent_id, self.user_id, channels[-1], agent_name
        for name in load_data("habits")["templates"]:
            self._templates.append(rng.uuid())
            # The first two channels can send templates.
            yield "templates", self._templates[-1], self.user_id, rng.pick(channels[:2]), name

    def lead(self, number: int) -> Iterator[Row]:
        """Make a lead."""
        rng = self._rng
        template_only = rng.happens(_TEMPLATE_ONLY)
        lead = self._make_lead("whatsapp" if template_only else rng.pick(_pool("platforms")), number)
        if rng.happens(0.45 if lead.platform == "whatsapp" else 0.15):
            yield from self._contacts(lead)
        if template_only:
            yield self._send(lead, lead.last, rng.pick(_pool("statuses of sends that count")))
            while rng.happens(0.45):
                yield self._send(lead, self._before(lead.last, days=60), rng.pick(_ANY))
        else:
            yield from self._conversations(lead)

    def _make_lead(self, platform: str, number: int) -> _Lead:
        rng, people = self._rng, load_data("people")
        region = rng.pick([region for region in people["regions"] for _ in range(region.get("times", 1))])
        names = [rng.pick(region[pool]).partition("=") for pool in ("first_names", "last_names")]
        first, last = ((written, spelled or written.lower()) for written, _, spelled in names)
        name = region.get("in_order", "{first} {last}").format(first=first[0], last=last[0])
        if rng.happens(0.03):
            name = f"{name} {rng.pick(people['emoji'])}"
        ending = "" if rng.happens(0.4) else str(rng.below(100))
        digits = f"{(number * _STRIDE + self._first_number) % 1_000_000_000:09}"
        heard = self._lately()
        return _Lead(
            first_name=first[0],
            name=name,
            email=f"{first[1]}{rng.pick('.._-')}{last[1]}{ending}@{rng.pick(people['email_providers'])}",
            company=rng.pick(people["companies"]),
            language=region.get("language", "en"),
            customer_phone={
                "whatsapp": region["dialing"] + digits,
                "instagram": f"17841{rng.below(1_000):03}{digits}",
                "webchat": f"web-{rng.getrandbits(24):06x}-{digits}",
            }[platform],
            platform=platform,
            status=rng.pick(_pool("lead statuses")),
            first=heard,
            last=heard,
        )

    def _contacts(self, lead: _Lead) -> Iterator[Row]:
        """Make a contact, and sometimes another of a different spelling that is the same person."""
        rng = self._rng
        spellings = [lead.customer_phone]
        if lead.platform == "whatsapp":
            spellings.append(f"+{lead.customer_phone}")
        for phone in spellings if rng.happens(0.05) else [rng.pick(spellings)]:
            updated_at = self._lately() if rng.happens(0.95) else None
            contact_id = rng.uuid()
            noted = _drawn(Chance(contact_id), "tags", "opt-outs", "sources")
            yield (
                "contacts",
                contact_id,
                self.user_id,
                phone,
                *self._told(lead, "a contact"),
                updated_at,
                *noted,
            )

    def _told(self, lead: _Lead, where: str) -> Iterator[str | None]:
        """Make name, address and company of a lead as some place tells them: often blank, or not at all."""
        for what in ("names", "emails", "companies"):
            text = self._rng.pick(_pool(f"{what} in {where}"))
            yield text and text.format_map(vars(lead))

    def _send(self, lead: _Lead, at: datetime, status: str, conversation_id: str | None = None) -> Row:
        """Return a template send, asked for at a time and sent a little later, if at all."""
        rng = self._rng
        has_left = status not in ("FAILED", "PENDING") and rng.happens(0.95)
        sent_at = self._after(at, seconds=20) if has_left else None
        template_id = rng.pick(self._templates)
        return (
            "template_sends", rng.uuid(), template_id, conversation_id, self._spelled(lead, 0.3), status, sent_at, at,
        )  # fmt: skip

    def _conversations(self, lead: _Lead) -> Iterator[Row]:
        """Make a lead's conversations from the newest back, and sometimes a send that belongs to them."""
        rng = self._rng
        agent_id = own_agent = rng.pick(self._agents[lead.platform])
        other_platforms = _pool(f"platforms beside {lead.platform}")
        # An agent and a customer can have one active conversation, and one that is not; null is neither.
        flags = (True, False, None) if rng.happens(0.85) else (False, None, None)
        conversation_id, end = "", lead.last
        for age, messages in enumerate(self._messages_of_conversations()):
            if age:
                moves = other_platforms and rng.happens(0.4)
                agent_id = rng.pick(self._agents[rng.pick(other_platforms)]) if moves else own_agent
            phone = self._spelled(lead, 0.3 if age else 0.06)
            conversation_id = rng.uuid()
            times = self._times(messages, end)
            lead.first = times[0] if times else end
            created_at = lead.first - rng.below(1_000) * _MS
            # The platform's own note of the last message: often right, sometimes not, or not there.
            off = rng.pick(_pool("milliseconds by which the platform's note is off"))
            noted = None if off is None else min(end + off * _MS, self.now - _MS)
            yield "conversations", conversation_id, agent_id, phone, created_at, noted, flags[age]
            yield from self._messages(lead, conversation_id, times)
            if rng.happens(0.75):
                yield from self._extractions(lead, conversation_id, end)
            end = self._before(lead.first, days=50)
        if lead.platform == "whatsapp" and rng.happens(0.2):
            # A campaign that the lead answered, or one that tried to wake it up again.
            at = self._before(lead.first, days=3) if rng.happens(0.6) else self._after(lead.last, days=20)
            yield self._send(lead, at, rng.pick(_ANY), conversation_id if rng.happens(0.5) else None)

    def _messages_of_conversations(self) -> list[int]:
        """Return how many messages each conversation of a lead has, the newest first: few talk much."""
        rng = self._rng
        conversations = rng.pick(_pool("conversations of a lead"))
        if rng.happens(_SILENT):
            return [0] * conversations
        self._quantile = (self._quantile + _GOLDEN) % 1
        # The square of what is distributed exponentially, whose average is 2; a bound for the very rare.
        messages = int(self._average * log(1.0002 - self._quantile) ** 2 / 2 + rng.random())
        older = messages // (conversations + 1)
        return [messages - older * (conversations - 1), *[older] * (conversations - 1)]

    def _times(self, count: int, end: datetime) -> list[datetime]:
        """Return when each message of a conversation that ends at a time is sent, in whole milliseconds."""
        rng = self._rng
        # The agent answers within seconds; the customer often within minutes, and sometimes after days.
        pauses = [
            10_000 + rng.below(rng.random() ** 8 * 259_200_000) if number % 2 else rng.below(20_000)
            for number in range(count - 1)
        ]
        # Half of the time that there was stays free for the lead's older conversations.
        pace = min(1.0, (end - self._horizon) // 2 // _MS / (sum(pauses) or 1))
        back = [0, *accumulate(int(pause * pace) for pause in pauses)][:count]
        return [end - before * _MS for before in reversed(back)]

    def _messages(self, lead: _Lead, conversation_id: str, times: list[datetime]) -> Iterator[Row]:
        """Make the messages of a conversation: customer and agent in turn, an opening and then exchanges."""
        rng, chats = self._rng, load_data("chats")
        talk = chats["languages"][lead.language]
        exchanges, first = talk["exchanges"], rng.below(len(talk["exchanges"]))
        name = lead.first_name if rng.happens(0.8) else talk["nameless"]
        said: list[str] = []
        for turn, at in enumerate(times):
            if turn % 2 == 0:
                pair = exchanges[(first + turn // 2) % len(exchanges)] if turn else rng.pick(talk["openings"])
                words = {word: rng.pick(pool) for word, pool in chats["words"].items()}
                said = [text.format(name=name, **words) for text in pair]
            sender, kind = ("agent", "out") if turn % 2 else ("user", "wamid")
            text = said[turn % 2]
            message_id = f"{kind}.{rng.getrandbits(240):060X}"
            status = rng.pick(_pool(f"statuses of messages from {sender}"))
            yield (
                "messages", message_id, conversation_id, sender, text[0].upper() + text[1:], at, status, turn + 1,
            )  # fmt: skip

    def _extractions(self, lead: _Lead, conversation_id: str, end: datetime) -> Iterator[Row]:
        """Make what an AI made of a conversation, run after run, of which the last is the latest one, or none is."""
        rng = self._rng
        runs = rng.pick(_pool("runs of the AI"))
        flagged = rng.happens(0.96)
        for run in range(1, runs + 1):
            last = run == runs
            at = self._after(end, seconds=40) if last else lead.first + (end - lead.first) * (run / runs)
            # An earlier run knows less, and finds the lead lukewarm at most.
            told = self._told(lead, "the last run" if last else "an earlier run")
            judged = self._judged(lead.status if last else rng.pick(("Cold", "Cold", "Warm")))
            extraction_id = rng.uuid()
            yield (
                "extractions", extraction_id, conversation_id, self.user_id, lead.customer_phone, at,
                last and flagged, *told, *judged, *_extracted(extraction_id, at),
            )  # fmt: skip

    def _judged(self, status: str) -> Row:
        """Return five scores, their total and the status; some of it is missing or not quite right."""
        rng = self._rng
        tag = rng.pick(_pool(f"spellings of {status}"))
        if rng.happens(0.08):
            return *[None] * 6, tag
        scores = rng.pick(_SCORES[status])
        return *scores, None if rng.happens(0.07) else sum(scores), tag

    def _spelled(self, lead: _Lead, with_plus: float) -> str:
        """Return the identifier as a source row may hold it: some put a `+` before a phone."""
        phone: str = lead.customer_phone
        if lead.platform != "whatsapp" or not self._rng.happens(with_plus):
            return phone
        return f"+{phone[:-9]} {phone[-9:-4]}-{phone[-4:]}" if self._rng.happens(0.1) else f"+{phone}"

    def _lately(self) -> datetime:
        """Return some time at which a lead was last heard of: a tenth of them on the last day."""
        most = DAYS * 86_400_000 - 3_600_000
        return self.now - (1 + int(most * self._rng.random() ** 2.6)) * _MS

    def _before(self, at: datetime, days: int) -> datetime:
        """Return some earlier time, and leave room for what was before it."""
        room = min(timedelta(days=days), (at - self._horizon) // 2)
        return at - (1 + self._rng.below(room // _MS)) * _MS

    def _after(self, at: datetime, days: int = 0, seconds: int = 0) -> datetime:
        """Return some later time that is not in the future, as fine as a database's `now()`."""
        return at + min(timedelta(days=days, seconds=seconds), self.now - at) * self._rng.random()
