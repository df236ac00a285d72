"""What demo customers and agents say to each other, by language. The texts are in `texts/chats.json`."""

from dataclasses import dataclass
from typing import TypedDict

from projector.trial.demo.texts import load_texts

Exchange = tuple[str, str]
"""A message of the customer, and the agent's answer to it."""


class _TalkTexts(TypedDict):
    nameless: str
    openings: list[list[str]]
    exchanges: list[list[str]]


class _ChatTexts(TypedDict):
    items: list[str]
    prices: list[str]
    cities: list[str]
    languages: dict[str, _TalkTexts]


_TEXTS: _ChatTexts = load_texts("chats")


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said in one language.

    `{name}` in an opening is the customer's first name, or `nameless` where that is unknown. The braces of an
    exchange are placeholders of an item, a price and a city.
    """

    nameless: str
    openings: tuple[Exchange, ...]
    exchanges: tuple[Exchange, ...]

    def filled(self) -> list[Exchange]:
        """Return every exchange once for each item, with a price and a city in place of the other placeholders."""
        items, prices, cities = _TEXTS["items"], _TEXTS["prices"], _TEXTS["cities"]
        pairs = []
        for asked, answered in self.exchanges:
            for number, item in enumerate(items):
                words = {
                    "item": item,
                    "price": prices[number * 7 % len(prices)],
                    "city": cities[number * 3 % len(cities)],
                }
                pairs.append((asked.format(**words), _capitalize(answered.format(**words))))
        return pairs


def _capitalize(text: str) -> str:
    """Return the text with a capital first letter; `str.capitalize` would make all others small."""
    return text[0].upper() + text[1:]


def _exchanges(pairs: list[list[str]]) -> tuple[Exchange, ...]:
    return tuple((asked, answered) for asked, answered in pairs)


TALKS: dict[str, Talk] = {
    language: Talk(texts["nameless"], _exchanges(texts["openings"]), _exchanges(texts["exchanges"]))
    for language, texts in _TEXTS["languages"].items()
}
"""A talk for each language code, such as `en`."""
