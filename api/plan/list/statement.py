"""The statement of GET /users/{user_id}/leads."""

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import SelectBase

from api.database.statement import BoundStatement
from api.plan.list.pages import list_parts
from api.plan.list.plan import ListPlan, plan_list
from api.plan.sql import freshness_columns, with_page
from api.request.parameters import ListParameters

_MAX_CACHED_PLANS = 512


class ListRow(NamedTuple):
    """A page of leads; if `collect_matches` is true it is empty, and the same list with that option has it."""

    as_of: datetime | None
    dead_letters: int | None
    version: bytes | None
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
