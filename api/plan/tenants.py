"""The statement of the tenants that the pages for people offer, where the API asks nobody who calls."""

from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import SelectBase, Text, cast, func, literal_column, select

from api.database.statement import BoundStatement
from api.database.tables import tenant_ids
from api.plan.sql import constant

MOST_LISTED = 100


class TenantsRow(NamedTuple):
    """The ids of the first tenants in bytewise order, as a JSON array: one more than are listed, if there are more."""

    user_ids: bytes


def first_tenants() -> BoundStatement[TenantsRow]:
    """Returns the statement of the first tenants, which reads no more rows than it returns."""
    return BoundStatement(_statement(), TenantsRow, {})


@lru_cache(maxsize=1)
def _statement() -> SelectBase:
    first = (
        select(tenant_ids.c.user_id)
        .order_by(tenant_ids.c.user_id)
        .limit(constant(MOST_LISTED + 1))
        .subquery("i")
    )
    ids = func.coalesce(cast(func.json_agg(first.c.user_id), Text), literal_column("'[]'", Text))
    return select(ids.label("user_ids"))
