"""The change feed over HTTP; tests/exactness/test_change_feed.py shows that a copy follows."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from api.limits.waiting import MAX_WAITING_OF_TENANT
from projector.core.refresh import refresh
from projector.report.progress import QUIET
from tests.support.cases import cases
from tests.support.patience import PATIENCE
from tests.support.running import value, wait_for, write_conversations
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.response.test_errors import check
from tests.unit.api.serving import Asking, served

FEED = "/users/u/lead-changes"


def change(database: Database, first: int) -> None:
    with database.connect() as conn:
        write_conversations(conn, 1, first=first)
        refresh(conn, retry_failed=False, progress=QUIET)


@cases("since", ["x", "AAAA", "=", "%00"])
def test_what_is_no_token_is_refused(filled: Database, make_app: MakeApp, since: str) -> None:
    answer = make_app(filled).test_client().get(f"{FEED}?since={since}&wait=20")
    check(answer, 400)
    assert "since" in answer.get_json()["message"]


def test_a_token_is_of_one_tenant(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database).test_client()
    token = client.get(f"/users/{library.tenant}/lead-changes").get_json()["next"]
    other = next(user_id for user_id in library.model.leads if user_id != library.tenant)
    check(client.get(f"/users/{other}/lead-changes?since={token}"), 400)


def test_those_that_wait_for_a_change_keep_no_endpoint_from_its_answer(
    filled: Database, library: Library, make_app: MakeApp, tmp_path: Path
) -> None:
    """Nor from waiting for what was written: the one that has waited longest is answered then."""
    token = make_app(filled).test_client().get(FEED).get_json()["next"]
    own = replace(library, database=filled, tenant="u")
    patches = (
        "from api.limits import waiting; wait = waiting.Waiting.for_change\n"
        f"waiting.Waiting.for_change = lambda self, tenant, _, *more: wait(self, tenant, {PATIENCE}, *more)\n"
        f"waiting.WAIT_SECONDS = {PATIENCE}"
    )
    with filled.connect() as conn, served(own, tmp_path, patches, LEADS_API_THREADS="1") as server:
        feed = Asking(server, f"{FEED}?since={token}&wait=25", MAX_WAITING_OF_TENANT + 3)
        wait_for(lambda: len(feed.answers) == 3, "those beyond the bound are answered", PATIENCE)
        for path in (own.base, f"{own.base}/stats", f"{own.base}/49151000001", "/health/live"):
            assert server.get(path)[0] == 200
        assert len(feed.answers) == 3
        write_conversations(conn, 1, first=2)
        now = quote(value(conn, "SELECT clock_timestamp()").isoformat())
        fresh = Asking(server, f"{own.base}?min_as_of={now}", 1)
        wait_for(lambda: len(feed.answers) == 4, "one of the feed gives way", PATIENCE)
        assert not fresh.answers
        refresh(conn, retry_failed=False, progress=QUIET)
        assert fresh.finish() == [200]
        assert feed.finish() == [200] * (MAX_WAITING_OF_TENANT + 3)
