"""Limits open connections: ends those that an address has too many of, and those whose caller does not read.

Each connection takes an open file, and the operating system limits their number.
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
"""How long a caller may read nothing of an answer."""

LOOK_SECONDS = 2.0
# Open files other than connections of callers: the program, the log, the connections to the database.
_OTHER_FILES = 64
_NEARLY_FULL = 0.9
_LISTENER_SECONDS = 0.005
# From the system's tcp_info: the milliseconds since data were last sent, and since they were last received.
_MOVED = struct.Struct("44xI4xI")

log = structlog.get_logger()


def most(threads: int) -> int:
    """Raise the limit of open files of this process. Returns how many connections of callers it then takes."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, limit - _OTHER_FILES - threads))


def watch(most: int, port: int, proxies: Proxies) -> None:
    """Have the system end connections that are not read, and log when this process has nearly `most` connections.

    An address may have four fifths of the connections to this port, unless it is a proxy; those beyond are ended.

    The server has no setting for a timeout of its answers, and begins to listen after this call.
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
    """Log if the process has come to have nearly `most` connections, or no longer has. Returns whether it has."""
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
    """End the connections to a port that an address has beyond `most`: first those that were silent for longest."""
    if (_count_sockets() or 0) <= most:
        return
    silent = defaultdict[str, list[tuple[int, int, object]]](list)
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  # Names are enough.
        with suppress(OSError, IndexError, struct.error), _socket_of(number) as connection:
            peer = connection.getpeername()
            address, is_proxy = read_address(peer[0], proxies)
            # Connections to the database have another local port.
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
                # The number may belong to another connection by now.
                if connection.getpeername() == peer:
                    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _socket_of(number: int) -> Iterator[socket.socket]:
    """Yield a copy of the socket with this file number, which is closed afterwards. Raises OSError for other files."""
    copy = os.dup(number)
    try:
        connection = socket.socket(fileno=copy)
    except OSError:
        # Nothing else closes the copy, and the next look would copy it too.
        os.close(copy)
        raise
    with connection:
        yield connection


def _count_sockets() -> int | None:
    """Return how many sockets are open; None if no file can be opened to count them, and 0 without /proc."""
    try:
        return sum(file.is_socket() for file in Path("/proc/self/fd").iterdir())
    except FileNotFoundError:
        return 0
    except OSError:
        return None


def _bound_listener() -> None:
    # Only Linux has this option.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        while not any(map(_bound, map(int, os.listdir("/proc/self/fd")))):  # noqa: PTH208  # Names are enough.
            sleep(_LISTENER_SECONDS)


def _bound(number: int) -> bool:
    """Return whether a file is a listening socket, and then set the timeout that its connections inherit."""
    # A file may be closed at any moment, and most are not sockets. A connection inherits the option of its listener.
    with suppress(OSError), _socket_of(number) as listener:
        if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
            return True
    return False
