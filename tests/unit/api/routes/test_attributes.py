"""Attributes in answers: who sees them, when an answer is another one, and how a table and a feed have them."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.routes import read_model as of_routes
from projector.capture.texts import default_mapping
from projector.database.rows import Connection
from projector.operate.install import migrate
from tests.exactness.feed_copy import Copy, serving
from tests.exactness.platform import rebuild_now, refresh_now
from tests.support import attributes
from tests.support.cases import cases
from tests.support.running import write_conversations, write_source
from tests.support.server import Database, Server

LEADS = "/users/u/leads"
FORMULA = "=1+1"


@dataclass
class World:
    """Two tenants whose leads have attributes of every kind, and a client of the API."""

    database: Database
    conn: Connection
    client: FlaskClient

    def data(self, query: str = "", path: str = LEADS) -> Any:  # noqa: ANN401  # JSON.
        answer = self.client.get(f"{path}?{query}")
        assert answer.status_code == 200, answer.data
        return answer.get_json()["data"]

    def phones(self, query: str) -> list[str]:
        return [lead["customer_phone"][-1] for lead in self.data(f"{query}&sort_by=name&sort_order=asc")]


@pytest.fixture(scope="module")
def world(server: Server, template: Database) -> Iterator[World]:
    database = server.create("attributes_of_routes", template=template.name)
    with database.connect() as conn:
        migrate(conn, create_source=False, mapping=attributes.MAPPING)
        for tenant in ("u", "v"):
            write_source(conn, tenant)
            write_conversations(conn, 2, tenant, 2)
            for number, (city, tags) in enumerate(
                ((f"Pune {tenant}", ["vip", FORMULA]), ("Goa, M", None)), 1
            ):
                conn.execute(
                    "INSERT INTO contacts (contact_id, user_id, phone, name, company, tags, source)"
                    " VALUES (%s, %s, %s, 'Ann', %s, %s, '-2')",
                    (f"k-{tenant}-{number}", tenant, str(49151000000 + number), city, tags),
                )
            conn.execute(
                "INSERT INTO extractions (extraction_id, conversation_id, total_score, intent_score, fit_score,"
                " urgency_score, demo_book_datetime)"
                " VALUES (md5(%s)::uuid, %s, 10, 1, 1, 3, '2025-12-12 09:07:38.123456')",
                (f"e-{tenant}", f"c-{tenant}-1"),
            )
        rebuild_now(conn)
        with serving(database) as app:
            yield World(database, conn, app.test_client())
    server.drop(database)


@cases(
    ("query", "phones"),
    [
        ("attributes[city]=Pune u", ["1"]),
        ("attributes[city]=Pune v", []),
        ("attributes[city]=Goa\\, M", ["2"]),
        ("attributes[city]=Goa, M", []),
        ("attributes[city]=Pune u,Goa\\, M", ["1", "2"]),
        ("attributes[tags]=vip&attributes[budget]=2..3", ["1"]),
        ("attributes[budget]=2.50", ["1"]),
        ("attributes[visit_on]=2025-01-02..", ["1"]),
        ("attributes[demo_book_datetime]=2025-12-12", ["1"]),
        ("attributes[demo_book_datetime]=2025-12-12T09:07:38.123Z", ["1"]),
        ("attributes[marks]=10", ["1"]),
        ("attributes[mixed]=3", ["1"]),
        ("attributes[mixed]=-2", ["2"]),
        ("attributes[phone_length]=11", ["1", "2", "3"]),
        ("attributes[price]=5", ["1"]),
        ("attributes[price]=..11&without_attributes=tags", ["2", "3"]),
        ("with_attributes=tags,budget", ["1"]),
        ("without_attributes=budget", ["2", "3"]),
        ("attributes[noted_at]=..", None),
        ("attributes[nothing]=1", []),
    ],
)
def test_who_passes(world: World, query: str, phones: list[str] | None) -> None:
    if phones is None:
        assert world.client.get(f"{LEADS}?{query}").status_code == 400
    else:
        assert world.phones(query) == phones


def test_a_tenant_sees_nothing_of_another(world: World) -> None:
    world.conn.execute("SET row_security = on")
    world.conn.execute("SET ROLE leads_api")
    try:
        for tenant in ("u", "v", "w"):
            world.conn.execute("SELECT set_config('leads.user_id', %s, false)", (tenant,))
            for table in ("attribute_counts", "lead_profiles_of_tenant", "lead_conversations_of_tenant"):
                query = f"SELECT array_agg(DISTINCT user_id) FROM read_model.{table}"
                row = world.conn.execute(query.encode()).fetchone()
                assert row == ((None if tenant == "w" else [tenant]),), table
    finally:
        world.conn.execute("RESET ROLE")
        world.conn.execute("SET row_security = off")
    for tenant in ("u", "v"):
        path = f"/users/{tenant}/leads/facets"
        cities = world.data("facets=attributes.city", path)
        assert cities == {"attributes.city": {"values": {"Goa, M": 1, f"Pune {tenant}": 1}, "distinct": 2}}
    counts = {row["name"]: row["leads"] for row in world.data(path="/users/u/leads/attributes")}
    assert (counts["city"], counts["tags"], counts["phone_length"]) == (2, 1, 3)
    assert all(row["leads"] == 0 for row in world.data(path="/users/w/leads/attributes"))


def test_answers_are_the_same_without_include(world: World) -> None:
    for path in (LEADS, f"{LEADS}/49151000001"):
        assert '"attributes"' not in json.dumps(world.data(path=path))
    [lead] = world.data("customer_phone=49151000001&include=attributes")
    assert [*lead][-2:] == ["conversations", "attributes"]
    assert lead["attributes"]["tags"] == ["vip", FORMULA]
    assert [*lead["conversations"][0]][-1] == "attributes"
    [without] = world.data("customer_phone=49151000003&fields=attributes,customer_phone")
    assert without == {"customer_phone": "49151000003", "attributes": {}}


def test_links_keep_the_filters_by_attributes(world: World) -> None:
    query = "attributes[price]=..11&without_attributes=tags&include=attributes&limit=1"
    first = world.client.get(f"{LEADS}?{query}")
    link = first.headers["Link"].partition(">")[0].removeprefix("<")
    second = world.client.get(f"{LEADS}?{link.partition('?')[2]}")
    assert (second.status_code, "Link" in second.headers) == (200, False)
    pages = [answer.get_json()["data"][0] for answer in (first, second)]
    assert {lead["customer_phone"][-1] for lead in pages} == {"2", "3"}
    assert all("attributes" in lead for lead in pages)
    cursor = link.rpartition("cursor=")[2]
    other = world.client.get(f"{LEADS}?attributes[price]=..12&without_attributes=tags&cursor={cursor}")
    assert "cursor belongs to another query" in other.get_json()["message"]


def test_a_table_has_the_attributes_of_leads_and_runs_none_of_them(world: World) -> None:
    def table(query: str) -> dict[str, dict[str, str]]:
        text = world.client.get(f"{LEADS}.csv?{query}").data.decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text, newline=""))
        assert rows.fieldnames is not None
        names = [name for name in rows.fieldnames if name.startswith("attributes.")]
        assert names == sorted(f"attributes.{name}" for name in attributes.DECLARATION.lead) * bool(names)
        return {row["customer_phone"]: {name: row[name] for name in names} for row in rows}

    assert set(map(len, table("").values())) == {0}
    first = table("include=attributes")["49151000001"]
    assert (first["attributes.budget"], first["attributes.visit_on"]) == ("2.5", "2025-01-02")
    assert (first["attributes.tags"], first["attributes.source"]) == (f"vip;{FORMULA}", "'-2")
    assert first["attributes.demo_book_datetime"] == "2025-12-12T09:07:38.123Z"
    assert first["attributes.opted_out"] == ""
    excel = table("include=attributes&for=excel")["49151000001"]
    assert excel["attributes.demo_book_datetime"] == "2025-12-12 09:07:38"
    world.conn.execute("UPDATE contacts SET tags = ARRAY[%s, 'vip'] WHERE contact_id = 'k-u-1'", (FORMULA,))
    refresh_now(world.conn)
    assert table("include=attributes")["49151000001"]["attributes.tags"] == f"'{FORMULA};vip"


def test_the_feed_tells_changes_of_attributes(world: World) -> None:
    copies = [
        Copy(world.client, "u", query) for query in ("", "include=attributes", "attributes[city]=Delhi")
    ]
    for copy in copies:
        copy.begin()
    world.conn.execute("UPDATE contacts SET company = 'Delhi' WHERE contact_id = 'k-u-2'")
    refresh_now(world.conn)
    for copy in copies:
        assert copy.follow() == ["49151000002"]
        assert copy.leads == copy.list()
    assert copies[1].leads["49151000002"]["attributes"]["city"] == "Delhi"
    assert [*copies[2].leads] == ["49151000002"]


def test_answers_change_with_attributes_and_with_the_mapping(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_routes, "CATALOG_SECONDS", -1.0)
    asked = (
        f"{LEADS}?attributes[source]=-2&include=attributes",
        f"{LEADS}/49151000001?include=attributes",
        f"{LEADS}/facets?facets=attributes.source",
        f"{LEADS}/attributes",
    )

    def answers(tags: dict[str, str]) -> dict[str, int]:
        statuses = {}
        for path in asked:
            # The second one comes from memory.
            for _ in range(2):
                answer = world.client.get(path, headers={"If-None-Match": tags.get(path, '"x"')})
                statuses[path] = answer.status_code
            tags[path] = answer.headers["ETag"]
        return statuses

    tags: dict[str, str] = {}
    assert set(answers(tags).values()) == {200}
    assert set(answers(tags).values()) == {304}
    world.conn.execute("UPDATE contacts SET source = 'web' WHERE contact_id = 'k-u-1'")
    refresh_now(world.conn)
    before = dict(tags)
    assert all(
        world.client.get(path, headers={"If-None-Match": tags[path]}).status_code == 200 for path in asked
    )
    answers(tags)
    assert not {*before.values()} & {*tags.values()}
    migrate(world.conn, create_source=False, mapping=default_mapping())
    try:
        named = {row["name"] for row in world.data(path=f"{LEADS}/attributes")}
        assert "budget" not in named
        assert all(
            world.client.get(path, headers={"If-None-Match": tags[path]}).status_code == 200 for path in asked
        )
        refused = world.client.get(f"{LEADS}?attributes[city]=Delhi")
        assert (
            "attributes[city] names no attribute; there are: custom_cta, demo_book_datetime"
            in refused.get_json()["message"]
        )
    finally:
        migrate(world.conn, create_source=False, mapping=attributes.MAPPING)
        rebuild_now(world.conn)
