"""The statement of GET /users/{user_id}/leads/{customer_phone}."""

from dataclasses import dataclass

from sqlalchemy import select

from api.database.statement import BoundStatement, Freshness
from api.plan.sql import PHONE, USER, freshness_columns, leads


@dataclass(slots=True)
class LeadRow(Freshness):
    """A lead as the API prints it; None if the tenant has no such lead."""

    document: bytes | None


_DOCUMENT = (
    select(leads.c.document)
    .where(leads.c.user_id == USER, leads.c.customer_phone == PHONE)
    .scalar_subquery()
    .label("document")
)
_STATEMENT = select(*freshness_columns(), _DOCUMENT)


def single_lead(user_id: str, customer_phone: str) -> BoundStatement[LeadRow]:
    """Returns the statement of one lead."""
    return BoundStatement(_STATEMENT, LeadRow, {"user_id": user_id, "customer_phone": customer_phone})
