"""The explanation as a whole."""

import psycopg
import pytest

from projector.operate import explain as explaining
from projector.operate.explain import FIELDS, explain_lead
from projector.report.errors import BlockedError, NotInstalledError, ProjectorError, TenantNotFoundError
from tests.oracle import compute_leads, read_source
from tests.support.running import value
from tests.unit.projector.explain.conftest import PHONE, World
from tests.unit.projector.recovering import Connection


def test_the_fields_are_those_of_the_api_in_its_order(world: World) -> None:
    world.extraction(1, name="Ann")
    world.message("m", "2025-02-01")
    world.refresh()
    printed = {one.name: one.value for one in world.explain().fields}
    lead = compute_leads(read_source(world.platform)).of_tenant("u")[PHONE].document()
    assert (list(printed), printed) == (list(lead), lead)
    assert list(FIELDS) == list(lead)


def test_what_cannot_be_explained_is_an_error(world: World) -> None:
    with pytest.raises(TenantNotFoundError, match="There is no tenant 'nobody'"):
        world.explain(user_id="nobody")
    with pytest.raises(ProjectorError, match="The phone is blank"):
        world.explain(" ")


def test_before_the_first_build_there_is_nothing_to_explain(connection: Connection) -> None:
    with pytest.raises(NotInstalledError, match="never built"):
        explain_lead(connection, "u", PHONE)


def test_it_holds_no_lock_and_leaves_nothing(world: World) -> None:
    world.explain()
    assert world.projector.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert value(world.platform, "SELECT count(*) FROM pg_locks WHERE relation = 'messages'::regclass") == 0
    assert value(world.projector, "SELECT current_setting('enable_seqscan')") in {"on", "off"}


@pytest.mark.usefixtures("impatient")
def test_a_table_that_another_session_holds_is_given_up(world: World) -> None:
    with world.platform.transaction():
        world.platform.execute("LOCK messages IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(BlockedError, match="another session holds one"):
            world.explain()


def test_a_statement_that_takes_too_long_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")

    monkeypatch.setattr(explaining, "read_evidence", slow)
    with pytest.raises(BlockedError, match="could not be read in 30 s"):
        world.explain()
