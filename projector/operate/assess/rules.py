"""The numbers of a relation that suggest a mistake in the mapping, each with its sentence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from projector.capture.texts import RELATIONS
from projector.operate.assess.facts import PROBLEM, WARNING

# With fewer rows, "most" cannot be distinguished from "all".
_TELLING = 20
_ANY, _MOST, _ALL = 0.0, 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A mistake that a number suggests if it is at least one of these shares of another number.

    The sentence has `relation`, `number`, `of` and each number of the relation in braces.
    """

    number: str
    of: str
    shares: Mapping[str, float]
    relations: Sequence[str]
    sentence: str


_PROBLEM, _WARNING, _BOTH = {PROBLEM: _ALL}, {WARNING: _MOST}, {PROBLEM: _ALL, WARNING: _MOST}
_EVERY, _WHOLE, _PARTS = (*RELATIONS,), ("conversations",), ("messages", "extractions")
RULES = (
    Rule("left_out", "table_rows", _PROBLEM, _EVERY,
         "{relation}.sql gives none of the {of} rows of {table}: check its WHERE and its joins."),
    Rule("untimely", "rows", _PROBLEM, _EVERY,
         "{relation}: each {untimely_names} is more than a day ahead or before 2000: check its unit. to_timestamp()"
         " takes seconds."),
    Rule("of_unknown_tenant", "with_tenant", _BOTH, (*_WHOLE, "contacts", "template_sends"),
         "{relation}: {number} of {of} rows have a user_id that is not in tenants.sql: check which column is the"
         " tenant, here and there."),
    Rule("without_lead", "rows", _BOTH, _WHOLE,
         "{relation}: {number} of {of} have no user_id or no customer_phone, and would be left out: check these"
         " columns."),
    Rule("without_conversation", "rows", _BOTH, _PARTS,
         "{relation}: {number} of {of} belong to no conversation of conversations.sql, and would be left out: check the"
         " column conversation_id."),
    Rule("spelt_otherwise", "rows", _WARNING, ("contacts",),
         "{relation}: {number} of {of} have a phone that no conversation has, and most conversations have no contact:"
         " write phone as customer_phone in conversations.sql."),
    Rule("most_shared", "rows", _WARNING, _WHOLE,
         "{relation}: {number} of {of} have the same customer_phone, and would be one lead of each tenant: give the"
         " customer's id where there is no phone."),
    Rule("placeholders", "rows", {WARNING: _ANY}, _WHOLE,
         "{relation}: {number} of {of} have a word such as null or unknown as customer_phone, and would be one lead of"
         " each tenant: give the customer's id there."),
    Rule("odd_windows", "rows", {WARNING: _ANY}, _WHOLE,
         "{relation}: reply_window is below a minute or above 30 days: write its unit, as in interval '24 hours'."),
    Rule("one_sided", "rows", _WARNING, ("messages",),
         "{relation}: sender is never {one_sided_names}: customers write as user, and everybody else as agent."),
    Rule("out_of_range", "rows", _WARNING, ("extractions",),
         "{relation}: {out_of_range_names} has values that the API does not document: it has 1 to 3, and 5 to 15 for"
         " total_score."),
    Rule("unfilled", "rows", _WARNING, _EVERY,
         "{relation}: no row has a value of {unfilled_names}: check the names of columns, and of keys of JSON."),
)  # fmt: skip
"""The thresholds. A number is reported once, for the first share that it reaches."""


def suspicions(relation: str, numbers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the state and the sentence of each rule that holds for the numbers of a relation.

    A warning is probably a mistake of the mapping, and a problem certainly one.
    """
    for rule in RULES:
        number, of = numbers.get(rule.number) or 0, numbers.get(rule.of) or 0
        if number and relation in rule.relations:
            states = [
                state
                for state, share in rule.shares.items()
                if number >= share * of and (share != _MOST or of >= _TELLING)
            ]
            words = {**numbers, "relation": relation, "number": f"{number:,}", "of": f"{of:,}"}
            yield from [(state, rule.sentence.format(**words)) for state in states[:1]]
