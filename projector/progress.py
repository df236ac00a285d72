"""How far long work has come: a bar at a terminal, a log line now and then elsewhere."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import Protocol

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

_SECONDS_BETWEEN_LINES = 5.0


class Progress(Protocol):
    """What long work tells of itself; one piece of work at a time."""

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin something of a known size, in units such as `leads`."""

    def advance(self, n: int) -> None:
        """Note that so much more of it is done."""

    def finish(self) -> None:
        """End it, however far it came."""


class Quiet:
    """Tells nothing."""

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin something."""

    def advance(self, n: int) -> None:
        """Note that more of it is done."""

    def finish(self) -> None:
        """End it."""


QUIET: Progress = Quiet()


class _RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        """The text of the column."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {task.fields['unit']}/s")


class Bar:
    """Draws a bar with rate and time left, on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars: Bars | None = None

    def start(self, title: str, total: int, unit: str) -> None:
        """Draw an empty bar."""
        self.finish()
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._bars.add_task(title, total=total, unit=unit)
        self._bars.start()

    def advance(self, n: int) -> None:
        """Fill more of it."""
        if self._bars is not None:
            self._bars.advance(self._bars.task_ids[0], n)

    def finish(self) -> None:
        """Leave it as it is."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


class Lines:
    """Writes a log line at the start, at most one every five seconds, and one at the end."""

    def __init__(
        self, write: Callable[[str], object] | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._write = write or structlog.get_logger(__name__).info
        self._clock = clock
        self._title = ""
        self._unit = ""
        self._total = 0
        self._done = 0
        self._began = 0.0
        self._last = 0.0

    def start(self, title: str, total: int, unit: str) -> None:
        """Say what begins."""
        self.finish()
        self._title, self._unit, self._total, self._done = title, unit, total, 0
        self._began = self._last = self._clock()
        self._write(f"{title}: {total:,} {unit}")

    def advance(self, n: int) -> None:
        """Say how far it is, unless that was said a moment ago."""
        self._done += n
        now = self._clock()
        if now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        rate = self._done / (now - self._began)
        left = max(self._total - self._done, 0) / rate if rate else 0
        self._write(
            f"{self._title}: {self._done:,} of {self._total:,} {self._unit}, "
            f"{rate:,.0f}/s, about {left:,.0f} s left"
        )

    def finish(self) -> None:
        """Say how much was done, and how long it took."""
        if self._title:
            seconds = self._clock() - self._began
            self._write(f"{self._title}: {self._done:,} of {self._total:,} {self._unit} in {seconds:,.1f} s")
            self._title = ""


def for_this_terminal() -> Progress:
    """A bar where standard error is a terminal, lines elsewhere."""
    return Bar() if sys.stderr.isatty() else Lines()
