"""How statements are written, and when a commit is seen: on one server, or on several servers of Citus.

A connection is recognised once, when it is made, and has its dialect from then on: nothing asks again.
"""

from dataclasses import dataclass
from typing import LiteralString

FENCE = "OFFSET 0"
"""What `{fence}` is where the tables are on one server: it holds the planner to one index scan for each key.

PostgreSQL never analyzes the staging tables, and can only guess how many rows they have: a join with one of them would
read a table of any size from end to end. So each look-up is a LATERAL that ends in `{fence}`.
"""

# An index scan per key is always right, for the same reason.
_INDEX_SCANS: LiteralString = "SET enable_seqscan = off"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between one server and several.

    `fence` and `tenants` are what stands in a statement for `{fence}` and `{tenants}`. `settings` are what a session
    sets before it runs steps. `commits_at_once`: once a commit returns, every reader sees all of it.
    `joins_temporary_tables`: a join of a temporary table with the read model reads no more of it than the join needs.
    """

    fence: str
    tenants: str
    settings: tuple[LiteralString, ...]
    commits_at_once: bool
    joins_temporary_tables: bool


ONE_SERVER = Dialect(
    fence=FENCE,
    tenants="",
    settings=(_INDEX_SCANS, "SET plan_cache_mode = force_generic_plan"),
    commits_at_once=True,
    joins_temporary_tables=True,
)

CITUS = Dialect(
    fence="",
    tenants="AND stored.user_id = any(%(staged_tenants)s::text[])",
    settings=(_INDEX_SCANS,),
    commits_at_once=False,
    joins_temporary_tables=False,
)
"""Citus takes no OFFSET in a LATERAL, and asks only the servers of the tenants that a statement names."""
