"""`python -m api` serves the API."""

import ctypes
import gc
import signal
import socket
import sys
import tempfile

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from api import config

STOP_SECONDS = 10
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until a signal; 2 where a setting cannot be used, 1 where the port is taken."""
    try:
        settings = config.load()
    except config.ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    try:
        # Asked before, for what the server itself would say of a port that is taken, or of a name, is no sentence.
        family, _, _, _, (address, *_) = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        socket.create_server((address, settings.port), family=family).close()
    except OSError as error:
        sys.stderr.write(
            f"HOST and PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}."
            " Stop what listens there, or set HOST and PORT to others.\n"
        )
        sys.exit(1)
    with tempfile.TemporaryDirectory(prefix="leads-api-") as counts:
        if settings.workers > 1:
            config.count_together(counts)
        Granian(
            "api.__main__:application",
            factory=True,
            interface=Interfaces.WSGI,
            address=str(address),
            port=settings.port,
            workers=settings.workers,
            blocking_threads=settings.threads,
            respawn_failed_workers=True,
            # A worker that is told to stop while it starts never hears of it.
            workers_kill_timeout=STOP_SECONDS,
            websockets=False,
            log_level=LogLevels(settings.log_level.lower()),
        ).serve()


def _leave_signals_to_supervisor() -> None:
    """In a worker: end when the process that watches over the workers says so, or is killed and leaves the port.

    A terminal sends Ctrl-C to all of them: a worker that heard of its end twice would never come to it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def application() -> object:
    """The application of one worker."""
    from api.app import create_app  # noqa: PLC0415  # After main() has said where to count.

    _leave_signals_to_supervisor()
    app = create_app(config.load())
    # What is there now stays as long as the worker: no collection of garbage, in the middle of a request, looks at it.
    gc.collect()
    gc.freeze()
    return app


if __name__ == "__main__":
    main()
