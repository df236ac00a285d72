"""A pooler in transaction mode: one session of PostgreSQL, which each transaction of any client gets in turn."""

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.conninfo import make_conninfo

_STATUS = ("server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone")


def _message(sock: socket.socket, kind: int = 1) -> bytes:
    """The next message, with its kind, which the first one of a client lacks, and its length."""
    head = sock.recv(4 + kind, socket.MSG_WAITALL)
    if not head:
        raise ConnectionError
    return head + sock.recv(struct.unpack("!i", head[kind:])[0] - 4, socket.MSG_WAITALL)


def _made(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


@contextmanager
def pooler(url: str) -> Iterator[str]:
    """Give the address of a pooler in front of a database; anybody is the login of its session."""
    turn = threading.Lock()

    def serve(client: socket.socket) -> None:
        with suppress(OSError), client:
            _message(client, kind=0)
            known = {name: session.info.parameter_status(name) for name in _STATUS}
            status = b"".join(_made(b"S", f"{name}\0{value}\0".encode()) for name, value in known.items())
            # The process that it tells is none of PostgreSQL's.
            told = _made(b"K", struct.pack("!ii", 1, 1))
            client.sendall(_made(b"R", bytes(4)) + status + told + _made(b"Z", b"I"))
            while (message := _message(client))[:1] != b"X":
                with turn:
                    state = b""
                    while state != b"I":
                        backend.sendall(message)
                        answer = b"" if message[:1] in b"QS" else b"Z"
                        while answer[:1] != b"Z":
                            answer = _message(backend)
                            client.sendall(answer)
                            state = answer[-1:]
                        if state != b"I":
                            message = _message(client)

    def listen() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with (
        psycopg.connect(url, autocommit=True) as session,
        socket.socket(fileno=os.dup(session.fileno())) as backend,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        backend.settimeout(None)
        threading.Thread(target=listen, daemon=True).start()
        plain = {"sslmode": "disable", "gssencmode": "disable"}
        yield make_conninfo(url, host="127.0.0.1", port=listener.getsockname()[1], **plain)
        listener.shutdown(socket.SHUT_RDWR)
