"""How statements are written, and when a commit is visible: on one server, or on several servers of Citus.

A connection gets its dialect once, when it is made.
"""

from dataclasses import dataclass
from typing import LiteralString

FENCE = "OFFSET 0"
"""The text of `{fence}` on one server: it keeps the planner to one index scan for each key.

PostgreSQL never analyzes the staging tables, and can only guess how many rows they have: a join with one of them would
read a table of any size completely. So each look-up is a LATERAL that ends in `{fence}`.
"""

# An index scan per key is always right, for the same reason.
_INDEX_SCANS: LiteralString = "SET enable_seqscan = off"


@dataclass(frozen=True, slots=True)
class Dialect:
    """The differences between one server and several.

    `fence`, `stored_fence` and `tenants` replace these words in braces in a statement: the first ends a look-up in the
    platform's tables, the second one in the read model. `settings` are the commands that a session runs before the
    steps. `commits_at_once`: once a commit returns, every reader sees all of it.
    `joins_temporary_tables`: a join of a temporary table with the read model only reads the rows that it needs.
    """

    fence: str
    stored_fence: str
    tenants: str
    settings: tuple[LiteralString, ...]
    commits_at_once: bool
    joins_temporary_tables: bool


ONE_SERVER = Dialect(
    fence=FENCE,
    stored_fence=FENCE,
    tenants="",
    settings=(_INDEX_SCANS, "SET plan_cache_mode = force_generic_plan"),
    commits_at_once=True,
    joins_temporary_tables=True,
)

CITUS = Dialect(
    fence=FENCE,
    stored_fence="",
    tenants="AND stored.user_id = any(%(staged_tenants)s::text[])",
    settings=(_INDEX_SCANS,),
    commits_at_once=False,
    joins_temporary_tables=False,
)
"""Citus takes no OFFSET in a LATERAL over its tables, and only asks the servers of the tenants that are named."""
