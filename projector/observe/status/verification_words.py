"""The state of the verify as text for people, and as an object for machines."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from projector.observe.status.verification import OpenDrift, PresentRound, ProvedRound, Verification
from projector.observe.status.words import age_in_words, moment_in_words, shorten
from projector.report.counted import counted

_OUTCOMES = {
    "healed": "healed by `verify --heal`",
    "rebuilt": "corrected by a rebuild",
    "right": "found right by a later verify",
}


def verification_as_dict(found: Verification) -> dict[str, Any]:
    """Return it for machines."""
    present = None if found.present is None else asdict(found.present)
    if present is not None:
        present["percent"] = _percent(present.pop("done"))
    drift = [asdict(item) for item in found.drift]
    for item in drift:
        del item["total"]
    return {
        "proved_at": found.proved and found.proved.finished_at,
        "proved": found.proved and asdict(found.proved),
        "round": present,
        "drift": {
            "count": found.drift_total,
            "first": drift,
            "ended": [asdict(ended) for ended in found.history],
        },
    }


def verification_lines(found: Verification) -> Iterator[tuple[str, str]]:
    """Return its lines for people, each with its label."""
    yield "Verified", _proved_in_words(found.proved)
    yield "Verify round", _round_in_words(found.present)
    yield "Drift", "none" if not found.drift else differing(found.drift_total)
    for item in found.drift:
        yield (
            "",
            f"{item_in_words(item)}: {shorten(item.first_field)}, found {moment_in_words(item.found_at)}",
        )
    for ended in found.history:
        when = f"{moment_in_words(ended.last_at)}"
        last = when if ended.items == 1 else f"the last {when}"
        yield "", f"{counted(ended.items, 'item')} {_OUTCOMES[ended.outcome]}, {last}"


def item_in_words(item: OpenDrift) -> str:
    """Return what differs: a lead, a key with its lead, or the statistics of a tenant."""
    if item.kind == "statistics":
        return f"the statistics of {item.user_id}"
    lead = f"lead {item.customer_phone} of {item.user_id}"
    return f"{lead} ({item.kind} {item.key})" if item.key else lead


def differing(items: int) -> str:
    """Return how many items differ. An item is a lead, a key, or the statistics of a tenant."""
    return f"{counted(items, 'item')} {'differs' if items == 1 else 'differ'} from the source rows"


def days_in_words(days: float) -> str:
    """Return a number of days with its noun."""
    unit = "day" if days == 1 else "days"
    return f"{days:g} {unit}"


def _proved_in_words(proved: ProvedRound | None) -> str:
    if proved is None:
        return "everything: not yet"
    text = f"everything: {moment_in_words(proved.finished_at)}, {counted(proved.leads, 'lead')}"
    if proved.left_out:
        text += f", {proved.left_out:,} left out"
    return f"{text}, {_found(proved.differences)}"


def _round_in_words(present: PresentRound | None) -> str:
    if present is None:
        return "none under way"
    text = (
        f"{_percent(present.done)} % in {age_in_words(present.age)}, {present.leads:,} of about"
        f" {counted(max(present.leads_total, present.leads), 'lead')}"
    )
    if present.left_out:
        text += f", {present.left_out:,} to be looked at again"
    return f"{text}, {_found(present.differences)}"


def _found(differences: int) -> str:
    return "no difference" if differences == 0 else counted(differences, "difference")


def _percent(done: float) -> float:
    return round(100 * done, 1)
