"""The contents of a state of the model, and which states are wrong."""

from collections.abc import Iterable
from typing import NamedTuple

NOWHERE, FIRST, SECOND = 0, 1, 2
"""Where the conversation can be: at no lead, or at one of two. An erasure is of the first."""

LEADS = (FIRST, SECOND)
SHARDS = (0, 1)
LATE_KEYS = 2
"""The lock of the late keys, beside those of the shards."""

NOTHING = -1
"""A moment that claims nothing, and the version of a row that does not exist."""

Rows = tuple[tuple[int, bool], tuple[int, bool]]
"""What the read model has of each lead: the change that its row shows, and whether all messages are there."""


class World(NamedTuple):
    """What there is. `writes`: what the platform changes, in which shard of the queue, and whether as a mass change.

    `works` are the kinds of work of the projectors. With `erasure` the first lead is erased. Both leads are of one
    tenant, or each of its own. With `has_letter` the conversation begins as a dead letter.
    """

    name: str
    writes: tuple[tuple[str, int, bool], ...]
    works: tuple[str, ...] = ("batch", "slice", "piece", "end", "look")
    most_writes: int = 2
    start: int = SECOND
    tenants: int = 2
    erasure: bool = False
    clock_steps: int = 0
    crashes: int = 0
    has_letter: bool = False

    @property
    def sessions(self) -> str:
        return "ABE" if self.erasure else "AB"

    def tenant(self, lead: int) -> int:
        return min(lead, self.tenants)

    def tenants_of(self, leads: Iterable[int]) -> frozenset[int]:
        return frozenset(self.tenant(lead) for lead in leads if lead != NOWHERE)


class Change(NamedTuple):
    """Where the conversation is after a change, what the clock said, and whether its lead fails."""

    place: int
    clock: int
    is_bad: bool = False


class Read(NamedTuple):
    """What a session has read: the place, the number of the last change, and the lead that the key table has."""

    place: int
    number: int
    noted: int


class Work(NamedTuple):
    """The work of a session, the point at which it stands, and what it waits for there.

    `of` is the shard of a batch or slice, the tenant of a piece, or the lead of a rebuild.
    """

    kind: str
    at: str
    of: int = 0
    owns: frozenset[int] = frozenset()
    took: tuple[int, bool] | None = None
    late: frozenset[int] = frozenset()
    moment: int = NOTHING
    has_mass: bool = False
    has_letter: bool = False
    tenants: frozenset[int] = frozenset()
    locks: frozenset[int] = frozenset()
    waits: str = ""
    waits_for: frozenset[int] = frozenset()
    set_backs: int = 0
    read: Read | None = None
    notes_key: bool = False


class State(NamedTuple):
    """`late` are the leads with late keys that no piece has taken, `line` the sessions that wait, in their order."""

    changes: tuple[Change, ...]
    key: int
    rows: Rows
    counts: tuple[int, int]
    works: tuple[Work | None, ...]
    queue: frozenset[tuple[int, bool]] = frozenset()
    late: frozenset[int] = frozenset()
    moments: tuple[int, int] = (0, 0)
    late_moments: tuple[int | None, int | None] = (None, None)
    line: tuple[int, ...] = ()
    letter: int = NOWHERE
    clock: int = 0
    newest: int = 0
    is_set_back: bool = False
    set_backs: int = 0
    clock_steps: int = 0
    crashes: int = 0

    @property
    def place(self) -> int:
        return self.changes[-1].place

    @property
    def others(self) -> list[Work]:
        return [work for work in self.works if work is not None]

    def is_owned(self, *shards: int) -> bool:
        return any(shard in work.owns for work in self.others for shard in shards)

    @property
    def is_queue_free(self) -> bool:
        return not any(work.owns or work.kind == "piece" for work in self.others)

    @property
    def is_key_noted(self) -> bool:
        return any(work.notes_key and not work.waits for work in self.others)

    def holders(self, tenant: int) -> list[int]:
        return [n for n, work in enumerate(self.works) if work is not None and tenant in work.locks]


def first_state(world: World) -> State:
    first, second = ((0, True) if lead == world.start else (NOTHING, False) for lead in LEADS)
    return State(
        changes=(Change(world.start, 0, is_bad=world.has_letter),),
        key=world.start,
        rows=(first, second),
        counts=(int(world.start == FIRST), int(world.start == SECOND)),
        works=(None,) * len(world.sessions),
        letter=(world.start or FIRST) if world.has_letter else NOWHERE,
    )


def judge(world: World, state: State, without: str = "") -> str | None:
    """Describe what is wrong in a state, if anything is. `without` is a rule that readers lack."""
    for lead in LEADS:
        wrong = _judge_lead(world, state, lead, without)
        if wrong is not None:
            return wrong
    is_quiet = all(work.at == "done" for work in state.others) and not state.queue and not state.late
    return _judge_rest(state) if is_quiet and state.letter == NOWHERE else None


def _judge_lead(world: World, state: State, lead: int, without: str) -> str | None:
    """Compare what readers see of a lead with what freshness promises them."""
    shown, is_whole = state.rows[lead - 1]
    if shown != NOTHING and not is_whole:
        return "messages are missing"
    tenant = world.tenant(lead)
    key = NOWHERE if without == "a dead letter counts for the tenant of the source alone" else state.key
    late = state.late_moments[tenant - 1]
    if late is None or without == "a tenant that is late is told the moment of the others":
        late = min(state.moments)
    moment = min(late, *state.moments)
    if state.letter != NOWHERE and tenant in world.tenants_of((state.letter, key)):
        return None
    if moment > state.clock and without != "a moment that the clock has not reached is claimed":
        return None
    # Before a session has looked at a clock that was set back, it may have passed the moment again.
    if moment <= state.clock and state.is_set_back:
        return None
    promised = max((n for n, change in enumerate(state.changes) if change.clock <= moment), default=NOTHING)
    if shown == NOTHING and promised != NOTHING:
        is_missing = all(change.place == lead for change in state.changes[promised:])
        return "the conversation is missing, and as-of is newer" if is_missing else None
    return "an old state is shown, and as-of is newer" if NOTHING < shown < promised else None


def _judge_rest(state: State) -> str | None:
    for lead in LEADS:
        is_there, (shown, _) = state.place == lead, state.rows[lead - 1]
        if shown != (len(state.changes) - 1 if is_there else NOTHING):
            return f"at rest {'not the newest state' if is_there else 'a conversation that is gone'} is shown"
        if state.counts[lead - 1] != is_there:
            return "at rest the statistics are wrong"
    return None if state.key == state.place else "at rest the key table is wrong"
