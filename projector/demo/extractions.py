"""Demo extractions: what an AI made of a conversation, run after run."""

from collections.abc import Sequence
from itertools import product

from projector.demo.clock import SECOND, timestamp_with_microseconds
from projector.demo.identifiers import random_uuid
from projector.demo.people import pick
from projector.demo.setting import Lead, Setting
from projector.demo.source_rows import Value

STATUSES = ("Cold",) * 5 + ("Warm",) * 3 + ("Hot",) * 2
"""How warm leads are, as often as it stands here."""

_SPELLINGS: dict[str, tuple[str | None, ...]] = {
    "Hot": ("Hot",) * 7 + ("hot", "HOT", " Hot "),
    "Warm": ("Warm",) * 7 + ("warm", "WARM", "Warm\n"),
    "Cold": ("Cold",) * 12 + ("cold", "COLD", " cold", "Cold  ", "", None, "Not interested"),
}


def _scores(lowest: int, highest: int) -> tuple[tuple[int, ...], ...]:
    return tuple(scores for scores in product((1, 2, 3), repeat=5) if lowest <= sum(scores) <= highest)


_SCORES = {"Cold": _scores(5, 8), "Warm": _scores(9, 11), "Hot": _scores(12, 15)}
_RUNS = (1, 1, 1, 1, 2, 2, 3, 5)


def add_extractions(setting: Setting, lead: Lead, conversation_id: str, start: int, end: int) -> None:
    """Add a conversation's extraction history; the last run is the latest one, or none is."""
    rng = setting.rng
    runs = pick(rng, _RUNS)
    flagged = rng.random() < 0.96
    for run in range(1, runs + 1):
        last = run == runs
        # A later run knows more than an earlier one, which finds a lead lukewarm at most.
        status = lead.status if last else pick(rng, ("Cold", "Cold", "Warm"))
        at = setting.after(end, 40 * SECOND) if last else start + (end - start) * run // runs
        setting.rows.add(
            "extractions",
            random_uuid(rng),
            conversation_id,
            setting.user_id,
            lead.customer_phone,
            timestamp_with_microseconds(at, int(rng.random() * 1_000)),
            last and flagged,
            *_found(setting, lead, known=run / runs),
            *_judged(setting, status),
        )


def _found(setting: Setting, lead: Lead, known: float) -> Sequence[Value]:
    """Return name, e-mail and company as far as they came up."""
    rng, person = setting.rng, lead.person
    chance = rng.random()
    name: str | None = person.name
    if chance > 0.85 * known:
        name = pick(rng, (None, None, "", "  "))
    elif chance > 0.65:
        name = person.first_name
    elif chance > 0.6:
        name = pick(rng, (f" {person.name}", f"{person.name} ", person.name.lower()))
    email = person.email if rng.random() < 0.65 * known else pick(rng, (None, None, None, ""))
    company = person.company if rng.random() < 0.45 * known else pick(rng, (None, None, None, "", "\t"))
    return name, email, company


def _judged(setting: Setting, status: str) -> Sequence[Value]:
    """Return the five scores, their total and the status, some of them missing or not quite right."""
    rng = setting.rng
    tag = pick(rng, _SPELLINGS[status])
    chance = rng.random()
    if chance < 0.08:
        return None, None, None, None, None, None, tag if chance < 0.05 else None
    scores: list[Value] = list(pick(rng, _SCORES[status]))
    total: int | None = sum(score for score in scores if score is not None and isinstance(score, int))
    if chance < 0.13:
        total = max(5, (total or 0) - 1)
    elif chance < 0.2:
        total = None
        if chance < 0.15:
            scores[int(rng.random() * 5)] = None
    return *scores, total, tag
