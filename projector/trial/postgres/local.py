"""`make run`: database, projector and API on this machine, until the program in the foreground ends."""

import ctypes
import errno
import shlex
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import click
from psycopg.rows import TupleRow

import projector
from projector.config import Config, environment_for_children
from projector.core.preconditions import is_built
from projector.database.connect import connect
from projector.database.rows import Connection
from projector.database.sql import query
from projector.operate.install import migrate
from projector.report.counted import counted
from projector.report.errors import ProjectorError
from projector.report.progress import for_this_terminal
from projector.sweep.rebuild import rebuild
from projector.trial import demo
from projector.trial.demo.talk import Talk
from projector.trial.postgres.embedded import EmbeddedServer, listen_error

# Who presses Ctrl-C waits for no request and no batch: PostgreSQL rolls back what they began.
_STOP_SECONDS = 4
_READY_SECONDS = 60
_PR_SET_PDEATHSIG = 1

# The phone of the demo's lead that the documents show.
_LEAD = "918979556941"

Child = subprocess.Popen[bytes]


def run(config: Config) -> None:
    """Start everything, wait for SIGTERM or Ctrl-C, and stop everything, the database last.

    Raises ProjectorError where a part cannot start, or ends by itself.
    """
    _check_port(config.api_host, config.api_port)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    embedded = None if config.database_url else EmbeddedServer(config.state_dir, config.pg_bin)
    children: dict[str, Child] = {}
    talk = Talk(demo.SHOWCASE_USER_ID)
    try:
        url = config.database_url if embedded is None else _start(embedded)
        _prepare(url, is_demo=embedded is not None)
        environment = environment_for_children(url)
        for name, module in (("projector", ["projector", "run"]), ("API", ["api"])):
            children[name] = subprocess.Popen(  # noqa: S603  # The command is ours.
                [sys.executable, "-m", *module],
                env=environment,
                # Ctrl-C of a terminal is for this process, which then ends its children with one signal each.
                process_group=0,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  # There is no thread yet.
            )
        _wait_until_ready(config, children)
        _say_where(config, url, embedded)
        if is_talking(config):
            talk.begin(url)
        while not _ended(children):
            time.sleep(0.2)
        raise ProjectorError(f"{_ended(children)} Everything is stopped; its last lines above say why.")
    except KeyboardInterrupt:
        click.echo("\nStopping ...")
    finally:
        # A second Ctrl-C would leave the database running.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        talk.stop()
        _stop(children)
        is_shared = embedded is not None and embedded.leave()
    goes_on = " PostgreSQL goes on for the other run in this folder; the last one stops it."
    click.echo(f"Stopped; the data are kept.{goes_on * is_shared}")


def is_talking(config: Config) -> bool:
    """Return whether somebody writes into the demo. A database of the operator's own is never written to."""
    return not config.database_url and not config.trial_still


def _check_port(host: str, port: int) -> None:
    """Raise ProjectorError where the API could not listen."""
    error = listen_error(host, port)
    if error is not None and error.errno == errno.EADDRINUSE:
        raise ProjectorError(
            f"Port {port} of {host} is in use: stop what listens there, or set PORT to another."
        )
    if error is not None:
        raise ProjectorError(
            f"The API cannot listen on port {port} of {host} ({error.strerror}): set HOST and PORT to others."
        )


def _start(embedded: EmbeddedServer) -> str:
    """Start PostgreSQL, or share that of another run. Return the URL of the database."""
    click.echo("Starting PostgreSQL ...")
    if embedded.join():
        click.echo("It runs already: another run in this folder shares it.")
    return embedded.url()


def _prepare(url: str, *, is_demo: bool) -> None:
    """Install the read model, load demo data into an empty embedded database, and build what was never built."""
    progress = for_this_terminal()
    with connect(url, application_name="leads-projector local") as conn:
        for notice in migrate(conn, create_source=is_demo):
            click.echo(notice)
        if is_demo and conn.execute(query("trial", "has_users")).fetchone() == (False,):
            report = demo.load(conn, now=datetime.now(UTC), progress=progress)
            click.echo(
                f"Loaded demo data: {counted(report.leads, 'lead')}, {counted(report.messages, 'message')}."
            )
        if not is_built(conn):
            done = rebuild(conn, tenants=None, progress=progress)
            click.echo(f"Built the read model: {counted(done.leads, 'lead')} in {done.seconds:.1f} s.")


def _end_with_parent() -> None:
    """Have a child process end when its parent is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _address(config: Config) -> str:
    """Return host and port at which this machine finds the API."""
    host = "localhost" if config.api_host in ("127.0.0.1", "0.0.0.0", "::1", "::") else config.api_host  # noqa: S104
    return f"{host}:{config.api_port}"


def _wait_until_ready(config: Config, children: dict[str, Child]) -> None:
    """Wait until the API answers that it is ready. Print what it answers instead after a minute."""
    deadline = time.monotonic() + _READY_SECONDS
    answer = "nothing"
    while time.monotonic() < deadline and not _ended(children):
        try:
            with urllib.request.urlopen(f"http://{_address(config)}/health/ready", timeout=5):
                return
        except urllib.error.HTTPError as error:
            answer = error.read().decode(errors="replace")
        except OSError as error:
            answer = str(error)
        time.sleep(0.1)
    if not _ended(children):
        click.echo(f"The API is not ready after {_READY_SECONDS} s; it answers: {answer}", err=True)


def _say_where(config: Config, url: str, embedded: EmbeddedServer | None) -> None:
    """Print what runs, where, and what to try."""
    api = f"http://{_address(config)}"
    with connect(url, application_name="leads-projector local") as conn:
        database = f"{conn.info.dbname} on {conn.info.host}:{conn.info.port}"
        example = find_example(conn)
    if embedded is not None:
        database = f"{embedded.address}, files in {embedded.folder}"
    is_embedded = embedded is not None
    status, tenants = (hint(name, config, is_embedded=is_embedded) for name in ("status", "tenants"))
    # The URL can hold a password, which is not repeated.
    with_url = "" if is_embedded else " (with DATABASE_URL set as here)"
    if example:
        to_try = "\n".join(["Try:", *(f"  {line}" for line in requests(api, *example))])
    else:
        to_try = f"There is no lead to try yet. Once there is, this lists its tenant{with_url}:\n  {tenants}"
    talk = ""
    if is_talking(config):
        talk = "Demo       somebody writes every few seconds; LEADS_TRIAL_STILL=1 stops that\n"
    page = ""
    # Whether it has one is a setting of the API.
    with suppress(OSError), urllib.request.urlopen(f"http://{_address(config)}/", timeout=5):
        page = f"Page       {api}/ shows the leads in a browser\n"
    click.echo(
        f"""
{page}API        {api}, to be tried in a browser at {api}/docs/
Database   {database}
{talk}Projector  refreshes within {config.refresh_seconds:g} s of a change; this shows its state{with_url}:
  {status}

{to_try}

Ctrl-C stops all of it."""
    )


def _ended(children: dict[str, Child]) -> str:
    """Return which child has ended by itself, in a sentence; an empty text while all run."""
    for name, child in children.items():
        code = child.poll()
        if code is not None:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            return f"The {name} ended {how}."
    return ""


def _stop(children: dict[str, Child]) -> None:
    """End the children with SIGTERM, and with SIGKILL those that take too long."""
    for child in children.values():
        child.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for child in children.values():
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def find_example(conn: Connection) -> TupleRow | None:
    """Return tenant and phone of the lead that the documents show, else of the one that was active last."""
    parameters = {"user_id": demo.REFERENCE_USER_ID, "customer_phone": _LEAD}
    return conn.execute(query("trial", "find_example_lead"), parameters).fetchone()


def requests(api: str, user_id: str, customer_phone: str) -> list[str]:
    """Return curl lines for a tenant and a lead that are there."""
    leads = f"{api}/users/{quote(user_id, safe='')}/leads"
    paths = ("?limit=5", "/stats", f"/{quote(customer_phone, safe='')}")
    # In single quotes always: a reader who changes a parameter needs them.
    return [f"curl '{leads}{path}'" for path in paths]


def hint(name: str, config: Config, *, is_embedded: bool) -> str:
    """Return the line that runs a command of the projector on this database, with the DATABASE_URL of an operator."""
    folder = Path(projector.__file__).parents[1]
    is_installed = folder == Path(sysconfig.get_path("purelib"))
    line = f"{shlex.quote(sys.executable)} -m projector {name}"
    if is_embedded and (is_installed or config.state_dir != folder / ".leads"):
        line = f"LEADS_STATE_DIR={shlex.quote(str(config.state_dir))} {line}"
    return line if is_installed else f"(cd {shlex.quote(str(folder))} && {line})"
