"""`python -m tests.consistency`: a platform, a standby and a subscriber under load and faults, and then the judgement.

`make consistency` runs it for an hour.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event

import click
import psycopg
from psycopg.rows import TupleRow

from projector.database.schema import source_tables
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.trial.postgres.embedded import EmbeddedServer, free_port
from tests.consistency import checker, workload
from tests.consistency.planted import NAME
from tests.consistency.workload import Caller, Follower, History, Writer, keep_on
from tests.support.commands import environment, projector
from tests.support.patience import PATIENCE
from tests.support.replication import address, replicated_platform
from tests.support.running import value, wait_for
from tests.support.server import connect
from tests.support.standby import running_standby

SETTLED_SECONDS = 2.0
OUR_SESSION = b"SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'leads%' ORDER BY random()"
END_OUR_SESSION = b"SELECT pg_terminate_backend((" + OUR_SESSION + b" LIMIT 1))"
PAUSES = (
    ("standby", "the standby stands still", "SELECT pg_wal_replay_pause()", "SELECT pg_wal_replay_resume()"),
    (
        "subscriber",
        "the subscription rests",
        *(f"ALTER SUBSCRIPTION leads {do}" for do in ("DISABLE", "ENABLE")),
    ),
)
# Debian: apt-get install libfaketime. Without it the clocks are left alone.
FAKE_CLOCK = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@dataclass
class Program:
    """A process of the product, which can be killed and started again."""

    name: str
    arguments: list[str]
    settings: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        if self.process is None or self.process.poll() is not None:
            with Path(f"{self.name}.log").open("ab") as log:
                command = [sys.executable, "-m", *self.arguments]
                env = environment(**self.settings)
                # The API has processes of its own, which are stopped and killed with it.
                self.process = subprocess.Popen(
                    command, env=env, stdout=log, stderr=log, start_new_session=True
                )

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


@dataclass
class World:
    """What runs: databases by their names, programs on them, and the ports of the API's nodes."""

    folder: Path
    bug: str = ""
    databases: dict[str, str] = field(default_factory=dict)
    servers: dict[str, EmbeddedServer] = field(default_factory=dict)
    programs: list[Program] = field(default_factory=list)
    nodes: dict[str, dict[str, int]] = field(default_factory=dict)
    clock: Path | None = None
    """What says by how many seconds the clocks of the servers are ahead."""

    def add(self, name: str, url: str, *, apis: int, projectors: int = 0, **settings: str) -> None:
        """Have programs work on a database."""
        self.databases[name], self.nodes[name] = url, {}
        settings = {"DATABASE_URL": url, "LEADS_LOG_FORMAT": "json", NAME: self.bug, **settings}
        planted = ["tests.consistency.planted"] if self.bug else []
        for number in range(projectors):
            at = str(self.folder / f"projector-{name}-{number}")
            self.programs.append(Program(at, [*planted, "projector", "run"], settings))
        for number in range(apis):
            port, at = free_port(), str(self.folder / f"api-{name}-{number}")
            limits = {"LEADS_RATE_LIMIT": "off", "LEADS_EXPORTS": "4", "LEADS_LOG_LEVEL": "WARNING"}
            self.programs.append(Program(at, [*planted, "api"], {"PORT": str(port), **limits, **settings}))
            self.nodes[name][f"{name} {number}"] = port

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start all programs, and kill them at the end."""
        try:
            for program in self.programs:
                program.start()
            yield
        finally:
            for program in self.programs:
                program.kill()


@contextmanager
def clock_of(file: Path | None) -> Iterator[None]:
    """Let servers that are started here have the clock of a file."""
    fake = {
        "LD_PRELOAD": str(FAKE_CLOCK), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
    }  # fmt: skip
    os.environ.update(fake if file else {})
    try:
        yield
    finally:
        for name in fake:
            os.environ.pop(name, None)


@contextmanager
def whole_world(folder: Path) -> Iterator[World]:
    """A platform with a read model, a standby of it, and a subscriber with a read model of its own."""
    with ExitStack() as stack:
        clock = None
        if FAKE_CLOCK is not None:
            # The user who runs PostgreSQL reads it.
            clock = Path(stack.enter_context(TemporaryDirectory())) / "clock"
            clock.parent.chmod(0o755)
            clock.write_text("-0")
        with clock_of(clock):
            both = stack.enter_context(replicated_platform(streaming="parallel"))
        platform, subscriber = both.platform, both.conn
        with platform.transaction():
            # Its read model is no matter of the subscriber.
            platform.execute("DROP PUBLICATION leads")
            platform.execute(f"CREATE PUBLICATION leads FOR TABLE {', '.join(source_tables())}".encode())
        migrate(platform, create_source=True)
        workload.prepare(platform)
        for conn in (platform, subscriber):
            rebuild(conn, tenants=None, progress=QUIET)
        settings = {"hot_standby_feedback": "on", "max_standby_streaming_delay": "1s"}
        with clock_of(clock):
            standby = stack.enter_context(running_standby(both.server, **settings))
        world = World(folder, clock=clock, servers={"platform": both.server, "subscriber": both.subscriber})
        world.add("platform", address(platform), apis=2, projectors=2)
        world.add("standby", standby.url, apis=1)
        origin = {"LEADS_ORIGIN_DATABASE_URL": both.origin_url}
        world.add("subscriber", address(subscriber), apis=1, projectors=1, **origin)
        stack.enter_context(world.running())
        yield world


@dataclass
class Nemesis:
    """Does one harm after the other, and makes it good again."""

    world: World
    history: History
    quiet: Event
    rng: Random

    def turn(self) -> None:
        harms = [self.kill, self.kill, self.stop, self.end_session, self.stop_server, self.rebuild]
        harms += [self.set_clock_back] * (self.world.clock is not None)
        harms += [partial(self.pause, *one) for one in PAUSES]
        try:
            self.rng.choice(harms)()
        except psycopg.Error as error:
            self._note(f"a server was away: {type(error).__name__}")

    def _note(self, what: str) -> None:
        self.history.note("event", what=what, at=self.history.now())

    def _wait(self, least: float, most: float) -> None:
        self.quiet.wait(self.rng.uniform(least, most))

    def _connect(self, database: str = "") -> psycopg.Connection[TupleRow]:
        url = self.world.databases[database or self.rng.choice(("platform", "subscriber"))]
        return psycopg.connect(url, autocommit=True, connect_timeout=10)

    def kill(self) -> None:
        program = self.rng.choice(self.world.programs)
        program.kill()
        self._note(f"SIGKILL of the {program.arguments[0]}")
        self._wait(0, 2)
        program.start()

    def stop(self) -> None:
        program = self.rng.choice(self.world.programs)
        program.send(signal.SIGSTOP)
        self._note(f"SIGSTOP of the {program.arguments[0]}, 1 to 10 s")
        self._wait(1, 10)
        program.send(signal.SIGCONT)

    def end_session(self) -> None:
        """End a session of ours; by SIGKILL, PostgreSQL ends all others too and recovers."""
        is_killed = self.rng.random() < 0.3
        with self._connect() as conn:
            one = conn.execute(OUR_SESSION if is_killed else END_OUR_SESSION).fetchone()
        if one is not None:
            self._note("SIGKILL of a backend" if is_killed else "a session is ended")
            if is_killed:
                os.kill(one[0], signal.SIGKILL)

    def stop_server(self) -> None:
        name = self.rng.choice(list(self.world.servers))
        self.world.servers[name].stop(mode="immediate")
        self._note(f"immediate stop of the {name}'s server")
        self._wait(0, 3)
        with clock_of(self.world.clock):
            self.world.servers[name].start()

    def pause(self, database: str, what: str, first: str, then: str) -> None:
        with self._connect(database) as conn:
            conn.execute(first.encode())
            self._note(f"{what}, 1 to 8 s")
            self._wait(1, 8)
            conn.execute(then.encode())

    def rebuild(self) -> None:
        url = self.world.databases[self.rng.choice(("platform", "subscriber"))]
        done = projector(self.world.folder, "rebuild", DATABASE_URL=url)
        self._note(f"a rebuild in place, exit code {done.returncode}")

    def set_clock_back(self) -> None:
        if self.world.clock is not None:
            # A standby believes a moment that is ahead by less: docs/internals/freshness.md.
            seconds = int(self.world.clock.read_text()) - self.rng.randint(10, 30)
            next_one = self.world.clock.with_suffix(".next")
            next_one.write_text(str(seconds))
            next_one.replace(self.world.clock)
            self._note("the clock is set back")

    def heal(self) -> None:
        """End what was left over."""
        with clock_of(self.world.clock):
            for server in self.world.servers.values():
                server.start()
        for program in self.world.programs:
            program.start()
        for database, _, _, then in PAUSES if self.world.servers else ():
            with suppress(psycopg.Error), self._connect(database) as conn:
                conn.execute(then.encode())


def record(world: World, path: Path, seconds: float, seed: int, *, harm: bool = False) -> None:
    """Let all work for so long, then let it settle: the last answers have to show all that was written."""
    rng, history, quiet, stopped = Random(seed), History(path), Event(), Event()
    nodes = {name: port for group in world.nodes.values() for name, port in group.items()}
    caller = Caller(history, nodes, Random(rng.random()))
    for node in nodes:
        wait_for(lambda: caller.get("/health/ready", node)[0]["status"] == 200, f"{node} is ready")  # noqa: B023
    sessions = [Caller(history, nodes, Random(rng.random()), name=f"session {one}") for one in range(2)]
    followers = [
        Follower(history, group, Random(rng.random()), name=f"{place} {tenant}", tenant=tenant)
        for (place, group), tenant in product(world.nodes.items(), ("t1", workload.MASS))
    ]
    with connect(world.databases["platform"]) as conn:
        start = str(value(conn, "SELECT now() AT TIME ZONE 'UTC' - interval '1 day'"))
    back = Caller(history, nodes, Random(rng.random()))
    writers = [Writer(back, world.databases["platform"], Random(rng.random()), start) for _ in range(3)]
    nemesis = Nemesis(world, history, quiet, Random(rng.random()))
    turns = [(stopped, 0.05, one.read) for one in (caller, *sessions)]
    turns += [(stopped, 0.2, caller.walk), (stopped, 0.2, caller.count)]
    turns += [(stopped, 0.1, one.follow) for one in followers]
    turns += [(quiet, 0.1, one.write) for one in writers]
    turns += [(quiet, 3.0, nemesis.turn)] * harm
    with ThreadPoolExecutor(len(turns)) as pool:
        working = [pool.submit(keep_on, *turn) for turn in turns]
        try:
            wait(working, seconds, FIRST_COMPLETED)
            quiet.set()
            wait([one for one, turn in zip(working, turns, strict=True) if turn[0] is quiet])
            nemesis.heal()
            _settle(world, caller)
        finally:
            stopped.set()
            quiet.set()
    for one in working:
        one.result()
    for writer in writers:
        writer.close()
    history.close()


def _settle(world: World, caller: Caller) -> None:
    """Wait until every node claims what was last committed, and a little longer for answers about that."""
    with connect(world.databases["platform"]) as conn:
        last = value(conn, workload.CLOCK)
    for node, tenant in product(caller.nodes, workload.LEADS):
        wait_for(partial(_is_as_of, caller, node, tenant, last), f"{node} has all of {tenant}", PATIENCE)
    time.sleep(SETTLED_SECONDS)


def _is_as_of(caller: Caller, node: str, tenant: str, moment: str) -> bool:
    line, *_ = caller.get(f"/users/{tenant}/leads?limit=1", node)
    return line["status"] == 200 and checker.moment(line["as_of"]) >= checker.moment(moment)


@click.command()
@click.option("--hours", type=float, default=1.0, help="How long it works. [default: 1]")
@click.option("--seed", type=int, default=1, help="Of what is done and asked. [default: 1]")
@click.option(
    "--output", type=click.Path(path_type=Path), default="build/consistency", help="Folder for files."
)
def main(hours: float, seed: int, output: Path) -> None:
    """Record a history under load and faults, and judge it. Exits with 1 if a promise was broken."""
    output.mkdir(parents=True, exist_ok=True)
    history = output.absolute() / "history.jsonl"
    with whole_world(output.absolute()) as world:
        record(world, history, hours * 3600, seed, harm=True)
    judged = checker.judge(history)
    (output / "report.md").write_text(checker.report(judged))
    click.echo(f"{checker.report(judged)}\nWritten to {output}.")
    sys.exit(bool(judged.faults))


if __name__ == "__main__":
    main()
