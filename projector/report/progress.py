"""Progress of long work: a bar at a terminal, and a log line every few seconds elsewhere."""

import sys
from collections.abc import Callable
from time import monotonic

import structlog
from rich.console import Console
from rich.progress import MofNCompleteColumn, ProgressColumn, Task
from rich.progress import Progress as Bars
from rich.text import Text

from projector.report import log
from projector.report.counted import counted, counted_of

_SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Receives the progress of long work, one task at a time. This class shows nothing."""

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin a task of `total` units, such as `leads`, under a title. Ends the previous task."""

    def advance(self, n: int) -> None:
        """Note that `n` more units are done."""

    def finish(self) -> None:
        """End the task, whether all units are done or not."""


QUIET = Progress()


class _RateColumn(ProgressColumn):
    """The rate, in units a second."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {task.fields['unit']}/s")


class Bar(Progress):
    """Draws a bar with rate and time left on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        columns = (*Bars.get_default_columns(), MofNCompleteColumn(), _RateColumn())
        self._bars = Bars(*columns, console=console or Console(stderr=True))

    def start(self, title: str, total: int, unit: str) -> None:
        """Draw an empty bar."""
        self.finish()
        self._bars.add_task(title, total=total, unit=unit)
        self._bars.start()

    def advance(self, n: int) -> None:
        """Fill `n` units of the bar."""
        for task in self._bars.tasks:
            done = task.completed + n
            # The total may grow meanwhile.
            self._bars.update(task.id, completed=done, total=max(task.total or 0, done))

    def finish(self) -> None:
        """Stop drawing; the bar stays as it is."""
        self._bars.stop()
        for task in self._bars.task_ids:
            self._bars.remove_task(task)


class Lines(Progress):
    """Writes a log line at the start, at most one every five seconds, and one at the end.

    It writes nothing of work without units, unless some come up after all.
    """

    _title = ""
    _total = _done = 0

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write or structlog.get_logger(__name__).info

    def start(self, title: str, total: int, unit: str) -> None:
        """Log the title and the size of the work."""
        self.finish()
        self._title, self._noun, self._total, self._done = title, unit.removesuffix("s"), total, 0
        self._began = self._last = monotonic()
        if total:
            self._write(f"{title}: {counted(total, self._noun)}")

    def advance(self, n: int) -> None:
        """Log how much is done, unless the last line is younger than five seconds."""
        self._done += n
        now = monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        rate = self._done / (now - self._began)
        left = max(self._total - self._done, 0) / rate if rate else 0
        about = f", about {left:,.0f} s left" if self._done <= self._total else ""
        self._write(f"{self._title}: {self._told()}, {rate:,.0f}/s{about}")

    def finish(self) -> None:
        """Log how much was done, and how long it took."""
        if self._title and (self._total or self._done):
            seconds = monotonic() - self._began
            self._write(f"{self._title}: {self._told()} in {seconds:,.1f} s")
        self._title = ""

    def _told(self) -> str:
        return counted_of(self._done, self._total, self._noun)


def for_this_terminal() -> Progress:
    """Return a bar where standard error is a terminal, and lines elsewhere, and where all lines are to be JSON."""
    return Bar() if sys.stderr.isatty() and not log.is_json() else Lines()
