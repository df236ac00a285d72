"""What readers notice of a rebuild: their p99, failed reads and waits for locks, against CREATE TABLE AS."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from projector.progress import QUIET
from projector.rebuild import rebuild
from tests.benchmarks import anew, load, servers
from tests.benchmarks.core import Row, Sample, goal, interleave
from tests.benchmarks.setting import Setting

AREA = "Readers during a rebuild"
_CONNECTIONS = 2
# A run of the load ends with the work, long before this.
_LONGEST = 3600


@dataclass(slots=True)
class _Readers:
    """Readers beside some work; what they found is kept of every run."""

    setting: Setting
    url: str
    failed: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    greatest: list[float] = field(default_factory=list)

    def beside(self, work: Callable[[], object]) -> float:
        """The readers' p99 while the work is done."""
        log = self.setting.server.log
        read = log.stat().st_size
        with load.running(self.url, connections=_CONNECTIONS, seconds=_LONGEST) as process:
            work()
            found = load.stopped(process)
        with log.open(errors="replace") as lines:
            lines.seek(read)
            waited = sum("leads-api" in line and "still waiting for" in line for line in lines)
        self.failed.append(found.failed)
        self.asked.append(found.requests)
        self.waits.append(waited)
        self.greatest.append(found.greatest)
        return found.p99


def measure(setting: Setting) -> Iterator[Row]:
    """The rows of this area."""
    with (
        servers.api(setting.main) as api,
        setting.main.connect() as conn,
        setting.main.connect() as other,
    ):
        url = f"{api.url}/users/{setting.main.tenants['big']}/leads"
        ours, theirs = _Readers(setting, url), _Readers(setting, url)
        found = interleave(
            setting.size.rounds,
            {
                "rebuild": lambda: ours.beside(lambda: rebuild(conn, tenants=None, progress=QUIET)),
                "anew": lambda: theirs.beside(lambda: anew.create_tables(other)),
            },
            warm_up=False,
        )
        anew.drop(other)
    name = "the same beside CREATE TABLE AS + indexes"
    what = "list page of 50, p99, during a rebuild"
    yield Row(AREA, what, "ms", found["rebuild"], name, found["anew"], goal("rebuild_readers"))
    slowest = "list page of 50, slowest, during a rebuild"
    yield Row(AREA, slowest, "ms", Sample(tuple(ours.greatest)), name, Sample(tuple(theirs.greatest)))
    asked = Sample(tuple(ours.asked))
    for title, key, values in (
        ("failed reads", "rebuild_failures", ours.failed),
        ("waits of readers for a lock above 50 ms", "rebuild_waits", ours.waits),
    ):
        what = f"{title} during a rebuild"
        yield Row(
            AREA, what, "reads", Sample(tuple(values)), "reads meanwhile", asked, goal(key), absolute=True
        )
