"""A demo tenant of any size: its account, and lead after lead with everything that belongs to it.

`data/leads.json` has the channels of a tenant, and the rows of some leads. A tenant has these again and again, each
time with another person, other messages and other moments. A word in braces is filled in: `{id}` with a new id,
`{conversation0}` with that of the newest conversation, `{agent}` and the name of a template with theirs, `{phone}` and
`{name}` with those of the person, `{plus}` and `{spaced}` with other spellings of a phone number, and `{item}`,
`{price}` and `{city}` with one of the `words` of `data/chats.json`.

An object is a moment: `{"end0": 14.7}` is 14.7 seconds after the newest conversation ended. It is counted from the
`start`, the `mid` or the `end` of a conversation, from the full `hour` before its end, from `last`, when the lead was
last heard of, or from `now`.

What people are called and what they say is in `data/people.json` and `data/chats.json`. A region there may have
`times`: it is drawn as often as that many others. A name is written as `written=spelled`, where `spelled` is its form
in an e-mail address; a name without `=` is spelled as its small letters. `{name}` in what is said is the customer's
first name, or `nameless` where that is unknown.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from itertools import accumulate
from math import log
from random import Random
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

Row: TypeAlias = tuple[Any, ...]
"""The name of a source table, and the values of a row in the order of its columns."""

T = TypeVar("T")

DAYS = 400
"""How far back the demo goes."""

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


@cache
def load_data(subject: str) -> Any:  # noqa: ANN401  # Each file has a shape of its own.
    """Return the contents of `data/<subject>.json`."""
    return json.loads(resources.files(__package__).joinpath("data", f"{subject}.json").read_text("utf-8"))


def fill(row: Sequence[Any], words: Mapping[str, str], moments: Mapping[str, datetime]) -> Row:
    """Return a row of `data/` with its words and moments filled in. None but an `hour` leads into the future."""
    return tuple(
        field.format_map(words)
        if isinstance(field, str)
        else _moment(field, moments)
        if isinstance(field, dict)
        else field
        for field in row
    )


def _moment(field: Mapping[str, float], moments: Mapping[str, datetime]) -> datetime:
    [(name, seconds)] = field.items()
    at, offset, until_now = moments[name], timedelta(seconds=seconds), moments["now"] - moments[name]
    if name.startswith("hour"):
        return at + offset
    return at + (
        min(offset, until_now * 0.9) if seconds > 0 else max(offset, until_now - timedelta(days=DAYS))
    )


def _conversations(rows: Sequence[Sequence[Any]]) -> int:
    """Return how many conversations a lead of `data/leads.json` has."""
    return sum(table == "conversations" for table, *_ in rows)


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
        self._words = {"user_id": self.user_id}
        self._first_number = rng.below(1_000_000_000)
        leads = load_data("leads")["leads"]
        self._average = self.messages_per_lead * len(leads) / sum(map(bool, map(_conversations, leads)))
        self._quantile = rng.random()

    def account(self) -> Iterator[Row]:
        """Make the tenant itself, with its channels, agents and templates."""
        rng, data = self._rng, load_data("leads")
        yield "users", self.user_id, self.email, self.company_name, self._horizon, self._horizon
        channels = []
        for platform, display_name, agent_name in data["channels"]:
            channels.append(rng.uuid())
            meta_id = f"10{rng.below(1e13):013}"
            yield "phone_numbers", channels[-1], self.user_id, platform, meta_id, "demo", display_name
            self._words[agent_name] = rng.uuid()
            yield "agents", self._words[agent_name], self.user_id, channels[-1], agent_name
        for name in data["templates"]:
            self._words[name] = rng.uuid()
            # The first two channels can send templates.
            yield "templates", self._words[name], self.user_id, rng.pick(channels[:2]), name

    def lead(self, number: int) -> Iterator[Row]:
        """Make a lead."""
        rng, known = self._rng, load_data("leads")["leads"]
        rows = known[(self._first_number + number) % len(known)]
        conversations = _conversations(rows)
        # Templates are for WhatsApp, and so is a lead that has nothing else.
        platform = rng.pick(load_data("leads")["platforms"]) if conversations else "whatsapp"
        topics = {word: rng.pick(pool) for word, pool in load_data("chats")["words"].items()}
        words = self._words | topics | self._agents(platform) | self._person(platform, number)
        end = self._lately()
        moments = {"now": self.now, "last": end}
        for age, messages in enumerate(self._messages_of_conversations(conversations)):
            conversation_id = words[f"conversation{age}"] = rng.uuid()
            times = self._times(messages, end)
            start = times[0] if times else end
            moments |= {f"start{age}": start, f"mid{age}": start + (end - start) / 2, f"end{age}": end}
            moments[f"hour{age}"] = end.replace(minute=0, second=0, microsecond=0)
            yield from self._messages(words, conversation_id, times)
            # The one before was up to 50 days ago, and leaves room for what was before it.
            end = start - (1 + rng.below(min(timedelta(days=50), (start - self._horizon) // 2) // _MS)) * _MS
        for row in rows:
            words["id"] = rng.uuid()
            if row[0] != "template_sends" or platform == "whatsapp":
                yield fill(row, words, moments)

    def _agents(self, platform: str) -> dict[str, str]:
        """Return the agents of a lead: one of its platform, and one with which it goes on elsewhere."""
        rng, data = self._rng, load_data("leads")

        def of(chosen: str) -> str:
            return self._words[rng.pick([name for own, _, name in data["channels"] if own == chosen])]

        return {"agent": of(platform), "other agent": of(rng.pick(data["other platforms"][platform]))}

    def _person(self, platform: str, number: int) -> dict[str, str]:
        """Return who a lead is: names and address, its identifier and its language."""
        rng, people = self._rng, load_data("people")
        region = rng.pick([region for region in people["regions"] for _ in range(region.get("times", 1))])
        names = [rng.pick(region[pool]).partition("=") for pool in ("first_names", "last_names")]
        first, last = ((written, spelled or written.lower()) for written, _, spelled in names)
        name = region.get("in_order", "{first} {last}").format(first=first[0], last=last[0])
        if rng.happens(0.03):
            name = f"{name} {rng.pick(people['emoji'])}"
        ending = "" if rng.happens(0.4) else str(rng.below(100))
        email = f"{first[1]}{rng.pick('.._-')}{last[1]}{ending}@{rng.pick(people['email_providers'])}"
        digits = f"{(number * _STRIDE + self._first_number) % 1_000_000_000:09}"
        phone = {
            "whatsapp": region["dialing"] + digits,
            "instagram": f"17841{rng.below(1_000):03}{digits}",
            "webchat": f"web-{rng.getrandbits(24):06x}-{digits}",
        }[platform]
        spaced = f"+{region['dialing']} {digits[:5]}-{digits[5:]}"
        return {
            "first_name": first[0],
            "name": name,
            "email": "" if rng.happens(0.1) else email,
            "company": rng.pick(people["companies"]),
            "language": region.get("language", "en"),
            "phone": phone,
            "plus": f"+{phone}" if platform == "whatsapp" else phone,
            "spaced": spaced if platform == "whatsapp" else phone,
        }

    def _messages_of_conversations(self, conversations: int) -> list[int]:
        """Return how many messages each conversation of a lead has, the newest first: few talk much."""
        if not conversations:
            return []
        self._quantile = (self._quantile + _GOLDEN) % 1
        # The square of what is distributed exponentially, whose average is 2; a bound for the very rare.
        messages = int(self._average * log(1.0002 - self._quantile) ** 2 / 2 + self._rng.random())
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

    def _messages(
        self, words: Mapping[str, str], conversation_id: str, times: Sequence[datetime]
    ) -> Iterator[Row]:
        """Make the messages of a conversation: customer and agent in turn, an opening and then exchanges."""
        rng, chats = self._rng, load_data("chats")
        talk = chats["languages"][words["language"]]
        exchanges, first = talk["exchanges"], rng.below(len(talk["exchanges"]))
        name = words["first_name"] if rng.happens(0.8) else talk["nameless"]
        said: list[str] = []
        for turn, at in enumerate(times):
            if turn % 2 == 0:
                pair = exchanges[(first + turn // 2) % len(exchanges)] if turn else rng.pick(talk["openings"])
                topics = {word: rng.pick(pool) for word, pool in chats["words"].items()}
                said = [text.format(name=name, **topics) for text in pair]
            sender, kind = ("agent", "out") if turn % 2 else ("user", "wamid")
            text = said[turn % 2]
            message_id = f"{kind}.{rng.getrandbits(240):060X}"
            status = rng.pick(load_data("leads")["statuses"][sender])
            yield (
                "messages", message_id, conversation_id, sender, text[0].upper() + text[1:], at, status, turn + 1,
            )  # fmt: skip

    def _lately(self) -> datetime:
        """Return some time at which a lead was last heard of: a tenth of them on the last day."""
        most = DAYS * 86_400_000 - 3_600_000
        return self.now - (1 + int(most * self._rng.random() ** 2.6)) * _MS
