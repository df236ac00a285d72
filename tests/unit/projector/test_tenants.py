"""The tenants as `python -m projector tenants` lists them."""

from datetime import UTC, datetime

from projector.operate.tenants import Tenant, render

MOMENT = datetime(2026, 11, 25, 1, 23, 4, 567, tzinfo=UTC)


def test_the_columns_can_be_read() -> None:
    assert render([Tenant("a", 12_345, 7, MOMENT, 0), Tenant("東京", 1, 1, MOMENT, 2)], 0) == (
        "Tenant   Leads  Messages  As of                    Dead letters\n"
        "a       12,345         7  2026-11-25 01:23:04 UTC             0\n"
        "東京         1         1  2026-11-25 01:23:04 UTC             2\n"
        "\n"
        "2 tenants, 12,346 leads."
    )
