"""Tells the metrics, and the traces where an operator wants them, what the refreshes do."""

from typing import TYPE_CHECKING

from projector.core.batch import Batch
from projector.core.pipeline import Connection
from projector.observe.metrics import counted
from projector.report.errors import ConfigurationError

if TYPE_CHECKING:
    from projector.observe.tracing import Tracing


class Observer:
    """Counts batches. With `tracing` it makes a span of each; without, nothing of OpenTelemetry is imported."""

    def __init__(self, *, tracing: bool) -> None:
        self._tracing = _load_tracing() if tracing else None

    def follow(self, conn: Connection) -> None:
        """Note the statements of a new connection of the refreshes."""
        if self._tracing is not None:
            self._tracing.follow(conn)

    def begin(self) -> None:
        """Note that a batch begins."""
        if self._tracing is not None:
            self._tracing.begin()

    def end(self, done: Batch, seconds: float) -> None:
        """Note that a batch has ended, which took so long."""
        counted.note_batch(done, seconds)
        if self._tracing is not None:
            self._tracing.end(done, seconds)

    def fail(self, error: Exception, seconds: float) -> None:
        """Note that a batch has failed after so long."""
        if self._tracing is not None:
            self._tracing.fail(error, seconds)

    def close(self) -> None:
        """Send what was not sent yet."""
        if self._tracing is not None:
            self._tracing.close()


def _load_tracing() -> "Tracing":
    """Return what makes the spans. Raises ConfigurationError where OpenTelemetry is not installed."""
    try:
        from projector.observe.tracing import Tracing  # noqa: PLC0415  # Of an extra, which is not always installed.
    except ImportError as error:
        raise ConfigurationError(
            f"LEADS_TRACING is on, but OpenTelemetry is not installed ({error}): install the extra otel, or set"
            " LEADS_TRACING=off."
        ) from None
    return Tracing()
