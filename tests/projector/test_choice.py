"""What a batch that chooses looks at, and when a shard's oldest change is not passed over again."""

from collections.abc import Sequence

from projector import locks
from projector.choice import BULK_WINDOW, MOST_PASSES, WINDOW, Passes, take_parameters


def parameters(shards: Sequence[int], *, overdue: Sequence[int] | None) -> dict[str, object]:
    return take_parameters(shards, single_changes=100, bulk_pieces=1, rows_per_piece=250, overdue=overdue)


def test_a_batch_that_chooses_looks_at_more_than_it_takes() -> None:
    found = parameters([2], overdue=[2])
    assert (found["choosing"], found["overdue"]) == (True, [2])
    assert (found["single_changes"], found["single_window"]) == (100, 100 * WINDOW)
    assert (found["bulk_pieces"], found["bulk_window"]) == (1, BULK_WINDOW)


def test_a_batch_in_order_looks_at_what_it_takes() -> None:
    found = parameters([2], overdue=None)
    assert (found["choosing"], found["single_window"], found["bulk_window"]) == (False, 100, 1)


def test_a_batch_of_all_shards_has_no_other_beside_it_and_chooses_nothing() -> None:
    assert parameters(locks.SHARDS, overdue=[])["choosing"] is False
    assert parameters(locks.SHARDS[1:], overdue=[])["choosing"] is True


def test_the_groups_are_as_many_as_a_mask_of_bits_gives() -> None:
    assert locks.TENANT_GROUPS & (locks.TENANT_GROUPS - 1) == 0


def test_a_shard_is_overdue_when_it_was_passed_over_several_times_in_a_row() -> None:
    passes = Passes()
    for _ in range(MOST_PASSES):
        assert passes.overdue == []
        passes.note([0, 1], [1])
    assert passes.overdue == [1]
    passes.note([0], [])
    assert passes.overdue == [1], "a batch of another shard says nothing about this one"
    passes.note([1], [])
    assert passes.overdue == []
