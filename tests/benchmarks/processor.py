"""The processor time that a request takes from a server and from PostgreSQL."""

from tests.benchmarks import cpu, load
from tests.benchmarks.fixtures import Fixtures
from tests.benchmarks.servers import Server


def milliseconds_of_request(
    fixtures: Fixtures, server: Server, path: str, *, connections: int = 1, header: str = ""
) -> float:
    """Milliseconds of a processor that the server and PostgreSQL spend on a request, in the mean of a run."""
    postgres = int((fixtures.server.data / "postmaster.pid").read_text().split()[0])
    pids = (server.process.pid, postgres)
    before = cpu.seconds_of(pids)
    done = load.run(f"{server.url}{path}", connections=connections, seconds=fixtures.size.load, header=header)
    return 1000 * cpu.spent(before, cpu.seconds_of(pids)) / done.requests
