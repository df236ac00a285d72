"""Writers, two projectors and erasures by the command at once, while each answer of the API is judged.

`ERASURE_SECONDS=3600 python -m pytest --long -s tests/exactness/test_erasure_load.py` does so for an hour.
"""

import os
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from projector.operate.erase import erase
from projector.operate.erase.ledger import Target
from projector.report.errors import ProjectorError
from projector.report.progress import QUIET
from tests.exactness.feed_copy import serving
from tests.exactness.platform import Platform, assert_verified, refresh_now, value
from tests.exactness.test_erasure import TENANT
from tests.support.commands import projector
from tests.support.running import running_scheduler

SECONDS, SEED = float(os.environ.get("ERASURE_SECONDS", "20")), int(os.environ.get("ERASURE_SEED", "1"))
PHONES = [str(101 + n) for n in range(30)]
FIRST, OPEN = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
PUT = (
    "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at, is_active)"
    " VALUES ('{name}', '{tenant}', '{phone}', '{at}', NULL) ON CONFLICT (conversation_id) DO UPDATE"
    " SET agent_id = excluded.agent_id, customer_phone = excluded.customer_phone, created_at = excluded.created_at"
)
WRITES = {
    "put": PUT,
    "put in a mass change":
        f"WITH crowd AS (UPDATE conversations SET last_message_at = now() WHERE agent_id = 'crowd') {PUT}",
    "delete": "DELETE FROM conversations WHERE conversation_id = '{name}'",
    "send": "UPDATE template_sends SET customer_phone = '{phone}' WHERE send_id = 'send-{number}'",
    "message":
        "INSERT INTO messages (message_id, conversation_id, text, timestamp) SELECT '{name}-{at}', conversation_id,"
        " 'Hello', '{at}' FROM conversations WHERE conversation_id = '{name}'",
}  # fmt: skip
OFTEN = (*["put"] * 6, *WRITES)

Place = tuple[str, str, str] | None
"""Tenant, phone and time of creation of a conversation, which each write makes another; None: it is not there."""


class Load:
    """What was written, and what was found wrong."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform, self.folder = platform, folder
        # Of each conversation where it was put, each time with a moment after the commit.
        self.histories: dict[str, list[tuple[datetime, Place]]] = {}
        self.numbers, self.faults, self.ended = Counter[str](), list[str](), threading.Event()

    def writer(self, number: int) -> None:
        rng, is_there = Random(SEED * 100 + number), False
        with self.platform.database.connect() as conn:
            for second in count():
                if self.ended.is_set():
                    return
                name, tenant, phone = (
                    f"{number}-{rng.randrange(3)}",
                    rng.choice(("x", "y")),
                    rng.choice(PHONES),
                )
                kind, at = (
                    rng.choice(OFTEN),
                    f"{datetime.fromtimestamp(10**9 + second, UTC):%Y-%m-%dT%H:%M:%S}",
                )
                text = WRITES[kind].format(name=name, tenant=tenant, phone=phone, at=at, number=number)
                if number == 0 and rng.random() < 0.3:
                    # A tenant goes with all that it has, and comes again with the same lead.
                    is_there, name, tenant, phone = not is_there, "c", "one", "102"
                    text = (
                        TENANT.replace("2025-01-01", at)
                        if is_there
                        else "DELETE FROM users WHERE user_id = 'one'"
                    )
                    kind = "put" if is_there else "delete"
                history = self.histories.setdefault(name, [(FIRST, None)])
                place = (tenant, phone, at) if kind.startswith("put") else None
                moves = place is not None or kind == "delete"
                history += [(OPEN, place)] * moves
                conn.execute(text.encode(), prepare=False)
                if moves:
                    history[-1] = (value(conn, "SELECT clock_timestamp()"), place)
                self.numbers["writes"] += 1
                time.sleep(rng.random() * 0.05)

    def eraser(self, *, is_command: bool) -> None:
        """Erase leads, and the tenant that comes and goes: by the command, or more often, without starting it."""
        rng = Random(SEED + is_command)
        while not self.ended.is_set():
            lead = Target(rng.choice(("x", "y")), rng.choice(PHONES))
            target = lead if rng.random() < 0.7 else Target("one")
            phone = ("--phone", target.customer_phone) if target.customer_phone else ()
            command = ("erase", "--user", target.user_id, *phone, "--yes")
            url, said = self.platform.database.url, ""
            if is_command:
                done = projector(self.folder, *command, DATABASE_URL=url)
                said = done.stderr[-300:] if done.returncode else ""
            else:
                with self.platform.database.connect() as conn:
                    try:
                        erase(conn, target, progress=QUIET)
                    except ProjectorError as error:
                        said = str(error)
            known = {"Delete them there first": "refused", "another erasure": "waited"}
            outcome = next((word for part, word in known.items() if part in said), said or "erased")
            self.numbers[f"{'command' if is_command else 'function'}: {outcome}"] += 1

    def judge(self, ask: Any) -> None:  # noqa: ANN401  # A client's get.
        while not self.ended.is_set():
            for tenant in ("x", "y", "one"):
                answer = ask(f"/users/{tenant}/leads?limit=100")
                if answer.status_code == 200:
                    as_of = datetime.fromisoformat(answer.headers.get("X-Data-As-Of", "1970-01-01T00:00:00Z"))
                    self.compare(tenant, as_of, answer.get_json())
            time.sleep(0.02)

    def compare(self, tenant: str, as_of: datetime, body: Any) -> None:  # noqa: ANN401
        self.numbers["answers"] += 1
        total, phones = body["pagination"]["total"], [lead["customer_phone"] for lead in body["data"]]
        if total != len(phones) or len(set(phones)) < len(phones):
            self.faults.append(f"{tenant}: total {total} of {sorted(phones)}")
        shown: dict[str, list[Place]] = {}
        for lead in body["data"]:
            for one in lead["conversations"]:
                place = (tenant, lead["customer_phone"], one["created_at"][:19])
                shown.setdefault(one["conversation_id"], []).append(place)
        for name, history in [*self.histories.items()]:
            versions = [*history]
            # The last that was committed before, or a later one.
            first = max(place for place, (committed, _) in enumerate(versions) if committed <= as_of)
            allowed = {one if one and one[0] == tenant else None for _, one in versions[first:]}
            found = shown.get(name, [None])
            if len(found) > 1 or found[0] not in allowed:
                self.faults.append(
                    f"{tenant} as of {as_of}: {name} is shown at {found}, and not at {allowed}"
                )


@pytest.mark.long
def test_answers_are_right_while_everything_is_erased(filled: Platform, tmp_path: Path) -> None:
    conn, load = filled.conn, Load(filled, tmp_path)
    conn.execute("DELETE FROM users")
    for tenant in ("x", "y", "crowd"):
        conn.execute("INSERT INTO users VALUES (%s)", (tenant,))
        channel = filled.channel(tenant)
        filled.insert("agents", agent_id=tenant, user_id=tenant, phone_number_id=channel, name="Ava")
    for number in range(3):
        send = {"send_id": f"send-{number}", "template_id": filled.template("x"), "customer_phone": "101"}
        filled.insert("template_sends", **send)
    for number in range(150):
        filled.insert(
            "conversations", conversation_id=f"crowd-{number}", agent_id="crowd", customer_phone=str(number)
        )
    refresh_now(conn)
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(running_scheduler(filled.database.url, tmp_path))
        app = stack.enter_context(serving(filled.database))
        tasks = [partial(load.writer, number) for number in range(3)]
        tasks += [partial(load.eraser, is_command=one) for one in (False, True)]
        tasks += [partial(load.judge, app.test_client().get) for _ in range(2)]
        pool = stack.enter_context(ThreadPoolExecutor(len(tasks)))
        work = [pool.submit(task) for task in tasks]
        wait(work, SECONDS, FIRST_COMPLETED)
        load.ended.set()
        for one in work:
            one.result()
    print(dict(load.numbers), "faults:", len(load.faults))  # noqa: T201
    assert load.faults[:20] == []
    refresh_now(conn)
    assert_verified(conn)
