"""The order of the messages of a lead: what lies after a cursor, and before or after a message that a request names."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    tuple_,
)

from api.plan.sql import PHONE, USER, ZERO, Condition, lead_messages, moment
from api.request.cursor import Position

# A sequence_no is an integer of PostgreSQL.
_AFTER_ALL_NUMBERS = 2**31
# The message after which a page begins.
CURSOR_PLACE = (
    moment("cursor_sent_at"),
    bindparam("cursor_conversation_id", type_=Text),
    bindparam("cursor_sequence_no", type_=BigInteger),
    bindparam("cursor_message_id", type_=Text),
)


def cursor_values(position: Position) -> dict[str, object]:
    """Returns the values of `CURSOR_PLACE` for the position of a cursor."""
    sent_at, conversation_id, sequence_no, message_id = position
    return {
        "cursor_sent_at": sent_at,
        "cursor_conversation_id": conversation_id,
        "cursor_sequence_no": _AFTER_ALL_NUMBERS if sequence_no is None else sequence_no,
        "cursor_message_id": message_id,
    }


def _place_of(columns: Any) -> tuple[ColumnElement[Any], ...]:  # noqa: ANN401  # A table's columns by name.
    """Returns what the order compares; a message without a number comes after all that have one."""
    number = func.coalesce(
        cast(columns.sequence_no, BigInteger), literal_column(str(_AFTER_ALL_NUMBERS), BigInteger)
    )
    return columns.sent_at, columns.conversation_id, number, columns.message_id


def is_beyond(place: Sequence[ColumnElement[Any]], *, forwards: bool) -> list[Condition]:
    """Returns the conditions for the messages after, or before, a place.

    The first is a range of the index, the second decides among messages of one time.
    """
    own = _place_of(lead_messages.c)
    if forwards:
        return [own[0] >= place[0], tuple_(*own) > tuple_(*place)]
    return [own[0] <= place[0], tuple_(*own) < tuple_(*place)]


def named_message(parameter: str) -> CTE:
    """Returns the message of the lead that a parameter names."""
    message = lead_messages.c
    is_named = message.message_id == bindparam(parameter, type_=Text)
    names = ("sent_at", "conversation_id", "number", "message_id")
    columns = (column.label(name) for column, name in zip(_place_of(message), names, strict=True))
    return (
        select(*columns)
        .where(message.user_id == USER, message.customer_phone == PHONE, is_named)
        .cte(f"{parameter}_message")
    )


def conditions_on_places(named: Mapping[str, CTE]) -> list[Condition]:
    """Returns the conditions for the messages before and after those that are named."""
    conditions = []
    for parameter, message in named.items():
        place = [select(column).scalar_subquery() for column in message.c]
        conditions += is_beyond(place, forwards=parameter == "after")
    return conditions


def first_unknown(named: Mapping[str, CTE]) -> ColumnElement[Any]:
    """Returns the first parameter whose message the lead does not have, or null."""
    whens = [
        (
            select(func.count()).select_from(message).scalar_subquery() == ZERO,
            literal_column(f"'{name}'", Text),
        )
        for name, message in named.items()
    ]
    return case(*whens, else_=cast(null(), Text)) if whens else cast(null(), Text)
