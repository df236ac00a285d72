"""Load from outside the server's process: wrk; where it is not installed, this module as a process of its own.

wrk costs a fraction of what it asks for. The substitute is written in Python and takes a good part of a core, so its
ratios of throughput come out nearer to 1: the table says which of the two was used.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
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


def run(url: str, *, connections: int, seconds: float, header: str = "") -> Load:
    """One run, each request with this header too; raises where an answer was neither 200 nor 304."""
    with running(url, connections=connections, seconds=seconds, header=header) as process:
        load = result(process)
    if load.failed or not load.requests:
        raise RuntimeError(f"{load.failed} of {load.requests} requests for {url} failed.")
    return load


@contextmanager
def running(
    url: str, *, connections: int, seconds: float, header: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """A run under way, which may be stopped at once."""
    wrk = shutil.which("wrk")
    duration = max(seconds, 0.01)
    # wrk knows whole seconds only.
    by_wrk = wrk is not None and duration >= 1
    if wrk is not None and by_wrk:
        command = [wrk, "-t1", f"-c{connections}", f"-d{round(duration)}s", "-s", str(_REPORT)]
        command += ["-H", header, url] if header else [url]
    else:
        command = [sys.executable, "-m", __name__, url, str(connections), str(duration), header]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            (_wait_for_handler if by_wrk else _wait_for_line)(process)
            yield process
        finally:
            process.kill()


def _wait_for_handler(process: subprocess.Popen[str]) -> None:
    """Wait until wrk catches an interrupt: one that comes before ends it without a report."""
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        if int(status.partition("SigCgt:")[2].split()[0], 16) >> (signal.SIGINT - 1) & 1:
            return
        sleep(0.005)


def _wait_for_line(process: subprocess.Popen[str]) -> None:
    """Wait for the empty line by which the substitute says the same; it says nothing where it has failed."""
    if process.stdout is not None:
        # One byte, past the buffer, which would keep the rest from communicate().
        os.read(process.stdout.fileno(), 1)


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


def _ask(
    connection: socket.socket, request: bytes, ends: float, stop: threading.Event
) -> tuple[list[float], int]:
    """Ask by one connection again as soon as it is answered: the latencies, and how many answers were not 200."""
    latencies: list[float] = []
    failed = 0
    # One request at least: on a busy machine the time may be over before the first one.
    while not latencies or (perf_counter() < ends and not stop.is_set()):
        began = perf_counter()
        connection.sendall(request)
        head, _, body = _receive(connection, b"").partition(b"\r\n\r\n")
        # A 304 has no body, and no length of it.
        length = next(
            (
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        while len(body) < length:
            body += _receive(connection, b"")
        latencies.append(perf_counter() - began)
        failed += not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 304"))
    return latencies, failed


def _receive(connection: socket.socket, received: bytes) -> bytes:
    """More bytes of an answer."""
    more = connection.recv(1 << 20)
    if not more:
        raise ConnectionError("The server closed the connection.")
    return received + more


def _main(url: str, connections: int, seconds: float, header: str) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda _number, _frame: stop.set())
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = f"Host: {parts.netloc}\r\n" + (f"{header}\r\n" if header else "")
    request = f"GET {target} HTTP/1.1\r\n{headers}\r\n".encode()
    with ExitStack() as stack:
        opened = [
            stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 80)))
            for _ in range(connections)
        ]
        for connection in opened:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sys.stdout.write("\n")
        sys.stdout.flush()
        pool = stack.enter_context(ThreadPoolExecutor(connections))
        began = perf_counter()
        asking = [pool.submit(_ask, connection, request, began + seconds, stop) for connection in opened]
        # A connection that breaks ends the run with its error.
        answers = [future.result() for future in asking]
        ended = perf_counter()
    latencies = sorted(latency for found, _ in answers for latency in found)
    report = {
        "requests": len(latencies),
        "seconds": ended - began,
        "p50": 1000 * latencies[len(latencies) // 2],
        "p99": 1000 * latencies[len(latencies) * 99 // 100],
        "greatest": 1000 * latencies[-1],
        "failed": sum(failed for _, failed in answers),
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
