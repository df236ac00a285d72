"""Ports of this machine."""

import socket

from projector.trial.postgres.ports import free_port, port_is_free


def test_ports() -> None:
    port = free_port()
    assert port_is_free("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free("127.0.0.1", port)
