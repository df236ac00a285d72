"""A column that api/database/tables.py declares is read by a statement of the API."""

from datetime import UTC, datetime
from itertools import product

from sqlalchemy import Column, SelectBase, Table
from sqlalchemy.sql.selectable import Alias
from sqlalchemy.sql.visitors import iterate

from api.auth.key_check import key_statement
from api.database import tables
from api.database.tenant_filter import SHARED_TABLES
from api.plan.changes import changes_since
from api.plan.lead import single_lead
from api.plan.list.statement import list_leads
from api.plan.messages import messages_of_lead
from api.plan.projection import freshness, projection_state, row_security, verification
from api.plan.statistics import lead_statistics
from api.plan.tenants import first_tenants
from api.request.change_token import Position
from api.request.parameters import LIST_QUERY, MESSAGES_QUERY, ORDERS, SORTS
from tests.rules.files import ROOT
from tests.rules.filters import reads_requests
from tests.rules.upgrade import created_columns

NOW = datetime(2026, 3, 29, tzinfo=UTC)
FILTERS = (
    "",
    *(f"platform={name}" for name in ("whatsapp", "instagram", "webchat")),
    *(f"lead_status={name}" for name in ("Hot", "Warm", "Cold")),
    "has_email=true",
    "has_extraction=true&days=7",
    "platform=whatsapp,instagram,webchat&lead_status=Hot&has_email=true&has_extraction=true&min_total_score=8",
    "platform=whatsapp,instagram,webchat&lead_status=Hot&has_email=true&has_extraction=true&max_total_score=8&days=7",
    "search=ann",
    "search=ann&ignore_accents=true",
    "customer_phone=1",
    "last_message_sender=user",
    "last_message_sender=agent",
    "has_conversation=false",
    "agent_id=a&phone_number_id=p&is_active=true",
)


def statements() -> list[SelectBase]:
    lists = [
        list_leads("u", LIST_QUERY.read(f"{query}&sort_by={sort}&sort_order={order}"), NOW).statement
        for query, sort, order in product(FILTERS, SORTS, ORDERS)
    ]
    others = (
        single_lead("u", "1"),
        messages_of_lead("u", "1", MESSAGES_QUERY.read("platform=whatsapp&sender=user")),
        lead_statistics("u", NOW),
        projection_state(),
        freshness(),
        verification(),
        row_security(),
        first_tenants(),
        changes_since("u", Position(0), 1, LIST_QUERY.read("")),
        key_statement("leads_0123456789ab"),
    )
    return [*lists, *(bound.statement for bound in others)]


def columns_read() -> set[Column[object]]:
    """The columns of tables that occur in the text of any statement."""
    found = set()
    for statement in statements():
        for element in iterate(statement, {"column_tables": False}):
            if isinstance(element, Column):
                table = element.table.element if isinstance(element.table, Alias) else element.table
                if isinstance(table, Table):
                    found.add(table.c[element.name])
    return found


def test_the_check_of_the_tenant_leaves_out_only_tables_without_tenants() -> None:
    schema = created_columns((ROOT / "schema.sql").read_text("utf-8"))
    without = {
        name.removeprefix("read_model.")
        for name, columns in schema.items()
        if name.startswith("read_model.") and "user_id" not in columns
    }
    # And views: of the tables, of the place of versions, and of the tenants, of whom it tells only that they are there.
    assert {*without, "place_of_versions", "row_security", "tenant_ids"} == SHARED_TABLES


@reads_requests
def test_every_declared_column_is_read() -> None:
    read = columns_read()
    unread = [
        str(column)
        for table in (*tables.metadata.sorted_tables, *tables.access_metadata.sorted_tables)
        for column in table.columns
        if column not in read
    ]
    assert not unread, f"No statement reads {', '.join(unread)}: delete the lines in api/database/tables.py."
