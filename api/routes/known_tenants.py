"""Which tenants and which lead the pages for people begin with, where the API asks nobody who calls."""

from typing import Any

import orjson

from api.database.errors import UnavailableError
from api.plan.list.pages import list_leads
from api.plan.projection import FIRST_TENANTS
from api.request import current
from api.request.parameters import LIST_QUERY
from api.routes.state import read_model, state

# Of the examples in the API reference; the demo data have it.
REFERENCE_TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"


def asks_who_calls() -> bool:
    """Returns whether the API asks for a token or a key."""
    return state().gate is not None


def known_tenants() -> list[str]:
    """Returns the first tenants; none where the API asks who calls, or while the read model cannot be read."""
    if asks_who_calls():
        return []
    try:
        found: list[str] = orjson.loads(read_model().database.fetch(FIRST_TENANTS).user_ids)
    except UnavailableError:
        return []
    return found


def example() -> tuple[str | None, str | None]:
    """Returns a tenant, that of the API reference if it is there, and its lead that was active last."""
    tenants = known_tenants()
    if not tenants:
        return None, None
    tenant = REFERENCE_TENANT if REFERENCE_TENANT in tenants else tenants[0]
    try:
        row: Any = read_model().database.fetch(
            list_leads(tenant, LIST_QUERY.read("limit=1"), current.values().now)
        )
    except UnavailableError:
        return tenant, None
    return tenant, orjson.loads(row.page[0])["customer_phone"] if row.page else None
