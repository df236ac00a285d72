"""`python -m api` serves the API over HTTP."""

import ctypes
import errno
import gc
import ipaddress
import signal
import socket
import sys
from contextlib import nullcontext
from importlib.util import find_spec
from textwrap import fill
from typing import Any, NoReturn

import click
import orjson
import structlog
from granian import Granian, loops
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from api import __version__, config
from api.auth.key_commands import keys
from api.config.auth import CHOICES
from api.config.names import all_settings
from api.database import login_check
from api.limits import connections
from api.observe import log
from api.observe.shared_folder import shared_folder
from api.response.openapi import document
from api.server.loop import build_loop

STOP_SECONDS = 10
# A connection that sends no request, or only half of its head, is closed after this time.
SILENT_SECONDS = 30
# A connection buffers at most this: about as much as a request line and headers may have.
_BUFFER_BYTES = 32 * 1024
_PR_SET_PDEATHSIG = 1


# Errors of an address that no restart mends, unlike a port that is taken or a name server that is unreachable.
_NO_ADDRESS = (socket.EAI_NONAME, socket.EAI_FAMILY, errno.EADDRNOTAVAIL)


# Pages for people, which are not in the OpenAPI document.
_UNDESCRIBED = [
    ("/docs/", "A page to try the API in a browser"),
    ("/", "A page for people, which shows the leads"),
]
_WIDTH = 100
_HELP = """\
Serve the read model of leads over HTTP, until SIGTERM or Ctrl-C stops it.

The settings come from the environment, or from a file .env in the current folder; the environment
wins. `python -m api keys --help` explains how to create, list and revoke API keys.
"""
_EPILOG = """
Settings:
{settings}

Endpoints:
{endpoints}

Exit codes:
  0  A signal stopped it.
  1  It cannot listen on HOST and PORT, or its workers ended by themselves.
  2  A setting or an option is not valid.

Documentation, in the source of the project:
  docs/api.md             Endpoints, parameters, headers, errors, fields.
  docs/authentication.md  Who may read what: bearer tokens and API keys.
  docs/settings.md        All settings, those of the projector too.
  docs/start.md           How to install, run and remove it.
  docs/operating.md       How to watch and upgrade it, and its log lines.
"""


class _Program(click.Group):
    """The program, whose help ends with its settings and its endpoints."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the part below the options."""
        lines = []
        for name, default, of, description in all_settings():
            if of != "projector":
                lines.append(f"  {name}={default}")
                lines.append(
                    fill(description, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6,
                         break_on_hyphens=False, break_long_words=False)
                )  # fmt: skip
        described = [
            (f"{method.upper():4} {path}", operation["summary"])
            for path, operations in orjson.loads(document())["paths"].items()
            for method, operation in operations.items()
        ]
        described += [(f"GET  {path}", summary) for path, summary in _UNDESCRIBED]
        width = max(len(address) for address, _ in described)
        endpoints = "\n".join(f"  {address:{width}}  {summary}" for address, summary in described)
        formatter.write(_EPILOG.format(settings="\n".join(lines), endpoints=endpoints))


@click.group(
    cls=_Program,
    invoke_without_command=True,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDTH},
)
@click.version_option(__version__, message=f"leads-api {__version__}")
@click.pass_context
def cli(context: click.Context) -> None:
    """Serve, unless a command is given."""
    if context.invoked_subcommand is None:
        serve()


cli.add_command(keys)


class Server(Granian):  # type: ignore[misc,valid-type]  # Granian has a class for each kind of Python.
    """A server that only takes the first signal to stop: with a second one, Granian waits for itself for ever.

    A terminal sends Ctrl-C to all processes, and their parent may send SIGTERM at the same moment. Python runs one
    handler inside the other, and both take the same lock.
    """

    def signal_handler_interrupt(self, *args: object, **kwargs: object) -> None:
        """Stop, unless it is stopping already."""
        if not self.interrupt_signal:
            super().signal_handler_interrupt(*args, **kwargs)


def main() -> None:
    """Run the program as its options say."""
    cli(prog_name="python -m api")


def serve() -> None:
    """Serve until a signal. Exits with 2 if a setting is not valid, and with 1 if the port is taken."""
    log.configure_process("INFO", config.log_format(), personal_data=False)
    try:
        settings = config.load()
    except config.ConfigurationError as error:
        _warn_of_misspelt_settings()
        _exit(str(error), 2)
    logging_of_server = log.configure_process(
        settings.log_level, settings.log_format, personal_data=settings.log_personal_data
    )
    _warn_of_misspelt_settings()
    if settings.tracing:
        require_tracing()
    with listen(settings.host, settings.port, ("HOST", "PORT")) as listener:
        address = listener.getsockname()[0]
        keep_for_workers(listener)
        _require_decision(settings, address)
        for sentence in login_check.look(settings):
            structlog.get_logger().warning(sentence)
        _run_workers(settings, address, logging_of_server)


def _run_workers(settings: config.Config, address: str, logging_of_server: dict[str, Any]) -> None:
    """Serve by workers, and serve the metrics if they have a separate port."""
    most_connections = connections.most(settings.threads)
    is_shared = settings.workers > 1 or settings.metrics_port
    with shared_folder() if is_shared else nullcontext("") as directory:
        if is_shared:
            config.share_metrics(directory)
        if settings.metrics_port:
            from api.routes import metrics  # noqa: PLC0415  # On import prometheus_client reads what was set above.

            names = ("LEADS_METRICS_HOST", "LEADS_API_METRICS_PORT")
            with listen(settings.metrics_host, settings.metrics_port, names) as checked:
                listens_on = checked.getsockname()[0]
            metrics.serve(settings, listens_on, directory)
        server = Server(
            "api.__main__:application",
            factory=True,
            interface=Interfaces.ASGINL,
            address=address,
            port=settings.port,
            workers=settings.workers,
            # HTTP/2 without TLS lets one caller of few bytes keep everyone waiting, and has no timeout for silence.
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=SILENT_SECONDS * 1000, max_buffer_size=_BUFFER_BYTES
            ),
            # Connections at once.
            backpressure=most_connections,
            respawn_failed_workers=True,
            # A worker misses a signal to stop while it starts; Granian kills it after this time.
            workers_kill_timeout=STOP_SECONDS,
            websockets=False,
            log_level=LogLevels(settings.log_level.lower()),
            log_dictconfig=logging_of_server,
        )
        loops.register("auto")(build_loop)
        server.serve()


def _warn_of_misspelt_settings() -> None:
    for sentence in config.misspelt():
        structlog.get_logger().warning(sentence)


def _exit(sentence: str, code: int) -> NoReturn:
    """End the program, with a sentence for the operator in the form of the other lines."""
    if log.is_text(config.log_format()):
        sys.stderr.write(f"{sentence}\n")
    else:
        structlog.get_logger().error(sentence)
    sys.exit(code)


def require_tracing() -> None:
    """Exit if OpenTelemetry is not installed."""
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        _exit(
            "LEADS_TRACING is on, but OpenTelemetry is not installed: install the extra otel, or set"
            " LEADS_TRACING=off.",
            2,
        )


def listen(host: str, port: int, names: tuple[str, str]) -> socket.socket:
    """Return a socket that listens on the address of a host, which the first of these settings names.

    Exits if no server can listen there: Granian would end with a traceback.
    """
    try:
        family, _, _, _, (address, *_) = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((address, port), family=family)
    except (OSError, UnicodeError) as error:
        # Python's codec of host names refuses a name with an empty part.
        is_wrong = isinstance(error, UnicodeError) or error.errno in _NO_ADDRESS
        # Python may append the address again.
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (while ")[0]
        advice = (
            f"Set {names[0]} to an address of this machine, such as 127.0.0.1 or 0.0.0.0."
            if is_wrong
            else f"Stop the process that listens there, or set {' and '.join(names)} differently."
        )
        _exit(
            f"{' and '.join(names)}: cannot listen on {host}:{port}: {reason}. {advice}",
            2 if is_wrong else 1,
        )


def keep_for_workers(listener: socket.socket) -> None:
    """Stop listening on a socket, but keep its port for the workers while it is open.

    On Linux each worker of Granian has a socket of its own (SO_REUSEPORT): two servers that started within the same
    second would share the port, and each would get half of the requests.
    """
    if sys.platform != "linux":
        listener.close()
        return
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.shutdown(socket.SHUT_RDWR)


def _require_decision(settings: config.Config, address: str) -> None:
    """Exit if other machines could read everything although LEADS_AUTH is not set; warn if everything is open."""
    where = f"{settings.host}:{settings.port}"
    if not settings.auth.methods and not ipaddress.ip_address(address).is_loopback:
        _exit(
            f"LEADS_AUTH: it is not set, and {where} can be reached from other machines. Say who may read the leads"
            f" there: {CHOICES}. docs/authentication.md explains each.",
            2,
        )
    if not settings.auth.is_on:
        structlog.get_logger().warning(
            f"LEADS_AUTH is {'none' if settings.auth.methods else 'not set'}: the leads of all tenants are open to"
            f" everybody who reaches {where}"
        )


def application() -> object:
    """Return the application of one worker."""
    # prometheus_client reads on import what main() has set.
    from api.server.app import create_app  # noqa: PLC0415
    from api.server.front import Front  # noqa: PLC0415

    # A worker ends only when its supervisor says so, or was killed, so that the port is free. A terminal
    # sends Ctrl-C to all processes, and a worker that gets both signals would never end.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        settings = config.load()
        app = create_app(settings)
        front = Front(app)
        connections.watch(connections.most(settings.threads), settings.port, settings.proxies)
    except Exception:  # noqa: BLE001  # Whatever it is.
        # Otherwise Python prints it as plain text. The supervisor starts another worker, and gives up at the second.
        structlog.get_logger().exception("a worker cannot start")
        sys.exit(1)
    # The objects that exist now live as long as the worker, so the garbage collector need not visit them.
    gc.collect()
    gc.freeze()
    return front


if __name__ == "__main__":
    main()
