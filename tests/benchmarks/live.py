"""How soon open viewers see what the platform has committed, and what they cost: memory, and statements."""

import re
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter, sleep
from urllib.parse import urlsplit

from projector.database.rows import Connection
from tests.benchmarks import servers, usage
from tests.benchmarks.core import Row, once, part
from tests.benchmarks.fixtures import PATIENCE, Bench, projector
from tests.benchmarks.servers import Server

# Each tenant has half of them, and every other viewer asks for one platform.
_FILTERS = ("", "?platform=whatsapp")
_COMMITS_A_SECOND = 2
_QUIET_SECONDS = 3
_MESSAGE = (
    "INSERT INTO public.messages (message_id, conversation_id, sender, text, timestamp, status)"
    " SELECT 'benchmark-live-' || nextval('benchmark.numbers'), c.conversation_id, 'user', 'Anybody there?',"
    " clock_timestamp() AT TIME ZONE 'UTC', 'sent' FROM public.conversations AS c"
    " JOIN public.agents AS a ON a.agent_id = c.agent_id WHERE a.user_id = %s ORDER BY c.conversation_id LIMIT 1"
)
# A line of the log of PostgreSQL.
_STATEMENT = re.compile(r"leads-api LOG: +execute ")
_COUNTED = 5


@dataclass(slots=True)
class Viewers:
    """Open streams, which a loop of one thread reads; the moments at which an event has reached each."""

    # The tenant that changes, and how many of them are its viewers.
    tenant: str
    watching: int
    reader: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def open(self, stack: ExitStack, api: Server, path: str) -> None:
        parts = urlsplit(api.url)
        viewer = stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE))
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
        viewer.sendall(head.encode())
        begun = viewer.recv(4096)
        if b" 200 OK" not in begun:
            raise RuntimeError(f"The API answered {begun[:300]!r}")
        viewer.settimeout(0)
        self.reader.register(viewer, selectors.EVENT_READ, data=path)

    def seen(self) -> list[float]:
        """Return when each viewer of the tenant saw a change."""
        moments: list[float] = []
        ends = perf_counter() + PATIENCE
        while len(moments) < self.watching:
            for key, _ in self.reader.select(timeout=1):
                told = socket.socket.recv(key.fileobj, 65536)  # type: ignore[arg-type]
                if not told:
                    raise RuntimeError("The API has ended a stream.")
                if b"data:" in told and self.tenant in key.data:
                    moments.append(perf_counter())
            if perf_counter() > ends:
                raise TimeoutError(
                    f"{self.watching - len(moments)} viewers have not seen a change in {PATIENCE} s."
                )
        return moments


def measure(bench: Bench) -> Iterator[Row]:
    """Follow commits to the events of all viewers of a tenant; then look at what is asked for them."""
    count = bench.size.viewers
    with ExitStack() as stack:
        database = stack.enter_context(bench.database("copy", bench.main))
        stack.enter_context(projector(database))
        conn = stack.enter_context(database.connect())
        api = stack.enter_context(servers.api(bench, database, LEADS_STREAMS=str(2 * count)))
        before = once(_memory(api))
        viewers = Viewers(database.tenants["big"], count // 2)
        for number in range(count):
            tenant = list(database.tenants.values())[number % 2]
            viewers.open(stack, api, f"/users/{tenant}/lead-changes{_FILTERS[number // 2 % 2]}")
        ages = _follow(conn, viewers, bench.size.visible)
        memory = once(_memory(api))
        with bench.settings(log_statement="all"):
            sleep(1)
            begun = _statements(bench)
            commits = len(_follow(conn, viewers, 0, _COUNTED)) // (count // 2)
            sleep(1)
            ended = _statements(bench)
            sleep(_QUIET_SECONDS)
            quiet = once(_statements(bench) - ended)
    what = f"commit to the event of {count // 2:,} of {count:,} viewers, p99"
    note = f"{len(ages):,} events followed"
    yield Row(what, "ms", part(ages, 99), "p50", part(ages, 50), "live_p99", note=note)
    what = f"memory of the API with {count:,} viewers"
    yield Row(what, "MB", memory, "without", before, "live_memory")
    filters, asked = once(len(_FILTERS)), once((ended - begun) / commits)
    yield Row("statements a change", "", asked, "filters", filters, "live_statements")
    what = f"statements in {_QUIET_SECONDS} seconds without a change"
    yield Row(what, "", quiet, "viewers", once(count), "live_quiet")


def _follow(conn: Connection, viewers: Viewers, seconds: float, least: int = 2) -> list[float]:
    """Return the milliseconds from each commit to the event of each viewer."""
    ages: list[float] = []
    ends = perf_counter() + seconds
    while len(ages) < least * viewers.watching or perf_counter() < ends:
        conn.execute(_MESSAGE.encode(), (viewers.tenant,))
        committed = perf_counter()
        ages += [1000 * (moment - committed) for moment in viewers.seen()]
        sleep(1 / _COMMITS_A_SECOND)
    return ages


def _statements(bench: Bench) -> int:
    """Return how many statements the API has run, as far as they are in the log."""
    return len(_STATEMENT.findall(bench.server.log.read_text(errors="replace")))


def _memory(api: Server) -> float:
    """Return the megabytes of the processes of the API."""
    pids = {int(thread.parts[2]) for thread in usage.threads_of(api.process.pid)}
    return sum(usage.memory(pid, "Pss") for pid in pids)
