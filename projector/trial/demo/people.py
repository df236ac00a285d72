"""Demo people: what they are called, and how they are reached."""

from dataclasses import dataclass
from random import Random

from projector.trial.demo.chance import happens, pick
from projector.trial.demo.identifiers import web_session
from projector.trial.demo.words import COMPANIES, EMAIL_PROVIDERS, EMOJI, REGIONS, Region


@dataclass(frozen=True, slots=True)
class Person:
    """Who writes to the tenant."""

    region: Region
    first_name: str
    name: str
    email: str
    company: str


def make_person(rng: Random) -> Person:
    """Make up a person."""
    region = pick(rng, REGIONS)
    first_name, first_spelled = pick(rng, region.first_names)
    last_name, last_spelled = pick(rng, region.last_names)
    names = (last_name, first_name) if region.family_first else (first_name, last_name)
    name = region.joint.join(names)
    if happens(rng, 0.03):
        name = f"{name} {pick(rng, EMOJI)}"
    joint = pick(rng, (".", ".", "_", ""))
    number = "" if happens(rng, 0.4) else str(int(rng.random() * 100))
    email = f"{first_spelled}{joint}{last_spelled}{number}@{pick(rng, EMAIL_PROVIDERS)}"
    return Person(region, first_name, name, email, pick(rng, COMPANIES))


def make_address(rng: Random, platform: str, person: Person, digits: str) -> str:
    """Make up a person's identifier on a platform; it is the person's own if the nine digits are."""
    if platform == "whatsapp":
        return person.region.dialing + digits
    if platform == "instagram":
        return f"17841{int(rng.random() * 1_000):03}{digits}"
    return web_session(rng)
