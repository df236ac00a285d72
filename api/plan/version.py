"""The statement of a tenant's version, by which an answer that the caller has is known to be still right."""

from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Select, select

from api.database.statement import BoundStatement
from api.plan.sql import freshness_columns


class VersionRow(NamedTuple):
    """What every answer of a tenant begins with; `version` is None if the read model does not know the tenant."""

    as_of: datetime | None
    dead_letters: int | None
    version: bytes | None


def tenant_version(user_id: str) -> BoundStatement[VersionRow]:
    """Returns the statement of the version of a tenant."""
    return BoundStatement(_statement(), VersionRow, {"user_id": user_id})


@lru_cache(maxsize=1)
def _statement() -> Select[Any]:
    return select(*freshness_columns())
