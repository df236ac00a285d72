"""What a failover means to the change feed."""

from collections.abc import Callable

from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.feed_copy import Copy, serving
from tests.exactness.platform import Platform
from tests.support.server import Database, connect
from tests.support.standby import running_standby


def test_a_failover_ends_the_tokens_of_the_change_feed(start_server: Callable[..., EmbeddedServer]) -> None:
    """The standby may lack what the primary had already reported."""
    server = start_server(fast=True, wal_level="replica", max_wal_senders="5")
    with connect(server.url("leads")) as conn:
        migrate(conn, create_source=True)
        platform = Platform(conn)
        platform.tenant("one")
        platform.message(platform.conversation(platform.agent("one"), "4915"))
        rebuild(conn, tenants=None, progress=QUIET)
        with (
            running_standby(server, hot_standby_feedback="on") as replica,
            serving(Database(server.url("leads"), "leads")) as primary_api,
            serving(Database(replica.url, "leads")) as standby_api,
        ):
            copy = Copy(primary_api.test_client())
            copy.begin()
            # As long as it follows, it tells the same history.
            copy.client = standby_api.test_client()
            assert copy.follow() == []
            replica.promote()
            assert copy.ask()[0] == 410
            copy.begin()
            assert copy.leads == copy.list() != {}
            assert copy.follow() == []
