"""The statement of GET /users/{user_id}/leads/{customer_phone}."""

from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Select, select

from api.database.statement import BoundStatement
from api.plan.sql import PHONE, USER, freshness_columns, leads


class LeadRow(NamedTuple):
    """A lead as the API prints it; None if the tenant has no such lead."""

    as_of: datetime | None
    dead_letters: int | None
    version: bytes | None
    document: bytes | None


def single_lead(user_id: str, customer_phone: str) -> BoundStatement[LeadRow]:
    """Returns the statement of one lead."""
    return BoundStatement(_statement(), LeadRow, {"user_id": user_id, "customer_phone": customer_phone})


@lru_cache(maxsize=1)
def _statement() -> Select[Any]:
    document = (
        select(leads.c.document)
        .where(leads.c.user_id == USER, leads.c.customer_phone == PHONE)
        .scalar_subquery()
    )
    return select(*freshness_columns(), document.label("document"))
