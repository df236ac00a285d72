"""What has to hold before a run."""

import pytest

from projector.core.preconditions import is_built, require_built
from projector.database.rows import Connection
from projector.report.errors import NotInstalledError
from projector.report.progress import QUIET
from projector.sweep.verify import verify
from tests.support.running import value


def test_a_read_model_that_was_never_built_is_not_verified(connection: Connection) -> None:
    assert not is_built(connection)
    for check in (
        lambda: require_built(connection),
        lambda: verify(connection, tenants=None, sample=None, heal=False, progress=QUIET),
    ):
        with pytest.raises(NotInstalledError, match="never built: run rebuild, or start the scheduler"):
            check()
    assert value(connection, "SELECT count(*) FROM projector.runs") == 0
