"""How soon an HTTP answer shows what the platform has committed, at several rates of commits and beside readers."""

import http.client
import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from time import monotonic, perf_counter, sleep

from projector.database.rows import Connection
from tests.benchmarks import pgbench, servers
from tests.benchmarks.core import Row, once, repeating
from tests.benchmarks.fixtures import PATIENCE, Bench, Database, projector, value
from tests.benchmarks.servers import Server

# Requests a second of the readers, for list pages. More would measure how two cores are shared.
_READS = 50
_CLIENTS = 4
# Commits a second whose way is followed; the others are only there. One is followed to its end before the next.
_FOLLOWED = 20
_LEAST = 2
# The goals of each rate of commits.
_GOALS = {
    1: {"p50": "answer_p50", "p99": "answer_p99"},
    100: {"p50": "answer_p50", "p99": "busy_p99"},
    1000: {"p50": "loaded_p50", "p99": "loaded_p99"},
}
_LOOK_EVERY = 0.001
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
    # Milliseconds from the commit to the answer, and of one request.
    ages: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)

    def follow(self, seconds: float, rate: float) -> None:
        """Commit about so many a second, one after the other, at moments that no loop of ours can know."""
        conversations = value(self.conn, "SELECT count(*) FROM benchmark.conversations")
        ends = monotonic() + seconds
        while len(self.ages) < _LEAST or monotonic() < ends:
            began = perf_counter()
            self._follow_one(random.randint(1, conversations))
            sleep(max(random.uniform(0.5, 1.5) / rate - (perf_counter() - began), 0.0))

    def _follow_one(self, number: int) -> None:
        row = self.conn.execute(_MESSAGE.encode(), (number,)).fetchone()
        committed = perf_counter()
        assert row is not None
        sent_at, phone = row
        while True:
            asked = perf_counter()
            shown = self._ask(phone)
            answered = perf_counter()
            if shown is not None and shown >= sent_at:
                break
            if answered - committed > PATIENCE:
                raise TimeoutError(f"A message was not visible after {PATIENCE} s.")
            sleep(_LOOK_EVERY)
        self.requests.append(1000 * (answered - asked))
        self.ages.append(1000 * (answered - committed))

    def _ask(self, phone: str) -> str | None:
        self.api.request("GET", f"/users/{self.user_id}/leads/{phone}")
        answer = self.api.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"The API answered {answer.status}: {body!r}")
        shown: str | None = json.loads(body)["data"]["last_message_at"]
        return shown

    def rows(self, what: str, goals: dict[str, str]) -> Iterator[Row]:
        """Return a row for each quantile, with these goals on the value."""
        for name, place in (("p50", 499), ("p99", 989), ("p99.9", 998)):
            ours, request = (
                once(quantiles(found, n=1000, method="inclusive")[place])
                for found in (self.ages, self.requests)
            )
            note = f"{len(self.ages):,} commits followed"
            goal = goals.get(name, "")
            yield Row(
                f"{what}, {name}", "ms", ours, "the request alone", request, goal, absolute=True, note=note
            )


@contextmanager
def _reading(api: Server, path: str) -> Iterator[Callable[[], float]]:
    """Readers at a steady pace; what is given tells how many requests a second were answered."""
    answered, began = [0], monotonic()

    def read() -> None:
        api.get(path)
        answered[0] += 1

    with repeating(1 / _READS, read):
        yield lambda: answered[0] / (monotonic() - began)


def measure(bench: Bench) -> Iterator[Row]:
    with bench.copy_of(bench.main) as database, projector(database):
        for rate in bench.size.commit_rates:
            yield from _at(bench, database, rate)


def _at(bench: Bench, database: Database, rate: int) -> Iterator[Row]:
    user_id, length = database.tenants["big"], bench.size.visible
    followed = min(rate, _FOLLOWED)
    with ExitStack() as stack:
        conn = stack.enter_context(database.connect())
        count = value(conn, "SELECT count(*) FROM benchmark.conversations")
        api = stack.enter_context(servers.api(database))
        reading = stack.enter_context(_reading(api, f"/users/{user_id}/leads"))
        writing = None
        if rate > followed:
            others, ends = rate - followed, length + 2
            writers = pgbench.writing(
                database.url, pgbench.SINGLE, clients=_CLIENTS, seconds=ends, count=count, rate=others
            )
            writing = stack.enter_context(writers)
        probes = Probes(conn, stack.enter_context(closing(api.connection())), user_id)
        sleep(min(1.0, length))
        probes.follow(length, followed)
        written = followed + (pgbench.tps(writing) if writing else 0.0)
        what = f"commit to answer at {written:,.0f} commits/s and {reading():,.0f} requests/s"
        yield from probes.rows(what, _GOALS[rate])
