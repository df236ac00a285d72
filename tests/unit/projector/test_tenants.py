"""The tenants as `python -m projector tenants` lists them."""

from datetime import UTC, datetime

from projector.core.batch import count_dead_letters
from projector.database.rows import Connection
from projector.operate.tenants import Tenant, read_tenants, render

MOMENT = datetime(2026, 11, 25, 1, 23, 4, 567, tzinfo=UTC)


def test_a_tenant_is_listed_once_a_key_of_it_is_set_aside(built: Connection) -> None:
    built.execute(
        "INSERT INTO projector.dead_letters VALUES ('contacts', 'a', NULL, NULL, '', 1, now(), now()),"
        " ('contacts', 'b', 'v', NULL, '', 1, now(), now())"
    )
    count_dead_letters(built)
    tenants, without_tenant = read_tenants(built)
    assert [(tenant.user_id, tenant.leads, tenant.dead_letters) for tenant in tenants] == [
        ("u", 1, 0),
        ("v", 0, 1),
    ]
    assert render([], without_tenant).endswith("\n1 dead letter belongs to no known tenant: see `status`.")


def test_the_columns_can_be_read() -> None:
    many = Tenant(user_id="a", name="Acme", leads=12_345, messages=7, as_of=MOMENT, dead_letters=0)
    few = Tenant(user_id="東京", name=None, leads=1, messages=1, as_of=MOMENT, dead_letters=2)
    assert render([many, few], 0) == (
        "Tenant  Name   Leads  Messages  As of                    Dead letters\n"
        "a       Acme  12,345         7  2026-11-25 01:23:04 UTC             0\n"
        "東京               1         1  2026-11-25 01:23:04 UTC             2\n"
        "\n"
        "2 tenants, 12,346 leads."
    )
