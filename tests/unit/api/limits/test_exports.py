"""The body of an export: whole or broken, and what it holds is given back whatever happens."""

from itertools import cycle

import pytest

from api.limits import exports
from api.limits.exports import BrokenExportError, ExportStream
from tests.support.running import wait_for


class Lines:
    """A source of lines that notes what becomes of it."""

    def __init__(self, *pieces: list[bytes] | Exception, endless: bool = False) -> None:
        self._pieces = cycle([[b"x" * 1000]]) if endless else iter(pieces)
        self.closed = 0
        self.counts: list[int] = []

    def read(self, count: int) -> list[bytes]:
        self.counts.append(count)
        piece = next(self._pieces, [])
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closed += 1


class Released:
    """Counts how often a place is given back."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def stream(source: Lines, released: Released, opening: bytes = b"") -> ExportStream:
    return ExportStream(source, opening, released, "id")  # type: ignore[arg-type]


def test_a_caller_that_stops_reading_holds_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "UNREAD_SECONDS", 0.05)
    released, source = Released(), Lines(endless=True)
    made = stream(source, released)
    next(made)
    wait_for(lambda: source.closed == 1, "the source is closed")
    # The thread of the server still has its place.
    assert released.count == 0
    with pytest.raises(BrokenExportError):
        list(made)
    made.close()
    wait_for(lambda: released.count == 1, "the place is given back")


def test_an_export_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "LONGEST_SECONDS", 0)
    released, source = Released(), Lines(endless=True)
    made = stream(source, released)
    with pytest.raises(BrokenExportError):
        list(made)
    made.close()
    wait_for(lambda: released.count == 1, "the place is given back")


def test_a_caller_that_goes_away_ends_it() -> None:
    released, source = Released(), Lines(endless=True)
    made = stream(source, released)
    next(made)
    made.close()
    wait_for(lambda: released.count == 1, "the place is given back")
    assert source.closed == 1
