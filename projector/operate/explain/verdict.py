"""Says how the read model stands to what the rules give now, and what to do about it."""

from projector.database.sql import PROJECTION_VERSION
from projector.operate.explain.model import (
    CURRENT,
    DEAD_LETTER,
    DRIFT,
    GAP,
    NO_LEAD,
    REBUILDING,
    WAITING,
    Explanation,
    Letter,
)
from projector.operate.explain.read import LOOKED_AT, Evidence
from projector.report.counted import counted

_NEXT = "the next refresh brings it in"


def give_verdict(explanation: Explanation, found: Evidence) -> None:
    """Set the state of an explanation and the sentences that go with it."""
    explanation.state = _state(explanation, found)
    explanation.sentences = [
        *_on_existence(explanation),
        *_on_what_waits(explanation, found),
        *_on_letters(explanation),
        *_on_difference(explanation, found),
    ]


def differs(found: Evidence) -> bool:
    """Return whether the read model is not what the rules give now; where they fail, that cannot be told."""
    return found.failure is None and found.computed != found.stored


def _state(explanation: Explanation, found: Evidence) -> str:
    state = found.state
    is_unknown = any(key.is_own and not key.is_known for key in found.keys)
    # The first that holds: what waits explains a difference, and drift is what nothing explains.
    reasons = (
        (WAITING, bool(explanation.waiting) or state.truncates),
        (DEAD_LETTER, bool(explanation.dead_letters) or found.failure is not None),
        (NO_LEAD, not explanation.is_there),
        (CURRENT, not differs(found)),
        (WAITING, is_unknown or state.is_longer),
        (REBUILDING, state.is_rebuilding or state.version != PROJECTION_VERSION),
        (GAP, state.gap is not None),
        (DRIFT, True),
    )
    return next(reason for reason, holds in reasons if holds)


def _on_existence(explanation: Explanation) -> list[str]:
    if explanation.exists:
        if not explanation.in_read_model:
            return ["The source rows make this lead, and the read model does not have it."]
        return []
    if explanation.in_read_model:
        return ["The source rows make this lead no more, and the read model still has it."]
    sentences = ["The tenant has no such lead."]
    if explanation.without_effect:
        sentences.append(
            "It has rows with this phone, but none that makes a lead: that takes a conversation, or a template send"
            " that went out."
        )
    sentences.append(f"The tenant has {counted(explanation.leads_of_tenant, 'lead')}.")
    if explanation.nearest:
        sentences.append(f"Near this phone: {', '.join(explanation.nearest)}.")
    return sentences


def _on_what_waits(explanation: Explanation, found: Evidence) -> list[str]:
    sentences = []
    if found.state.truncates:
        sentences.append(f"A source table was truncated, and that waits in the queue: {_NEXT}.")
    if explanation.waiting:
        total = explanation.waiting[0].total
        waits = "waits" if total == 1 else "wait"
        since = f"since {explanation.waiting[0].queued_at}"
        pronoun = "it" if total == 1 else "them"
        sentences.append(
            f"{counted(total, 'change')} of this lead {waits} in the queue, {since}: the next refresh brings"
            f" {pronoun} in. If that does not happen, `status` says why."
        )
    if found.state.is_longer:
        sentences.append(
            f"More than {counted(LOOKED_AT, 'change')} wait, and only the first ones were looked at: a change of this"
            " lead may wait among the others."
        )
    return sentences


def _on_letters(explanation: Explanation) -> list[str]:
    sentences = []
    if explanation.failure is not None:
        sentences.append(
            f"The lead cannot be computed from its source rows: {explanation.failure}. The values below are those of"
            " the read model. Correct the source row that the error speaks of; the change brings the lead up to date."
        )
    sentences += [
        f"The key {letter.kind} {letter.key} is set aside: {letter.error.rstrip('.')}. {_attempts_in_words(letter)}"
        for letter in explanation.dead_letters
    ]
    return sentences


def _attempts_in_words(letter: Letter) -> str:
    if letter.attempts == 0:
        return (
            f"It was set aside at {letter.first_failed_at}, and a running projector tries it within seconds."
        )
    return (
        f"It failed first at {letter.first_failed_at}, {counted(letter.attempts, 'attempt')} so far; the next one is"
        f" at {letter.retry_at}. Correct the cause, then run `refresh --retry-failed`."
    )


def _on_difference(explanation: Explanation, found: Evidence) -> list[str]:
    both = explanation.exists and explanation.in_read_model
    if not differs(found):
        return ["The read model shows what the rules give now."] if both and found.failure is None else []
    names = [one.name for one in explanation.fields if one.differs]
    sentences = []
    if both and names:
        sentences.append(f"The read model differs from what the rules give now in {', '.join(names)}.")
    if explanation.state == REBUILDING:
        sentences.append(
            "A rebuild is under way, or still to come, and corrects that; `status` shows how far it is."
        )
    elif explanation.state == GAP:
        reason = str(found.state.gap).rstrip(".")
        sentences.append(f"Changes may have been missed: {reason}. `status` says what to do.")
    elif explanation.state == DRIFT:
        sentences.append(
            "Nothing of the lead waits, so this is drift, a bug: run"
            f" `verify --user {explanation.user_id} --heal` to correct it, and report it."
        )
    return sentences
