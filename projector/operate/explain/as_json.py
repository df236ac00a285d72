"""The explanation as one object for machines; docs/explain.md describes it."""

from dataclasses import asdict
from typing import Any

from projector.operate.explain.model import Explanation, Field, Row


def as_dict(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation for machines. Values are as the API prints them, those of source rows as stored."""
    return {
        "user_id": explanation.user_id,
        "customer_phone": explanation.customer_phone,
        "asked_for": explanation.asked_for,
        "exists": explanation.exists,
        "in_read_model": explanation.in_read_model,
        "state": explanation.state,
        "sentences": explanation.sentences,
        "failure": explanation.failure,
        "fields": [_field(one) for one in explanation.fields],
        "waiting": [
            {"kind": change.kind, "key": change.key, "queued_at": change.queued_at}
            for change in explanation.waiting
        ],
        "more_waiting": explanation.more_waiting,
        "dead_letters": [asdict(letter) for letter in explanation.dead_letters],
        "without_effect": [_row(row) for row in explanation.without_effect],
        "nearest": explanation.nearest,
    }


def _field(one: Field) -> dict[str, Any]:
    made = {
        "field": one.name,
        "value": one.value,
        "rule": one.rule,
        "sources": [_row(row) for row in one.sources],
        "more_sources": one.more_sources,
        "decided_by": [_row(row) for row in one.decided_by],
        "counts": [asdict(count) for count in one.counts],
        "losers": [_row(row) for row in one.losers],
        "more_losers": one.more_losers,
        "differs": one.differs,
    }
    return {**made, "read_model": one.read_model} if one.differs else made


def _row(row: Row) -> dict[str, Any]:
    through = [{"table": table, "key": key} for table, key in row.through if key is not None]
    return {**asdict(row), "through": through}
