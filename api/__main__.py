"""`python -m api` serves the API over HTTP."""

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
    """Serve until a signal. Exits with 2 if a setting is not valid, and with 1 if the port is taken."""
    try:
        settings = config.load()
    except config.ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    try:
        # Checked here, because Granian reports a taken port or an unknown host with a traceback.
        family, _, _, _, (address, *_) = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        socket.create_server((address, settings.port), family=family).close()
    except OSError as error:
        sys.stderr.write(
            f"HOST and PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}."
            " Stop the process that listens there, or set HOST and PORT to others.\n"
        )
        sys.exit(1)
    with tempfile.TemporaryDirectory(prefix="leads-api-") as directory:
        if settings.workers > 1:
            config.share_metrics(directory)
        Granian(
            "api.__main__:application",
            factory=True,
            interface=Interfaces.WSGI,
            address=str(address),
            port=settings.port,
            workers=settings.workers,
            blocking_threads=settings.threads,
            respawn_failed_workers=True,
            # A worker misses a signal to stop while it starts; Granian kills it after this time.
            workers_kill_timeout=STOP_SECONDS,
            websockets=False,
            log_level=LogLevels(settings.log_level.lower()),
        ).serve()


def _leave_signals_to_supervisor() -> None:
    """Have a worker end only when its supervisor says so, or when the supervisor was killed and the port is free.

    A terminal sends Ctrl-C to all processes: a worker that gets both signals would never end.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def application() -> object:
    """Returns the application of one worker."""
    from api.app import create_app  # noqa: PLC0415  # prometheus_client reads on import what main() has set.

    _leave_signals_to_supervisor()
    app = create_app(config.load())
    # What exists now lives as long as the worker, so the garbage collector need not visit it during requests.
    gc.collect()
    gc.freeze()
    return app


if __name__ == "__main__":
    main()
