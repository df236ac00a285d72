"""The project's programs, started as an operator starts them, and their commands in this process."""

import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path

import structlog
from click.testing import CliRunner

from projector.cli import cli
from projector.report import log
from tests.support.log_watch import hide_personal_data
from tests.support.patience import PATIENCE, UNREACHED

ROOT = Path(__file__).parents[2]


def environment(**settings: str) -> dict[str, str]:
    """Return our environment with the settings; the packages are found in this checkout from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **settings}


def projector(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`python -m projector` with these arguments, in a folder without a file `.env`; waits for its end."""
    return subprocess.run(
        [sys.executable, "-m", "projector", *arguments],
        check=False,
        cwd=folder,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=UNREACHED,
    )


def run_command(
    folder: Path, *arguments: str, text: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Do the same in this process, because starting Python takes longer than most commands."""
    with chdir(folder), logging_as_before():
        result = CliRunner().invoke(
            cli, arguments, input=text, env={"COLUMNS": "100", **settings}, prog_name="python -m projector"
        )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


@contextmanager
def started(
    command: Sequence[str], folder: Path = ROOT, log: Path | None = None, /, **settings: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start Python with these arguments and settings, and end it at the end; it writes to the log, or nowhere."""
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=environment(**settings),
                stdout=output,
                stderr=output,
                # As a terminal has it.
                start_new_session=True,
            )
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Undo the logging configuration of a program in this process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    chosen = dict(log._chosen)  # noqa: SLF001  # Nothing else takes it back.
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning
    try:
        yield
    finally:
        log._chosen.update(chosen)  # noqa: SLF001  # As above.
        structlog.reset_defaults()
        hide_personal_data()
        root.handlers[:] = handlers
        root.setLevel(level)
        # Otherwise the next capture of warnings would believe itself the second, and do nothing.
        logging.captureWarnings(capture=False)
        sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning = hooks
