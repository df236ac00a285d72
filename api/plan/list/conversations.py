"""The filters of a working list, as conditions on `leads`, on conversations, and as numbers of lead_totals."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Text, bindparam, literal_column, not_, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

from api.plan.sql import USER, Condition, constant, lead_conversations

Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]


def is_last_message_from(columns: Columns, sender: str) -> Condition:
    """Returns whether the last message is from a sender."""
    return columns.last_message_sender == literal_column(f"'{sender}'", Text)


def total_from(columns: Columns, sender: str) -> ColumnElement[int]:
    """Returns how many leads of a row of lead_totals have a last message from a sender."""
    total: ColumnElement[int] = columns[f"last_from_{sender}"]
    return total


def has_conversation(columns: Columns, wanted: bool) -> Condition:  # noqa: FBT001  # Its value.
    """Returns whether there is a conversation, or none."""
    # A part of the statement's text, so that PostgreSQL sees that the index of those without one serves.
    condition: Condition = columns.has_conversation
    return condition if wanted else not_(condition)


def total_by_conversation(columns: Columns, wanted: bool) -> ColumnElement[int]:  # noqa: FBT001  # Its value.
    """Returns how many leads of a row of lead_totals have a conversation, or none."""
    without: ColumnElement[int] = columns.without_conversation
    return columns.leads - without if wanted else without


def of_conversations(name: str) -> Condition:
    """Returns whether a conversation has the value of a filter."""
    column = lead_conversations.c[name]
    return column == bindparam(name, type_=column.type)


def of_any_conversation(name: str) -> Callable[[Columns, object], Condition]:
    """Returns whether any conversation of the current lead has the value of a filter: a look-up in an index."""

    def condition(columns: Columns, _shape: object) -> Condition:
        conversations = lead_conversations.c
        # PostgreSQL would join EXISTS, and lose the order of the leads.
        found = (
            select(literal_column("true", Boolean))
            .where(
                conversations.user_id == USER,
                conversations.customer_phone == columns.customer_phone,
                of_conversations(name),
            )
            .limit(constant(1))
            .correlate_except(lead_conversations)
        )
        return found.scalar_subquery()

    return condition
