"""Judges a recorded history: `python -m tests.consistency.checker FILE` prints counts, and exits with 1 for a fault.

It shares no code with the product. All that it knows is what the documents promise, and how the writers work: whatever
they do to a lead gives it the next number, and the name `v<number>-<operation>`, which nothing else has. So a printed
name tells which write was seen, as in the histories of Elle. The writers of a lead take turns, by a lock of their own,
so that the numbers are the order of the commits; the moment of a commit is what the database's clock says after it.
"""

import json
import sys
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tests.consistency.statuses import Change, Changes, Reader, State, changes_of

Line = dict[str, Any]

PROMISES = {
    "as-of": "An answer shows all that was committed before its as-of, and nothing that was not committed.",
    "min_as_of": "An answer to min_as_of shows all that was committed before that moment.",
    "session": "A session that sends its last as-of as min_as_of never goes back, on any node.",
    "feed": "A copy that follows the change feed is the list.",
    "statuses": "What the feed of statuses tells, without what it withdraws, is the history of each lead.",
    "once": "It tells each change once, and again only after it has told that it was withdrawn.",
    "order": "It tells changes in the order in which they were written.",
    "true": "It tells, and withdraws, only what was a change of a status.",
    "pages": "Pages by cursor have each lead that stays in its place once, and none twice.",
    "statistics": "Each number of the statistics, and each total, is the count of the list.",
    "erasure": "What was there before an erasure is shown no more, and the tokens of the feed from before it end.",
    "failover": "The tokens of the feed from before a failover end.",
    "credentials": "A key or token is accepted until its end, reads its tenant alone, and is refused then.",
}
LATER = {"20 ms": 20_000, "100 ms": 100_000, "1 s": 1_000_000}
"""Microseconds by which the as-of of each answer is moved, to see how many would then be false: how sharp this is."""

LONGEST_KEY_SECONDS = 8
"""How long a key is valid at most that a guest has made."""

STATUSES = "status-changes"
"""The feed of changes of statuses."""

NEVER = -1
MILLISECOND = 1000


def moment(text: str | None) -> int:
    """Return a moment of the database in microseconds; NEVER for none."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000) if text else NEVER


def by_phone(leads: Iterable[Line]) -> dict[str, Line]:
    return {lead["customer_phone"]: lead for lead in leads}


def by_lead(changes: Iterable[Sequence[Any]]) -> dict[str, Changes]:
    """Return changes of statuses by the phone of their lead."""
    leads: dict[str, Changes] = {}
    for phone, extraction, status, changed_at in changes:
        leads.setdefault(phone, {})[extraction, status] = changed_at
    return leads


class Write(NamedTuple):
    """What a write made of a lead; `at` is the moment of its commit, where it is known."""

    number: int
    op: int
    alive: bool
    status: str | None
    began: float
    ended: float
    at: int
    changes: Changes
    """Those of its status."""
    extractions: frozenset[str]


@dataclass
class Lead:
    """All that was ever written to a lead."""

    writes: dict[str, Write] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)
    # Those that are known to be committed, by their moment, and the greatest number up to each.
    committed: list[Write] = field(default_factory=list)
    greatest: list[int] = field(default_factory=list)
    deletions: list[Write] = field(default_factory=list)
    # After which numbers an answer may show a part of a write.
    edges: set[int] = field(default_factory=lambda: {1})
    states: list[State] = field(default_factory=lambda: [State(0, NEVER, {})])

    def finish(self) -> None:
        """Order what was written, once all of it is known."""
        timed = (write for write in self.writes.values() if write.at != NEVER)
        self.committed = sorted(timed, key=lambda write: write.at)
        for write in self.committed:
            self.greatest.append(max([write.number, *self.greatest[-1:]]))
        # A write whose outcome was not told did not happen if another one has its number.
        taken = {write.number for write in self.committed}
        self.undone |= {
            name for name, write in self.writes.items() if write.at == NEVER and write.number in taken
        }
        done = sorted(
            (write for name, write in self.writes.items() if name not in self.undone),
            key=lambda write: write.number,
        )
        self.deletions = [write for write in done if not write.alive]
        self.edges |= {write.number + add for write in self.deletions for add in (0, 1)}
        # The key of a new extraction may not be known yet when its rows are read.
        self.edges |= {
            write.number
            for before, write in pairwise(done)
            if before.at == NEVER or not write.extractions <= before.extractions
        }
        self.states += [State(write.number, write.began, write.changes) for write in done]

    def needed(self, until: int, ended: float) -> int:
        """Return the number of the newest commit up to a moment, of those that were over at a time."""
        newest = 0
        for place in range(bisect_right(self.committed, until, key=lambda write: write.at) - 1, -1, -1):
            if self.greatest[place] <= newest:
                break
            if self.committed[place].ended <= ended:
                newest = max(newest, self.committed[place].number)
        return newest

    def deleted(self, least: int, received: float) -> int | None:
        """Return the number of the first deletion from a number on that may have been seen before a time."""
        place = bisect_left(self.deletions, least, key=lambda write: write.number)
        return next((write.number for write in self.deletions[place:] if write.began <= received), None)

    def may_be_half(self, since: float, received: float) -> bool:
        """Return whether a write after a number made or deleted the lead, or made an extraction.

        Beyond its as-of, an answer may show half of it.
        """
        return any(
            since < write.number in self.edges and write.began <= received for write in self.writes.values()
        )

    def states_until(self, received: float) -> list[State]:
        """Return the states that may have been seen before a time."""
        return [state for state in self.states if state.began <= received]

    def seen(self, shown: Line | None, least: int, received: float) -> tuple[int, str]:
        """Return the number of the write that an answer shows, at least `least`, and what is wrong about it."""
        if shown is None:
            number = self.deleted(least, received) if least else 0
            return (
                number or 0,
                "" if number is not None else f"is missing, and write {least} was committed before",
            )
        name = shown["name"]
        write = self.writes.get(name)
        # Without a name, or with that which its conversation has where it has gone.
        if (write is None or not write.alive) and self.may_be_half(least, received):
            return 0, ""
        if write is None or write.began > received:
            return 0, f"shows {name}, which nobody had written"
        if name in self.undone:
            return 0, f"shows {name}, which was not committed"
        if not write.alive or shown.get("lead_status", write.status) != write.status:
            return 0, f"shows {name} with the status {shown.get('lead_status')}, and not {write.status}"
        late = write.number < least
        return write.number, f"shows {name}, and write {least} was committed before" if late else ""


class Mark(NamedTuple):
    """An erasure of leads, or a failover, where all tenants are meant; `at` is the moment of its end."""

    what: str
    database: str
    tenant: str | None
    phones: list[str]
    began: float
    ended: float
    at: int

    def concerns(self, line: Line) -> bool:
        """Return whether a request was sent to the database after the end, or to a standby that has the end."""
        place = line["node"].partition(" ")[0]
        place = "platform" if place == "standby" and self.at <= moment(line["as_of"]) != NEVER else place
        return self.tenant in (line["tenant"], None) and place == self.database and self.ended < line["sent"]


@dataclass
class Session:
    """What a caller has seen: the newest as-of, and the number of a write of each lead, and of its messages."""

    as_of: int = NEVER
    numbers: dict[str, int] = field(default_factory=dict)


@dataclass
class Copy:
    """What a follower of a feed has; `listed` is the list that it read at its token.

    By the phone of each lead, that is the lead, or the changes of its status.
    """

    token: str
    whole: Line
    """The last answer after which the copy was whole, or the beginning."""
    leads: dict[str, Any] = field(default_factory=dict)
    listed: dict[str, Any] | None = None
    reader: Reader = field(default_factory=Reader)


@dataclass
class Judge:
    """Reads a history twice: first what was written, then what was answered."""

    leads: dict[str, dict[str, Lead]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Lead)))
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    faults: list[tuple[str, str]] = field(default_factory=list)
    clock_is_set_back: bool = False
    sessions: dict[str, Session] = field(default_factory=lambda: defaultdict(Session))
    copies: dict[str, Copy] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    # By the phone of a lead: when its erasures ended on the platform, and the newest write that each has to have seen.
    erased: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    # When a follower was told a token first, since it began with that.
    told: dict[tuple[str, str], float] = field(default_factory=dict)
    # The tokens with which followers began with no lead at all.
    of_nothing: set[tuple[str, str]] = field(default_factory=set)

    def read(self, lines: Callable[[], Iterable[Line]]) -> "Judge":
        """Judge a history; `lines` begins it anew at each call."""
        notes = {"write": self._write, "event": self._event, "mark": self._mark}
        for line in lines():
            if line["kind"] in notes:
                notes[line["kind"]](line)
        for tenant in self.leads.values():
            for lead in tenant.values():
                lead.finish()
        self.marks.sort(key=lambda mark: mark.began)
        for mark in self.marks:
            # The source of a subscriber may be behind that of the platform.
            for phone in mark.phones if mark.database == "platform" else ():
                seen = self.leads[mark.tenant or ""][phone].needed(sys.maxsize, mark.began)
                self.erased[phone].append((mark.ended, seen))
        judges = {"read": self._read, "walk": self._walk, "feed": self._feed, "stats": self._stats}
        judges |= {"access": self._access, "table": self._table}
        for line in lines():
            if line["kind"] in judges:
                self.counts["answers"][f"{line['kind']}, {line['node']}, {line['status']}"] += 1
                judges[line["kind"]](line)
        return self

    def _event(self, line: Line) -> None:
        self.counts["faults and what else was done"][line["what"]] += 1
        self.clock_is_set_back |= line["what"] == "the clock is set back"

    def _mark(self, line: Line) -> None:
        self.counts["faults and what else was done"][f"{line['what']} on the {line['database']}"] += 1
        times = line["began"], line["ended"], moment(line["at"])
        self.marks.append(Mark(line["what"], line["database"], line["tenant"], line["phones"], *times))

    def _write(self, line: Line) -> None:
        self.counts["writes"][f"{line['isolation']}, {line['outcome']}"] += 1
        for tenant, phone, number, alive, status, extractions in line["leads"]:
            lead, name = self.leads[tenant][phone], f"v{number}-{line['op']}"
            times = line["began"], line["ended"], moment(line["at"])
            of_history = changes_of(extractions or ()), frozenset(id_ for id_, *_ in extractions or ())
            lead.writes[name] = Write(number, line["op"], alive, status, *times, *of_history)
            if line["outcome"] == "aborted":
                lead.undone.add(name)

    def _fault(self, promise: str, line: Line, sentence: str) -> None:
        where = f"{line['kind']} of {line['tenant']} on {line['node']} at {line['received']:.3f} s"
        self.faults.append((promise, f"{where}, as of {line['as_of']}: {sentence}"))

    def _limit(self, line: Line) -> float:
        """Return when a commit that an answer has to show was over.

        While the database's clock never goes back, whatever has an earlier moment than the answer came before it.
        """
        return float(line["sent"] if self.clock_is_set_back else line["received"])

    def _show(self, line: Line, phones: Iterable[str], promise: str = "as-of") -> None:
        """Judge which write of each lead an answer shows."""
        shown, leads = by_phone(line["leads"]), self.leads[line["tenant"]]
        as_of, least = moment(line["as_of"]), moment(line.get("min_as_of"))
        session = self.sessions[line["session"]] if line.get("session") else Session()
        limit, received, printed = self._limit(line), line["received"], shown.get
        later: set[str] = set()
        for phone in phones:
            # Beyond the as-of, an answer may show a part of a write, and each database another one.
            lead, part = leads[phone], f"{line.get('what') == 'messages'} {phone}"
            own = f"{line['node'].partition(' ')[0]} {part}"
            ended = (floor for end, floor in self.erased[phone] if end < line["sent"])
            floors = {promise: lead.needed(as_of, limit), "session": session.numbers.get(own, 0)}
            floors["erasure"] = max(ended, default=0) if line["node"].startswith("platform") else 0
            if least > as_of:
                floors["min_as_of"] = lead.needed(least, limit)
            wrongs: dict[str, str] = {}
            for broken, floor in floors.items():
                number, wrong = lead.seen(printed(phone), floor, received)
                wrongs |= {wrong: broken} if wrong not in wrongs else {}
            for wrong in filter(None, wrongs):
                self._fault(wrongs[wrong], line, f"lead {phone} {wrong}")
            if [*wrongs] == [""]:
                session.numbers[own] = max(number, session.numbers.get(own, 0))
                newer = number < session.numbers.get(part, 0) and printed(phone) is not None
                self.counts["judged"]["leads that another database had shown newer, beyond its as-of"] += (
                    newer
                )
                session.numbers[part] = max(number, session.numbers.get(part, 0))
            if as_of != NEVER:
                needed = {name: lead.needed(as_of + by, limit) for name, by in LATER.items()}
                later |= {
                    name for name, floor in needed.items() if lead.seen(printed(phone), floor, received)[1]
                }
            self.counts["judged"]["leads in answers"] += 1
        self.counts["judged"][f"answers {'with' if as_of != NEVER else 'without'} an as-of"] += 1
        self.counts["false, were each as-of later by"].update(later)

    def _read(self, line: Line) -> None:
        if line["status"] not in (200, 304, 404):
            return
        as_of, least = moment(line["as_of"]), moment(line["min_as_of"])
        if least != NEVER:
            self.counts["judged"]["answers to min_as_of"] += 1
            if as_of < least // MILLISECOND * MILLISECOND:
                self._fault("min_as_of", line, f"min_as_of is {line['min_as_of']}")
        if line["session"]:
            session = self.sessions[line["session"]]
            if NEVER < as_of < session.as_of:
                self._fault("session", line, "the as-of went back")
            session.as_of = max(as_of, session.as_of)
        everybody = [*self.leads[line["tenant"]]] if line["what"] == "list" else [line["phone"]]
        self._show(line, everybody if line["whole"] else by_phone(line["leads"]))
        self._count_total(line)

    def _count_total(self, line: Line) -> None:
        if line.get("whole", True) and line.get("total", len(line["leads"])) != len(line["leads"]):
            self._fault("statistics", line, f"the total {line['total']} of {len(line['leads'])} leads")

    def _access(self, line: Line) -> None:
        """Judge whether a credential was accepted that should be, and no other."""
        self.counts["judged"]["requests with a credential that ends"] += 1
        is_accepted, is_own = line["status"] in (200, 304, 404), line["tenant"] == line["reads"]
        if is_accepted and (not is_own or line["sent"] > line["ends"]):
            self._fault(
                "credentials", line, f"a credential of {line['reads']} that ended at {line['ends']:.3f} s"
            )
        is_refused = line["status"] in ((401, 403) if is_own else (401,))
        if line["received"] < line["valid"] and is_refused and not self._has_erased_key(line):
            self._fault("credentials", line, f"a credential of {line['reads']} got {line['status']}")

    def _has_erased_key(self, line: Line) -> bool:
        """Return whether a key went with its tenant, which was erased since the key was made."""
        made = line["valid"] - LONGEST_KEY_SECONDS
        return line["guest"] != "token" and any(
            mark.what == "erasure"
            and mark.tenant == line["reads"]
            and len(mark.phones) > 1
            and mark.began < line["received"]
            and made < mark.ended
            for mark in self.marks
        )

    def _walk(self, line: Line) -> None:
        """Judge pages that were read by their cursors, in the order of the first contact, which never changes."""
        leads = [lead for page in line["pages"] for lead in page["leads"]]
        order = [(lead["first_contact_at"], lead["customer_phone"]) for lead in leads]
        if len(set(order)) != len(order) or order != sorted(order, reverse=line["order"] == "desc"):
            self._fault("pages", line, "a lead comes twice, or not in its order")
        since, shown = min(moment(page["as_of"]) for page in line["pages"]), by_phone(leads)
        for phone, lead in self.leads[line["tenant"]].items():
            needed = lead.needed(since, self._limit(line))
            if needed and phone not in shown and lead.deleted(needed, line["received"]) is None:
                self._fault("pages", line, f"{phone} is missing, which stayed in its place")
        for page in line["pages"]:
            self._show({**line, **page}, by_phone(page["leads"]))
        self.counts["judged"]["walks over pages"] += 1

    def _feed(self, line: Line) -> None:
        """Keep the copy of a follower, and judge it whenever it should be the list."""
        if line["status"] != 200:
            return
        follower = line["follower"]
        self._judge_token(line, follower)
        copy = self.copies.get(follower)
        if line["what"] == "old":
            if copy is not None and line["feed"] == STATUSES:
                self._read_again(copy, line)
            return
        if "next" in line:
            is_new = line["what"] == "begin" or (follower, line["next"]) not in self.told
            self.told |= {(follower, line["next"]): line["received"]} if is_new else {}
        if line["what"] == "begin":
            self.copies[follower] = Copy(line["next"], line, reader=Reader(places={line["next"]: 0}))
        elif copy is not None and "changes" in line:
            if line["is_kept"]:
                self._follow(copy, line)
        elif copy is not None:
            self._list(copy, line)

    def _judge_token(self, line: Line, follower: str) -> None:
        """Judge whether a token is of after all erasures and failovers."""
        token = follower, line["since"]
        # From a beginning with nothing on, every lead is told.
        told = sys.maxsize if token in self.of_nothing else self.told.get(token, sys.maxsize)
        for mark in self.marks[bisect_right(self.marks, told, key=lambda mark: mark.began) :]:
            if mark.concerns(line):
                self._fault(
                    mark.what,
                    line,
                    f"its token is of {told:.3f} s, before the {mark.what} that ended at {mark.ended:.3f} s",
                )

    def _list(self, copy: Copy, line: Line) -> None:
        """Keep what a follower lists, or begins with."""
        self._count_total(line)
        if line["feed"] == STATUSES:
            listed: dict[str, Any] = by_lead(line["leads"])
            self._show_statuses(line, listed)
        else:
            listed = by_phone(line["leads"])
            self._show(line, self.leads[line["tenant"]])
        if line["what"] == "export" and not line["leads"]:
            self.of_nothing.add((line["follower"], copy.token))
        setattr(copy, "leads" if line["what"] == "export" else "listed", listed)

    def _follow(self, copy: Copy, line: Line) -> None:
        is_all = line["what"] == "changes" and (line["changes"], line["next"]) == ([], line["since"])
        if copy.listed is not None and is_all:
            self.counts["judged"]["copies of the feed"] += 1
            if copy.listed != copy.leads:
                promise = "statuses" if line["feed"] == STATUSES else "feed"
                self._fault(promise, line, "the copy is not the list")
        copy.listed = None
        kind = "changes of statuses" if line["feed"] == STATUSES else "changes"
        source = "an event stream" if line["what"] == "stream" else "the feed"
        self.counts["judged"][f"{kind} of {source}"] += len(line["changes"])
        if line["feed"] == STATUSES:
            self._follow_statuses(copy, line)
            return
        for phone, lead in line["changes"]:
            copy.leads.pop(phone, None)
            copy.leads |= by_phone(lead)
        if not line["hasMore"]:
            self._show({**line, "leads": copy.leads.values()}, self.leads[line["tenant"]], "feed")

    def _follow_statuses(self, copy: Copy, line: Line) -> None:
        """Apply changes of statuses to a copy, and judge whether each is told once, in order, and is true."""
        for phone, *change, changed_at, is_withdrawn in line["changes"]:
            self._tell(copy, line, phone, (change[0], change[1]), None if is_withdrawn else changed_at)
        copy.reader.places.setdefault(line["next"], copy.reader.count)
        if not line["hasMore"]:
            copy.whole = line
            self._show_statuses(line, copy.leads)

    def _tell(self, copy: Copy, line: Line, phone: str, change: Change, changed_at: str | None) -> None:
        lead, received = self.leads[line["tenant"]][phone], line["received"]
        # Since the copy was whole, only later states are told.
        least = lead.needed(moment(copy.whole["as_of"]), self._limit(copy.whole))
        before = copy.reader.told.get((phone, change))
        if changed_at is not None and before is not None and before.changed_at is not None:
            # Whatever was written meanwhile.
            self._fault("once", line, f"lead {phone}: {change} is told again, and was not withdrawn")
        elif changed_at is not None and before is not None and before.was_told:
            self.counts["judged"]["changes of statuses that were told, withdrawn and told"] += 1
        broken = copy.reader.tell(phone, change, changed_at, lead.states_until(received), least)
        if broken and not lead.may_be_half(min(least, before.number if before else least), received):
            said = "withdrawn" if changed_at is None else f"told at {changed_at}"
            self._fault(broken, line, f"lead {phone}: {change} is {said}")
        of_lead = copy.leads.setdefault(phone, {})
        of_lead.pop(change, None)
        if changed_at is not None:
            of_lead[change] = changed_at
        elif not of_lead:
            del copy.leads[phone]

    def _read_again(self, copy: Copy, line: Line) -> None:
        """Judge what is told since an older token: what was not written again since comes in the order as before."""
        if line["since"] not in copy.reader.places:
            return
        begin = place = copy.reader.places[line["since"]]
        self.counts["judged"]["changes of statuses that were read again"] += len(line["changes"])
        for phone, *change, changed_at, is_withdrawn in line["changes"]:
            lead, key = self.leads[line["tenant"]][phone], (change[0], change[1])
            before = copy.reader.told.get((phone, key))
            # What was written again meanwhile comes later.
            if (
                before is None
                or before.changed_at != (None if is_withdrawn else changed_at)
                or copy.reader.may_come_again(phone, key, lead.states_until(line["received"]))
                or lead.may_be_half(before.number, line["received"])
            ):
                continue
            if before.place <= place:
                broken = "once" if before.place <= begin else "order"
                self._fault(broken, line, f"lead {phone}: {key} was told before")
            place = max(place, before.place)

    def _show_statuses(self, line: Line, shown: dict[str, Changes]) -> None:
        """Judge whether the changes of the statuses of all leads are those that their extractions make."""
        as_of, limit, received = moment(line["as_of"]), self._limit(line), line["received"]
        self.counts["judged"]["histories of statuses"] += 1
        for phone, lead in self.leads[line["tenant"]].items():
            least, of_lead = lead.needed(as_of, limit), shown.get(phone, {})
            is_so = any(
                state.number >= least and state.changes == of_lead for state in lead.states_until(received)
            )
            if not is_so and not lead.may_be_half(least, received):
                self._fault(
                    "statuses", line, f"lead {phone} shows {of_lead}, and write {least} was committed"
                )

    def _table(self, line: Line) -> None:
        """Judge the rows of the view of a database at the end, and the copies that are of no earlier moment."""
        stored = by_lead(line["changes"])
        self._show_statuses(line, stored)
        for follower, copy in self.copies.items():
            whole, place = copy.whole, copy.whole["node"].partition(" ")[0]
            is_of_it = (whole["feed"], whole["tenant"], place) == (STATUSES, line["tenant"], line["node"])
            if is_of_it and moment(whole["as_of"]) >= moment(line["as_of"]):
                self.counts["judged"]["copies of statuses at the end"] += 1
                if copy.leads != stored:
                    self._fault("statuses", line, f"the copy of {follower} is not the table")

    def _stats(self, line: Line) -> None:
        """Compare statistics with the list that was the same before and after them."""
        if line["before"] != line["after"]:
            return
        self.counts["judged"]["statistics"] += 1
        expected = count(line["before"], datetime.fromisoformat(line["now"]))
        if (line["stats"], line["hot"]) != (expected, expected["hot_leads"]):
            self._fault(
                "statistics", line, f"{line['stats']} and {line['hot']} hot ones in the list, not {expected}"
            )


def count(leads: list[Line], now: datetime) -> dict[str, Any]:
    """Return the statistics of a list, counted one by one."""
    statuses = Counter(lead["lead_status"] for lead in leads)
    platforms = Counter(platform for lead in leads for platform in lead["platforms"])
    times = [lead["last_message_at"] for lead in leads if lead["last_message_at"]]
    ages = [now - datetime.fromisoformat(time) for time in times]
    return {
        "total_leads": len(leads),
        "leads_with_extraction": sum(lead["name"] is not None for lead in leads),
        **{f"{status.lower()}_leads": statuses[status] for status in ("Hot", "Warm", "Cold")},
        "by_platform": {platform: platforms[platform] for platform in ("whatsapp", "instagram", "webchat")},
        **{f"leads_last_{days}_days": sum(age <= timedelta(days=days) for age in ages) for days in (7, 30)},
    }


def judge(path: Path) -> Judge:
    """Judge the history in a file."""

    def lines() -> Iterator[Line]:
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    return Judge().read(lines)


def report(judged: Judge) -> str:
    """Return the counts of a history and its first faults."""
    broken = Counter(promise for promise, _ in judged.faults)
    counts = {
        **judged.counts,
        "broken": {sentence: broken[promise] for promise, sentence in PROMISES.items()},
    }
    text = [
        f"\n| {title} | |\n|---|--:|\n"
        + "\n".join(f"| {name} | {numbers[name]:,} |" for name in sorted(numbers))
        for title, numbers in counts.items()
    ]
    return "\n".join([*text, "", *(f"{promise}: {sentence}" for promise, sentence in judged.faults[:100])])


if __name__ == "__main__":
    result = judge(Path(sys.argv[1]))
    sys.stdout.write(f"{report(result)}\n")
    sys.exit(bool(result.faults))
