"""The steps of the sessions: the possible ones in a state, and the state after each.

A session that has to wait has begun its step, and continues with the commit that releases what it waits for.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.exactness.model import state as states
from tests.exactness.model.state import FIRST, LATE_KEYS, LEADS, NOTHING, NOWHERE, SHARDS, Read, State, Work

QUEUE = frozenset({*SHARDS, LATE_KEYS})
TABLES = ("lead_conversations", "lead_messages", "source_keys", "late_keys")
"""What an erasure deletes; without its rules, each in its own transaction."""


class Label(NamedTuple):
    """A session, its step, and the shard, tenant or lead that it concerns."""

    session: str
    step: str
    of: object = ""

    def __str__(self) -> str:
        return f"{self.session} {self.step}{'' if self.of == '' else f' {self.of}'}"


Begun = Iterator[tuple[str, object, State]]
Steps = Iterator[tuple[str, State]]


class Model:
    """The steps of a world; `without` is the mutant of a rule that is left out."""

    def __init__(self, world: states.World, without: str = "") -> None:
        self.world, self.without = world, without
        self.tenants_of = world.tenants_of

    def lacks(self, *mutants: str) -> bool:
        """Return whether a rule is left out, by the beginning of the name of its mutant."""
        return self.without.startswith(mutants)

    def steps(self, state: State) -> Iterator[tuple[Label, State]]:
        """Return each step that a session can take, and the state after it."""
        yield from self._write(state)
        if state.clock_steps < self.world.clock_steps:
            moved = state._replace(clock_steps=state.clock_steps + 1)
            yield Label("K", "the clock runs"), moved._replace(clock=state.clock + 1)
            if state.clock > 0:
                yield Label("K", "the clock is set back"), moved._replace(clock=0, is_set_back=True)
        for session, (name, work) in enumerate(zip(self.world.sessions, state.works, strict=True)):
            # The projectors are alike: the second one begins only while the first one works.
            if work is None and (session != 1 or state.works[0] is not None):
                begun = self._begin_erasure(state, session) if name == "E" else self._begin(state, session)
                yield from ((Label(name, step, of), after) for step, of, after in begun)
            elif work is not None and not work.waits and work.at != "done":
                go_on = self._erase if work.kind == "erasure" else self._go_on
                yield from ((Label(name, step), after) for step, after in go_on(state, session, work))
                if state.crashes < self.world.crashes:
                    yield Label(name, "crash"), self._end(state, session)._replace(crashes=state.crashes + 1)

    def _write(self, state: State) -> Iterator[tuple[Label, State]]:
        for what, shard, is_mass in self.world.writes if len(state.changes) <= self.world.most_writes else ():
            verb, _, target = what.partition(" ")
            place = int(target) if target else state.place
            if (place == state.place) != (verb == "move") and (verb == "move" or place != NOWHERE):
                is_bad = verb == "spoil" or (state.changes[-1].is_bad and verb != "mend")
                after = state._replace(clock=state.clock + 1, queue=state.queue | {(shard, is_mass)})
                change = states.Change(place, after.clock, is_bad)
                yield Label("W", what, (shard, is_mass)), after._replace(changes=(*state.changes, change))

    # What a projector begins.

    def _begin(self, state: State, session: int) -> Begun:
        works = self.world.works
        # A slice that is about to commit keeps the moments of freshness from being moved.
        moves = not any(work.at == "deferred" for work in state.others)
        for shard in (shard for shard in SHARDS if not state.is_owned(shard)):
            if moves or (shard, False) in state.queue:
                yield "take", shard, self._take(state, session, shard)
            if (shard, True) in state.queue:
                yield "take mass", shard, self._take(state, session, shard, kind="slice", is_mass=True)
        worked_on = {work.of for work in state.others if work.kind == "piece"}
        for tenant in sorted(self.tenants_of(state.late) - worked_on):
            yield "take late keys", tenant, self._take_late_keys(state, session, tenant)
        if "end" in works and state.late_moments != (None, None):
            yield "end lateness", "", self._end_lateness(state)
        if "look" in works and moves:
            yield "look", "", self._look(state)
        for lead in LEADS if "rebuild" in works else ():
            work = Work("rebuild", "tenants_found", of=lead, tenants=self.tenants_of({lead}))
            yield "rebuild", lead, self._lock(state, session, work)
        if state.letter != NOWHERE:
            yield "retry", "", self._wake(self._wait(state, session, Work("retry", "begun"), "queue"))

    def _take(
        self, state: State, session: int, shard: int, *, kind: str = "batch", is_mass: bool = False
    ) -> State:
        """Own a shard, and take its changes. A batch that finds none ends at once."""
        took, state = (shard, is_mass), self._lower_moments(self._set(state, session, None))
        has_mass = (shard, True) in state.queue and not self.lacks(
            "a mass change whose tenants are not known"
        )
        if took not in state.queue:
            idle = Work(kind, "", of=shard, moment=state.clock, set_backs=state.set_backs)
            return state if has_mass or kind == "slice" else self._advance_shard(state, idle)
        reads_first = self.lacks("the source is read before", "a batch reads in one snapshot") and not is_mass
        work = Work(kind, "taken", of=shard, owns=frozenset({shard}), took=took, moment=state.clock)
        work = work._replace(has_letter=state.letter != NOWHERE, has_mass=has_mass, set_backs=state.set_backs)
        work = work._replace(read=self._read(state) if reads_first else None)
        return self._set(state._replace(queue=state.queue - {took}), session, work)

    def _take_late_keys(self, state: State, session: int, tenant: int) -> State:
        """Take the late keys of a tenant on whom no other session works."""
        late = frozenset(lead for lead in state.late if self.world.tenant(lead) == tenant)
        state = self._set(state, session, None)
        is_taken = any(work.kind == "piece" and work.of == tenant for work in state.others)
        if not late or is_taken or state.is_owned(LATE_KEYS):
            return state
        read = self._read(state) if self.lacks("a piece reads the source before") else None
        has_letter = state.letter != NOWHERE
        work = Work("piece", "late_taken", of=tenant, late=late, has_letter=has_letter, read=read)
        return self._set(state._replace(late=state.late - late), session, work)

    def _end_lateness(self, state: State) -> State:
        is_beside = self.lacks("lateness ends while another session looks up")
        if state.is_owned(*SHARDS) and not is_beside:
            return state
        taken = (lead for work in state.others if work.kind == "piece" for lead in work.late)
        late = self.tenants_of({*state.late, *taken})
        if self.lacks("a tenant is no longer late after"):
            late = frozenset()
        done = frozenset(n for n in (1, 2) if state.late_moments[n - 1] is not None and n not in late)
        for session, work in enumerate(state.works):
            # Beside a slice, it waits for the row of the tenant and does not look again.
            if is_beside and work is not None and work.at == "deferred":
                state = self._set(state, session, work._replace(waits_for=done))
        first, second = (moment if n in late else None for n, moment in enumerate(state.late_moments, 1))
        return state._replace(late_moments=(first, second))

    def _look(self, state: State) -> State:
        state = self._lower_moments(state)
        waits = state.queue or state.is_owned(*SHARDS)
        if waits and not self.lacks("a look does not ask whether a change waits"):
            return state
        return self._advance(state, SHARDS, state.clock)

    # How it goes on.

    def _go_on(self, state: State, session: int, work: Work) -> Steps:  # noqa: C901  # A step of each point.
        match work.at:
            case "taken" if work.kind == "slice":
                yield "sort", self._sort(state, session, work)
            case "deferred":
                yield "commit", self._commit_slice(state, session, work)
            case "taken" | "late_taken":
                yield "find", self._find(state, session, work)
            case "tenants_found":
                yield "lock", self._lock(state, session, work)
            case "locked":
                yield "recompute", self._recompute(state, session, work)
            case "recomputed" if not self._meets(
                state, frozenset() if work.kind == "batch" else work.tenants, sets_aside=work.has_letter
            ):
                yield "commit", self._commit(state, session, work)
            case "again" if work.kind == "piece":
                yield "take", self._take_late_keys(state, session, work.of)
            case "again" | "failed" if work.kind != "piece":
                kind, idle = "slice" if work.at == "failed" else "batch", self._set(state, session, None)
                is_free = not state.is_owned(work.of)
                yield "take", self._take(state, session, work.of, kind=kind) if is_free else idle
            case "failed" if not state.is_owned(LATE_KEYS) and not self._meets(state, sets_aside=True):
                aside = work._replace(at="set aside", read=self._read(state))
                yield "set aside", self._set(state, session, aside)
            case "set aside" if not self._meets(state, frozenset({work.of})):
                yield "commit", self._set_aside(state, session, work)

    def _find(self, state: State, session: int, work: Work) -> State:
        """Find the tenants of the taken changes in the source and in the key table; left-out changes have none."""
        is_asked = not self.lacks("what the read model knew of a conversation is not asked")
        leads = () if self._leaves_out(state, work) else (state.place, state.key if is_asked else NOWHERE)
        return self._set(state, session, work._replace(at="tenants_found", tenants=self.tenants_of(leads)))

    def _lock(self, state: State, session: int, work: Work) -> State:
        """Lock the tenants one after the other; wait where another session has one."""
        tenants = work.tenants
        if self.lacks("nothing is locked") or (
            work.kind == "rebuild" and self.lacks("a rebuild in place locks")
        ):
            tenants = frozenset()
        if work.kind == "piece" and self.lacks("the tenant that was looked up stands for its lock"):
            tenants &= {work.of}
        for tenant in sorted(tenants - work.locks):
            if state.holders(tenant):
                return self._wait(state, session, work, "lock")
            work = work._replace(locks=work.locks | {tenant})
        return self._set(state, session, work._replace(at="locked", waits=""))

    def _recompute(self, state: State, session: int, work: Work) -> State:
        """Read the source and the key table; start again if the key is at a tenant that is not locked."""
        work, early, read = work._replace(at="recomputed", read=None), work.read, self._read(state)
        if self._leaves_out(state, work):
            return self._set(state, session, work)
        if early is not None:
            if self.lacks("a batch reads in one snapshot") and early.noted != state.key:
                return self._again(state, session, work)
            read = early._replace(noted=state.key)
        if self.lacks("what the read model knew of a conversation is not asked"):
            read = read._replace(noted=NOWHERE)
        elif work.kind != "rebuild" and not self.tenants_of({read.noted}) <= work.tenants:
            is_left = self.lacks("what moved to a tenant that is not locked")
            return self._set(state, session, work) if is_left else self._again(state, session, work)
        notes = state.key == NOWHERE and work.kind != "rebuild"
        if self.lacks("a key of no lead does not wait"):
            notes = notes and self._new_lead(work, read) != NOWHERE
        is_beside = notes and state.is_key_noted
        work = work._replace(read=read, notes_key=notes)
        return self._wait(state, session, work, "key") if is_beside else self._set(state, session, work)

    def _commit(self, state: State, session: int, work: Work) -> State:
        if work.kind == "rebuild":
            return self._end(self._rebuild_lead(state, work.of, work.read), session, took=True)
        if work.read is not None:
            if state.changes[work.read.number].is_bad and self._new_lead(work, work.read) != NOWHERE:
                failed = None if work.kind == "retry" else Work(work.kind, "failed", of=work.of)
                return self._end(state, session, failed)
            state = self._write_rows(state, work, work.read)
        elif (
            work.has_letter
            and state.letter != NOWHERE
            and not self.lacks("a dead letter stays with the lead")
        ):
            state = state._replace(letter=state.place or state.key or state.letter)
        if work.kind == "retry":
            state = state._replace(letter=NOWHERE)
        if self.lacks("the source is read before"):
            state = state._replace(queue=state.queue - {work.took})
        if self.lacks("a piece reads the source before"):
            state = state._replace(late=state.late - work.late)
        state = self._end(state, session, took=True)
        return state if work.kind != "batch" or work.has_mass else self._advance_shard(state, work)

    def _write_rows(self, state: State, work: Work, read: Read) -> State:
        """Write the lead that has the conversation, and remove it from the one that had it."""
        new, rows = self._new_lead(work, read), dict(zip(LEADS, state.rows, strict=True))
        if new != NOWHERE:
            is_whole = new != read.noted or rows[new][1]
            if new != read.noted != NOWHERE and self.lacks(
                "a conversation that moves is read from what is stored"
            ):
                since = range(rows[read.noted][0] + 1, read.number + 1)
                is_whole = all(state.changes[n].place != state.changes[n - 1].place for n in since)
            rows[new] = (read.number, is_whole)
        if read.noted not in {NOWHERE, new}:
            rows[read.noted] = (NOTHING, False)
        state = self._with_rows(state, rows, is_queued=self.lacks("counts move by the changes in the queue"))
        return state._replace(key=new)

    def _rebuild_lead(self, state: State, lead: int, read: Read | None) -> State:
        """Compute a lead fully: the conversation is there if its key is."""
        rows = dict(zip(LEADS, state.rows, strict=True)) | {lead: (NOTHING, False)}
        if read is None or read.noted != lead:
            return self._with_rows(state, rows)
        new = read.place if self.tenants_of({read.place}) == self.tenants_of({lead}) else NOWHERE
        if new != NOWHERE:
            rows[new] = (read.number, True)
        return self._with_rows(state, rows)._replace(key=new)

    def _with_rows(
        self, state: State, rows: Mapping[int, tuple[int, bool]], *, is_queued: bool = False
    ) -> State:
        """Write rows, and update the statistics."""
        first, second = (
            count + (rows[lead][0] != NOTHING) - (not is_queued and state.rows[lead - 1][0] != NOTHING)
            for lead, count in zip(LEADS, state.counts, strict=True)
        )
        return state._replace(rows=(rows[1], rows[2]), counts=(first, second))

    # Mass changes.

    def _sort(self, state: State, session: int, work: Work) -> State:
        """Find the leads of the taken changes, once the batches that may move or add the conversation have ended."""
        tenants = self.tenants_of({state.key})
        rule = "a key that is known may be moved" if tenants else "a key that is not known may be brought in"
        holders = [n for tenant in tenants or (1, 2) for n in state.holders(tenant)]
        if holders and not self.lacks(rule, "leads of keys are looked up beside a batch"):
            return self._wait(state, session, work._replace(waits_for=frozenset(holders)), "batches")
        return self._deferred(state, session, work)

    def _deferred(self, state: State, session: int, work: Work) -> State:
        key = NOWHERE if self.lacks("a key is looked up in the source alone") else state.key
        place = NOWHERE if self.lacks("a key is looked up among the known ones alone") else state.place
        is_now = self.lacks("a tenant is late from the moment at which it is found out")
        work = work._replace(late=frozenset({key, place} - {NOWHERE}), at="deferred", waits="")
        moment = state.clock if is_now else state.moments[work.of]
        return self._set(state, session, work._replace(moment=moment))

    def _commit_slice(self, state: State, session: int, work: Work) -> State:
        moments = list(state.late_moments)
        for tenant in self.tenants_of(work.late) - work.waits_for:
            late = moments[tenant - 1]
            moments[tenant - 1] = work.moment if late is None else min(late, work.moment)
        if self.lacks("a tenant that a mass change concerns is not late"):
            moments = [None, None]
        state = state._replace(late=state.late | work.late, late_moments=(moments[0], moments[1]))
        return self._end(state, session, took=True)

    def _meets(
        self, state: State, tenants: frozenset[int] = frozenset(), *, sets_aside: bool = False
    ) -> bool:
        """Return whether a slice about to commit, or a session that sets the key aside, locks the row of a tenant."""
        slices = (other for other in state.others if other.at == "deferred")
        if any(not tenants or self.tenants_of(other.late) & tenants for other in slices):
            return True
        return sets_aside and any(other.at == "set aside" for other in state.others)

    # Dead letters.

    def _leaves_out(self, state: State, work: Work) -> bool:
        if work.kind in {"retry", "rebuild"} or state.letter == NOWHERE:
            return False
        return work.has_letter or self.lacks("a newer letter counts")

    def _set_aside(self, state: State, session: int, work: Work) -> State:
        late = frozenset(lead for lead in state.late if self.world.tenant(lead) == work.of)
        lead = (work.read.place if work.read is not None else NOWHERE) or state.key
        if late and lead != NOWHERE:
            state = state._replace(late=state.late - late, letter=lead)
        return self._end(state, session)

    # The erasure of the first lead.

    def _begin_erasure(self, state: State, session: int) -> Begun:
        """It drains the queue, which is empty here, and recomputes the lead."""
        if state.place != FIRST and not state.queue and not state.late and not state.others:
            drained = self._advance(state, SHARDS, state.clock)._replace(late_moments=(None, None))
            at = TABLES[0] if self.lacks("an erasure deletes table by table") else "leads"
            after = self._rebuild_lead(drained, FIRST, self._read(state))
            yield "erase", FIRST, self._set(after, session, Work("erasure", at))

    def _erase(self, state: State, session: int, work: Work) -> Steps:
        locks, is_beside = self.tenants_of({FIRST}), self.lacks("an erasure deletes a letter beside a batch")
        is_free = not any(map(state.holders, locks)) and not self._meets(state, locks)
        is_refused, done, left = state.place == FIRST, Work("erasure", "done"), Work("erasure", "leads")
        held = Work("erasure", "locked", owns=frozenset() if is_beside else QUEUE, locks=locks)
        if work.at in TABLES and is_free:
            held = Work("erasure", f"delete {work.at}", locks=locks)
            yield f"hold {work.at}", self._set(state, session, done if is_refused else held)
        elif work.at.startswith("delete "):
            table = work.at.removeprefix("delete ")
            following = Work("erasure", (*TABLES, "leads")[TABLES.index(table) + 1])
            yield work.at, self._end(self._delete(state, (table,)), session, following)
        elif work.at == "leads" and is_free and (is_beside or state.is_queue_free):
            yield "lock", self._set(state, session, held)
        elif work.at == "locked":
            yield (
                "recompute",
                self._set(state, session, work._replace(at="recomputed", read=self._read(state))),
            )
        elif work.at == "recomputed":
            is_left = self._rebuild_lead(state, FIRST, work.read).rows[0][0] != NOTHING
            is_left = is_left and not self.lacks("an erasure deletes the rows of a lead itself")
            deleted = self._set(state, session, work._replace(at="deleted"))
            yield "delete", self._end(state, session, done if is_refused else left) if is_left else deleted
        elif work.at == "deleted":
            after = self._delete(self._rebuild_lead(state, FIRST, work.read), TABLES, work.read)
            yield "commit", self._end(state if is_refused else after, session, done)

    def _delete(self, state: State, tables: tuple[str, ...], read: Read | None = None) -> State:
        """Delete rows of the first lead, and leave the statistics."""
        shown, is_whole = state.rows[0]
        row = (
            NOTHING if "lead_conversations" in tables else shown,
            is_whole and "lead_messages" not in tables,
        )
        key = NOWHERE if "source_keys" in tables and state.key == FIRST else state.key
        letter, late = state.letter, state.late - {FIRST} if "late_keys" in tables else state.late
        if read is not None and letter == FIRST:
            is_gone = self.lacks("an erasure deletes the letter of a key that has moved on")
            letter = NOWHERE if is_gone else read.place or state.key
        return state._replace(rows=(row, state.rows[1]), key=key, late=late, letter=letter)

    # Sessions.

    @staticmethod
    def _read(state: State) -> Read:
        return Read(state.place, len(state.changes) - 1, state.key)

    def _new_lead(self, work: Work, read: Read) -> int:
        return read.place if self.tenants_of({read.place}) <= work.tenants else NOWHERE

    @staticmethod
    def _set(state: State, session: int, work: Work | None) -> State:
        works = (*state.works[:session], work, *state.works[session + 1 :])
        if work is not None and work.waits:
            return state._replace(works=works)
        return state._replace(
            works=works, line=tuple(waiting for waiting in state.line if waiting != session)
        )

    def _wait(self, state: State, session: int, work: Work, what: str) -> State:
        line = state.line if session in state.line else (*state.line, session)
        return self._set(state._replace(line=line), session, work._replace(waits=what))

    def _again(self, state: State, session: int, work: Work) -> State:
        return self._end(
            state, session, None if work.kind == "retry" else Work(work.kind, "again", of=work.of)
        )

    def _end(self, state: State, session: int, following: Work | None = None, *, took: bool = False) -> State:
        """End a transaction, which returns what it took unless it commits; sessions that waited for it continue."""
        work = state.works[session]
        if not took and work is not None:
            queue = state.queue if work.took is None else state.queue | {work.took}
            late = work.late if work.kind == "piece" else frozenset()
            state = state._replace(queue=queue, late=state.late | late)
        return self._wake(self._set(state, session, following))

    def _wake(self, state: State) -> State:
        """Let sessions continue, in the order in which they came, if what they wait for is free."""
        for session in state.line:
            work, after = state.works[session], state
            assert work is not None
            if work.waits == "lock":
                after = self._lock(state, session, work)
            elif work.waits == "batches":
                still = frozenset(
                    n for n in work.waits_for if (other := state.works[n]) is not None and other.locks
                )
                work = work._replace(waits_for=still)
                after = self._set(state, session, work) if still else self._deferred(state, session, work)
            elif work.waits == "key" and not state.is_key_noted:
                # What another session has brought in is in the way.
                is_free, noted = state.key == NOWHERE, work._replace(waits="")
                after = self._set(state, session, noted) if is_free else self._again(state, session, work)
            elif work.waits == "queue" and state.is_queue_free:
                after = self._set(state, session, work._replace(at="taken", owns=QUEUE, waits=""))
            if after.line != state.line:
                return self._wake(after)
            state = after
        return state

    # As-of.

    @staticmethod
    def _advance(state: State, shards: tuple[int, ...], moment: int) -> State:
        first, second = (max(old, moment) if n in shards else old for n, old in enumerate(state.moments))
        return state._replace(moments=(first, second))

    def _advance_shard(self, state: State, work: Work) -> State:
        if work.set_backs != state.set_backs and not self.lacks("a batch stores a void moment"):
            return state
        shards = SHARDS if self.lacks("a waiting change does not hold freshness back") else (work.of,)
        return self._advance(state, shards, work.moment)

    def _lower_moments(self, state: State) -> State:
        """Let moments claim nothing if the clock is behind one that a session has seen."""
        if not self.world.clock_steps:
            return state
        is_behind = state.clock < state.newest
        is_all = is_behind and not self.lacks("a batch does not compare the newest clock")
        first, second = (NOTHING if is_all or moment > state.clock else moment for moment in state.moments)
        state = state._replace(newest=state.clock, is_set_back=state.is_set_back and not is_behind)
        return state._replace(moments=(first, second), set_backs=state.set_backs + is_behind)
