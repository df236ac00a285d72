"""A small platform whose leads are explained."""

from dataclasses import dataclass

import pytest
from psycopg import sql

from projector.core.refresh import refresh
from projector.operate.explain import explain_lead
from projector.operate.explain.model import Explanation, Field
from projector.report.progress import QUIET
from tests.unit.projector.recovering import Connection

PHONE = "49151000001"


@dataclass(frozen=True)
class World:
    """The platform's connection and the projector's. Conversation `c-u-1` of tenant `u` is there."""

    platform: Connection
    projector: Connection

    def insert(self, table: str, **columns: object) -> None:
        """Insert a row."""
        self.platform.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
            ),
            list(columns.values()),
        )

    def extraction(self, number: int, **columns: object) -> str:
        """Insert an extraction of `c-u-1`; its id ends with the number."""
        made = f"00000000-0000-0000-0000-{number:012}"
        given = {"conversation_id": "c-u-1", "extracted_at": "2025-05-01", "is_latest": False, **columns}
        self.insert("extractions", extraction_id=made, **given)
        return made

    def message(self, message_id: str, timestamp: str | None, **columns: object) -> None:
        """Insert a message of `c-u-1`."""
        given = {"conversation_id": "c-u-1", "sender": "user", "text": f"text of {message_id}", **columns}
        self.insert("messages", message_id=message_id, timestamp=timestamp, **given)

    def send(self, send_id: str, phone: str = PHONE, status: str = "SENT", **columns: object) -> None:
        """Insert a template send."""
        self.platform.execute(
            "INSERT INTO templates (template_id, user_id, phone_number_id) VALUES ('t', 'u', 'p-u')"
            " ON CONFLICT DO NOTHING"
        )
        self.insert(
            "template_sends", send_id=send_id, template_id="t", customer_phone=phone, status=status, **columns
        )

    def refresh(self) -> None:
        """Bring in what changed."""
        refresh(self.projector, retry_failed=False, progress=QUIET)

    def explain(self, phone: str = PHONE, user_id: str = "u", candidates: int = 3) -> Explanation:
        """Explain a lead."""
        return explain_lead(self.projector, user_id, phone, candidates=candidates)

    def field(self, name: str, phone: str = PHONE, candidates: int = 3) -> Field:
        """Explain one field of a lead."""
        [found] = [one for one in self.explain(phone, candidates=candidates).fields if one.name == name]
        return found


@pytest.fixture
def world(built: Connection, other: Connection) -> World:
    """A read model of one lead with one conversation, whose times are known."""
    other.execute("UPDATE conversations SET created_at = '2025-01-01'")
    made = World(other, built)
    made.refresh()
    return made
