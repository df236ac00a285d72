"""Requests that wait, for data that are fresh enough or for a change: they take nothing from others."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from api.database.errors import UnavailableError
from api.database.statement import NOTHING_CLAIMED, TenantNowRow
from api.limits import waiting
from api.request.error_codes import ErrorCode
from api.server.front import Front
from tests.exactness.platform import refresh_now
from tests.support.cases import cases
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.running import value, wait_for, write_conversations
from tests.support.server import Database
from tests.unit.api.conftest import NOW, Library, MakeApp, endpoints
from tests.unit.api.response.test_errors import check
from tests.unit.api.serving import Asking, environ, served

MICROSECOND = timedelta(microseconds=1)


def with_moment(path: str, moment: datetime) -> str:
    return f"{path}?min_as_of={quote(moment.isoformat())}"


@cases("number", range(4))
def test_data_that_are_a_microsecond_too_old_are_no_answer(
    library: Library, client: FlaskClient, number: int
) -> None:
    with library.database.connect() as conn:
        as_of = value(conn, "SELECT min(s) FROM read_model.freshness, unnest(shards) AS s")
    path = endpoints(library)[number]
    assert client.get(with_moment(path, as_of)).status_code == 200
    too_old = with_moment(path, as_of + MICROSECOND)
    # Flask alone does not wait: the answer itself is compared, however the name is written.
    for asked in (too_old, too_old.replace("min_as", "min%5Fas")):
        answer = client.get(asked)
        message = check(answer, 503)
        assert f"as of {as_of.isoformat(timespec='microseconds')[:-6]}Z" in message
        assert f"asks for {(as_of + MICROSECOND).isoformat(timespec='microseconds')[:-6]}Z" in message
        assert answer.headers["Retry-After"] == "1"
        assert answer.headers.getlist("X-Data-As-Of") == [f"{as_of.isoformat(timespec='milliseconds')[:-6]}Z"]


@cases("text", ["yesterday", "2025-13-01", "1764128000", "2025-01-31T09:30:00%2B1"])
def test_a_moment_that_cannot_be_read_is_refused_at_once(
    library: Library, client: FlaskClient, text: str
) -> None:
    for path in endpoints(library):
        assert "min_as_of takes a date with a time such as" in check(
            client.get(f"{path}?min_as_of={text}"), 400
        )


def test_a_moment_that_cannot_come_in_time_is_refused(library: Library, client: FlaskClient) -> None:
    with library.database.connect() as conn:
        clock = value(conn, "SELECT clock_timestamp()")
    for seconds, status, said in (
        # The clock goes on until the request is there.
        (59, 503, f"asks for {clock + timedelta(seconds=59):%Y-%m-%dT%H:%M:%S}"),
        (60 + PATIENCE, 400, f"more than a minute ahead of it: that says {clock:%Y-%m-%dT%H}"),
    ):
        path = with_moment(library.base, clock + timedelta(seconds=seconds))
        for asked in (path, path.replace("min_as_of", "min%5Fas%5fof")):
            assert said in check(client.get(asked), status)


def test_what_waits_takes_no_slot_from_the_requests_of_its_tenant(filled: Database, tmp_path: Path) -> None:
    """Nor do those that wait for a change keep one from waiting for what was written."""
    patches = (
        "import api.server.front as f; from api.limits import waiting; from api.server.streams import LiveStreams\n"
        f"f.MAX_WAITING = 8; waiting.WAIT_SECONDS = {UNREACHED}; wait = LiveStreams.wait_for_change\n"
        f"LiveStreams.wait_for_change = lambda self, stream, _, *more: wait(self, stream, {UNREACHED}, *more)"
    )
    base, feed = "/users/u/leads", "/users/u/lead-changes"
    with filled.connect() as conn, served(filled, tmp_path, patches, LEADS_API_THREADS="1") as server:

        def ask_beyond_the_bound(path: str) -> Asking:
            """As many of a tenant as may wait, and three more, which are answered at once, as who need not wait."""
            asking = Asking(server, path, 7)
            wait_for(lambda: len(asking.answers) == 3, "those beyond the bound are answered", PATIENCE)
            long_ago = with_moment(base, datetime(2020, 1, 1, tzinfo=UTC))
            for other in (base, f"{base}/stats", f"{base}/49151000001", "/health/live", long_ago):
                assert server.get(other)[0] == 200
            assert len(asking.answers) == 3
            return asking

        fresh = ask_beyond_the_bound(with_moment(base, value(conn, "SELECT clock_timestamp()")))
        # Who asks what an address takes waits for nothing.
        assert server.get(f"{base}?min_as_of=2999-01-01", "OPTIONS")[0] == 200
        refresh_now(conn)
        assert fresh.finish() == [200] * 4 + [503] * 3
        token = json.loads(server.get(feed)[2])["next"]
        changes = ask_beyond_the_bound(f"{feed}?since={token}&wait=25")
        write_conversations(conn, 1, first=2)
        fresh = Asking(server, with_moment(base, value(conn, "SELECT clock_timestamp()")), 1)
        assert not fresh.answers
        refresh_now(conn)
        assert fresh.finish() == [200]
        assert changes.finish() == [200] * 7
        assert sum(b'"49151000002"' in body for _, _, body in changes.answers) == 4


class Data:
    """Data of a tenant whose freshness a test sets; `changes` are made by the first probes."""

    def __init__(self, as_of: datetime | None, *changes: Callable[["Data"], None]) -> None:
        self.as_of = as_of
        self.probes = 0
        self._changes = list(changes)

    async def probe(self) -> TenantNowRow:
        self.probes += 1
        if self._changes:
            self._changes.pop(0)(self)
        return TenantNowRow(self.as_of, None, None, None, None, NOW)


def become(as_of: datetime | None) -> Callable[[Data], None]:
    return lambda data: setattr(data, "as_of", as_of)


def fail(_data: Data) -> None:
    raise UnavailableError("", ErrorCode.BUSY)


@cases(
    ("data", "min_as_of", "probes"),
    [
        (Data(NOW), NOW, 1),
        (Data(NOW, become(NOW), become(NOW + MICROSECOND)), NOW + MICROSECOND, 2),
        # Data as of no moment may be as of one soon, and what was never built will say so.
        (Data(NOTHING_CLAIMED, become(NOTHING_CLAIMED), become(NOW)), NOTHING_CLAIMED, 2),
        (Data(None), NOW, 1),
        (Data(NOW, fail), NOW + MICROSECOND, 1),
        # The clock of the database cannot be there in time.
        (Data(NOW), NOW + timedelta(seconds=UNREACHED + 60), 1),
    ],
)
def test_data_are_waited_for_as_long_as_they_may_come(data: Data, min_as_of: datetime, probes: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(waiting, "WAIT_SECONDS", UNREACHED)
        asyncio.run(waiting.wait_for_data(data.probe, min_as_of))
    assert data.probes == probes


def test_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.05)
    data = Data(NOW)
    asyncio.run(waiting.wait_for_data(data.probe, NOW + MICROSECOND))
    assert data.probes
    # Nor for a probe.
    asyncio.run(waiting.wait_for_data(lambda: asyncio.sleep(UNREACHED), NOW))  # type: ignore[arg-type,return-value]


def test_those_that_wait_for_a_tenant_share_a_probe(library: Library, make_app: MakeApp) -> None:
    app = make_app(library.database)
    look = Mock(wraps=app.extensions["leads"].read_model.look)
    app.extensions["leads"].read_model.look = look
    front, asked = Front(app), environ(library.base, "192.0.2.1")

    async def probe() -> list[TenantNowRow]:
        tenants = [library.tenant, library.tenant, "another"]
        return await asyncio.gather(*(front._probe(asked, tenant) for tenant in tenants))  # noqa: SLF001

    first, second, other = asyncio.run(probe())
    assert first is second
    assert other.version is None
    assert look.call_count == 2
    assert not front._probes  # noqa: SLF001
