"""Which changes a batch takes where several projectors share a queue: those of tenants that no other batch works on.

Batches of one tenant take turns. A batch of the oldest changes has some of every tenant, so two of them would never run
at once. A batch that chooses looks at more changes than it takes, takes those of few tenants, and leaves those of
tenants that another batch has chosen. What it leaves waits in the queue. A batch that owns all shards is the only one,
and has nothing to choose.

To choose is a statement of its own. It reads tables of the platform, which a batch that takes the oldest changes does
not have to pay for.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row

from projector.core.giving_way import giving_way
from projector.core.pipeline import Connection, InjectionPoint, pipelined
from projector.database import locks
from projector.database.sql import statement, step

BULK_PIECES_PER_BATCH = 1
"""Pieces of mass changes that a batch takes from each shard, after the single changes."""

ROWS_PER_PIECE = 250
"""Rows of the queue that make a piece, where a mass change was queued row by row."""

WINDOW = 4
"""How many times as many single changes as it takes a batch looks at: if it took all, there would be no others."""

BULK_WINDOW = 2
"""The same of pieces of mass changes, each of which has many keys."""

MOST_PASSES = 3
"""How often the oldest change of a shard is passed over in a row. The next batch takes it, and waits for its tenant."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a batch takes, as sql/refresh/1_take/35_choose_changes.sql returns it; by itself, the oldest changes.

    `row_ids` is an array as PostgreSQL writes it.
    """

    row_ids: str | None = None
    drained: bool | None = None
    passed_over: Sequence[int] = ()


OLDEST = Choice()


def chooses(shards: Sequence[int], overdue: Sequence[int] | None) -> bool:
    """Return whether a batch of these shards chooses: only if it is asked to, and if others may own other shards."""
    return overdue is not None and len(shards) < len(locks.SHARDS)


def choose_changes(
    conn: Connection,
    limits: Mapping[str, Any],
    overdue: Sequence[int] | None,
    point: InjectionPoint,
) -> Choice:
    """Choose which of the next changes a batch takes, if it chooses.

    `limits` are the parameters of sql/refresh/1_take/40_take_changes.sql that say of which shards, and how many.
    `overdue` are the shards whose oldest change is taken whoever works on its tenant. Where it is None, nothing is
    chosen.
    """
    if not chooses(limits["shards"], overdue):
        return OLDEST
    with giving_way(conn), pipelined(conn, point):
        conn.execute(statement("refresh/1_take/30_limit_lock_waits"))
        cursor = conn.cursor(row_factory=class_row(Choice))
        parameters = choice_parameters(limits, overdue or ())
        cursor.execute(step("refresh/1_take/35_choose_changes").text, parameters)
    choice = cursor.fetchone()
    if choice is None:
        raise AssertionError
    return choice


def choice_parameters(limits: Mapping[str, Any], overdue: Sequence[int]) -> dict[str, object]:
    """Return the parameters of sql/refresh/1_take/35_choose_changes.sql."""
    return {
        **limits,
        "single_window": limits["single_changes"] * WINDOW,
        "bulk_window": limits["bulk_pieces"] * BULK_WINDOW,
        "overdue": list(overdue),
        "group_class": locks.TENANT_GROUP,
        "groups": locks.TENANT_GROUPS,
    }


class Passes:
    """How often this projector has passed over the oldest change of each shard in a row."""

    def __init__(self) -> None:
        self._passes: Counter[int] = Counter()

    @property
    def overdue(self) -> list[int]:
        """The shards whose oldest change is not to be passed over again."""
        return [shard for shard, passes in self._passes.items() if passes >= MOST_PASSES]

    def note(self, owned: Collection[int], passed_over: Collection[int]) -> None:
        """Note a batch: the shards that it owned, and those whose oldest change it passed over."""
        for shard in owned:
            self._passes[shard] = self._passes[shard] + 1 if shard in passed_over else 0
