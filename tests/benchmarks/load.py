"""Load from outside the server's process: wrk; where it is not installed, threads of the benchmark's own process.

wrk costs a fraction of what it asks for. The substitute is written in Python and takes a good part of a core, so its
ratios of throughput come out nearer to 1: the table says which of the two was used.
"""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

_REPORT, _FRESH = (Path(__file__).with_name(f"{name}.lua") for name in ("report", "fresh"))


@dataclass(frozen=True, slots=True)
class Load:
    """What one run found; latencies are milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def mean(self) -> float:
        """Return milliseconds of a request where one connection asked again and again."""
        return 1000 / self.rate


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "a substitute for wrk (install wrk: apt-get install wrk)"


def run(url: str, *, connections: int, seconds: float, header: str = "", fresh: bool = False) -> Load:
    """Return one run, each request with this header too; `fresh` ones have an address that none had before.

    Raises RuntimeError if an answer was neither 200 nor 304.
    """
    wrk = shutil.which("wrk")
    # wrk knows whole seconds only.
    if wrk is None or seconds < 1:
        stop = threading.Event()
        timer = threading.Timer(seconds, stop.set)
        timer.start()
        load = _ask(url, connections, header, stop, fresh=fresh)
    else:
        command = [
            wrk,
            "-t1",
            f"-c{connections}",
            f"-d{round(seconds)}s",
            "-s",
            str(_FRESH if fresh else _REPORT),
        ]
        command += ["-H", header, url] if header else [url]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        load = Load(**json.loads(done.stdout.strip().splitlines()[-1]))
    if load.failed or not load.requests:
        raise RuntimeError(f"{load.failed} of {load.requests} requests for {url} failed.")
    return load


def during(url: str, connections: int, work: Callable[[], object]) -> Load:
    """Return what so many connections found that asked again and again while the work was done, by the substitute."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(_ask, url, connections, "", stop)
        try:
            work()
        finally:
            stop.set()
        return asking.result()


def _ask(url: str, connections: int, header: str, stop: threading.Event, *, fresh: bool = False) -> Load:
    """Ask by so many connections until they shall stop; one that breaks ends the run with its error."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    if fresh:
        target += f"{'&' if parts.query else '?'}_="
    name, _, given = header.partition(": ")
    headers = {name: given} if name else {}
    with ExitStack() as stack:
        opened = [HTTPConnection(parts.hostname or "", parts.port) for _ in range(connections)]
        for connection in opened:
            stack.callback(connection.close)
            connection.connect()
        pool = stack.enter_context(ThreadPoolExecutor(connections))
        began = perf_counter()
        asking = [
            pool.submit(_ask_again, connection, target, headers, stop, place if fresh else None)
            for place, connection in enumerate(opened)
        ]
        answers = [future.result() for future in asking]
        ended = perf_counter()
    latencies = sorted(1000 * latency for found, _ in answers for latency in found)
    number, failed = len(latencies), sum(failed for _, failed in answers)
    return Load(number, ended - began, latencies[number // 2], latencies[number * 99 // 100], failed)


def _ask_again(
    connection: HTTPConnection,
    target: str,
    headers: dict[str, str],
    stop: threading.Event,
    place: int | None = None,
) -> tuple[list[float], int]:
    """Ask by one connection again as soon as it is answered: the latencies, and how many answers were not 200."""
    latencies: list[float] = []
    failed = 0
    # One request at least: on a busy machine the time may be over before the first one.
    while not latencies or not stop.is_set():
        began = perf_counter()
        number = "" if place is None else f"{place}-{len(latencies)}"
        connection.request("GET", f"{target}{number}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        latencies.append(perf_counter() - began)
        failed += answer.status not in (200, 304)
    return latencies, failed
