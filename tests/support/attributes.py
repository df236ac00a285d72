"""A mapping of the reference tables that declares attributes of every type, and what it makes of their rows."""

from datetime import date, timedelta
from decimal import Decimal

from projector.capture.texts import Texts, default_mapping
from tests.oracle.attributes import REFERENCE, Declaration, Given
from tests.oracle.leads import Contact, Conversation, Extraction

# Texts that a filter may take for another type, by the sum of two scores.
_HARD = {2: "true", 3: "1", 4: "1..3", 5: "01", 6: "True"}
_COLUMNS = {
    "extractions": """
    e.total_score::numeric / 4 AS budget,
    date '2025-01-01' + e.intent_score AS visit_on,
    CASE WHEN e.fit_score IS NOT NULL THEN ARRAY[e.fit_score, e.urgency_score, 10] END AS marks,
    jsonb_build_object(
        'city', e.company,
        'price', e.total_score / 2.0,
        'budget', e.name,
        'hard', (ARRAY[NULL, 'true', '1', '1..3', '01', 'True'])[e.intent_score + e.fit_score],
        'mixed', CASE e.fit_score
            WHEN 1 THEN to_jsonb(e.urgency_score)
            WHEN 2 THEN to_jsonb(e.intent_score > 1)
            WHEN 3 THEN jsonb_build_array(e.urgency_score, e.intent_score > 1, e.name)
        END
    ) AS attributes""",
    "contacts": """
    jsonb_build_object('city', c.company, 'mixed', c.source, 'Far', c.name) AS attributes""",
    "conversations": """
    c.is_active AS is_open,
    length(c.customer_phone) AS phone_length,
    c.last_message_at AS noted_at,
    jsonb_build_object('mixed', c.is_active, 'price', length(c.customer_phone)) AS attributes""",
}


def _mapping() -> Texts:
    files = dict(default_mapping().files)
    for name, columns in _COLUMNS.items():
        head, from_, tail = files[name].partition("\nFROM ")
        files[name] = f"{head},{columns}{from_}{tail}"
    return Texts(files)


def _given(row: object) -> Given:
    if isinstance(row, Conversation):
        length = len(row.customer_phone or "")
        of_conversation = {"is_open": row.is_active, "phone_length": length, "noted_at": row.last_message_at}
        return of_conversation, {"mixed": row.is_active, "price": length}
    declared, _ = REFERENCE.given(row)
    if isinstance(row, Contact):
        return declared, {"city": row.company, "mixed": row.source, "Far": row.name}
    assert isinstance(row, Extraction)
    total, intent, fit, urgency = row.total_score, row.intent_score, row.fit_score, row.urgency_score
    of_extraction = {
        **declared,
        "budget": None if total is None else Decimal(total) / 4,
        "visit_on": None if intent is None else date(2025, 1, 1) + timedelta(days=intent),
        "marks": None if fit is None else [fit, urgency, 10],
    }
    is_eager = None if intent is None else intent > 1
    mixed = {1: urgency, 2: is_eager, 3: [urgency, is_eager, row.name]}
    spread = {
        "city": row.company,
        "price": None if total is None else Decimal(total) / 2,
        "budget": row.name,
        "hard": None if intent is None or fit is None else _HARD.get(intent + fit),
        "mixed": None if fit is None else mixed.get(fit),
    }
    return of_extraction, spread


MAPPING = _mapping()

DECLARATION = Declaration(
    lead={**REFERENCE.lead, "budget": "number", "visit_on": "date", "marks": "list"},
    conversation={"is_open": "boolean", "phone_length": "number", "noted_at": "time"},
    given=_given,
    spreads={"lead": ("extractions", "contacts"), "conversation": ("conversations",)},
    relations={
        **REFERENCE.relations,
        **dict.fromkeys(("budget", "visit_on", "marks"), ("extractions",)),
        **dict.fromkeys(("is_open", "phone_length", "noted_at"), ("conversations",)),
    },
)
