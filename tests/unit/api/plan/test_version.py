"""The version of a tenant, as the statement returns it."""

from api.config import Config
from api.database.pool import Database as Reader
from api.plan.version import tenant_version
from tests.unit.api.conftest import Library


def test_version(library: Library) -> None:
    reader = Reader(Config(library.database.url))
    try:
        row, other = (reader.fetch(tenant_version(user_id)) for user_id in (library.tenant, "nobody"))
    finally:
        reader.engine.dispose()
    with library.database.connect() as conn:
        expected = conn.execute(
            "SELECT version || '-' || version_id FROM read_model.tenants WHERE user_id = %s",
            (library.tenant,),
        ).fetchone()
    assert expected == ((row.version or b"").decode(),)
    assert (row.as_of, row.dead_letters) != (None, None)
    assert (other.version, other.dead_letters) == (None, None)
