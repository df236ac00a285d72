"""A wait for what does not come says what there is instead."""

import pytest

from tests.support.running import wait_for, wait_until
from tests.support.server import Database


def test_a_wait_that_is_in_vain_says_what_it_sees(empty_database: Database) -> None:
    with pytest.raises(AssertionError, match=r"Not so after 0 s, but \[\]: a row\nall that is there"):
        wait_for(list, "a row", 0.0, sees=lambda: "all that is there")
    with (
        empty_database.connect() as conn,
        empty_database.connect(application_name="who else is there"),
        pytest.raises(AssertionError, match=r"but False: 1 = %s\n.*who else is there"),
    ):
        wait_until(conn, "1 = %s", 2, patience=0.0)
