"""The user that runs PostgreSQL."""

import os
from pathlib import Path

import pytest

from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.server import FAST
from tests.unit.projector.postgres.asking import StartServer, one, postmaster


def test_does_not_run_as_root(start_server: StartServer) -> None:
    server = start_server(fast=True)
    assert server.data.stat().st_uid != 0


@pytest.mark.root
def test_puts_the_data_where_the_user_who_runs_it_can_reach_them(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedServer(closed / "state", settings=FAST)
    try:
        server.start()
        assert not server.folder.is_relative_to(tmp_path)
        assert str(server.folder) in " ".join(server.notices)
        assert one(EmbeddedServer(closed / "state"), "SELECT 1") == 1
    finally:
        folder = server.folder
        server.remove()
    assert not folder.exists()


def test_does_not_hand_settings_of_clients_to_the_server(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    assert one(start_server(fast=True), "SELECT 1") == 1


def test_is_no_member_of_our_process_group(start_server: StartServer) -> None:
    server = start_server(fast=True)
    assert os.getpgid(postmaster(server)) != os.getpgid(0)
