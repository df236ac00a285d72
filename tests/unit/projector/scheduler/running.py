"""A read model to run the scheduler on, and its jobs without a clock."""

from pathlib import Path

import pytest

from projector import config
from projector.database.connect import connect_beside
from projector.database.rows import Connection
from projector.scheduler.main import Scheduler
from tests.support.running import value
from tests.support.server import Database
from tests.unit.projector.recovering import healed


def leads(conn: Connection) -> int:
    return int(value(conn, "SELECT count(*) FROM read_model.leads"))


def build(conn: Connection) -> None:
    """As after the first start, without the stage of it in this connection."""
    with connect_beside(conn, "test build") as other:
        healed(other)


def scheduler_of(
    database: Database, monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: str
) -> Scheduler:
    for name, text in {"DATABASE_URL": database.url, **settings}.items():
        monkeypatch.setenv(name, text)
    return Scheduler(config.load(folder / ".env"))
