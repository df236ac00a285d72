"""The HTTP server from which Prometheus scrapes a scheduler."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import disable_created_metrics, start_http_server

from projector.config import Config
from projector.observe.metrics.counted import REGISTRY
from projector.observe.metrics.state import StateCollector
from projector.report.errors import ConfigurationError, ProjectorError

# No restart brings an address of these to life, unlike a port that is taken or a name server that is away.
_NO_ADDRESS = (socket.EAI_NONAME, socket.EAI_FAMILY, errno.EADDRNOTAVAIL)

_log = structlog.get_logger(__name__)


@contextmanager
def serving(config: Config) -> Iterator[None]:
    """Serve the metrics during the block, if LEADS_METRICS_PORT is set.

    Raises ConfigurationError where this machine does not have the address, and ProjectorError where the port is taken.
    """
    if not config.metrics_port:
        yield
        return
    # When each count began is of no use to an operator, and would double the series.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    state = StateCollector(config.database_url)
    REGISTRY.register(state)
    try:
        server, _ = _start(config.metrics_host, config.metrics_port)
        _log.info("metrics", address=config.metrics_host, port=config.metrics_port)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
    finally:
        REGISTRY.unregister(state)
        state.close()


def _start(host: str, port: int) -> tuple[WSGIServer, Thread]:
    try:
        return start_http_server(port, host, REGISTRY)
    except (OSError, UnicodeError) as error:
        is_wrong = isinstance(error, UnicodeError) or error.errno in _NO_ADDRESS
        reason = getattr(error, "strerror", None) or str(error)
        failed = f"LEADS_METRICS_HOST and LEADS_METRICS_PORT: cannot listen on {host}:{port}: {reason}."
        if is_wrong:
            raise ConfigurationError(
                f"{failed} Set LEADS_METRICS_HOST to an address of this machine, such as 127.0.0.1 or 0.0.0.0."
            ) from None
        raise ProjectorError(
            f"{failed} Stop the process that listens there, or set LEADS_METRICS_PORT to another port."
        ) from None
