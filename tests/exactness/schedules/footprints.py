"""Which steps may change places: what each step reads, what it makes visible to others, and which locks it moves.

Two schedules that differ only in the order of neighbours that do not touch each other end in the same state, so one
of them is enough. The reasons why a step touches no more than its footprint says:

- *Nobody sees the rows of an open transaction.* What a refresh deletes, notes and writes becomes visible with its
  commit, so take, find, lock, recompute and merge publish nothing, and the commit publishes all of it. Likewise the
  statements of the writer's transaction publish nothing: they, and its commit, are one step.
- *The writer reads nothing of ours, and waits for nothing.* Its triggers only append to the queue, which has no
  constraint. So its steps have no reads and no locks. The stage fails a schedule in which the writer waits.
- *No refresh writes a source table.* So the writer's statements change the same rows in each schedule, and what they
  publish (source tables, and shards of the queue) is measured once for each world.
- *A refresh owns its shard.* It takes and deletes changes of its own shard alone, and queues pieces of a mass change
  into the same shard.
- *An open transaction can make others wait.* The locks of a shard, of tenants and of rows that a step takes are held
  until the commit. Steps that take or release the same lock never change places.
- *A rollback releases everything.* A batch that begins again changes places with nothing.

`test_schedules.py` compares the footprints of the steps of a refresh with what PostgreSQL counts for each of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from tests.exactness.schedules.steps import Tables

MODEL = (
    "leads", "lead_profiles", "lead_conversations", "lead_messages", "lead_counts", "lead_daily_counts",
    "lead_totals", "message_counts", "lead_tombstones", "tenants",
)  # fmt: skip
"""The tables of the read model that a batch merges its leads into."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a step touches: names of tables, of shards of the queue, and of locks."""

    reads: frozenset[str] = frozenset()
    publishes: frozenset[str] = frozenset()
    locks: frozenset[str] = frozenset()
    rolls_back: bool = False

    def __or__(self, other: "Footprint") -> "Footprint":
        return Footprint(
            self.reads | other.reads,
            self.publishes | other.publishes,
            self.locks | other.locks,
            self.rolls_back or other.rolls_back,
        )

    def meets(self, other: "Footprint") -> bool:
        """Return whether the two may not change places."""
        return bool(
            self.rolls_back
            or other.rolls_back
            or self.reads & other.publishes
            or other.reads & self.publishes
            or self.locks & other.locks
        )


def queue_of(shard: int) -> str:
    return f"queue {shard}"


def of_refresh(tables: Tables, shard: int) -> dict[str, Footprint]:
    """The footprint of each step of a refresh of one shard, with the tables of a schema."""
    owned, rows, keys = f"shard {shard}", "rows of the read model", "rows of the key table"
    return {
        "take": Footprint(reads=frozenset({queue_of(shard)}), locks=frozenset({owned})),
        # It also spreads changes over the rows that they touch.
        "find": Footprint(reads=tables.keyed | tables.perhaps | {"source_keys"}),
        "lock": Footprint(locks=frozenset({"tenants"})),
        "recompute": Footprint(reads=tables.keyed | tables.more | {"source_keys"}, locks=frozenset({keys})),
        "merge": Footprint(reads=frozenset(MODEL), locks=frozenset({rows})),
        "commit": Footprint(
            publishes=frozenset({queue_of(shard), "source_keys", *MODEL}),
            locks=frozenset({owned, "tenants", keys, rows, "freshness"}),
        ),
    }


def together(parts: Iterable[Footprint]) -> Footprint:
    return reduce(Footprint.__or__, parts, Footprint())
