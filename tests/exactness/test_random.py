"""Random bursts of everything at once: when all is quiet again, the read model is exact."""

import pytest

from tests.exactness.random_load import Burst
from tests.support.server import Database

SHORT = range(1)
LONG = range(1000, 1600)


@pytest.mark.parametrize("seed", [*SHORT, *(pytest.param(seed, marks=pytest.mark.long) for seed in LONG)])
def test_after_a_burst_the_read_model_is_what_a_rebuild_and_an_independent_reading_say(
    database: Database, seed: int
) -> None:
    Burst(database, seed).run()
