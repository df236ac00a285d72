"""The first build: nothing is verified before, and a lead that fails stops no other."""

import pytest

from projector.core.dead_letters import require_nothing_left_out
from projector.core.preconditions import is_built, require_built
from projector.database.rows import Connection
from projector.report.errors import NotInstalledError, ProjectorError
from projector.report.progress import QUIET
from projector.sweep import fill
from projector.sweep.verify import verify
from tests.exactness.platform import assert_exact, rebuild_now, refresh_now, value
from tests.exactness.test_upgrade import structure


def test_a_read_model_that_was_never_built_is_not_verified(connection: Connection) -> None:
    assert not is_built(connection)
    for check in (
        lambda: require_built(connection),
        lambda: verify(connection, tenants=None, sample=None, heal=False, progress=QUIET),
    ):
        with pytest.raises(NotInstalledError, match="never built: run rebuild, or start the scheduler"):
            check()
    assert value(connection, "SELECT count(*) FROM projector.runs") == 0


def test_a_lead_that_cannot_be_projected_is_set_aside_and_the_others_are_built(
    written: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = structure(written)["tables"]
    [(user_id, phone)] = written.execute(
        "SELECT user_id, customer_phone FROM projector.current_keys() WHERE kind = 'conversation'"
        " ORDER BY user_id, customer_phone OFFSET 7 LIMIT 1"
    ).fetchall()
    monkeypatch.setattr(fill, "FILL_LEADS", 20)
    refused = f"ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '{phone}')"
    written.execute(refused.encode())
    rebuild_now(written)
    assert value(written, "SELECT built_at IS NOT NULL FROM read_model.projection")
    leads = written.execute("SELECT DISTINCT user_id, customer_phone FROM projector.dead_letters").fetchall()
    assert (user_id, phone) in leads
    assert {lead[1] for lead in leads} == {phone}
    with pytest.raises(ProjectorError, match=r"Left out of the read model: .* dead letter"):
        require_nothing_left_out(written)
    written.execute("ALTER TABLE read_model.leads DROP CONSTRAINT refused")
    refresh_now(written)
    assert structure(written)["tables"] == before
    assert_exact(written)
