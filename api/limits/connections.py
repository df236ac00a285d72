"""How many connections are open at once, and the end of those that an address has too many of, or that nobody reads.

Each connection takes an open file, whose number the system limits.
"""

import os
import resource
import socket
import struct
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from time import sleep

import structlog

from api.config.values import Proxies
from api.limits.admission import most_of_caller
from api.limits.caller import read_address

# Connections of one process at once; a further one waits until one of them is closed.
MAX_CONNECTIONS = 4096
UNREAD_SECONDS = 30
"""How long a caller may take nothing of an answer that waits for it."""

LOOK_SECONDS = 2.0
# Files of a process that are no connections of callers: its program, its log, the database's connections.
_OTHER_FILES = 64
_NEARLY_FULL = 0.9
_LISTENER_SECONDS = 0.005
# Of the system's tcp_info: for how many milliseconds nothing was sent, and nothing received.
_MOVED = struct.Struct("44xI4xI")

log = structlog.get_logger()


def most(threads: int) -> int:
    """Let this process open as many files as it may. Returns how many connections it takes, beside its threads'."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, limit - _OTHER_FILES - threads))


def watch(most: int, port: int, proxies: Proxies) -> None:
    """Have the system end connections that are not read, and log when this process has nearly `most` connections.

    Of those to this port, an address that is not that of a proxy has four fifths; it ends those beyond.

    The server, which has no such setting for the former, begins to listen after this call.
    """

    def look_for_ever() -> None:
        _bound_listener()
        is_full = False
        while True:
            end_beyond(most_of_caller(most), port, proxies)
            is_full = look(most, is_full=is_full)
            sleep(LOOK_SECONDS)

    Thread(target=look_for_ever, name="connections", daemon=True).start()


def look(most: int, *, is_full: bool) -> bool:
    """Log what has changed since the last look. Returns whether the process has nearly `most` connections."""
    count = _count_sockets()
    full_now = count is None or count >= most * _NEARLY_FULL
    if full_now and not is_full:
        log.warning(
            "this process has nearly as many open connections as it takes; further ones wait until some are closed."
            " Silent ones are closed after 30 seconds, and those of an address beyond four fifths of them."
            " See who connects; LimitNOFILE of the unit (ulimit -n) and"
            " LEADS_API_WORKERS raise the number",
            connections=count,
            most=most,
        )
    elif is_full and not full_now:
        log.info("there is room for connections again", connections=count, most=most)
    return full_now


def end_beyond(most: int, port: int, proxies: Proxies) -> None:
    """End what an address has beyond so many connections to a port, first those on which nothing moved for longest."""
    if (_count_sockets() or 0) <= most:
        return
    silent = defaultdict[str, list[tuple[int, int, object]]](list)
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  # Names are enough.
        with suppress(OSError, IndexError, struct.error), _socket_of(number) as connection:
            peer = connection.getpeername()
            address, is_proxy = read_address(peer[0], proxies)
            # Those of the database come from a port of their own.
            if connection.getsockname()[1] == port and not is_proxy:
                moved = _MOVED.unpack_from(
                    connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _MOVED.size)
                )
                silent[address].append((min(moved), number, peer))
    for connections in silent.values():
        beyond = sorted(connections, reverse=True)[: max(0, len(connections) - most)]
        if beyond:
            log.warning(
                "connections of one address were ended, because it had too many; if it is a proxy, name it in"
                " LEADS_PROXIES",
                ended=len(beyond),
                most=most,
            )
        for _, number, peer in beyond:
            with suppress(OSError), _socket_of(number) as connection:
                # The number may be that of another connection by now.
                if connection.getpeername() == peer:
                    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _socket_of(number: int) -> Iterator[socket.socket]:
    """Yield the socket that a file of the process is, by a copy that is closed then. Raises OSError if it is none."""
    copy = os.dup(number)
    try:
        connection = socket.socket(fileno=copy)
    except OSError:
        # Nobody else has it, and the next look would copy the copy too.
        os.close(copy)
        raise
    with connection:
        yield connection


def _count_sockets() -> int | None:
    """Return how many sockets are open; None if no file can be opened, which looking takes. 0 if nobody can tell."""
    try:
        return sum(file.is_socket() for file in Path("/proc/self/fd").iterdir())
    except FileNotFoundError:
        return 0
    except OSError:
        return None


def _bound_listener() -> None:
    # No such option outside of Linux.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        while not any(map(_bound, map(int, os.listdir("/proc/self/fd")))):  # noqa: PTH208  # Names are enough.
            sleep(_LISTENER_SECONDS)


def _bound(number: int) -> bool:
    """Return whether this file of the process is a socket that listens, whose connections are bounded now."""
    # A file may be closed at any moment, most are no sockets, and each connection inherits what its listener has.
    with suppress(OSError), _socket_of(number) as listener:
        if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
            return True
    return False
