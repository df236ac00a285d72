"""`python -m tests.consistency`: a platform, a standby and a subscriber under load and faults, and then the judgement.

`make consistency` runs it for an hour.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from random import Random
from secrets import token_hex
from tempfile import TemporaryDirectory
from threading import Event

import click
import psycopg
from psycopg.rows import TupleRow

from projector.database.schema import source_tables
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.trial.postgres.embedded import EmbeddedServer
from tests.consistency import checker, workload
from tests.consistency.planted import NAME, VERSION, run_command
from tests.consistency.workload import Caller, Follower, Guest, History, Writer, keep_on
from tests.support.commands import environment
from tests.support.patience import UNREACHED
from tests.support.ports import free_port
from tests.support.replication import (
    address,
    has_failover_slots,
    let_slots_fail_over,
    origin_url,
    platform_with_standby,
    publisher,
    replicated_platform,
)
from tests.support.running import value, wait_for
from tests.support.server import connect
from tests.support.standby import Standby

SETTLED_SECONDS = 2.0
OFTEN = ("kill", "kill", "stop", "end_session", "stop_server", "rebuild", "pause", "pause")
HARMS = (*OFTEN, "set_clock_back", "detach", "migrate", "erase", "fail_over", "keys")
"""What a nemesis does; an eraser and guests with API keys work beside it, and a failover comes once."""
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


def command_of(arguments: list[str], settings: dict[str, str]) -> list[str]:
    """Return the command of a program of the product; with a bug or as another version if the settings say so."""
    planted = ["tests.consistency.planted"] if settings.get(NAME) or settings.get(VERSION) else []
    return [sys.executable, "-m", *planted, *arguments]


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
                command, env = command_of(self.arguments, self.settings), environment(**self.settings)
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
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    """Those of the projectors of a database, and of commands."""
    standby: Standby | None = None
    """What can take the platform's place."""
    nodes: dict[str, dict[str, int]] = field(default_factory=dict)
    clock: Path | None = None
    """What says by how many seconds the clocks of the servers are ahead."""

    def add(self, name: str, url: str, *, apis: int, projectors: int = 0, **settings: str) -> None:
        """Have programs work on a database."""
        self.databases[name], self.nodes[name] = url, {}
        settings = {"DATABASE_URL": url, "LEADS_LOG_FORMAT": "json", NAME: self.bug, **settings}
        self.settings[name] = settings
        for number in range(projectors):
            at = str(self.folder / f"projector-{name}-{number}")
            self.programs.append(Program(at, ["projector", "run"], settings))
        for number in range(apis):
            port, at = free_port(), str(self.folder / f"api-{name}-{number}")
            limits = {"LEADS_RATE_LIMIT": "off", "LEADS_EXPORTS": "4", "LEADS_LOG_LEVEL": "WARNING"}
            access = {"LEADS_AUTH": "jwt,key", "LEADS_JWT_KEY": workload.SECRET}
            self.programs.append(Program(at, ["api"], {"PORT": str(port), **limits, **access, **settings}))
            self.nodes[name][f"{name} {number}"] = port

    def run(self, database: str, *arguments: str) -> tuple[int, str]:
        """Run a command of the product; return its exit code and what it printed."""
        settings = self.settings[database]
        command, env = command_of([*arguments], settings), environment(**settings)
        done = subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout or done.stderr

    def keys(self, *arguments: str) -> str:
        """Run the command for API keys of the platform; return what it prints, and nothing where it fails."""
        code, printed = self.run("platform", "api", "keys", *arguments)
        return "" if code else printed

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
def whole_world(folder: Path, bug: str = "") -> Iterator[World]:
    """Run a platform with a read model, a standby of it, and a subscriber with a read model of its own."""
    with ExitStack() as stack:
        clock = None
        if FAKE_CLOCK is not None:
            # The user who runs PostgreSQL reads it.
            clock = Path(stack.enter_context(TemporaryDirectory())) / "clock"
            clock.parent.chmod(0o755)
            clock.write_text("-0")
        with clock_of(clock):
            both = stack.enter_context(replicated_platform(streaming="parallel", failover="true"))
        platform, subscriber = both.platform, both.conn
        platform.execute("TRUNCATE extractions")
        with platform.transaction():
            # Its read model is no matter of the subscriber.
            platform.execute("DROP PUBLICATION leads")
            platform.execute(workload.PARTITION.encode(), prepare=False)
            tables = ", ".join(source_tables())
            publication = (
                f"CREATE PUBLICATION leads FOR TABLE {tables} WITH (publish_via_partition_root = true)"
            )
            platform.execute(publication.encode())
        migrate(platform, create_source=True)
        workload.prepare(platform)
        for conn in (platform, subscriber):
            rebuild(conn, tenants=None, progress=QUIET)
        with clock_of(clock):
            standby = stack.enter_context(platform_with_standby(both, max_standby_streaming_delay="1s"))
        if has_failover_slots(both):
            let_slots_fail_over(both, standby)
        subscriber.execute(f"ALTER SUBSCRIPTION leads CONNECTION '{publisher(both, standby)}'".encode())
        world = World(
            folder, bug, clock=clock, servers={"platform": both.server, "subscriber": both.subscriber}
        )
        world.standby = standby if has_failover_slots(both) else None
        world.add("platform", publisher(both, standby), apis=2, projectors=2)
        world.add("standby", standby.url, apis=1)
        origin = {"LEADS_ORIGIN_DATABASE_URL": origin_url(standby)}
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
    writer: Writer
    harms: Sequence[str] = ()
    fails_over_at: float = 0.0
    """When the standby takes the place of the platform's server."""

    def turn(self) -> None:
        left_out = {"erase", "keys", "fail_over", "" if self.world.clock else "set_clock_back"}
        harms = [harm for harm in self.harms if harm not in left_out]
        is_time = "fail_over" in self.harms and self.world.standby and self.history.now() > self.fails_over_at
        try:
            getattr(self, "fail_over" if is_time else self.rng.choice(harms))()
        except psycopg.Error as error:
            self._note(f"a server was away: {type(error).__name__}")

    def _note(self, what: str, **more: str) -> None:
        self.history.note("event", what=what, at=self.history.now(), **more)

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
            session = conn.execute(OUR_SESSION if is_killed else END_OUR_SESSION).fetchone()
        if session is not None:
            self._note("SIGKILL of a backend" if is_killed else "a session is ended")
            if is_killed:
                os.kill(session[0], signal.SIGKILL)

    def stop_server(self) -> None:
        name = self.rng.choice(list(self.world.servers))
        self.world.servers[name].stop(mode="immediate")
        self._note(f"immediate stop of the {name}'s server")
        self._wait(0, 3)
        with clock_of(self.world.clock):
            self.world.servers[name].start()

    def pause(self) -> None:
        database, what, first, then = self.rng.choice(PAUSES if self.world.standby else PAUSES[1:])
        with self._connect(database) as conn:
            conn.execute(first.encode())
            self._note(f"{what}, 1 to 8 s")
            self._wait(1, 8)
            conn.execute(then.encode())

    def rebuild(self) -> None:
        code, _ = self.world.run(self.rng.choice(("platform", "subscriber")), "projector", "rebuild")
        self._note(f"a rebuild in place, exit code {code}")

    def set_clock_back(self) -> None:
        """Set the clock back, now and then twice, so that a moment comes three times."""
        clock = self.world.clock
        assert clock is not None
        for _ in range(self.rng.choice((1, 1, 2))):
            # A standby believes a moment that is ahead by less: docs/internals/freshness.md.
            next_one = clock.with_suffix(".next")
            next_one.write_text(str(int(clock.read_text()) - self.rng.randint(10, 30)))
            next_one.replace(clock)
            self._note("the clock is set back")
            self._wait(0, 10)

    def detach(self) -> None:
        chosen = self.rng.sample(workload.phones(workload.PARTED), 3)
        if self.writer.apply(workload.PARTED, chosen, chosen[:1], workload.WRITE_DETACHED):
            self._note("a partition is detached, written to and attached")

    def migrate(self) -> None:
        """Stop the projectors, migrate to another projection version, and start them as that."""
        database = self.rng.choice([name for name in self.world.databases if name != "standby"])
        programs = [program for program in self.world.programs if f"/projector-{database}-" in program.name]
        for program in programs:
            program.kill()
        settings = self.world.settings[database]
        with self._connect(database) as conn:
            installed = value(conn, "SELECT value FROM projector.settings WHERE name = 'projection_version'")
        before, settings[VERSION] = settings.get(VERSION, ""), f"{token_hex(6)} {installed}"
        code, said = self.world.run(database, "projector", "migrate")
        if code:
            # Nothing was changed, and the old programs go on.
            settings[VERSION] = before
        for program in programs:
            program.start()
        self._note(f"a migration to another projection version, exit code {code}", said=said)

    def fail_over(self) -> None:
        """Have the standby take the place of the platform's server, and lose no commit that was told of."""
        standby = self.world.standby
        assert standby is not None
        with self._connect("platform") as conn:
            conn.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            conn.execute("SELECT pg_reload_conf()")
        time.sleep(1)
        standby.catch_up()
        self.world.standby, began = None, self.history.now()
        self.world.servers.pop("platform").stop(mode="immediate")
        standby.promote()
        with standby.connect() as conn:
            conn.execute("ALTER SYSTEM RESET synchronized_standby_slots")
            conn.execute("SELECT pg_reload_conf()")
            at = value(conn, workload.CLOCK)
        times = {"began": began, "ended": self.history.now(), "at": at}
        self.history.note("mark", what="failover", database="platform", tenant=None, phones=[], **times)

    def heal(self) -> None:
        """End what was left over."""
        with clock_of(self.world.clock):
            for server in self.world.servers.values():
                server.start()
        for program in self.world.programs:
            program.start()
        for database, _, _, then in PAUSES if "pause" in self.harms else ():
            with suppress(psycopg.Error), self._connect(database) as conn:
                conn.execute(then.encode())


@dataclass
class Eraser:
    """Erases leads and tenants whose rows it has deleted in the source, while others create them again."""

    world: World
    history: History
    rng: Random
    writer: Writer
    pools: dict[str, tuple[str, ProcessPoolExecutor]] = field(default_factory=dict)

    def run(self, database: str, *arguments: str) -> tuple[int, str]:
        """Run a command in a process that is there already, unless the projection version is another one now."""
        settings = {VERSION: "", **self.world.settings[database]}
        if self.pools.get(database, (None,))[0] != settings[VERSION]:
            self.pools[database] = settings[VERSION], ProcessPoolExecutor(1, get_context("spawn"))
        return self.pools[database][1].submit(run_command, settings, *arguments).result()

    def turn(self) -> None:
        database = self.rng.choice([name for name in self.world.databases if name != "standby"])
        tenant, is_whole = self.rng.choice(("t1", *workload.MOVING, workload.MASS)), self.rng.random() < 0.1
        chosen, text = self.rng.sample(workload.phones(tenant), 1), workload.WRITE
        if is_whole := is_whole and tenant in workload.MOVING:
            chosen, text = workload.phones(tenant), workload.DELETE_TENANT
        if self.writer.apply(tenant, chosen, chosen, text, gone=True):
            lead = [] if is_whole else [tenant, *chosen]
            self.writer.erased.append(lead)
            # The deletion has to arrive on the subscriber.
            time.sleep(self.rng.uniform(0, 1 if database == "subscriber" else 0.2))
            self._erase(database, tenant, chosen, () if is_whole else ("--phone", *chosen))
            lead.clear()
        if is_whole:
            wait_for(partial(self.writer.create_tenant, tenant), "the tenant is there again", pause=0.5)

    def _erase(self, database: str, tenant: str, phones: list[str], which: Sequence[str]) -> None:
        began = self.history.now()
        code, said = self.run(database, "erase", "--user", tenant, *which, "--yes")
        times: dict[str, object] = {"began": began, "ended": self.history.now(), "at": None}
        with suppress(psycopg.Error), psycopg.connect(self.writer.url, connect_timeout=5) as conn:
            times["at"] = value(conn, workload.CLOCK)
        if code == 0:
            self.history.note(
                "mark", what="erasure", database=database, tenant=tenant, phones=phones, **times
            )
        what = f"an erasure of a {'lead' if which else 'tenant'}, exit code {code}"
        self.history.note("event", what=what, at=times["ended"], said=said)


def record(world: World, path: Path, seconds: float, seed: int, harms: Sequence[str] = ()) -> None:
    """Let all work for so long, then let it settle: the last answers have to show all that was written."""
    rng, history, quiet, stopped = Random(seed), History(path), Event(), Event()
    nodes = {name: port for group in world.nodes.values() for name, port in group.items()}
    caller = Caller(history, nodes, Random(rng.random()))
    for node in nodes:
        wait_for(lambda: caller.get("/health/ready", node)[0]["status"] == 200, f"{node} is ready")  # noqa: B023
    sessions = [Caller(history, nodes, Random(rng.random()), name=f"session {number}") for number in range(2)]
    followers = [
        Follower(history, group, Random(rng.random()), name=f"{place} {tenant}", tenant=tenant, feed=feed)
        for (place, group), tenant, feed in product(
            world.nodes.items(), ("t1", workload.MASS), ("lead-changes", checker.STATUSES)
        )
    ]
    guests = [Guest(history, nodes, Random(rng.random()), name="token")]
    # A standby learns of a key later.
    guests += [
        Guest(history, world.nodes["platform"], Random(rng.random()), name, keys=world.keys)
        for name in (("expires", "revoked") if "keys" in harms else ())
    ]
    with connect(world.databases["platform"]) as conn:
        start = str(value(conn, "SELECT now() AT TIME ZONE 'UTC' - interval '1 day'"))
    back, erased = Caller(history, nodes, Random(rng.random())), list[list[str]]()
    url = world.databases["platform"]
    writers = [Writer(back, url, Random(rng.random()), start, erased) for _ in range(5)]
    nemesis = Nemesis(world, history, quiet, Random(rng.random()), writers[3], harms, seconds * 2 / 3)
    eraser = Eraser(world, history, Random(rng.random()), writers[4])
    turns = [(stopped, 0.05, session.read) for session in (caller, *sessions)]
    turns += [(stopped, 0.2, caller.walk), (stopped, 0.2, caller.count)]
    turns += [(stopped, 0.1, follower.follow) for follower in followers]
    turns += [(stopped, 0.3, guest.visit) for guest in guests]
    turns += [(quiet, 0.1, writer.write) for writer in writers[:3]]
    turns += [(quiet, 3.0, nemesis.turn)] * (not {*harms} <= {"erase", "keys"})
    turns += [(quiet, 0.5, eraser.turn)] * ("erase" in harms)
    if "erase" in harms:
        # It takes a while to start.
        eraser.run("platform", "--version")
    with ThreadPoolExecutor(len(turns)) as pool:
        working = [pool.submit(keep_on, *turn) for turn in turns]
        try:
            wait(working, seconds, FIRST_COMPLETED)
            quiet.set()
            wait([future for future, turn in zip(working, turns, strict=True) if turn[0] is quiet])
            nemesis.heal()
            last = _settle(world, caller)
        finally:
            stopped.set()
            quiet.set()
    for future in working:
        future.result()
    for follower in followers:
        follower.catch_up()
    _read_histories(world, history, last)
    for writer in writers:
        writer.close()
    history.close()


def _settle(world: World, caller: Caller) -> str:
    """Wait until every node claims what was last committed, and a little longer for answers about that.

    Return a moment after all commits.
    """
    with connect(world.databases["platform"]) as conn:
        last = str(value(conn, workload.CLOCK))
    for node, tenant in product(caller.nodes, workload.LEADS):
        wait_for(partial(_is_as_of, caller, node, tenant, last), f"{node} has all of {tenant}", UNREACHED)
    time.sleep(SETTLED_SECONDS)
    return last


def _is_as_of(caller: Caller, node: str, tenant: str, moment: str) -> bool:
    line, *_ = caller.get(f"/users/{tenant}/leads?limit=1", node)
    return line["status"] == 200 and checker.moment(line["as_of"]) >= checker.moment(moment)


def _read_histories(world: World, history: History, as_of: str) -> None:
    """Note the changes of statuses that each database has at the end, which is later than a moment."""
    for (place, url), tenant in product(world.databases.items(), (*workload.MOVING, workload.MASS)):
        with connect(url) as conn:
            stored = conn.execute(workload.STATUS_CHANGES, [tenant]).fetchall()
        now = history.now()
        read = {"node": place, "tenant": tenant, "sent": now, "received": now, "status": 200}
        history.note("table", **read, as_of=as_of, changes=stored)


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
        record(world, history, hours * 3600, seed, HARMS)
    judged = checker.judge(history)
    (output / "report.md").write_text(checker.report(judged))
    click.echo(f"{checker.report(judged)}\nWritten to {output}.")
    sys.exit(bool(judged.faults))


if __name__ == "__main__":
    main()
