"""Load from outside the server's process: wrk; where it is not installed, this module as a process of its own.

wrk costs a fraction of what it asks for. The substitute is written in Python and takes a good part of a core, so its
ratios of throughput come out nearer to 1: the table says which of the two was used.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

from tests.support.commands import ROOT, environment

_REPORT = Path(__file__).with_name("report.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What one run found; latencies are milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    greatest: float
    failed: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def mean(self) -> float:
        """Milliseconds of a request where one connection asked again and again."""
        return 1000 / self.rate


def generator() -> str:
    """What makes the load here."""
    return "wrk" if shutil.which("wrk") else "a substitute for wrk (install wrk: apt-get install wrk)"


def run(url: str, *, connections: int, seconds: float) -> Load:
    """One run; raises where an answer was not 200."""
    with running(url, connections=connections, seconds=seconds) as process:
        load = result(process)
    if load.failed or not load.requests:
        raise RuntimeError(f"{load.failed} of {load.requests} requests for {url} failed.")
    return load


@contextmanager
def running(url: str, *, connections: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A run under way."""
    wrk = shutil.which("wrk")
    duration = max(seconds, 0.05)
    if wrk and duration >= 1:
        # wrk knows whole seconds only.
        command = [wrk, "-t1", f"-c{connections}", f"-d{round(duration)}s", "-s", str(_REPORT), url]
    else:
        command = [sys.executable, "-m", __name__, url, str(connections), str(duration)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def result(process: subprocess.Popen[str]) -> Load:
    """What a run found, at its end."""
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"The load failed: {errors.strip()}")
    return Load(**json.loads(output.strip().splitlines()[-1]))


def stopped(process: subprocess.Popen[str]) -> Load:
    """What a run found until now."""
    process.send_signal(signal.SIGINT)
    return result(process)


def _ask(url: str, ends: float, stop: threading.Event, latencies: list[float], failures: list[int]) -> None:
    """One connection that asks again as soon as it is answered."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # One request at least: on a busy machine the time may be over before the connection is open.
        while not latencies or (perf_counter() < ends and not stop.is_set()):
            began = perf_counter()
            connection.sendall(request)
            head, _, body = _receive(connection, b"").partition(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            )
            while len(body) < length:
                body += _receive(connection, b"")
            latencies.append(perf_counter() - began)
            if not head.startswith(b"HTTP/1.1 200"):
                failures.append(1)


def _receive(connection: socket.socket, received: bytes) -> bytes:
    """More bytes of an answer."""
    more = connection.recv(1 << 20)
    if not more:
        raise ConnectionError("The server closed the connection.")
    return received + more


def _main(url: str, connections: int, seconds: float) -> None:
    latencies: list[float] = []
    failures: list[int] = []
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda _number, _frame: stop.set())
    began = perf_counter()
    askers = [
        threading.Thread(target=_ask, args=(url, began + seconds, stop, latencies, failures))
        for _ in range(connections)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    latencies.sort()
    found = {
        "requests": len(latencies),
        "seconds": perf_counter() - began,
        "p50": 1000 * latencies[len(latencies) // 2],
        "p99": 1000 * latencies[len(latencies) * 99 // 100],
        "greatest": 1000 * latencies[-1],
        "failed": len(failures),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
