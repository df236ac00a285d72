"""The databases that the tests use, and the options of a test run.

`database` is what most tests want: source tables and an empty read model, in a database of the test's own.
It is copied in about 20 ms from a template that is made once for the session.

With `-n auto`, as `make test` runs them, the tests are shared out among processes. A test and PostgreSQL mostly wait
for each other, so that one process leaves half of two cores idle. Each process is a session with a server of its own,
so that nothing a test does to roles or settings of its server is seen by the others.
"""

import gc
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from api.database import connect
from projector.database.rows import Connection
from projector.trial.postgres.embedded import EmbeddedServer
from projector.trial.postgres.programs import find_programs
from tests.support.chromium import chromium_path
from tests.support.citus import CITUS
from tests.support.commands import logging_as_before
from tests.support.faketime import FAKE_CLOCK
from tests.support.log_watch import WATCH, hide_personal_data, watch_captures, watch_programs
from tests.support.node import has_generators, has_node_tools
from tests.support.patience import UNREACHED
from tests.support.server import (
    BUILT_TEMPLATE,
    FAST,
    GIVEN_SERVER,
    SOURCE_TEMPLATE,
    TEMPLATE,
    Database,
    Server,
    clusters,
    given_programs,
    older_postgresql,
    running_server,
    session_server,
)
from tests.support.shares import SLOW_FOLDERS, Shares, place_of

if TYPE_CHECKING:
    from xdist.scheduler import Scheduling

# What a developer has set for their own work must not change what the tests show.
for _name in [name for name in os.environ if name.startswith(("LEADS_", "PG")) or name == "DATABASE_URL"]:
    if _name not in {"LEADS_PG_BIN", GIVEN_SERVER, CITUS}:
        del os.environ[_name]

# How long an example takes, or its data, depends on what else the machine does. Examples share what a fixture gives.
settings.register_profile(
    "tests",
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("long", settings.get_profile("tests"), derandomize=False, max_examples=600)

_numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run also the tests that take minutes")
    parser.addoption(
        "--all",
        action="store_true",
        help="run also the tests that prove or repeat others, as make test-all does",
    )
    parser.addoption("--install", action="store_true", help="run also the tests that install packages")
    parser.addoption(
        "--fast", action="store_true", help="run only tests that share one database and start no program"
    )
    parser.addoption("--screenshots", metavar="FOLDER", help="write what the pages look like in a browser")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unwanted = [name for name, option in _ASKED_FOR.items() if not config.getoption(option)]
    unwanted += [name for name, (is_there, _) in _NEEDS.items() if not is_there()]
    left_out = [item for item in items if any(map(item.get_closest_marker, unwanted))]
    if config.getoption("--fast"):
        out = set(left_out)
        left_out += [item for item in items if item not in out and not _is_fast(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(item.nodeid))


def pytest_configure(config: pytest.Config) -> None:
    # Before any test is imported, whose settings begin with these.
    settings.load_profile("long" if config.getoption("long") else "tests")
    # The collection makes hundreds of thousands of objects, none of which is garbage.
    gc.disable()
    # A database whose session a busy machine begins slowly can be reached.
    connect.CONNECT_TIMEOUT_SECONDS = round(UNREACHED)
    is_shared_out = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if is_shared_out and GIVEN_SERVER not in os.environ:
        stack = ExitStack()
        stack.enter_context(clusters())
        config.add_cleanup(stack.close)
    hide_personal_data()
    watch_programs()
    watch_captures()


def pytest_collection_finish() -> None:
    # They live as long as the session: no test pays for a look at them.
    gc.freeze()
    # The states of a model and the rows of an oracle are many as well.
    gc.set_threshold(100_000)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    WATCH.begin(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that was skipped, which shows nothing, and one whose logs name a customer of its databases."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
    if call.when == "teardown" and report.passed and (leaks := WATCH.found()):
        report.outcome = "failed"
        lines = "\n".join(leaks)
        report.longrepr = (
            f"{item.nodeid}: A log names a customer, and LEADS_LOG_PERSONAL_DATA is off:\n{lines}"
        )
    return report


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return what `-n auto` means: three processes for each core, or only this one where a server is given.

    With one, cores were idle: a test waits for programs that start, for timeouts, for the next look.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if os.environ.get(GIVEN_SERVER) else min(3 * cores, _MOST_PROCESSES)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "Scheduling | None":  # noqa: ANN401  # A Producer.
    """Return what shares out the tests, where `make test` asks for that."""
    return Shares(config, log) if config.getoption("dist") == "loadfile" else None


FIRST_WITH_SMALL_QUEUES = 17
# Each has a PostgreSQL server with its databases in memory.
_MOST_PROCESSES = 8


# The markers of tests that run only where their option is given.
_ASKED_FOR = {"thorough": "--all", "long": "--long", "install": "--install"}


# What is not everywhere, by the marker of the tests that need it: whether it is there, and what is said where not.
_NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "root": (lambda: os.geteuid() == 0, "This user is not root: what happens for root was left out."),
    "systemd": (
        lambda: shutil.which("systemd-analyze") is not None,
        "systemd-analyze is not on PATH: the tests of the units were left out.",
    ),
    "prometheus": (
        lambda: all(map(shutil.which, ("prometheus", "promtool"))),
        "Prometheus is not installed: the tests that need it were left out.",
    ),
    "chromium": (
        lambda: chromium_path() is not None,
        "Chromium is not installed: the tests of the pages in a browser were left out.",
    ),
    "faketime": (
        lambda: FAKE_CLOCK is not None,
        "libfaketime is not installed: the test of a program whose clock is set was left out.",
    ),
    "node": (
        has_node_tools,
        "The tools for Node.js are not installed: run make client-types. The tests of typed clients were left out.",
    ),
    "nginx": (
        lambda: shutil.which("nginx") is not None,
        "nginx is not on PATH: the test of the lines for it was left out.",
    ),
    "clients": (
        has_generators,
        "The generators of clients are not installed: run make client-tools. Their tests were left out.",
    ),
    "citus": (lambda: CITUS in os.environ, f"{CITUS} is not set: the tests on a real Citus were left out."),
    "older_postgresql": (
        lambda: older_postgresql() is not None,
        "No older PostgreSQL is installed: the test of an upgrade of the server was left out.",
    ),
    "small_notify_queue": (
        lambda: find_programs(given_programs(), None, Path()).major >= FIRST_WITH_SMALL_QUEUES,
        "The NOTIFY queue of PostgreSQL 15 and 16 has 8 GB: the test that fills it was left out.",
    ),
    "processor_time": (
        lambda: GIVEN_SERVER not in os.environ and Path("/proc/self/schedstat").exists(),
        "What a session of the server costs is not known here: the test of it was left out.",
    ),
}


# Fixtures that make something for one test alone.
_SLOW_FIXTURES = {"make_database", "start_server"}
# What starts programs, and waits for them.
_STARTS_PROGRAMS = ("playwright.sync_api", "subprocess", "tests.support.commands", "tests.support.running")


def _is_fast(item: pytest.Item) -> bool:
    """Return whether a test shares its database with others, or needs none, and starts no program."""
    if _is_in_slow_folder(item) or _SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
        return False
    return not any(name in item.path.read_text("utf-8") for name in _STARTS_PROGRAMS)


def _is_in_slow_folder(item: pytest.Item) -> bool:
    return not set(SLOW_FOLDERS).isdisjoint(item.nodeid.split("/"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for is_there, otherwise in _NEEDS.values():
        if not is_there():
            terminalreporter.write_line(otherwise)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """The next test reads its own lines, whatever a command in this process has set up."""
    with logging_as_before():
        yield


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The PostgreSQL of this session, as its superuser; fast, since nothing has to survive a crash."""
    with session_server() as running:
        yield running


@pytest.fixture(scope="session")
def source_template(server: Server) -> Database:
    """A database with the platform's source tables and nothing of ours; only to be copied."""
    return server.database(SOURCE_TEMPLATE)


@pytest.fixture(scope="session")
def template(server: Server) -> Database:
    """A database with source tables and the installed read model; only to be copied."""
    return server.database(TEMPLATE)


@pytest.fixture(scope="session")
def built_template(server: Server) -> Database:
    """A database whose read model was built of no rows; only to be copied."""
    return server.database(BUILT_TEMPLATE)


MakeDatabase = Callable[[Database | None], Database]


@pytest.fixture
def make_database(server: Server) -> Iterator[MakeDatabase]:
    """Makes databases, empty or copied from a template; they are dropped after the test."""
    with ExitStack() as stack:

        def make(template: Database | None) -> Database:
            made = server.create(str(next(_numbers)), template=template.name if template else None)
            stack.callback(server.drop, made)
            return made

        yield make


@pytest.fixture
def empty_database(make_database: MakeDatabase) -> Database:
    """A database with nothing in it."""
    return make_database(None)


@pytest.fixture
def source_database(make_database: MakeDatabase, source_template: Database) -> Database:
    """A database with empty source tables, as a platform has it before `migrate`."""
    return make_database(source_template)


@pytest.fixture
def database(make_database: MakeDatabase, template: Database) -> Database:
    """A database with empty source tables and the read model installed."""
    return make_database(template)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection to `database` in autocommit mode, as the projector makes it."""
    with database.connect() as conn:
        yield conn


@pytest.fixture
def start_server() -> Iterator[Callable[..., EmbeddedServer]]:
    """Starts servers of the test's own, to be stopped, killed or set otherwise.

    `start_server()` keeps its data through a crash; `start_server(fast=True)` need not;
    other keywords are PostgreSQL's settings.
    """
    with ExitStack() as stack:

        def start(*, fast: bool = False, **settings: str) -> EmbeddedServer:
            return stack.enter_context(running_server(**{**(FAST if fast else {}), **settings}))

        yield start
