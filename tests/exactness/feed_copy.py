"""A caller's copy of the leads of a tenant, which follows the change feed as the documents say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from api.config import Config
from api.request.position import change_token
from api.request.position.change_token import Position
from api.request.record import Clock
from api.server.app import create_app
from tests.support.applications import close_application
from tests.support.server import Database


@contextmanager
def serving(
    database: Database,
    *,
    clock: Clock | None = None,
    **settings: Any,  # noqa: ANN401  # As Config takes them.
) -> Iterator[Flask]:
    config = Config(database.url, rate_limit="", log_level="CRITICAL", exports=8, **settings)
    made = create_app(config, clock=clock)
    try:
        yield made
    finally:
        close_application(made)


@dataclass
class Copy:
    """A caller's copy of the leads of a tenant that pass a filter."""

    client: FlaskClient
    tenant: str = "one"
    query: str = ""
    leads: dict[str, Any] = field(default_factory=dict)
    token: str = ""
    position: Position = field(default_factory=lambda: Position(0))

    def begin(self) -> None:
        """Begin as the documents say: with the token of now, and then the export."""
        first = self.client.get(f"/users/{self.tenant}/lead-changes")
        assert first.status_code == 200, first.data
        body = first.get_json()
        assert (body["data"], body["hasMore"]) == ([], False)
        self.token = body["next"]
        self.position = change_token.read(self.tenant, self.token).position
        answer = self.client.get(f"/users/{self.tenant}/leads.ndjson?{self.query}")
        assert answer.status_code == 200, answer.data
        self.leads = {lead["customer_phone"]: lead for lead in map(json.loads, answer.data.splitlines())}

    def ask(self, limit: int = 50) -> tuple[int, dict[str, Any]]:
        answer = self.client.get(
            f"/users/{self.tenant}/lead-changes?since={self.token}&limit={limit}&{self.query}"
        )
        return answer.status_code, answer.get_json()

    def take(self, body: dict[str, Any]) -> None:
        """Apply an answer, also one that was applied before."""
        phones = [change["customer_phone"] for change in body["data"]]
        assert len(set(phones)) == len(phones), "a lead is reported twice"
        for change in body["data"]:
            assert change["deleted"] is (change["lead"] is None)
            if change["deleted"]:
                self.leads.pop(change["customer_phone"], None)
            else:
                assert change["lead"]["customer_phone"] == change["customer_phone"]
                self.leads[change["customer_phone"]] = change["lead"]
        position = change_token.read(self.tenant, body["next"]).position
        assert position >= self.position, "the token went back"
        self.position, self.token = position, body["next"]

    def follow(self, limit: int = 50) -> list[str]:
        """Ask until there is no more. Returns the phones that were reported."""
        phones: list[str] = []
        while True:
            status, body = self.ask(limit)
            assert status == 200, body
            self.take(body)
            phones += [change["customer_phone"] for change in body["data"]]
            if not body["hasMore"]:
                return phones

    def list(self) -> dict[str, Any]:
        leads: dict[str, Any] = {}
        while True:
            page = self.client.get(
                f"/users/{self.tenant}/leads?limit=100&offset={len(leads)}&{self.query}"
            ).get_json()["data"]
            leads |= {lead["customer_phone"]: lead for lead in page}
            if len(page) < 100:
                return leads
