"""Exports under way: no tenant keeps another from its own; and from a real server, whole, or a broken stream."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.limits import exports
from api.limits.exports import TURN_SECONDS, Exports, ExportsBusyError
from tests.support.patience import PATIENCE
from tests.support.running import wait_for, wait_until
from tests.unit.api.conftest import Library
from tests.unit.api.serving import Served, served

# The third reading of lines of each export fails; once there is a file `endless`, there are lines without an end.
PATCHES = """
import api.database.snapshot, api.limits.exports, api.routes.exports, pathlib
api.limits.exports.UNREAD_SECONDS = api.database.snapshot.IDLE_SECONDS = 1
is_endless = pathlib.Path("endless").exists
read, begin = api.database.snapshot.Snapshot.read, api.routes.exports._begin_lines
def read_less(self, count):
    if is_endless():
        return [b"x" * 9999 + b"\\n"] * count
    self.reads = getattr(self, "reads", 0) + 1
    if self.reads == 3:
        raise RuntimeError("broken on purpose")
    return read(self, 5)
def begin_more(*arguments):
    begun = begin(*arguments)
    return (1, 10**12) if is_endless() else begun
api.database.snapshot.Snapshot.read, api.routes.exports._begin_lines = read_less, begin_more
"""
EXPORTS = (
    "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'leads-api'"
    " AND query LIKE '%lines%')"
)


def path_of(library: Library) -> str:
    return f"/users/{library.tenant}/leads.ndjson"


@contextmanager
def begin(server: Served, path: str) -> Iterator[http.client.HTTPResponse]:
    """An answer of which nothing was read yet; its connection is closed afterwards."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        connection.close()


def status_of(server: Served, path: str) -> int:
    """The status of an answer whose caller goes away."""
    with begin(server, path) as answer:
        return answer.status


def test_an_export_that_breaks_or_is_not_read_ends_and_holds_no_connection_to_the_database(
    library: Library, tmp_path: Path
) -> None:
    with library.database.connect() as conn, served(library.database, tmp_path, PATCHES) as server:
        for name in ("leads.ndjson", "leads.csv", "messages.ndjson"):
            # On a busy machine it can end before its first bytes are sent, which is no whole answer either.
            with (
                pytest.raises((http.client.IncompleteRead, ConnectionError)),
                begin(server, f"/users/{library.tenant}/{name}") as answer,
            ):
                answer.read()
            server.wait_for_line("an export was broken off")
        # A caller stops reading.
        (tmp_path / "endless").touch()
        with begin(server, path_of(library)) as answer:
            assert answer.status == 200
            wait_until(conn, f"{EXPORTS} = 0")
            # It still has its place: whoever reads is answered, and a further export is refused.
            assert server.get(library.base)[0] == 200
            assert server.get(path_of(library))[0] == 429
        # It has gone away, which gives back its place too.
        server.wait_for_line("its caller has taken nothing")
        wait_for(lambda: status_of(server, path_of(library)) == 200, "a place is free")
        wait_until(conn, f"{EXPORTS} = 0")
        assert status_of(server, path_of(library)) == 200


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(exports, "monotonic", lambda: found.now)
    monkeypatch.setattr(exports, "TAKE_SECONDS", 0)
    return found


def takes(places: Exports, tenant: str) -> bool:
    try:
        places.take(tenant)
    except ExportsBusyError:
        return False
    return True


@pytest.mark.usefixtures("clock")
def test_of_several_places_one_tenant_has_not_all() -> None:
    places = Exports(2)
    assert [takes(places, tenant) for tenant in "aabbc"] == [True, False, True, False, False]
    places.give_back("a")
    assert [takes(places, tenant) for tenant in "bac"] == [False, False, True]
    five = Exports(5)
    assert [takes(five, "a") for _ in range(5)] == [True] * 4 + [False]


def test_whoever_was_refused_goes_before_the_tenant_that_had_the_place(clock: SimpleNamespace) -> None:
    places = Exports(1)
    assert takes(places, "a")
    # That "a" asks for more while it has a place gives it no turn.
    assert not takes(places, "a")
    for turn in range(5):
        clock.now += TURN_SECONDS - 1
        assert not takes(places, "b"), turn
        places.give_back("a")
        assert not takes(places, "a")
        assert takes(places, "b")
        clock.now += TURN_SECONDS - 1
        assert not takes(places, "a")
        places.give_back("b")
        assert not takes(places, "b")
        assert takes(places, "a")
    assert not takes(places, "b")
    places.give_back("a")
    # It does not come back, and the place is free for everybody.
    assert not takes(places, "a")
    clock.now += TURN_SECONDS
    assert takes(places, "a")
    places.give_back("a")
    assert (places._taken, places._refused) == ({}, {})  # noqa: SLF001
