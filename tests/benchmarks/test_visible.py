"""A commit is followed to the answer that shows it, and no further."""

import http.client
import threading

from werkzeug.serving import WSGIRequestHandler, make_server

from api.app import create_app
from api.config import Config
from projector.core.refresh import refresh
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.benchmarks.visible import Probes
from tests.support.patience import PATIENCE
from tests.support.running import wait_until, write_source
from tests.support.server import Database


class Quiet(WSGIRequestHandler):
    """Logs no request: its path has the phone of a lead."""

    def log(self, *_: object) -> None:
        pass


def test_a_commit_is_followed_until_an_answer_shows_it(database: Database) -> None:
    app = create_app(Config(database.url, rate_limit="", log_level="CRITICAL"))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        with database.connect() as conn, database.connect() as projector:
            write_source(conn)
            conn.execute(
                "CREATE SCHEMA benchmark; CREATE SEQUENCE benchmark.numbers; CREATE TABLE benchmark.conversations AS"
                " SELECT 1 AS number, 'c-u-1'::text AS conversation_id, '49151000001'::text AS customer_phone"
            )
            rebuild(projector, tenants=None, progress=QUIET)
            api = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
            probes = Probes(conn, api, "u", 1)
            following = threading.Thread(target=probes.follow, args=(0.0, 1000.0))
            following.start()
            for number in (1, 2):
                wait_until(projector, f"count(*) = {number} FROM public.messages")
                assert len(probes.ages) == number - 1
                refresh(projector, retry_failed=False, progress=QUIET)
            following.join(PATIENCE)
            api.close()
        assert len(probes.ages) == len(probes.requests) == 2
        assert all(age >= request > 0 for age, request in zip(probes.ages, probes.requests, strict=True))
    finally:
        server.shutdown()
        serving.join(PATIENCE)
        server.server_close()
        app.extensions["leads_database"].engine.dispose()
