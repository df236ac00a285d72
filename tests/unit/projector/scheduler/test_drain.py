"""A drain takes what waits, in batches that other sessions and a signal can come between."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from projector import config
from projector.core import pipeline
from projector.core.batch import Batch
from projector.core.choice import MOST_PASSES
from projector.core.refresh import refresh_with_backoff
from projector.database import locks
from projector.scheduler import drain
from projector.scheduler.drain import Drain
from tests.support.running import value, write_conversations, write_source
from tests.support.server import Database
from tests.unit.projector.scheduler.running import Connection, build, leads


@pytest.fixture
def settings(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> config.Config:
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("LEADS_REFRESH_BATCH", "10")
    return config.load(tmp_path / ".env")


def waiting(conn: Connection) -> int:
    return int(value(conn, "SELECT count(*) FROM projector.changes"))


def test_a_run_empties_the_queue_and_shows_progress(settings: config.Config, connection: Connection) -> None:
    build(connection)
    pipeline.prepare_session(connection)
    write_source(connection)
    for number in range(2, 202):
        write_conversations(connection, 1, first=number)
    touched: list[int] = []
    Drain(settings, threading.Event(), lambda: touched.append(1)).run(connection)
    assert waiting(connection) == 0
    assert leads(connection) == 201
    assert len(touched) > 20


def test_a_deep_queue_is_taken_shard_by_shard(
    settings: config.Config, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(connection)
    pipeline.prepare_session(connection)
    write_source(connection)
    write_conversations(connection, 200, first=2)
    taken: list[tuple[int, ...]] = []

    def note(conn: Connection, shards: Sequence[int], **options: Any) -> tuple[Batch, int]:  # noqa: ANN401
        taken.append(tuple(shards))
        return refresh_with_backoff(conn, shards, **options)

    monkeypatch.setattr(drain, "refresh_with_backoff", note)
    Drain(settings, threading.Event(), lambda: None).run(connection)
    assert taken[0] == locks.SHARDS
    assert set(taken[1:]) == {(shard,) for shard in locks.SHARDS}


def test_a_run_ends_after_the_batch_in_which_it_is_told_to(
    settings: config.Config, connection: Connection
) -> None:
    build(connection)
    pipeline.prepare_session(connection)
    write_source(connection)
    write_conversations(connection, 200, first=2)
    stop = threading.Event()
    Drain(settings, stop, stop.set).run(connection)
    assert 0 < waiting(connection) < 201


def test_a_drain_waits_for_a_tenant_that_it_has_passed_over_several_times(
    settings: config.Config, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(connection)
    pipeline.prepare_session(connection)
    asked: list[Sequence[int]] = []

    def pass_over(_conn: Connection, shards: Sequence[int], **options: Any) -> tuple[Batch, int]:  # noqa: ANN401
        asked.append(options["overdue"])
        return Batch(shards, 0, drained=len(asked) > MOST_PASSES, passed_over=[2]), 10

    monkeypatch.setattr(drain, "refresh_with_backoff", pass_over)
    monkeypatch.setattr(locks, "SHARDS", (2,))
    Drain(settings, threading.Event(), lambda: None).run(connection)
    assert asked[MOST_PASSES - 1] == []
    assert asked[MOST_PASSES] == [2]
