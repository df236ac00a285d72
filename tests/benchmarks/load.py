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
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter, sleep
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


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "a substitute for wrk (install wrk: apt-get install wrk)"


def run(url: str, *, seconds: float, connections: int = 1, header: str = "", fresh: bool = False) -> Load:
    """Return one run, each request with this header too; `fresh` ones have an address that none had before.

    Raises RuntimeError if an answer was neither 200 nor 304.
    """
    wrk = shutil.which("wrk")
    # wrk knows whole seconds only.
    if wrk is None or seconds < 1:
        load = during(url, connections, lambda: sleep(seconds), header, fresh=fresh)
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


def during(  # noqa: PLR0913  # Names tell them apart.
    url: str,
    connections: int,
    work: Callable[[], object],
    header: str = "",
    *,
    fresh: bool = False,
    pause: float = 0.0,
) -> Load:
    """Return what so many connections found that asked again and again while the work was done, by the substitute.

    One that breaks ends the run with its error.
    """
    parts, stop = urlsplit(url), threading.Event()
    headers = dict([header.split(": ", 1)]) if header else {}
    latencies: list[float] = []
    failures: list[int] = []

    def ask_again(place: int) -> None:
        asked = 0
        with closing(HTTPConnection(parts.netloc)) as connection:
            # One request at least: on a busy machine the time may be over before the first one.
            while not asked or not stop.wait(pause):
                query = "&".join(filter(None, (parts.query, f"_={place}-{asked}" if fresh else "")))
                began, asked = perf_counter(), asked + 1
                target = f"{parts.path}?{query}" if query else parts.path
                connection.request("GET", target, headers=headers)
                answer = connection.getresponse()
                answer.read()
                latencies.append(1000 * (perf_counter() - began))
                if answer.status not in (200, 304):
                    failures.append(answer.status)

    began = perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        asking = [pool.submit(ask_again, place) for place in range(connections)]
        try:
            work()
        finally:
            stop.set()
        for request in asking:
            request.result()
    ended, number = perf_counter(), len(latencies)
    latencies.sort()
    return Load(number, ended - began, latencies[number // 2], latencies[number * 99 // 100], len(failures))
