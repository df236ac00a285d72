"""An independent reading of the source rows: what every lead is and what the API must answer.

It shares no code and no SQL with the projector or the API, so that a mistake in either shows as a difference.
"""

from tests.oracle.answers import list_leads
from tests.oracle.attributes import REFERENCE, Declaration
from tests.oracle.leads import Model, compute_leads
from tests.oracle.source import Connection, DatabaseLower, read_source
from tests.oracle.tables import differences_of_tables, expected_tables, read_tables

__all__ = [
    "DatabaseLower",
    "Model",
    "compute_leads",
    "differences_of_tables",
    "expected_tables",
    "list_leads",
    "read_model",
    "read_source",
    "read_tables",
]


def read_model(connection: Connection, declaration: Declaration = REFERENCE) -> Model:
    """Compute every lead of a database, with the database's own lower(); the connection must stay open."""
    lower = DatabaseLower(connection)
    model = compute_leads(read_source(connection), lower, declaration)
    lower.learn(
        {
            text
            for lead in model.all_leads()
            for text in (lead.name, lead.email, lead.company, lead.customer_phone)
            if text is not None
        }
    )
    return model
