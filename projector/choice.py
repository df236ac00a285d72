"""Which changes a batch takes where several projectors share a queue: those of tenants that no other batch works on.

Batches of one tenant take turns. A batch of the oldest changes has some of every tenant, so two of them would never run
at once. A batch that chooses looks at more changes than it takes, takes those of few tenants, and leaves those of
tenants that another batch has chosen. What it leaves waits in the queue. A batch that owns all shards is the only one,
and has nothing to choose.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from projector import locks

BULK_PIECES_PER_BATCH = 1
"""Pieces of mass changes that a batch takes from each shard, after the single changes."""

ROWS_PER_PIECE = 250
"""Rows of the queue that make a piece, where a mass change was queued row by row."""

WINDOW = 4
"""How many times as many single changes as it takes a batch looks at."""

BULK_WINDOW = 2
"""The same of pieces of mass changes, each of which has many keys."""

MOST_PASSES = 3
"""How often the oldest change of a shard is passed over in a row. The next batch takes it, and waits for its tenant."""


def take_parameters(
    shards: Sequence[int],
    *,
    single_changes: int,
    bulk_pieces: int,
    rows_per_piece: int,
    overdue: Sequence[int] | None,
) -> dict[str, object]:
    """Return the parameters of sql/refresh/1_take/40_take_changes.sql.

    `overdue` are the shards whose oldest change is taken whoever works on its tenant. Where it is None, nothing is
    chosen: the oldest changes are taken.
    """
    choosing = overdue is not None and len(shards) < len(locks.SHARDS)
    return {
        "shards": shards,
        "single_changes": single_changes,
        "single_window": single_changes * WINDOW if choosing else single_changes,
        "bulk_pieces": bulk_pieces,
        "bulk_window": bulk_pieces * BULK_WINDOW if choosing else bulk_pieces,
        "rows_per_piece": rows_per_piece,
        "choosing": choosing,
        "overdue": list(overdue or ()),
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
