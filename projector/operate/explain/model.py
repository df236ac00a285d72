"""What an explanation says: each field of a lead with its source rows, and how the read model stands to it."""

from dataclasses import dataclass, field
from typing import Any

CURRENT = "current"
"""The read model shows what the rules give now."""

WAITING = "waiting"
"""A change of the lead waits in the queue."""

DEAD_LETTER = "dead_letter"
"""A key of the lead is set aside with an error."""

REBUILDING = "rebuilding"
"""A rebuild that has not reached the lead is to correct the difference."""

GAP = "capture_gap"
"""The read model differs, and changes may have been missed."""

DRIFT = "drift"
"""The read model differs, and nothing explains it: a bug."""

NO_LEAD = "no_lead"
"""Neither the source rows nor the read model have the lead."""


@dataclass(frozen=True, slots=True)
class Row:
    """A source row.

    `column` and `value` are what it says of the field, as stored; `time` is the time by which it competes. `note` says
    why it lost or what it decides. `through` are rows that lead from it to its value, as table and key.
    """

    table: str
    key: str
    column: str | None = None
    value: Any = None
    time_column: str | None = None
    time: str | None = None
    note: str | None = None
    through: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows of a table a field counts; of messages, those of one conversation."""

    table: str
    rows: int
    conversation_id: str | None = None


@dataclass(slots=True)
class Field:
    """One field of the lead.

    `sources` are the rows that the value comes from; `decided_by` are rows that give no value but decide which row
    does; `counts` are the rows that are counted; `losers` are the rows that competed and lost. `more_sources` and
    `more_losers` say how many are left out. No other row has a say in the field.
    """

    name: str
    rule: str
    value: Any = None
    sources: list[Row] = field(default_factory=list)
    more_sources: int = 0
    decided_by: list[Row] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    losers: list[Row] = field(default_factory=list)
    more_losers: int = 0
    read_model: Any = None
    differs: bool = False


@dataclass(frozen=True, slots=True)
class WaitingChange:
    """A change in the queue that concerns the lead."""

    kind: str
    key: str
    queued_at: str
    total: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter of the lead."""

    kind: str
    key: str
    error: str
    attempts: int
    first_failed_at: str
    retry_at: str


@dataclass(slots=True)
class Explanation:
    """What is to be said of a lead.

    `asked_for` is the phone as it was given. `exists` says whether the source rows make a lead now, `in_read_model`
    whether the read model has it. `failure` is PostgreSQL's error where the definition cannot compute the lead.
    `without_effect` are rows that have this phone and make no lead. `nearest` are phones of other leads of the tenant.
    """

    user_id: str
    customer_phone: str
    asked_for: str
    exists: bool
    in_read_model: bool
    state: str = CURRENT
    sentences: list[str] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    waiting: list[WaitingChange] = field(default_factory=list)
    more_waiting: int = 0
    dead_letters: list[Letter] = field(default_factory=list)
    failure: str | None = None
    without_effect: list[Row] = field(default_factory=list)
    nearest: list[str] = field(default_factory=list)
    leads_of_tenant: int = 0

    @property
    def has_drifted(self) -> bool:
        """Whether the read model is wrong, and nothing but a bug explains it."""
        return self.state == DRIFT

    @property
    def is_there(self) -> bool:
        """Whether the source rows or the read model have the lead."""
        return self.exists or self.in_read_model
