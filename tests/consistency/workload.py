"""What writes and asks, and notes it: writers of every isolation level, and callers of the API, as threads.

A line of a history has `kind`, such as `write`, `read` or `feed`; the checker says what it takes.
"""

import json
import math
import re
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urljoin

import psycopg
from joserfc import jwt
from joserfc.jwk import OctKey
from psycopg.rows import TupleRow

Line = dict[str, Any]

MASS = "mass"
"""The tenant whose leads are changed all at once, and do not fit on one page."""
PARTED = "parted"
"""The tenant whose extractions are written while their partition is detached, which replication does not see."""
LEADS = {"t1": 12, "t2": 12, "t3": 12, "t4": 12, PARTED: 6, MASS: 260}
MOVING = ("t1", "t2", "t3", "t4")
"""The tenants among which conversations move."""
ISOLATIONS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
TIMEOUT = 30.0
HISTORY = "leads/status-history.ndjson"
# What the history has of a lead, and of a change of a status.
KEPT = ("customer_phone", "name", "lead_status", "last_message_at", "first_contact_at", "platforms")
KEPT_OF_CHANGE = ("customer_phone", "extraction_id", "lead_status", "changed_at")

CREATE_TENANTS = """
INSERT INTO users (user_id) SELECT unnest(%(tenants)s::text[]);
INSERT INTO phone_numbers (id, user_id, platform)
    SELECT user_id || '-' || n, user_id, (ARRAY['whatsapp', 'instagram'])[n + 1] FROM users, generate_series(0, 1) AS n
    WHERE user_id = ANY(%(tenants)s::text[]);
INSERT INTO agents (agent_id, user_id, phone_number_id, name)
    SELECT id, user_id, id, 'Ava' FROM phone_numbers WHERE user_id = ANY(%(tenants)s::text[]);
"""
# The writers of a lead take turns at its row of the ledger, where `id` is its conversation, now or when it had one.
PREPARE = f"""
CREATE SEQUENCE moments;
CREATE TABLE ledger (phone text PRIMARY KEY, number integer NOT NULL, alive boolean NOT NULL, op integer, status text,
    tenant text, id text, winner integer);
CREATE VIEW written AS SELECT *, phone::bigint AS place, 'v' || number || '-' || op AS name FROM ledger;
CREATE FUNCTION extraction_of(id text, tenant text, n integer) RETURNS uuid IMMUTABLE
    RETURN overlay(md5(id || n) PLACING CASE tenant WHEN '{PARTED}' THEN 'ffffffff' ELSE '00000000' END FROM 1)::uuid;
{CREATE_TENANTS}
INSERT INTO ledger (phone, number, alive, tenant, id)
    SELECT phone, 0, false, tenant, 'c-' || phone
    FROM unnest(%(phones)s::text[], %(owners)s::text[]) AS n (phone, tenant)
"""
# Each write gives a lead its next number, and the name and the newest message of that. Leads of sixteen writes have the
# same first contact, so that pages end among equal ones. Where one of two leads is there and the other is not, its
# conversation moves.
#
# A conversation has up to three extractions, which come, go and are edited, at few moments, some of them within a
# millisecond. The winner of a write has its name and status; that is the one which is the latest, or else the newest.
WRITE = """
SELECT FROM ledger WHERE phone = ANY(%(phones)s) ORDER BY phone FOR UPDATE;
UPDATE ledger AS l SET id = o.id FROM ledger AS o WHERE %(moving)s AND o.alive <> l.alive
    AND l.phone = ANY(%(phones)s) AND o.phone = ANY(%(phones)s);
UPDATE ledger SET number = number + 1, op = %(op)s, status = (ARRAY['Hot', 'Warm', 'Cold'])[1 + floor(random() * 3)],
    winner = floor(random() * 3), alive = NOT (alive OR %(gone)s) OR phone <> ALL(%(dying)s)
    WHERE phone = ANY(%(phones)s);
INSERT INTO conversations AS c (conversation_id, agent_id, customer_phone, created_at)
    SELECT id, tenant || '-' || place %% 2, phone, timestamp '2024-01-01' + place / 3 * interval '1 second'
    FROM written WHERE phone = ANY(%(phones)s) AND alive ON CONFLICT (conversation_id) DO UPDATE
    SET (agent_id, customer_phone, created_at) = (excluded.agent_id, excluded.customer_phone, excluded.created_at)
    WHERE c.customer_phone <> excluded.customer_phone;
DELETE FROM extractions AS e USING written AS w
    WHERE w.phone = ANY(%(phones)s) AND w.alive AND e.conversation_id = w.id AND random() < 0.2;
UPDATE extractions AS e SET name = 'none', is_latest = false, extracted_at = least(e.extracted_at, '2025-01-01 11:00')
    FROM written AS w WHERE w.phone = ANY(%(phones)s) AND w.alive AND e.conversation_id = w.id
    AND e.extraction_id <> extraction_of(w.id, w.tenant, w.winner) AND e.name <> 'none';
INSERT INTO extractions (extraction_id, conversation_id, name, lead_status_tag, is_latest, extracted_at)
    SELECT extraction_of(w.id, w.tenant, n), w.id, CASE WHEN n = w.winner THEN w.name ELSE 'none' END,
        CASE WHEN n = w.winner THEN w.status ELSE (ARRAY['Hot', 'Warm', 'Cold', NULL])[1 + floor(random() * 4)] END,
        n = w.winner AND w.is_latest,
        CASE WHEN n = w.winner AND NOT w.is_latest THEN '2025-01-02' ELSE (ARRAY[NULL, '2025-01-01 10:00',
            '2025-01-01 10:00:00.0004', '2025-01-01 10:00:00.0008', '2025-01-01 11:00'])[1 + floor(random() * 5)]
        END::timestamp
    FROM (SELECT *, random() < 0.7 AS is_latest FROM written WHERE phone = ANY(%(phones)s) AND alive) AS w,
        generate_series(0, 2) AS n
    WHERE n = w.winner OR random() < 0.15 ON CONFLICT (extraction_id) DO UPDATE
    SET (name, lead_status_tag, is_latest, extracted_at)
        = (excluded.name, excluded.lead_status_tag, excluded.is_latest, excluded.extracted_at);
INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, sequence_no)
    SELECT phone || ':' || name, id, 'user', 'Hello',
        timestamp %(start)s - place %% 3 * interval '20 day' + moment / 16 * interval '1 s', moment
    FROM written, nextval('moments') AS moment WHERE phone = ANY(%(phones)s) AND alive;
DELETE FROM conversations WHERE conversation_id IN (SELECT id FROM written WHERE phone = ANY(%(phones)s) AND NOT alive);
SELECT tenant, phone, number, alive, CASE WHEN alive THEN status END,
    (SELECT json_agg(json_build_array(e.extraction_id, e.extracted_at, e.is_latest, e.lead_status_tag))
    FROM extractions AS e WHERE l.alive AND e.conversation_id = l.id)
    FROM ledger AS l WHERE phone = ANY(%(phones)s)
"""
PARTITION = """
ALTER TABLE extractions RENAME TO whole;
CREATE TABLE extractions (LIKE whole INCLUDING ALL, FOREIGN KEY (conversation_id) REFERENCES conversations
    ON DELETE CASCADE) PARTITION BY RANGE (extraction_id);
DROP TABLE whole;
CREATE TABLE first PARTITION OF extractions FOR VALUES FROM (MINVALUE) TO ('ffffffff-0000-0000-0000-000000000000');
CREATE TABLE parted PARTITION OF extractions FOR VALUES FROM ('ffffffff-0000-0000-0000-000000000000') TO (MAXVALUE)
"""
WRITE_DETACHED = f"""
ALTER TABLE extractions DETACH PARTITION parted;
{WRITE.replace("extractions", "parted")};
ALTER TABLE extractions ATTACH PARTITION parted FOR VALUES FROM ('ffffffff-0000-0000-0000-000000000000') TO (MAXVALUE)
"""
DELETE_TENANT = f"{WRITE}; DELETE FROM users WHERE user_id = %(tenant)s"
CLOCK = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
STATUS_CHANGES = """
SELECT customer_phone, extraction_id, lead_status,
    to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
FROM leads_sql.lead_status_changes WHERE user_id = %s
"""
AGAIN = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)

SECRET = "the secret of the consistency report"
REVOKED_SECONDS = 30.0
LEEWAY_SECONDS = 31.0
"""How long a key is accepted after it was revoked, and a token after its end, at most: docs/authentication.md."""


def token(ends: int, **claims: str) -> str:
    return jwt.encode({"alg": "HS256"}, {"exp": ends, **claims}, OctKey.import_key(SECRET))


EVERYTHING = token(2**40, scope="leads:read:all")
EVENT = re.compile(rb"id: (\S+)\ndata: (.*)\n")


def may_ask(node: str, path: str) -> bool:
    """Return whether a node has what is promised of the tenant of a path: DETACH is none of replication's changes."""
    return not (node.startswith("subscriber") and f"/users/{PARTED}/" in path)


def phones(tenant: str) -> list[str]:
    first = 49_100_000_001 + 1000 * list(LEADS).index(tenant)
    return [str(first + place) for place in range(LEADS[tenant])]


def prepare(conn: psycopg.Connection[TupleRow]) -> None:
    """Make the tenants, whose leads do not exist yet."""
    owners, numbers = zip(*((tenant, phone) for tenant in LEADS for phone in phones(tenant)), strict=True)
    values = {"tenants": list(LEADS), "phones": list(numbers), "owners": list(owners)}
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
        node = node or self.rng.choice([name for name in self.nodes if may_ask(name, path)])
        headers = {"Authorization": f"Bearer {EVERYTHING}", **headers}
        line: Line = {"node": node, "sent": self.history.now(), "status": 0, "as_of": None}
        body: Any = b""
        answered = HTTPMessage()
        with closing(HTTPConnection("127.0.0.1", self.nodes[node], timeout=TIMEOUT)) as connection:
            try:
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                body, answered = self._hear(answer) if "Accept" in headers else answer.read(), answer.headers
                line |= {"status": answer.status, "as_of": answered["X-Data-As-Of"]}
            except (OSError, HTTPException):
                time.sleep(0.1)
        line["received"] = self.history.now()
        if line["status"] == 200 and "Accept" not in headers:
            body = [json.loads(text) for text in body.splitlines()] if "ndjson" in path else json.loads(body)
        return line, body, answered

    def _hear(self, stream: HTTPResponse) -> bytes:
        """Return what comes by an event stream in a second or two; after five a comment comes."""
        ends, heard = time.monotonic() + self.rng.uniform(0.5, 2), b""
        while time.monotonic() < ends and (line := stream.readline()):
            heard += line
        return heard

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
        tag, kept = self._kept.get(path, ("", {}))
        line, body, headers = self.get(path, **({"If-None-Match": tag} if self.rng.random() < 0.5 else {}))
        seen: Line = kept if line["status"] == 304 else {"leads": [], "whole": True}
        if line["status"] == 200:
            seen = _found(what, phone, body)
            self._kept |= {} if min_as_of else {path: (headers["ETag"], seen)}
        if self.name and line["as_of"] and line["status"] in (200, 404):
            self._seen[tenant] = line["as_of"]
        asked = {"what": what, "tenant": tenant, "phone": phone, "min_as_of": min_as_of}
        self.history.note("read", **line, **asked, **seen, session=self.name and f"{self.name} {tenant}")

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
        answers = [self.get(f"/users/{tenant}/leads{query}", node) for query in asked]
        # A lead that came and went meanwhile leaves the same list with another tag.
        same = answers[0][2]["ETag"] == answers[-1][2]["ETag"]
        if same and all(line["status"] == 200 for line, *_ in answers):
            (line, before, _), (_, stats, _), (_, hot, _), (_, after, _) = answers
            lists = {"before": _leads(before["data"]), "after": _leads(after["data"])}
            judged = {"stats": stats["data"], "hot": hot["pagination"]["total"], "now": stats["timestamp"]}
            self.history.note("stats", **line, tenant=tenant, **lists, **judged)


@dataclass
class Follower(Caller):
    """Keeps a copy of a tenant by a feed, on nodes that have the same read model."""

    tenant: str = "t1"
    feed: str = "lead-changes"
    token: str = ""
    old: str = ""
    """A token from some seconds before."""

    def follow(self) -> None:
        path, of_leads = f"/users/{self.tenant}/{self.feed}", self.feed == "lead-changes"
        export = f"/users/{self.tenant}/{'leads.ndjson' if of_leads else HISTORY}"
        if not self.token:
            _, body = self._ask("begin", path)
            if body and self._ask("export", export)[1] is not None:
                self.token = body["next"]
            return
        if self.old and self.rng.random() < 0.2:
            self._ask("old", f"{path}?since={self.old}&limit={1 if of_leads else 500}", self.old)
        if self.rng.random() < 0.1:
            self.old = self.token
        path += f"?since={self.token}&limit={self.rng.choice((1, 2, 50, 500))}"
        is_stream = self.rng.random() < 0.2
        wait = "" if is_stream else f"&wait={self.rng.choice((0, 1))}"
        # Now and then it forgets the answer, as one that is killed before it remembers, and asks again with its token.
        is_kept = self.rng.random() < 0.9
        line, body = self._ask("stream" if is_stream else "changes", path + wait, is_kept=is_kept)
        if line["status"] == 410:
            self.token = ""
        elif body and is_kept:
            self.token = body["next"]
            if not body["hasMore"] and self.rng.random() < 0.5:
                is_whole = self.tenant == MASS or not of_leads
                self._ask("list", export if is_whole else f"/users/{self.tenant}/leads?limit=100")

    def catch_up(self) -> None:
        """Read until there is no more."""
        while self.token:
            path = f"/users/{self.tenant}/{self.feed}?since={self.token}&limit=500"
            _, body = self._ask("changes", path)
            if not body:
                break
            self.token = body["next"]
            if not body["hasMore"]:
                break

    def _ask(self, what: str, path: str, since: str = "", *, is_kept: bool = True) -> tuple[Line, Any]:
        line, body, headers = self.get(path, **({"Accept": "text/event-stream"} if what == "stream" else {}))
        note: Line = {"what": what, "tenant": self.tenant, "feed": self.feed, "is_kept": is_kept}
        note |= {"follower": f"{self.name} {self.feed}", "since": since or self.token}
        if what == "stream":
            events = [(at.decode(), json.loads(data)) for at, data in EVENT.findall(body)]
            line["status"] = 410 if b"event: gone" in body else line["status"]
            # It never says that there is nothing more.
            following = events[-1][0] if events else self.token
            body = {"next": following, "hasMore": True, "data": [data for _, data in events]}
        if line["status"] != 200:
            body = None
        elif what in ("export", "list"):
            printed = body if isinstance(body, list) else body["data"]
            note["leads"] = _leads(printed) if self.feed == "lead-changes" else [*map(_change, printed)]
            note["total"] = int(headers["X-Total-Count"] or body["pagination"]["total"])
        else:
            note |= {"next": body["next"], "hasMore": body["hasMore"]}
            note["changes"] = [
                [change["customer_phone"], _leads([change["lead"]] * (not change["deleted"]))]
                if self.feed == "lead-changes"
                else [*_change(change), change["withdrawn"]]
                for change in body["data"]
            ]
        self.history.note("feed", **line, **note)
        return line, body


def _change(printed: Line) -> list[str | None]:
    return [printed[name] for name in KEPT_OF_CHANGE]


def _leads(printed: list[Line]) -> list[Line]:
    return [{name: lead[name] for name in KEPT} for lead in printed]


def _found(what: str, phone: str, body: Line) -> Line:
    """Return what the history has of an answer. A message tells the write that it is of, as a name does.

    Before the whole of a move is there, the newest message may be of the lead that the conversation came from.
    """
    data = body["data"]
    if what == "messages":
        ids = (message["message_id"].partition(":") for message in data["messages"])
        names = [name if of == phone else None for of, _, name in ids]
        return {"leads": [{"customer_phone": phone, "name": name} for name in names], "whole": True}
    if what == "lead":
        return {"leads": _leads([data]), "whole": True}
    pagination = body["pagination"]
    return {"leads": _leads(data), "whole": not pagination["hasMore"], "total": pagination["total"]}


@dataclass
class Guest(Caller):
    """Asks with a credential until some seconds after its end, and then with another one."""

    keys: Callable[..., str] = lambda *_: ""
    """The command `keys`: it returns what that prints, and nothing where it failed."""
    credential: str = ""
    tenant: str = ""
    valid: float = 0.0
    """Until when it has to be accepted."""
    ends: float = 0.0
    """From when it has to be refused."""

    def visit(self) -> None:
        now = self.history.now()
        if now > self.ends + 3:
            self._begin(now)
        elif self.ends == math.inf and now > self.valid and self.keys("revoke", self.credential):
            self.valid, self.ends = now, self.history.now() + REVOKED_SECONDS
        if self.credential:
            tenant = self.rng.choice((self.tenant, *MOVING))
            line, *_ = self.get(f"/users/{tenant}/leads?limit=1", Authorization=f"Bearer {self.credential}")
            asked = {
                "tenant": tenant,
                "reads": self.tenant,
                "valid": self.valid,
                "ends": self.ends,
                "guest": self.name,
            }
            self.history.note("access", **line, **asked)

    def _begin(self, now: float) -> None:
        self.tenant, until = self.rng.choice(MOVING), int(time.time()) + self.rng.randint(4, 8)
        self.valid = now + until - time.time()
        if self.name == "token":
            self.credential, self.ends = token(until, sub=self.tenant), self.valid + LEEWAY_SECONDS
            return
        expires = (
            [] if self.name == "revoked" else ["--expires", datetime.fromtimestamp(until, UTC).isoformat()]
        )
        self.credential = self.keys("create", "--tenant", self.tenant, *expires).strip()
        self.ends = self.valid if expires or not self.credential else math.inf


@dataclass
class Writer:
    """Writes through one connection, and asks for what it has written now and then."""

    caller: Caller
    url: str
    rng: Random
    start: str
    """The time of the first message of a lead."""
    erased: list[list[str]] = field(default_factory=list)
    """The tenant and phone of a lead that is being erased; nothing when it is."""
    conn: psycopg.Connection[TupleRow] | None = None

    def write(self) -> None:
        tenant = self.rng.choice([name for name in LEADS if name != PARTED])
        size = self.rng.choice((1, 1, 2, 3) if tenant != MASS else (1, 20, LEADS[MASS]))
        chosen = self.rng.sample(phones(tenant), size)
        target = self.erased.pop() if self.erased else []
        if target:
            tenant, *chosen = target
        moving = tenant in MOVING and len(chosen) == 1 and self.rng.random() < 0.3
        if moving:
            # Messages of the other lead have to be of the same days.
            others = (
                phone for other in MOVING for phone in phones(other) if int(phone) % 3 == int(chosen[0]) % 3
            )
            chosen.append(self.rng.choice([phone for phone in others if phone not in chosen]))
        if not target:
            dying = [phone for phone in chosen if moving or self.rng.random() < 0.1]
            self.apply(tenant, chosen, dying, moving=moving)
        rest = self.rng.choice((0.1, 1.0, 10.0))
        while target:
            # Until it is erased it comes and goes, or a conversation does.
            time.sleep(self.rng.uniform(0, rest))
            self.apply(tenant, chosen, chosen, moving=moving)
            time.sleep(self.rng.uniform(0, 0.05))
            self.apply(tenant, chosen, chosen, moving=moving, gone=not moving)

    def apply(self, tenant: str, chosen: list[str], dying: list[str], text: str = WRITE, **how: bool) -> bool:
        """Write to the chosen leads; return whether that is known to be committed."""
        history, isolation = self.caller.history, self.rng.choice(ISOLATIONS)
        op, began = next(history.ops), history.now()
        values = {"op": op, "tenant": tenant, "phones": chosen, "dying": dying, "start": self.start}
        values |= {"moving": False, "gone": False, **how}
        leads, at, outcome = list[TupleRow](), None, "aborted"
        try:
            if self.conn is None or self.conn.closed:
                self.conn = psycopg.connect(self.url, autocommit=True, connect_timeout=5)
            self.conn.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
            cursor = psycopg.ClientCursor(self.conn).execute(text, values)
            while cursor.nextset():
                leads = cursor.fetchall() if cursor.description else leads
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
        line = {"op": op, "isolation": isolation.lower(), "leads": leads}
        history.note("write", **line, outcome=outcome, at=at, began=began, ended=history.now())
        if at and self.rng.random() < 0.3:
            self.caller.ask("lead", tenant, chosen[0], at)
        return outcome == "ok"

    def create_tenant(self, tenant: str) -> bool:
        """Create a tenant again; return false where the server is away."""
        try:
            with psycopg.connect(self.url, connect_timeout=5) as conn:
                psycopg.ClientCursor(conn).execute(CREATE_TENANTS, {"tenants": [tenant]})
        except psycopg.errors.UniqueViolation:
            pass
        except psycopg.Error:
            return False
        return True

    def close(self) -> None:
        if self.conn is not None:
            self.conn.close()


def keep_on(stopped: threading.Event, pause: float, turn: Callable[[], None]) -> None:
    """Take turns until it is stopped, about so many seconds one after the other."""
    rng = Random()
    while not stopped.wait(rng.uniform(0, 2 * pause)):
        turn()
