"""What a batch that chooses looks at, and when a shard's oldest change is not passed over again."""

from projector.database import locks


def test_the_groups_are_as_many_as_a_mask_of_bits_gives() -> None:
    assert locks.TENANT_GROUPS & (locks.TENANT_GROUPS - 1) == 0
