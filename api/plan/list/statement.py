"""The statement of GET /users/{user_id}/leads."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import SelectBase

from api.database.statement import BoundStatement, Freshness
from api.plan.list.pages import list_parts
from api.plan.list.plan import ListPlan, plan_list
from api.plan.sql import freshness_columns, with_page
from api.request.parameters import ListParameters

_MAX_CACHED_PLANS = 512


@dataclass(slots=True)
class ListRow(Freshness):
    """A page of leads; if `collect_matches` is true it is empty, and the same list with that option has it."""

    total: int
    collect_matches: bool
    page: list[bytes]


def list_leads(
    user_id: str, parameters: ListParameters, now: datetime, *, collect_matches: bool = False
) -> BoundStatement[ListRow]:
    """Returns the statement of a page of leads at a moment."""
    plan, values = plan_list(parameters, now)
    if collect_matches:
        plan = replace(plan, collect_matches=True)
    return BoundStatement(list_statement(plan), ListRow, {"user_id": user_id, **values})


@lru_cache(maxsize=_MAX_CACHED_PLANS)
def list_statement(plan: ListPlan) -> SelectBase:
    """Returns the statement of a plan, whose columns are the fields of ListRow."""
    parts = list_parts(plan)
    head = (parts.total.label("total"), parts.collect_matches.label("collect_matches"))
    return with_page([*freshness_columns(), *head], parts.page)
