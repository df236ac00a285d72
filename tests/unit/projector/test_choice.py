"""What a batch that chooses looks at, and when a shard's oldest change is not passed over again."""

from projector.core.choice import BULK_WINDOW, MOST_PASSES, WINDOW, Passes, choice_parameters, chooses
from projector.database import locks
from projector.database.sql import step


def test_a_batch_that_chooses_looks_at_more_than_it_takes() -> None:
    limits = {"shards": [2], "single_changes": 100, "bulk_pieces": 1, "rows_per_piece": 250}
    found = choice_parameters(limits, [2])
    assert limits.items() <= found.items()
    assert (found["single_window"], found["bulk_window"]) == (100 * WINDOW, BULK_WINDOW)
    assert found["overdue"] == [2]


def test_a_batch_of_all_shards_has_no_other_beside_it_and_chooses_nothing() -> None:
    assert not chooses(locks.SHARDS, [])
    assert chooses(locks.SHARDS[1:], [])
    assert not chooses(locks.SHARDS[1:], None)


def test_what_takes_the_oldest_changes_names_no_table_of_the_platform() -> None:
    """It locks none, so that it needs no limit for that, and PostgreSQL opens none for it."""
    assert b"projector.current_keys()" in step("refresh/1_take/35_choose_changes").text
    assert b"projector.current_keys()" not in step("refresh/1_take/40_take_changes").text


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
