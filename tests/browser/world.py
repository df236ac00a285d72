"""Source rows as a viewer would meet them, and a server of the API over what the projector makes of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from werkzeug.serving import WSGIRequestHandler, make_server

from tests.exactness.feed_copy import serving
from tests.exactness.platform import Platform, refresh_now
from tests.support.server import Database

TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"
STATUSES = ("Hot", "Warm", "Cold", None)
PLATFORMS = ("whatsapp", "instagram", "webchat")


class World(Platform):
    """Tenants with leads, each lead with a conversation that is named by its number."""

    def refresh(self) -> None:
        refresh_now(self.conn)

    def tenant(self, user_id: str = TENANT) -> str:
        """A tenant with an agent on each platform."""
        super().tenant(user_id)
        for place, platform in enumerate(PLATFORMS):
            channel, agent = (f"{kind}{place}-{user_id}"[:50] for kind in "pa")
            self.insert("phone_numbers", id=channel, user_id=user_id, platform=platform)
            name = f"Assistant {place}"
            self.insert("agents", agent_id=agent, user_id=user_id, phone_number_id=channel, name=name)
        return user_id

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
        talk, agent, began = f"c-{number}", f"a{number % 3}-{tenant}"[:50], start.replace(tzinfo=None)
        self.insert(
            "conversations", conversation_id=talk, agent_id=agent, customer_phone=phone, created_at=began
        )
        scores = {"intent": 1 + number % 3, "urgency": 2, "budget": 3, "fit": 1, "engagement": 2}
        if status := STATUSES[number % 4]:
            self.insert(
                "extractions",
                extraction_id=UUID(int=number),
                conversation_id=talk,
                name=name,
                email=f"lead{number}@example.com",
                company=f"Company {number}",
                lead_status_tag=status,
                total_score=sum(scores.values()),
                **{f"{kind}_score": score for kind, score in scores.items()},
            )
        elif name:
            self.insert("contacts", contact_id=f"k-{number}", user_id=tenant, phone=phone[:20], name=name)
        for place in range(messages):
            self.write(number, f"Message {place + 1} of {number}", at=start + timedelta(seconds=place))
        return phone

    def write(self, number: int, text: str, *, at: datetime | None = None, sender: str = "user") -> None:
        """A message of the conversation of a lead; now, unless it says when."""
        self._number += 1
        self.insert(
            "messages",
            message_id=f"m-{self._number}",
            conversation_id=f"c-{number}",
            sender=sender,
            text=text,
            timestamp=(at or datetime.now(UTC)).replace(tzinfo=None),
            sequence_no=self._number,
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
    requests: list[str] = []

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
            requests.append(self.path)

    with (
        serving(database, **settings) as app,
        make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet) as server,
    ):
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Site(f"http://127.0.0.1:{server.server_port}", requests)
        finally:
            server.shutdown()
            thread.join()
