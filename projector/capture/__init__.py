"""Capture: triggers that queue the keys of every changed row of a source table, and the check that they still exist."""

from projector.capture.control import reinstall, switch_off, switch_on
from projector.capture.gaps import (
    close_gaps,
    find_gap,
    gaps_ready_to_close,
    note_gap,
    open_gap,
    open_gaps,
    switched_off,
)
from projector.capture.source_changes import note_harmless_changes
from projector.capture.triggers import adjust_queue, create_functions, install, uninstall

__all__ = [
    "adjust_queue",
    "close_gaps",
    "create_functions",
    "find_gap",
    "gaps_ready_to_close",
    "install",
    "note_gap",
    "note_harmless_changes",
    "open_gap",
    "open_gaps",
    "reinstall",
    "switch_off",
    "switch_on",
    "switched_off",
    "uninstall",
]
