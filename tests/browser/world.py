"""Source rows as a viewer would meet them, and a server of the API over what the projector makes of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from werkzeug.serving import WSGIRequestHandler, make_server

from api.app import create_app
from api.config import Config
from projector.core.refresh import refresh
from projector.database.rows import Connection
from projector.report.progress import QUIET
from tests.support.server import Database

TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"
STATUSES = ("Hot", "Warm", "Cold", None)
PLATFORMS = ("whatsapp", "instagram", "webchat")


class World:
    """Tenants with leads, whose changes are in the read model when a method returns."""

    def __init__(self, database: Database, conn: Connection) -> None:
        self.database = database
        self.conn = conn
        self._messages = 0

    def refresh(self) -> None:
        refresh(self.conn, retry_failed=False, progress=QUIET)

    def tenant(self, tenant: str = TENANT) -> None:
        self.conn.execute("INSERT INTO users (user_id) VALUES (%s)", (tenant,))
        for place, platform in enumerate(PLATFORMS):
            self.conn.execute(
                "INSERT INTO phone_numbers (id, user_id, platform) VALUES (%s, %s, %s)",
                (f"p{place}-{tenant}"[:50], tenant, platform),
            )
            self.conn.execute(
                "INSERT INTO agents (agent_id, user_id, phone_number_id, name) VALUES (%s, %s, %s, %s)",
                (f"a{place}-{tenant}"[:50], tenant, f"p{place}-{tenant}"[:50], f"Assistant {place}"),
            )

    def lead(
        self,
        number: int,
        name: str | None = None,
        *,
        tenant: str = TENANT,
        phone: str | None = None,
        messages: int = 1,
    ) -> str:
        """A lead with a conversation that began so many hours ago as its number says. Returns its phone."""
        phone = phone or str(491510000000 + number)
        start = datetime.now(UTC) - timedelta(hours=number, minutes=5)
        self.conn.execute(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at) VALUES (%s, %s, %s, %s)",
            (f"c-{number}", f"a{number % 3}-{tenant}"[:50], phone, start.replace(tzinfo=None)),
        )
        status, scores = STATUSES[number % 4], [1 + number % 3, 2, 3, 1, 2]
        if status:
            self.conn.execute(
                "INSERT INTO extractions (extraction_id, conversation_id, name, email, company, lead_status_tag,"
                " intent_score, urgency_score, budget_score, fit_score, engagement_score, total_score)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    UUID(int=number),
                    f"c-{number}",
                    name,
                    f"lead{number}@example.com",
                    f"Company {number}",
                    status,
                    *scores,
                    sum(scores),
                ),
            )
        elif name:
            self.conn.execute(
                "INSERT INTO contacts (contact_id, user_id, phone, name) VALUES (%s, %s, %s, %s)",
                (f"k-{number}", tenant, phone[:20], name),
            )
        for place in range(messages):
            self.write(number, f"Message {place + 1} of {number}", at=start + timedelta(seconds=place))
        return phone

    def write(self, number: int, text: str, *, at: datetime | None = None, sender: str = "user") -> None:
        """A message of the conversation of a lead; now, unless it says when."""
        self._messages += 1
        moment = (at or datetime.now(UTC)).replace(tzinfo=None)
        self.conn.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, sequence_no)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (f"m-{self._messages}", f"c-{number}", sender, text, moment, self._messages),
        )


@dataclass(frozen=True)
class Site:
    """A running server, and the requests that it got: method, path with query, and the header If-None-Match."""

    url: str
    requests: list[str]

    def asked(self) -> list[str]:
        # This server has no streams: the page asks for one in vain, and polls.
        return [
            path
            for path in self.requests
            if path.startswith("/users/") and not path.endswith("/lead-changes")
        ]


@contextmanager
def served(database: Database, **settings: Any) -> Iterator[Site]:  # noqa: ANN401  # As Config takes them.
    defaults: dict[str, Any] = {"rate_limit": "", "log_level": "ERROR"}
    app = create_app(Config(database.url, **{**defaults, **settings}))
    requests: list[str] = []

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
            requests.append(self.path)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_port}", requests)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.extensions["leads"].database.close()
