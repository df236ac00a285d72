"""Requests that wait, for data that are fresh enough or for a change: they take nothing from others."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from api.database.errors import UnavailableError
from api.database.statement import NOTHING_CLAIMED, TenantNowRow
from api.limits import waiting
from api.limits.waiting import MAX_WAITING, MAX_WAITING_OF_TENANT, Place, Waiting
from api.request.error_codes import ErrorCode
from tests.exactness.platform import refresh_now
from tests.support.cases import cases
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.running import value, wait_for, write_conversations
from tests.support.server import Database
from tests.unit.api.conftest import NOW, Library, endpoints
from tests.unit.api.response.test_errors import check
from tests.unit.api.serving import Asking, served

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request waits for long."""
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.05)


def with_moment(path: str, moment: datetime) -> str:
    return f"{path}?min_as_of={quote(moment.isoformat())}"


@pytest.mark.usefixtures("soon")
@cases("number", range(4))
def test_data_that_are_a_microsecond_too_old_are_no_answer(
    library: Library, client: FlaskClient, number: int
) -> None:
    with library.database.connect() as conn:
        as_of = value(conn, "SELECT min(s) FROM read_model.freshness, unnest(shards) AS s")
    path = endpoints(library)[number]
    assert client.get(with_moment(path, as_of)).status_code == 200
    too_old = with_moment(path, as_of + MICROSECOND)
    # A name that is written in another way is not waited for: the answer itself is compared.
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


def test_a_moment_that_cannot_come_in_time_is_not_waited_for(
    library: Library, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Waiting, "_wait", lambda *_, **__: pytest.fail("it waited"))
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


def test_who_asks_what_an_address_takes_waits_for_nothing(
    library: Library, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = f"{library.base.removesuffix('/leads')}/lead-changes"
    token = client.get(feed).get_json()["next"]
    for name in ("for_data", "for_change"):
        monkeypatch.setattr(Waiting, name, lambda *_, **__: pytest.fail("it waited"))
    for asked in (f"{library.base}?min_as_of=2999-01-01", f"{feed}?wait=9&since={token}"):
        answer = client.options(asked)
        assert (answer.status_code, set(answer.allow)) == (200, {"GET", "HEAD", "OPTIONS"})


def test_what_waits_takes_no_place_from_the_requests_of_its_tenant(filled: Database, tmp_path: Path) -> None:
    """Nor do those that wait for a change keep one from waiting for what was written: the longest wait gives way."""
    patches = (
        "from api.limits import waiting; wait = waiting.Waiting.for_change\n"
        f"waiting.Waiting.for_change = lambda self, tenant, _, *more: wait(self, tenant, {UNREACHED}, *more)\n"
        f"waiting.WAIT_SECONDS = {UNREACHED}"
    )
    base, feed = "/users/u/leads", "/users/u/lead-changes"
    with filled.connect() as conn, served(filled, tmp_path, patches, LEADS_API_THREADS="1") as server:

        def ask_beyond_the_bound(path: str) -> Asking:
            """As many as may wait, and three more, which are answered at once; so is whoever need not wait."""
            asking = Asking(server, path, MAX_WAITING_OF_TENANT + 3)
            wait_for(lambda: len(asking.answers) == 3, "those beyond the bound are answered", PATIENCE)
            long_ago = with_moment(base, datetime(2020, 1, 1, tzinfo=UTC))
            for other in (base, f"{base}/stats", f"{base}/49151000001", "/health/live", long_ago):
                assert server.get(other)[0] == 200
            assert len(asking.answers) == 3
            return asking

        fresh = ask_beyond_the_bound(with_moment(base, value(conn, "SELECT clock_timestamp()")))
        refresh_now(conn)
        assert fresh.finish() == [200] * MAX_WAITING_OF_TENANT + [503] * 3
        token = json.loads(server.get(feed)[2])["next"]
        changes = ask_beyond_the_bound(f"{feed}?since={token}&wait=25")
        write_conversations(conn, 1, first=2)
        fresh = Asking(server, with_moment(base, value(conn, "SELECT clock_timestamp()")), 1)
        wait_for(lambda: len(changes.answers) == 4, "one of the feed gives way", PATIENCE)
        assert not fresh.answers
        refresh_now(conn)
        assert fresh.finish() == [200]
        assert changes.finish() == [200] * (MAX_WAITING_OF_TENANT + 3)


class Model:
    """A read model whose freshness a test sets; it notes how often it was asked, and by how many at once."""

    def __init__(self) -> None:
        self.as_of = NOW
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0

    def __call__(self, _tenant: str) -> TenantNowRow:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.asked += 1
        # Others can ask meanwhile.
        sleep(0.001)
        self.at_once -= 1
        return TenantNowRow(self.as_of, None, None, None, None, NOW)


@pytest.mark.usefixtures("soon")
def test_data_as_of_no_moment_are_waited_for() -> None:
    model = Model()
    model.as_of = NOTHING_CLAIMED
    Waiting(model).for_data("u", NOTHING_CLAIMED)
    assert model.asked > 1


def test_the_requests_that_wait_are_bounded_and_share_their_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WAIT_SECONDS", UNREACHED)
    model = Model()
    room = Waiting(model)
    left: list[str] = []

    def ask(tenant: str) -> None:
        room.for_data(tenant, NOW + MICROSECOND)
        if model.as_of == NOW:
            left.append(tenant)

    tenants = [f"tenant {n}" for n in range(MAX_WAITING // MAX_WAITING_OF_TENANT)]
    threads = [
        threading.Thread(target=ask, args=(tenant,)) for tenant in tenants * (MAX_WAITING_OF_TENANT + 1)
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(left) == len(tenants), "one of each tenant does not wait", PATIENCE)
    ask("another")
    assert sorted(left) == sorted([*tenants, "another"])
    model.as_of = NOW + MICROSECOND
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    assert model.most_at_once == 1
    assert len(left) == len(tenants) + 1
    # Nothing is left of them.
    assert room._places == []  # noqa: SLF001


def test_a_change_ends_the_wait_for_one_and_a_database_that_is_away_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "CHANGE_EVERY_SECONDS", 0.01)
    answers = iter((False, False, True))
    room = Waiting(Mock())
    room.for_change("u", UNREACHED, lambda: next(answers))
    assert next(answers, None) is None
    room.for_change("u", UNREACHED, Mock(side_effect=UnavailableError("", ErrorCode.BUSY)))


@cases("tenant", ["u0", "another"])
def test_the_longest_wait_for_a_change_gives_way_to_one_for_fresh_data(tenant: str) -> None:
    room, asked = Waiting(Mock()), []

    def take(tenant: str, *, gives_way: bool) -> bool:
        return room._take(Place(tenant, gives_way, Event()))  # noqa: SLF001

    def is_over() -> bool:
        asked.append(tenant)
        assert all(take(f"u{n}", gives_way=True) for n in range(1, MAX_WAITING))
        assert take(tenant, gives_way=False)
        # It does not lose what it was given, not even to another of its kind.
        assert not take("late", gives_way=True)
        return False

    room.for_change("u0", UNREACHED, is_over)
    # It had no time to ask again, and the others have theirs.
    assert asked == [tenant]
    assert [place.is_lost.is_set() for place in room._places] == [False] * MAX_WAITING  # noqa: SLF001
    assert not any(place.tenant == "u0" and place.gives_way for place in room._places)  # noqa: SLF001


def test_who_cannot_ask_in_time_is_told() -> None:
    room = Waiting(Mock())
    with room._asking, pytest.raises(UnavailableError):  # noqa: SLF001  # As another question has it.
        room.ask(lambda: pytest.fail("two at once"), monotonic() + 0.01)
    assert room.ask(lambda: 8, monotonic() + UNREACHED) == 8
