"""What writes and asks, and notes it: writers of every isolation level, and callers of the API, as threads.

A line of a history has `kind`: `write`, `read`, `walk`, `feed`, `stats` or `event`; the checker says what it takes.
"""

import json
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPMessage
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urljoin

import psycopg
from psycopg.rows import TupleRow

Line = dict[str, Any]

MASS = "mass"
"""The tenant whose leads are changed all at once, and do not fit on one page."""
LEADS = {"t1": 12, "t2": 12, "t3": 12, "t4": 12, MASS: 260}
ISOLATIONS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
TIMEOUT = 30.0
# What the history has of a lead.
KEPT = ("customer_phone", "name", "lead_status", "last_message_at", "first_contact_at", "platforms")

# The writers of a lead take turns at its row of the ledger.
PREPARE = """
CREATE TABLE ledger (phone text PRIMARY KEY, number integer NOT NULL, alive boolean NOT NULL, op integer, status text);
CREATE VIEW written AS
    SELECT *, 'c-' || phone AS id, phone::bigint AS place, 'v' || number || '-' || op AS name FROM ledger;
INSERT INTO users (user_id) SELECT unnest(%(tenants)s::text[]);
INSERT INTO phone_numbers (id, user_id, platform)
    SELECT user_id || '-' || n, user_id, (ARRAY['whatsapp', 'instagram'])[n + 1] FROM users, generate_series(0, 1) AS n
    WHERE user_id = ANY(%(tenants)s::text[]);
INSERT INTO agents (agent_id, user_id, phone_number_id, name)
    SELECT id, user_id, id, 'Ava' FROM phone_numbers WHERE user_id = ANY(%(tenants)s::text[]);
INSERT INTO ledger (phone, number, alive) SELECT unnest(%(phones)s::text[]), 0, false
"""
# Each write gives a lead its next number, and the name and the newest message of that. Three leads at a time have the
# same first contact, so that pages end among equal ones.
WRITE = """
SELECT FROM ledger WHERE phone = ANY(%(phones)s) ORDER BY phone FOR UPDATE;
UPDATE ledger SET number = number + 1, op = %(op)s, status = (ARRAY['Hot', 'Warm', 'Cold'])[1 + floor(random() * 3)],
    alive = NOT alive OR phone <> ALL(%(dying)s) WHERE phone = ANY(%(phones)s);
INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)
    SELECT id, %(tenant)s || '-' || place %% 2, phone, timestamp '2024-01-01' + place / 3 * interval '1 second'
    FROM written WHERE phone = ANY(%(phones)s) AND alive ON CONFLICT DO NOTHING;
INSERT INTO extractions (extraction_id, conversation_id, name, lead_status_tag)
    SELECT md5(id)::uuid, id, name, status FROM written WHERE phone = ANY(%(phones)s) AND alive
    ON CONFLICT (extraction_id) DO UPDATE SET name = excluded.name, lead_status_tag = excluded.lead_status_tag;
INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, sequence_no)
    SELECT phone || ':' || name, id, 'user', 'Hello',
        timestamp %(start)s - place %% 3 * interval '20 day' + number * interval '1 s', number
    FROM written WHERE phone = ANY(%(phones)s) AND alive;
DELETE FROM conversations WHERE conversation_id IN (SELECT id FROM written WHERE phone = ANY(%(phones)s) AND NOT alive);
SELECT phone, number, alive, CASE WHEN alive THEN status END FROM ledger WHERE phone = ANY(%(phones)s)
"""
CLOCK = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
AGAIN = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


def phones(tenant: str) -> list[str]:
    first = 49_100_000_001 + 1000 * list(LEADS).index(tenant)
    return [str(first + place) for place in range(LEADS[tenant])]


def prepare(conn: psycopg.Connection[TupleRow]) -> None:
    """Make the tenants, whose leads do not exist yet."""
    values = {"tenants": list(LEADS), "phones": [one for tenant in LEADS for one in phones(tenant)]}
    psycopg.ClientCursor(conn).execute(PREPARE, values)


@dataclass
class History:
    """The file that all threads write to, and its clock."""

    path: Path
    ops: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self._file = self.path.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._began

    def note(self, kind: str, **values: Any) -> None:  # noqa: ANN401  # Whatever is JSON.
        with self._lock:
            self._file.write(json.dumps({"kind": kind, **values}, separators=(",", ":")) + "\n")

    def close(self) -> None:
        self._file.close()


@dataclass
class Caller:
    """Asks the API on any of some nodes, and notes each answer."""

    history: History
    nodes: dict[str, int]
    """Their names and ports."""
    rng: Random
    name: str = ""
    """Where it is a session: it sends the as-of of its last answer about a tenant."""
    _kept: dict[str, tuple[str, Line]] = field(default_factory=dict)
    _seen: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, node: str = "", **headers: str) -> tuple[Line, Any, HTTPMessage]:
        """Return the line of an answer, with status 0 for none, its body and its headers."""
        node = node or self.rng.choice(list(self.nodes))
        line: Line = {"node": node, "sent": self.history.now(), "status": 0, "as_of": None}
        body: Any = b""
        found = HTTPMessage()
        with closing(HTTPConnection("127.0.0.1", self.nodes[node], timeout=TIMEOUT)) as connection:
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                body, found = answer.read(), answer.headers
                line |= {"status": answer.status, "as_of": found["X-Data-As-Of"]}
            except (OSError, HTTPException):
                time.sleep(0.1)
        line["received"] = self.history.now()
        if line["status"] == 200:
            body = [json.loads(one) for one in body.splitlines()] if "ndjson" in path else json.loads(body)
        return line, body, found

    def read(self) -> None:
        tenant, what = self.rng.choice(list(LEADS)), self.rng.choice(("list", "list", "lead", "messages"))
        phone = self.rng.choice(phones(tenant))
        # The second answer mostly comes from memory.
        for _ in range(2):
            self.ask(what, tenant, phone)

    def ask(self, what: str, tenant: str, phone: str, min_as_of: str | None = None) -> None:
        """Ask for the list, a lead or its newest message; by the tag of the last answer now and then."""
        ways = {
            "list": "?limit=100",
            "lead": f"/{phone}?",
            "messages": f"/{phone}/messages?limit=1&sort_order=desc",
        }
        path, min_as_of = f"/users/{tenant}/leads{ways[what]}", min_as_of or self._seen.get(tenant)
        path += f"&min_as_of={quote(min_as_of)}" if min_as_of else ""
        tag, known = self._kept.get(path, ("", {}))
        line, body, headers = self.get(path, **({"If-None-Match": tag} if self.rng.random() < 0.5 else {}))
        found: Line = known if line["status"] == 304 else {"leads": [], "whole": True}
        if line["status"] == 200:
            found = _found(what, body)
            self._kept |= {} if min_as_of else {path: (headers["ETag"], found)}
        if self.name and line["as_of"] and line["status"] in (200, 404):
            self._seen[tenant] = line["as_of"]
        asked = {"what": what, "tenant": tenant, "phone": phone, "min_as_of": min_as_of}
        self.history.note("read", **line, **asked, **found, session=self.name and f"{self.name} {tenant}")

    def walk(self) -> None:
        """Read page after page by the links, on any node."""
        tenant, order = self.rng.choice(list(LEADS)), self.rng.choice(("asc", "desc"))
        limit = 37 if tenant == MASS else self.rng.choice((1, 2, 4))
        start = path = f"/users/{tenant}/leads?sort_by=first_contact_at&sort_order={order}&limit={limit}"
        pages: list[Line] = []
        for _ in range(50):
            line, body, headers = self.get(path)
            if line["status"] == 200:
                pages.append({**line, "leads": _leads(body["data"])})
                path = urljoin(start, (headers["Link"] or "<>")[1:].partition(">")[0])
                if "Link" not in headers:
                    line |= {"node": "several", "sent": pages[0]["sent"], "as_of": None}
                    self.history.note("walk", **line, tenant=tenant, order=order, pages=pages)
                    return

    def count(self) -> None:
        """Read the list, the statistics, and the list again, on one node."""
        tenant, node = self.rng.choice(list(LEADS)[:-1]), self.rng.choice(list(self.nodes))
        asked = ("?limit=100", "/stats", "?lead_status=Hot&limit=1", "?limit=100")
        answers = [self.get(f"/users/{tenant}/leads{one}", node) for one in asked]
        if all(line["status"] == 200 for line, *_ in answers):
            (line, before, _), (_, stats, _), (_, hot, _), (_, after, _) = answers
            lists = {"before": _leads(before["data"]), "after": _leads(after["data"])}
            found = {"stats": stats["data"], "hot": hot["pagination"]["total"], "now": stats["timestamp"]}
            self.history.note("stats", **line, tenant=tenant, **lists, **found)


@dataclass
class Follower(Caller):
    """Keeps a copy of a tenant by the change feed, on nodes that have the same read model."""

    tenant: str = "t1"
    token: str = ""

    def follow(self) -> None:
        path = f"/users/{self.tenant}/lead-changes"
        if not self.token:
            _, body = self._ask("begin", path)
            if body and self._ask("export", f"/users/{self.tenant}/leads.ndjson")[1] is not None:
                self.token = body["next"]
            return
        path += f"?since={self.token}&limit={self.rng.choice((1, 2, 50, 500))}&wait={self.rng.choice((0, 1))}"
        line, body = self._ask("changes", path)
        if line["status"] == 410:
            self.token = ""
        # Now and then the answer is lost on its way: it asks again with the same token.
        elif body and self.rng.random() < 0.9:
            self.token = body["next"]
            if not body["hasMore"] and self.rng.random() < 0.5:
                end = ".ndjson" if self.tenant == MASS else "?limit=100"
                self._ask("list", f"/users/{self.tenant}/leads{end}")

    def _ask(self, what: str, path: str) -> tuple[Line, Any]:
        line, body, _ = self.get(path)
        found: Line = {"what": what, "tenant": self.tenant, "follower": self.name, "since": self.token}
        if line["status"] != 200:
            body = None
        elif what in ("export", "list"):
            found["leads"] = _leads(body if isinstance(body, list) else body["data"])
        else:
            found |= {"next": body["next"], "hasMore": body["hasMore"]}
            found["changes"] = [
                [one["customer_phone"], _leads([one["lead"]] * (not one["deleted"]))] for one in body["data"]
            ]
        self.history.note("feed", **line, **found)
        return line, body


def _leads(printed: list[Line]) -> list[Line]:
    return [{name: lead[name] for name in KEPT} for lead in printed]


def _found(what: str, body: Line) -> Line:
    """Return what the history has of an answer. A message tells the write that it is of, as a name does."""
    data = body["data"]
    if what == "messages":
        ids = (one["message_id"].partition(":") for one in data["messages"])
        return {"leads": [{"customer_phone": phone, "name": name} for phone, _, name in ids], "whole": True}
    if what == "lead":
        return {"leads": _leads([data]), "whole": True}
    return {"leads": _leads(data), "whole": not body["pagination"]["hasMore"]}


@dataclass
class Writer:
    """Writes through one connection, and asks for what it has written now and then."""

    caller: Caller
    url: str
    rng: Random
    start: str
    """The time of the first message of a lead."""
    conn: psycopg.Connection[TupleRow] | None = None

    def write(self) -> None:
        history, isolation = self.caller.history, self.rng.choice(ISOLATIONS)
        tenant = self.rng.choice(list(LEADS))
        size = self.rng.choice((1, 1, 2, 3) if tenant != MASS else (1, 20, LEADS[MASS]))
        chosen = self.rng.sample(phones(tenant), size)
        dying = [one for one in chosen if self.rng.random() < 0.1]
        op, began = next(history.ops), history.now()
        values = {"op": op, "tenant": tenant, "phones": chosen, "dying": dying, "start": self.start}
        leads, at, outcome = list[TupleRow](), None, "aborted"
        try:
            if self.conn is None or self.conn.closed:
                self.conn = psycopg.connect(self.url, autocommit=True, connect_timeout=5)
            self.conn.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
            cursor = psycopg.ClientCursor(self.conn).execute(WRITE, values)
            while cursor.nextset():
                leads = cursor.fetchall() if cursor.description else []
            # Now and then a commit comes late, among those of others.
            time.sleep(self.rng.uniform(0.1, 2.0) if self.rng.random() < 0.05 else 0)
            is_over = self.rng.random() < 0.05
            # A commit whose outcome, or whose moment, is not told may have come or not.
            outcome = "aborted" if is_over else "unknown"
            self.conn.execute("ROLLBACK" if is_over else "COMMIT")
            if not is_over:
                at, outcome = self.conn.execute(CLOCK).fetchall()[0][0], "ok"
        except psycopg.Error as error:
            outcome = "aborted" if isinstance(error, AGAIN) else outcome
            self.close()
        line = {"op": op, "tenant": tenant, "isolation": isolation.lower(), "leads": leads}
        history.note("write", **line, outcome=outcome, at=at, began=began, ended=history.now())
        if at and self.rng.random() < 0.3:
            self.caller.ask("lead", tenant, self.rng.choice(chosen), at)

    def close(self) -> None:
        if self.conn is not None:
            self.conn.close()


def keep_on(stopped: threading.Event, pause: float, turn: Callable[[], None]) -> None:
    """Take turns until it is stopped, about so many seconds one after the other."""
    rng = Random()
    while not stopped.wait(rng.uniform(0, 2 * pause)):
        turn()
