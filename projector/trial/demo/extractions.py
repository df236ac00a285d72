"""Demo extractions: what an AI made of a conversation, run after run."""

from itertools import product

from projector.trial.demo.chance import happens, pick
from projector.trial.demo.clock import SECOND, timestamp_with_microseconds
from projector.trial.demo.identifiers import random_uuid
from projector.trial.demo.setting import Lead, Setting
from projector.trial.demo.source_rows import Value

STATUSES = ("Cold",) * 5 + ("Warm",) * 3 + ("Hot",) * 2
"""How warm leads are, each status as often as it is met."""

_SPELLINGS: dict[str, tuple[str | None, ...]] = {
    "Hot": ("Hot",) * 7 + ("hot", "HOT", " Hot "),
    "Warm": ("Warm",) * 7 + ("warm", "WARM", "Warm\n"),
    "Cold": ("Cold",) * 12 + ("cold", "COLD", " cold", "Cold  ", "", None, "Not interested"),
}
_RUNS = (1, 1, 1, 1, 2, 2, 3, 5)


def _scores(lowest: int, highest: int) -> tuple[tuple[int, ...], ...]:
    return tuple(scores for scores in product((1, 2, 3), repeat=5) if lowest <= sum(scores) <= highest)


_SCORES = {"Cold": _scores(5, 8), "Warm": _scores(9, 11), "Hot": _scores(12, 15)}


def add_extractions(setting: Setting, lead: Lead, conversation_id: str, start: int, end: int) -> None:
    """Add a conversation's extraction history, of which the last run is the latest one, or none is."""
    rng = setting.rng
    runs = pick(rng, _RUNS)
    flagged = happens(rng, 0.96)
    for run in range(1, runs + 1):
        last = run == runs
        # An earlier run knows less, and finds the lead lukewarm at most.
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
            _name(setting, lead, known=run / runs),
            lead.person.email if happens(rng, 0.65 * run / runs) else pick(rng, (None, None, None, "")),
            lead.person.company if happens(rng, 0.45 * run / runs) else pick(rng, (None, None, "", "\t")),
            *_judged(setting, status),
        )


def _name(setting: Setting, lead: Lead, known: float) -> str | None:
    """The lead's name as far as it came up, and as it was put."""
    rng, person = setting.rng, lead.person
    if not happens(rng, 0.9 * known):
        return pick(rng, (None, None, "", "  "))
    if happens(rng, 0.25):
        return person.first_name
    if happens(rng, 0.05):
        return pick(rng, (f" {person.name}", f"{person.name} ", person.name.lower()))
    return person.name


def _judged(setting: Setting, status: str) -> tuple[Value, ...]:
    """Five scores, their total and the status; some of it is missing or not quite right."""
    rng = setting.rng
    tag = pick(rng, _SPELLINGS[status])
    if happens(rng, 0.08):
        return None, None, None, None, None, None, pick(rng, (tag, None))
    scores = pick(rng, _SCORES[status])
    if happens(rng, 0.05):
        return *scores, max(5, sum(scores) - 1), tag
    if happens(rng, 0.05):
        return *scores, None, tag
    if happens(rng, 0.02):
        return *scores[:4], None, None, tag
    return *scores, sum(scores), tag
