"""Who has written asks with the time of the commit, by the database's clock, and never sees the state before."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from api.limits import waiting
from tests.exactness.platform import Platform, assert_exact, refresh_now, value
from tests.exactness.test_clock import turning
from tests.support.patience import PATIENCE
from tests.unit.projector.scheduler.running import jobs_of

WRITERS = 3
LEAD = "/users/one/leads/4915"


@contextmanager
def serving(platform: Platform) -> Iterator[Flask]:
    """The API over a platform."""
    made = create_app(Config(platform.database.url, rate_limit="", log_level="CRITICAL"))
    try:
        yield made
    finally:
        made.extensions["leads"].database.engine.dispose()


@pytest.fixture
def app(filled: Platform) -> Iterator[Flask]:
    with serving(filled) as made:
        yield made


def ask(client: FlaskClient, path: str, moment: datetime) -> tuple[int, object]:
    answer = client.get(f"{path}?min_as_of={quote(moment.isoformat())}")
    return answer.status_code, (answer.get_json() or {}).get("data")


def test_an_answer_is_never_older_than_min_as_of(
    filled: Platform, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look finds the data fresh enough, and between it and the answer another state comes back."""
    monkeypatch.setattr(waiting.Waiting, "for_data", lambda *_: None)
    filled.message("c", "second")
    committed = value(filled.conn, "SELECT clock_timestamp()")
    client = app.test_client()
    for path in ("/users/one/leads", "/users/one/leads/stats", LEAD, f"{LEAD}/messages"):
        assert ask(client, path, committed)[0] == 503
    refresh_now(filled.conn)
    for path in ("/users/one/leads", "/users/one/leads/stats", LEAD, f"{LEAD}/messages"):
        assert ask(client, path, committed)[0] == 200


def _write_and_read(filled: Platform, app: Flask, seed: int, rounds: int, faults: list[str]) -> None:
    """Write a message, ask for its lead in one of three ways, and compare with what was written so far."""
    chance = random.Random(seed)
    client = app.test_client()
    phone = f"49{seed}"
    with filled.database.connect() as conn:
        own = Platform(conn, first=seed * 100_000)
        own.insert(
            "conversations",
            conversation_id=f"w{seed}",
            agent_id=value(conn, "SELECT min(agent_id) FROM agents"),
            customer_phone=phone,
            created_at="2025-01-01",
        )
        for number in range(1, rounds + 1):
            text = f"message {number} of {seed}"
            own.message(
                f"w{seed}", text, f"2025-02-01 {number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}"
            )
            committed = value(conn, "SELECT clock_timestamp()")
            path = chance.choice(
                ["/users/one/leads", f"/users/one/leads/{phone}", f"/users/one/leads/{phone}/messages"]
            )
            status = 503
            while status == 503:
                status, data = ask(client, path, committed)
            if status != 200 or _count(path, data, phone) != number:
                faults.append(f"{path} after {text}: {status} {str(data)[:300]}")


def _count(path: str, data: object, phone: str) -> int:
    """How many messages the answer shows of the lead."""
    if isinstance(data, list):
        return sum(lead["total_messages"] for lead in data if lead["customer_phone"] == phone)
    assert isinstance(data, dict)
    return int(data["pagination"]["total"] if path.endswith("messages") else data["total_messages"])


def test_writers_read_what_they_wrote(
    filled: Platform,
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    rounds = 1000 if request.config.getoption("--long") else 30
    faults: list[str] = []
    with turning(jobs_of(filled.database, monkeypatch, tmp_path)):
        threads = [
            threading.Thread(target=_write_and_read, args=(filled, app, seed, rounds, faults))
            for seed in range(1, WRITERS + 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE * 10)
            assert not thread.is_alive()
    assert faults == []
    refresh_now(filled.conn)
    assert_exact(filled.conn)
