"""What others do to a tenant: floods, beside which the tenant's list and /health/live are asked."""

import resource
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from socket import create_connection
from time import sleep
from urllib.parse import urlsplit

from tests.benchmarks import load
from tests.benchmarks.core import Row, once
from tests.benchmarks.fixtures import Bench
from tests.benchmarks.load import Load
from tests.benchmarks.servers import Server

_KEYS = Path(__file__).with_name("keys.lua")
_PAUSE = 0.03
_HALF_BODIES = 4400
# About 30 kB of address.
_UNKNOWN_NAMES = 2500
# The beginning of a flood, with all of its connections at once, is none of it.
_SETTLE_SECONDS = 1.0
# Files of this process that are no connections of a flood.
_OTHER_FILES = 500


def measure(bench: Bench, api: Server, leads: str, header: str) -> Iterator[Row]:
    """Return the rows of a tenant beside each flood, whose caller shows no credential, or one that nobody knows."""
    requests = (
        ("404", "/nothing", 64, ()),
        ("/health/ready", "/health/ready", 64, ()),
        ("/metrics", "/metrics", 64, ()),
        ("401", leads, 64, ()),
        ("unknown API keys", leads, 64, ("-s", str(_KEYS))),
        ("/health/ready", "/health/ready", 1500, ()),
        ("/metrics", "/metrics", 1500, ()),
    )
    for title, path, connections, more in requests:
        flood = _flooding(f"{api.url}{path}", connections, *more)
        yield from _beside(bench, api, (leads, header), f"{title}, {connections:,} connections", flood)
    for title, path in (("an unknown address", "/x"), ("a look-up", f"{leads}/lookup")):
        half = _half_bodies(api.url, path)
        yield from _beside(bench, api, (leads, header), f"half bodies for {title}", half)


def measure_tenants(
    bench: Bench, api: Server, asked: tuple[str, str], flooding: tuple[str, str]
) -> Iterator[Row]:
    """Return the rows of a tenant beside what another one asks for, each with its leads' path and its own header."""
    leads, header = flooding
    names = "&".join(f"unknown{number:04}" for number in range(_UNKNOWN_NAMES))
    for title, path in (
        ("exports of another tenant", f"{leads}.csv?search=no+lead+has+this"),
        (f"400 of another tenant for {_UNKNOWN_NAMES:,} unknown names", f"{leads}?{names}"),
    ):
        flood = _flooding(f"{api.url}{path}", 64, "-H", header)
        yield from _beside(bench, api, asked, f"{title}, 64 connections", flood)


def _beside(
    bench: Bench, api: Server, asked: tuple[str, str], title: str, flood: AbstractContextManager[None]
) -> Iterator[Row]:
    alone, _ = _ask(bench, api, *asked)
    with flood:
        tenant, live = _ask(bench, api, *asked)
    for what, ours, theirs, goal in (
        ("a tenant's list, median", tenant.p50, alone.p50, "flood_p50"),
        ("a tenant's list, p99", tenant.p99, alone.p99, "flood_p99"),
        ("/health/live, p99", live.p99, alone.p99, "flood_live"),
    ):
        yield Row(f"{title}: {what}", "ms", once(ours), "the list alone", once(theirs), goal)
    failed = once(tenant.failed + live.failed)
    of = once(tenant.requests + live.requests)
    yield Row(f"{title}: refused", "requests", failed, "requests", of, "flood_refused")


def _ask(bench: Bench, api: Server, leads: str, header: str) -> tuple[Load, Load]:
    """Return how long the list of a tenant takes, which is never a hit, and /health/live, both with pauses."""
    wait = partial(sleep, 4 * bench.size.load)
    with ThreadPoolExecutor(1) as pool:
        live = pool.submit(load.during, f"{api.url}/health/live", 1, wait, pause=_PAUSE)
        tenant = load.during(f"{api.url}{leads}?limit=1", 1, wait, header, fresh=True, pause=_PAUSE)
        return tenant, live.result()


@contextmanager
def _flooding(url: str, connections: int, *more: str) -> Iterator[None]:
    """Have so many connections ask without a pause."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("A flood needs wrk: apt-get install wrk")
    command = [wrk, "-t1", f"-c{connections}", "-d600s", "--timeout", "20s", *more, url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            sleep(_SETTLE_SECONDS)
            yield
        finally:
            process.terminate()


@contextmanager
def _half_bodies(url: str, path: str) -> Iterator[None]:
    """Hold connections that have sent a head and no more than the beginning of its body."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    parts = urlsplit(url)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{"
    with ExitStack() as stack:
        for _ in range(min(_HALF_BODIES, most - _OTHER_FILES)):
            connection = stack.enter_context(create_connection((parts.hostname, parts.port), timeout=20))
            connection.sendall(head.encode())
        sleep(_SETTLE_SECONDS)
        yield
