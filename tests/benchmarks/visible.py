"""How soon an HTTP answer shows what the platform has committed, at several rates of commits and beside readers."""

import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from time import monotonic, perf_counter, sleep
from urllib.parse import urlsplit

from tests.benchmarks import pgbench, servers
from tests.benchmarks.core import Row, Sample, goal
from tests.benchmarks.fixtures import Connection, Database, Fixtures
from tests.benchmarks.mixed import scheduler

AREA = "Commit to answer"
_READS = 50
"""Requests a second of the readers, for list pages. More would measure how two cores are shared."""
_CLIENTS = 4
# Commits a second whose way is followed; the others are only there. One is followed to its end before the next.
_FOLLOWED = 20
_LEAST = 2
# Up to here the goals hold. What is beyond says where it saturates.
_RATE_OF_THE_GOALS = 100
_LOOK_EVERY = 0.001
# So long that only a fault takes it.
_PATIENCE = 300
_MESSAGE = (
    "INSERT INTO public.messages AS m (message_id, conversation_id, sender, text, timestamp, status)"
    " SELECT 'benchmark-visible-' || nextval('benchmark.numbers'), conversation_id, 'user', 'Anybody there?',"
    " date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC'), 'sent'"
    " FROM benchmark.conversations WHERE number = %s"
    ' RETURNING to_char(m.timestamp, \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\'),'
    " (SELECT customer_phone FROM benchmark.conversations AS c WHERE c.conversation_id = m.conversation_id)"
)


@dataclass(slots=True)
class Probes:
    """Messages that are followed from their commit to the answer that shows them."""

    conn: Connection
    api: http.client.HTTPConnection
    user_id: str
    conversations: int
    # Milliseconds from the commit to the answer, and of one request.
    ages: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)

    def follow(self, seconds: float, rate: float) -> None:
        """Commit about so many a second, one after the other, at moments that no loop of ours can know."""
        ends = monotonic() + seconds
        while len(self.ages) < _LEAST or monotonic() < ends:
            began = perf_counter()
            self._follow_one()
            sleep(max(random.uniform(0.5, 1.5) / rate - (perf_counter() - began), 0.0))

    def _follow_one(self) -> None:
        # The conversations of the last numbers are as good as any: the order is random.
        number = random.randint(1, self.conversations)
        row = self.conn.execute(_MESSAGE.encode(), (number,)).fetchone()
        committed = perf_counter()
        assert row is not None
        sent_at, phone = row
        deadline = monotonic() + _PATIENCE
        while True:
            asked = perf_counter()
            shown = self._ask(phone)
            answered = perf_counter()
            if shown is not None and shown >= sent_at:
                break
            if monotonic() > deadline:
                raise TimeoutError(f"A message was not visible after {_PATIENCE} s.")
            sleep(_LOOK_EVERY)
        self.requests.append(1000 * (answered - asked))
        self.ages.append(1000 * (answered - committed))

    def _ask(self, phone: str) -> str | None:
        """When the lead was last active, as the API prints it."""
        self.api.request("GET", f"/users/{self.user_id}/leads/{phone}")
        answer = self.api.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"The API answered {answer.status}: {body!r}")
        shown: str | None = json.loads(body)["data"]["last_message_at"]
        return shown


@contextmanager
def _reading(url: str) -> Iterator[Callable[[], float]]:
    """Readers at a steady pace; what is given tells how many requests a second were answered."""
    ended, answered, began = threading.Event(), [0], monotonic()

    def read() -> None:
        while not ended.wait(max(began + answered[0] / _READS - monotonic(), 0.0)):
            servers.get(url)
            answered[0] += 1

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield lambda: answered[0] / (monotonic() - began)
    finally:
        ended.set()
        thread.join(_PATIENCE)


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    with fixtures.copy_of(fixtures.main) as database, scheduler(database):
        for rate in fixtures.size.commit_rates:
            yield from _measure(fixtures, database, rate)


def _measure(fixtures: Fixtures, database: Database, rate: int) -> Iterator[Row]:
    user_id, length = database.tenants["big"], fixtures.size.visible
    followed = min(rate, _FOLLOWED)
    with ExitStack() as stack:
        conn = stack.enter_context(database.connect())
        row = conn.execute("SELECT count(*) FROM benchmark.conversations").fetchone()
        count = int(row[0]) if row else 0
        api = stack.enter_context(servers.api(database))
        reading = stack.enter_context(_reading(f"{api.url}/users/{user_id}/leads"))
        writing = None
        if rate > followed:
            writing = stack.enter_context(
                pgbench.writing(
                    database.url,
                    pgbench.SINGLE,
                    clients=_CLIENTS,
                    seconds=length + 2,
                    count=count,
                    rate=rate - followed,
                )
            )
        address = urlsplit(api.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        stack.callback(connection.close)
        probes = Probes(conn, connection, user_id, count)
        sleep(min(1.0, length))
        probes.follow(length, followed)
        written = followed + (pgbench.tps(writing) if writing else 0.0)
        yield from _rows(probes, rate, f"at {written:,.0f} commits/s and {reading():,.0f} requests/s")


def _rows(probes: Probes, rate: int, title: str) -> Iterator[Row]:
    for name, place in (("p50", 499), ("p99", 989), ("p99.9", 998)):
        key = f"answer_{name}"
        yield Row(
            AREA,
            f"commit to answer, {name}, {title}",
            "ms",
            Sample((quantiles(probes.ages, n=1000, method="inclusive")[place],)),
            "the request alone",
            Sample((quantiles(probes.requests, n=1000, method="inclusive")[place],)),
            goal(key) if rate <= _RATE_OF_THE_GOALS and name != "p99.9" else None,
            absolute=True,
            note=f"{len(probes.ages):,} commits followed",
        )
