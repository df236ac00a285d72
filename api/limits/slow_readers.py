"""Connections whose callers do not read what they asked for: the system ends them after a while."""

import os
import socket
from contextlib import suppress
from threading import Thread
from time import sleep

UNREAD_SECONDS = 30
"""How long a caller may take nothing of an answer that waits for it."""

_LOOK_SECONDS = 0.005


def end_them() -> None:
    """Have the system end them. The server, which has no such setting, begins to listen after this call."""
    # No such option outside of Linux.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        Thread(target=_bound_listener, name="slow-readers", daemon=True).start()


def _bound_listener() -> None:
    while not any(map(_bound, map(int, os.listdir("/proc/self/fd")))):  # noqa: PTH208  # Names are enough.
        sleep(_LOOK_SECONDS)


def _bound(number: int) -> bool:
    """Returns whether this file of the process is a socket that listens, whose connections are bounded now."""
    # A file may be closed at any moment, most are no sockets, and each connection inherits what its listener has.
    with suppress(OSError), socket.socket(fileno=os.dup(number)) as found:
        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
            return True
    return False
