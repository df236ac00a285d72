"""The folder in which the processes of an API share their metrics, within the folder for temporary files."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, gettempdir

_PREFIX = "leads-api-shared-"


@contextmanager
def shared_folder() -> Iterator[str]:
    """Yield a new folder, which is deleted at the end. Deletes the folders of APIs that were killed."""
    for left in Path(gettempdir()).glob(f"{_PREFIX}*"):
        # Another API may hold it, or another user own it. An empty one may be so new that nobody holds it yet.
        with suppress(OSError):
            if any(left.iterdir()):
                with _hold(left):
                    rmtree(left)
    with TemporaryDirectory(prefix=_PREFIX) as folder, _hold(Path(folder)):
        yield folder


@contextmanager
def _hold(folder: Path) -> Iterator[None]:
    """Lock a folder until the last process that has the lock ends. Raises OSError if another one has it."""
    # Another user may have put something else in its place, such as a pipe, which would block.
    opened = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)
