"""The words that demo people, companies and addresses are made of. They are in `texts/people.json`.

A region may have `times`: it is drawn as often as that many others. A name is written as `written=spelled`, where
`spelled` is its form in an e-mail address; a name without `=` is spelled as its small letters.
"""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

from projector.trial.demo.texts import load_texts


class _RegionTexts(TypedDict):
    dialing: str
    times: NotRequired[int]
    language: NotRequired[str]
    joint: NotRequired[str]
    family_first: NotRequired[bool]
    first_names: list[str]
    last_names: list[str]


class _PeopleTexts(TypedDict):
    regions: list[_RegionTexts]
    emoji: list[str]
    email_providers: list[str]
    companies: list[str]


@dataclass(frozen=True, slots=True)
class Region:
    """Where a lead is from: how its phone number starts, and what people are called there.

    A name is a pair: as it is written, and in the letters of an e-mail address.
    Nine more digits follow `dialing` in a phone number.
    """

    dialing: str
    first_names: tuple[tuple[str, str], ...]
    last_names: tuple[tuple[str, str], ...]
    joint: str = " "
    family_first: bool = False
    language: str = "en"


def _names(texts: list[str]) -> tuple[tuple[str, str], ...]:
    pairs = (text.partition("=") for text in texts)
    return tuple((written, spelled or written.lower()) for written, _, spelled in pairs)


def _region(texts: _RegionTexts) -> Region:
    return Region(
        dialing=texts["dialing"],
        first_names=_names(texts["first_names"]),
        last_names=_names(texts["last_names"]),
        joint=texts.get("joint", " "),
        family_first=texts.get("family_first", False),
        language=texts.get("language", "en"),
    )


_TEXTS: _PeopleTexts = load_texts("people")

REGIONS: tuple[Region, ...] = tuple(
    region for texts in _TEXTS["regions"] for region in (_region(texts),) * texts.get("times", 1)
)
"""Every region, as often as its people are drawn."""

EMOJI = tuple(_TEXTS["emoji"])
EMAIL_PROVIDERS = tuple(_TEXTS["email_providers"])
COMPANIES = tuple(_TEXTS["companies"])
