"""The metrics for Prometheus: at an endpoint, or on a port of their own."""

import socket
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import structlog
from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.config import Config
from api.database.errors import UnavailableError
from api.database.pool import Database
from api.observe.metrics import exposition
from api.plan.projection import FreshnessRow, VerificationRow, freshness, verification
from api.routes.state import read_model, state

metrics = Blueprint("metrics", __name__)
PATH = "/metrics"
READ_TIMEOUT_SECONDS = 10


@metrics.get(PATH)
def scrape() -> Response:
    """Print how many requests there were, how long they took, how old the read model is, and how it was verified."""
    page = metrics_page(read_model().database, state().config.metrics_folder)
    return Response(page, content_type=CONTENT_TYPE_LATEST)


def metrics_page(database: Database, shared_folder: str) -> bytes:
    """Returns the metrics, with what the database says now; without that where it does not answer."""
    known = _freshness(database)
    return exposition(
        None if known is None else known.age, _verification(database), shared_folder=shared_folder
    )


def _freshness(database: Database) -> FreshnessRow | None:
    try:
        return database.fetch(freshness())
    except UnavailableError:
        return None


def _verification(database: Database) -> VerificationRow | None:
    try:
        return database.fetch(verification())
    except UnavailableError:
        return None


def serve(config: Config, address: str, shared_folder: str) -> None:
    """Serve the counts of the workers, which are in a folder that they share, until this process ends.

    The process that starts the workers does so: it answers while every worker is busy, and may listen on another
    address than the API.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = READ_TIMEOUT_SECONDS

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != PATH:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            try:
                page = _page(config, shared_folder)
            except Exception:  # noqa: BLE001  # Whatever it is: else Python would print it as plain text.
                structlog.get_logger().exception("the metrics cannot be printed")
                self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # As inherited.
            """Log nothing: a scrape is not worth a line."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def handle_error(self, request: object, client_address: object) -> None:
            """Log nothing: a caller has hung up, or sent nothing."""

    server = Server((address, config.metrics_port), Handler)
    Thread(target=server.serve_forever, daemon=True).start()


def _page(config: Config, shared_folder: str) -> bytes:
    # A connection for this scrape only, so that none is left open in a worker that is forked meanwhile.
    database = Database(replace(config, threads=1))
    try:
        return metrics_page(database, shared_folder)
    finally:
        database.engine.dispose()
