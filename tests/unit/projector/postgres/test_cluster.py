"""The data folder of the embedded server."""

import socket

import pytest

from projector.report.errors import EmbeddedServerError
from tests.unit.projector.postgres.asking import StartServer, one


def test_knows_unicode_and_utc(start_server: StartServer) -> None:
    server = start_server(fast=True)
    assert one(server, "SELECT lower('ÀÖЖ')") == "àöж"
    assert one(server, "SHOW server_encoding") == "UTF8"
    assert one(server, "SHOW timezone") == "UTC"


def test_refuses_the_data_of_another_version(start_server: StartServer) -> None:
    server = start_server(fast=True)
    server.stop()
    (server.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 14, .* LEADS_STATE_DIR to a new"):
        server.start()


def test_takes_another_port_when_its_own_is_taken(start_server: StartServer) -> None:
    server = start_server(fast=True)
    url = server.url()
    port = int((server.folder / "port").read_text())
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        assert server.start() != url
        assert one(server, "SELECT 1") == 1
