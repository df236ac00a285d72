"""What the queries of sql/queries/status.sql return, with a field for each column in its order."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Projection:
    """What the read model is, how fresh, and whether changes are captured.

    `capture_gap`, `gap_fills` and `feed_problem` are as readiness reports them, `as_of_age` is in seconds by the clock
    `read_at`.
    `broken` says what is wrong with the triggers at this moment, `switched_off` why an operator switched capture off,
    `gap_since` and `gap_reason` are of the oldest gap that is not healed. `proved_at`, `errors_at_proof`,
    `origin_position` and `failed_at` are of projector.origin. `unfilled` are the parts of the read model that no build
    has filled: their names, and what they are called. `notification_queue_usage` is up to 1. Its holder describes the
    session that has been idle in a transaction for longest, of those that the login sees.
    """

    version: str
    built_at: datetime | None
    capture_gap: str | None
    gap_fills: str | None
    as_of: datetime | None
    feed_problem: str | None
    as_of_age: float | None
    broken: str | None
    switched_off: str | None
    gap_since: datetime | None
    gap_reason: str | None
    read_at: datetime
    proved_at: datetime | None
    errors_at_proof: int
    origin_position: str | None
    failed_at: datetime | None
    has_origin: bool
    found_differences: int
    unfilled: dict[str, str]
    has_rebuild: bool
    notification_queue_usage: float
    notification_queue_holder: str | None


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits: changes with late keys, both up to a bound, and `lag`, the age of the oldest in seconds."""

    changes: int = 0
    late_keys: int = 0
    late_tenants: int = 0
    late_keys_per_second: float | None = None
    lag: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of a kind. `seconds` is how long it took, or has taken so far."""

    kind: str
    started_at: datetime
    finished_at: datetime | None
    seconds: float
    outcome: str
    tenants: list[str] | None
    changes: int
    leads: int
    messages: int
    leads_total: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Erasures:
    """How many erasures began and did not end, and since when."""

    interrupted: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Of how many leads, and of how many conversations, an attribute is left out, both up to a bound."""

    leads: int = 0
    conversations: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A key that is set aside, how many there are, and what its tenant is called, if that is known."""

    kind: str
    key: str
    user_id: str | None
    customer_phone: str | None
    error: str
    attempts: int
    first_failed_at: datetime
    retry_at: datetime
    total: int
    tenant_name: str | None = None


@dataclass(frozen=True, slots=True)
class ProvedRound:
    """The last verify of everything that has ended."""

    started_at: datetime
    finished_at: datetime
    leads: int
    left_out: int
    differences: int


@dataclass(frozen=True, slots=True)
class PresentRound:
    """The round that the scheduler is in. `age` is in seconds, `done` less than 1 until it has ended."""

    started_at: datetime
    days: float
    age: float
    done: float
    leads: int
    leads_total: int
    left_out: int
    differences: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs from the source rows, how many items there are, and what its tenant is called, if that is known."""

    kind: str
    user_id: str
    customer_phone: str
    key: str
    first_field: str
    found_at: datetime
    seen_at: datetime
    total: int
    tenant_name: str | None = None


@dataclass(frozen=True, slots=True)
class EndedDrift:
    """How many items differed and are right again for one reason, and when the last of them was."""

    outcome: str
    items: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Size:
    """About how many rows a table of ours has, and its bytes with indexes and TOAST."""

    table_name: str
    about_rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ApiRole:
    """The role that the API takes.

    `unreadable` is what it may not read or call, None for nothing; `is_unfiltered` whether row security does not hold
    for it.
    """

    name: str
    exists: bool
    unreadable: str | None
    is_unfiltered: bool
    can_create_temporary: bool


@dataclass(frozen=True, slots=True)
class RowSecurity:
    """How many tables have rows of tenants, and one whose row security is not as `migrate` makes it, with its problem.

    `lets_older_api_pass`: sessions that never named a tenant read all rows. `database_name` is as SQL writes it.
    """

    tables: int
    unprotected: str | None
    problem: str | None
    lets_older_api_pass: bool
    database_name: str


@dataclass(frozen=True, slots=True)
class Schedulers:
    """How many sessions of schedulers are connected, and whether the login may see the sessions of other users."""

    sessions: int = 0
    is_all_seen: bool = True


@dataclass(frozen=True, slots=True)
class KnownScheduler:
    """A scheduler that has noted itself. `is_held`: its session is there; `is_gone`: it died, or its host is lost."""

    host: str
    pid: int
    began_at: datetime
    beat_at: datetime
    ended_at: datetime | None
    is_held: bool
    is_gone: bool


@dataclass(frozen=True, slots=True)
class Cron:
    """Refreshes from cron: when the last one ended, how many seconds are between two, and since the last."""

    last_at: datetime
    distance: float
    age: float


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Another session that holds advisory locks of ours, and what it keeps others from.

    `since` is when its transaction began, or the session; `is_ours`: its login has the rights of the owner of our
    tables.
    """

    pid: int
    login: str | None
    application: str | None
    since: datetime | None
    purposes: list[str]
    is_ours: bool
