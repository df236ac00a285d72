"""The fields that come from one extraction or one contact."""

from typing import Any

from projector.operate.explain.model import Field, Row
from projector.operate.explain.read import Evidence, Found

SCORES = ("intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score")
TEXTS = ("name", "email", "company")

_WINNING_EXTRACTION = (
    "The winning extraction is chosen among those of all conversations of the lead: is_latest first, then the newest"
    " extracted_at, then the greatest extraction_id."
)
_RULES = {
    **{
        name: (
            f"The {name} of the winning extraction if it is not blank, else of the winning contact. Trimmed."
            " Of extractions is_latest wins, then the newest extracted_at; of contacts the newest updated_at."
        )
        for name in TEXTS
    },
    "lead_status": (
        "lead_status_tag of the winning extraction as Hot, Warm or Cold, whatever its case; null for any other tag."
        " It is never derived from scores."
    ),
    "total_score": (
        "total_score of the winning extraction as stored; where it is null, the sum of the five scores if all are"
        " there."
    ),
    **{name: f"{name} of the winning extraction, as stored." for name in SCORES},
    "has_extraction": "True when a conversation of the lead has any extraction, even an empty one.",
    "extraction_id": _WINNING_EXTRACTION,
}
_COLUMNS = {"lead_status": "lead_status_tag", "has_extraction": None, "extraction_id": None}


def explain_profile(found: Evidence, size: int) -> dict[str, Field]:
    """Return the fields of the profile by name; at most `size` losing rows of a table are named."""
    fields = {name: _of_extraction(found, name, size) for name in _RULES if name not in TEXTS}
    return {**{name: _of_both(found, name, size) for name in TEXTS}, **fields}


def _of_extraction(found: Evidence, name: str, size: int) -> Field:
    made = Field(name, _RULES[name])
    column = _COLUMNS.get(name, name)
    if not found.extractions:
        return made
    winner = found.extractions[0]
    if name == "total_score" and winner["total_score"] is None:
        scores = [winner[score] for score in SCORES]
        note = "total_score is null, and so the five scores are added up"
        if None in scores:
            note = "total_score is null, and not all five scores are there to be added up"
        made.sources = [_extraction(winner, ", ".join(SCORES), scores, note)]
    else:
        made.sources = [_extraction(winner, column, _value(winner, column))]
    _add_losing_extractions(made, found, column, size)
    return made


def _of_both(found: Evidence, name: str, size: int) -> Field:
    """The extraction's value or the contact's. A blank one of the extraction decides that the contact is asked."""
    made = Field(name, _RULES[name])
    extraction = found.extractions[0] if found.extractions else None
    contact = found.contacts[0] if found.contacts else None
    is_said = extraction is not None and not _is_blank(extraction[name])
    if extraction is not None:
        if is_said:
            made.sources = [_extraction(extraction, name, extraction[name])]
        else:
            note = f"it is the winning extraction, and its {name} is blank"
            made.decided_by.append(_extraction(extraction, name, extraction[name], note))
    if contact is not None and not is_said:
        if _is_blank(contact[name]):
            note = f"it is the winning contact, and its {name} is blank"
            made.decided_by.append(_contact(contact, name, note))
        else:
            made.sources = [_contact(contact, name)]
    _add_losing_extractions(made, found, name, size)
    reason = f"the winning extraction has a {name}" if is_said else None
    losing = found.contacts if is_said else found.contacts[1:]
    made.losers += [
        _contact(row, name, reason or _why_contact(row, found.contacts[0])) for row in losing[:size]
    ]
    made.more_losers += (found.contacts[0]["total"] - (not is_said) if contact else 0) - len(losing[:size])
    return made


def _add_losing_extractions(made: Field, found: Evidence, column: str | None, size: int) -> None:
    if not found.extractions:
        return
    winner, losing = found.extractions[0], found.extractions[1 : size + 1]
    made.losers += [
        _extraction(row, column, _value(row, column), _why_extraction(row, winner)) for row in losing
    ]
    made.more_losers += winner["total"] - 1 - len(losing)


def _value(row: Found, column: str | None) -> Any:  # noqa: ANN401  # Whatever the column holds.
    return None if column is None else row[column]


def _extraction(row: Found, column: str | None, value: object, note: str | None = None) -> Row:
    return Row("extractions", row["key"], column, value, "extracted_at", row["time"], note)


def _contact(row: Found, column: str, note: str | None = None) -> Row:
    return Row("contacts", row["key"], column, row[column], "updated_at", row["time"], note)


def _why_extraction(row: Found, winner: Found) -> str:
    if winner["is_latest"] is True and row["is_latest"] is not True:
        return "is_latest is not true, as it is of the winner"
    return _why_time(row, winner, "extracted_at", "extraction_id")


def _why_contact(row: Found, winner: Found) -> str:
    return _why_time(row, winner, "updated_at", "contact_id")


def _why_time(row: Found, winner: Found, column: str, key: str) -> str:
    if row["time"] == winner["time"]:
        return f"its {column} is the same, and its {key} is smaller"
    return f"its {column} is null" if row["time"] is None else f"its {column} is older"


def _is_blank(value: str | None) -> bool:
    """As projector.blank_to_null in sql/definition/normalize.sql."""
    return value is None or not value.strip(" \t\n\v\f\r\N{NO-BREAK SPACE}")
