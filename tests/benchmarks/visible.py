"""How soon an HTTP answer shows what the platform has committed, at several rates of commits and beside readers."""

import http.client
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic, perf_counter, sleep

from projector.database.rows import Connection
from tests.benchmarks import pgbench, servers
from tests.benchmarks.core import Row, part, repeating
from tests.benchmarks.fixtures import PATIENCE, Bench, Database, projector
from tests.benchmarks.servers import Server
from tests.support.running import value, wait_for

# Requests a second of the readers, for list pages. More would measure how two cores are shared.
_READS = 50
_CLIENTS = 4
# Commits a second whose way is followed; the others are only there. One is followed to its end before the next.
_FOLLOWED = 20
_LEAST = 2
# The goals of each rate of commits. An answer from memory may be older by as long as a look is remembered.
_GOALS = {
    1: {50: "answer_p50", 99: "answer_p99", 99.9: ""},
    100: {50: "answer_p50", 99: "busy_p99", 99.9: ""},
    1000: {50: "loaded_p50", 99: "loaded_p99", 99.9: ""},
}
# LEADS_ANSWERS_MB, by what the goals' names begin with.
_KINDS = {"": "0", "kept_": "64"}
_LOOK_EVERY = 0.001
_MESSAGE = (
    "INSERT INTO public.messages AS m (message_id, conversation_id, sender, text, timestamp, status)"
    " SELECT 'benchmark-visible-' || nextval('benchmark.numbers'), conversation_id, 'user', 'Anybody there?',"
    " date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC'), 'sent'"
    " FROM benchmark.conversations WHERE number = %s"
    " RETURNING (SELECT customer_phone FROM benchmark.conversations AS c"
    "  WHERE c.conversation_id = m.conversation_id),"
    ' to_char(m.timestamp, \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\'), clock_timestamp()'
)


@dataclass(slots=True)
class Probes:
    """Messages that are followed from their commit to the answer that shows them, or that vouches for the commit."""

    conn: Connection
    api: http.client.HTTPConnection
    user_id: str
    until_vouched: bool = False
    # Milliseconds from the commit to the answer, and of one request.
    ages: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)

    def follow(self, seconds: float, rate: float) -> None:
        """Commit about so many a second, one after the other, at moments that no loop of ours can know."""
        conversations = value(self.conn, "SELECT count(*) FROM benchmark.conversations")
        # With its first change, a session plans the statements of a batch, which is not measured.
        self._follow_one(random.randint(1, conversations))
        self.ages.clear()
        self.requests.clear()
        ends = monotonic() + seconds
        while len(self.ages) < _LEAST or monotonic() < ends:
            began = perf_counter()
            self._follow_one(random.randint(1, conversations))
            sleep(max(random.uniform(0.5, 1.5) / rate - (perf_counter() - began), 0.0))

    def _follow_one(self, number: int) -> None:
        row = self.conn.execute(_MESSAGE.encode(), (number,)).fetchone()
        committed = perf_counter()
        assert row is not None
        wait_for(lambda: self._is_shown(*row), "a message is visible", PATIENCE, _LOOK_EVERY)
        self.ages.append(1000 * (perf_counter() - committed))

    def _is_shown(self, phone: str, sent_at: str, moment: datetime) -> bool:
        asked = perf_counter()
        self.api.request("GET", f"/users/{self.user_id}/leads/{phone}")
        answer = self.api.getresponse()
        body = answer.read()
        took = 1000 * (perf_counter() - asked)
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"The API answered {answer.status}: {body!r}")
        if self.until_vouched:
            is_shown = datetime.fromisoformat(answer.headers["X-Data-As-Of"]) > moment
        else:
            is_shown = (json.loads(body)["data"]["last_message_at"] or "") >= sent_at
        self.requests += [took] * is_shown
        return is_shown

    def rows(self, what: str, goals: Mapping[float, str]) -> Iterator[Row]:
        """Return a row for each of these parts, with the goal on its value."""
        note = f"{len(self.ages):,} commits followed"
        for percent, goal in goals.items():
            ours, request = part(self.ages, percent), part(self.requests, percent)
            yield Row(f"{what}, p{percent:g}", "ms", ours, "the request alone", request, goal, note=note)


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
    with bench.database("copy", bench.main) as database, projector(database):
        for rate in bench.size.commit_rates:
            for kind in _KINDS:
                yield from _at(bench, database, rate, kind)


def _at(bench: Bench, database: Database, rate: int, kind: str) -> Iterator[Row]:
    user_id, length = database.tenants["big"], bench.size.visible
    followed = min(rate, _FOLLOWED)
    with ExitStack() as stack:
        conn = stack.enter_context(database.connect())
        api = stack.enter_context(servers.api(bench, database, LEADS_ANSWERS_MB=_KINDS[kind]))
        reading = stack.enter_context(_reading(api, f"/users/{user_id}/leads"))
        writing = None
        if others := rate - followed:
            writers = pgbench.writing(
                database, pgbench.SINGLE, clients=_CLIENTS, seconds=length + 2, rate=others
            )
            writing = stack.enter_context(writers)
        probes = Probes(conn, stack.enter_context(closing(api.connection())), user_id)
        sleep(min(1.0, length))
        probes.follow(length, followed)
        written = followed + (pgbench.tps(writing) if writing else 0.0)
        what = "commit to answer from memory" if kind else "commit to answer"
        what += f" at {written:,.0f} commits/s and {reading():,.0f} requests/s"
        yield from probes.rows(what, {part: goal and kind + goal for part, goal in _GOALS[rate].items()})
