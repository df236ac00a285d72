"""The limit of open files, of which each connection takes one."""

import os
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import sleep

import structlog

# Connections of one process at once; a further one waits until one of them is closed.
MAX_CONNECTIONS = 4096
# Files of a process that are no connections of callers: its program, its log, the database's connections.
_OTHER_FILES = 64
LOOK_SECONDS = 2.0
_NEARLY_FULL = 0.9

# Each line of the log asks for its logger, because create_app configures structlog after this import.
log = structlog.get_logger


def raise_limit() -> int | None:
    """Let this process open as many files as the system allows it. Returns how many, or None if that has no limit."""
    # No such module on Windows.
    import resource  # noqa: PLC0415

    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit


def most_connections(limit: int | None, threads: int) -> int:
    """Returns how many connections a process takes at once under a limit of open files, with this many threads."""
    if limit is None:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, limit - _OTHER_FILES - threads))


def watch(most: int) -> None:
    """Log when this process has nearly as many connections as it takes, and when it has fewer again."""
    Thread(target=_look_for_ever, args=(most,), name="open-files", daemon=True).start()


def _look_for_ever(most: int) -> None:
    is_full = False
    while True:
        is_full = look(most, is_full=is_full)
        sleep(LOOK_SECONDS)


def look(most: int, *, is_full: bool) -> bool:
    """Log what has changed since the last look. Returns whether the process has nearly `most` connections."""
    found = _count_sockets()
    full_now = found is None or found >= most * _NEARLY_FULL
    if full_now and not is_full:
        log().warning(
            "this process has nearly as many open connections as it takes; further ones wait until some are closed."
            " Silent ones are closed after 30 seconds. See who connects; LimitNOFILE of the unit (ulimit -n) and"
            " LEADS_API_WORKERS raise the number",
            connections=found,
            most=most,
        )
    elif is_full and not full_now:
        log().info("there is room for connections again", connections=found, most=most)
    return full_now


def _count_sockets() -> int | None:
    """Returns how many sockets are open; None if no file can be opened, which looking takes. 0 if nobody can tell."""
    count = 0
    try:
        with os.scandir("/proc/self/fd") as found:
            for one in found:
                with suppress(OSError):
                    count += str(Path(one).readlink()).startswith("socket:")
    except FileNotFoundError:
        return 0
    except OSError:
        return None
    return count
