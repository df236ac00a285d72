"""The tools of an agent, by the SDK's own client, on a real API and as the documents start them."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from socket import create_connection
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from api.mcp.tools import OPERATIONS
from tests.exactness.platform import refresh_now
from tests.support.commands import ROOT, environment, started
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.running import write_message
from tests.support.server import Database
from tests.unit.api.auth.tokens import add_key
from tests.unit.api.serving import Served, end, served, wait_until_it_answers

SECTION = (
    (ROOT / "docs" / "api.md").read_text("utf-8").split("\n## Ask from an agent\n", 1)[1].split("\n## ", 1)[0]
)
LEAD = {"user_id": "u", "customer_phone": "49151000001"}


@pytest.fixture
def key(filled: Database) -> str:
    """A key that reads the leads of the tenant."""
    return add_key(filled, "u")


@pytest.fixture
def api(filled: Database, tmp_path: Path) -> Iterator[Served]:
    with filled.connect() as conn:
        write_message(conn, "m")
        conn.execute(
            "INSERT INTO contacts (contact_id, user_id, phone, tags, source)"
            " VALUES ('k', 'u', '49151000001', '{vip,demo}', 'web, old')"
        )
        conn.execute(
            "INSERT INTO extractions (extraction_id, conversation_id, lead_status_tag, extracted_at)"
            " SELECT gen_random_uuid(), conversation_id, 'hot', now() FROM conversations"
        )
        refresh_now(conn)
    with served(filled, tmp_path, LEADS_AUTH="key") as server:
        yield server


def arguments(words: list[str], api_port: int, port: int = 0) -> list[str]:
    """The words of a documented line behind the name of the program, with the ports of this test."""
    ports = {"http://localhost:4000": f"http://localhost:{api_port}", "4001": str(port)}
    return ["-m", "api.mcp", *(ports.get(word, word) for word in words)]


async def call(client: Client, tool: str, **arguments: object) -> tuple[bool, Any]:
    """Whether the answer is an error, and the answer."""
    answer = await client.call_tool(tool, arguments)
    [text] = answer.content
    assert isinstance(text, types.TextContent)
    if answer.structured_content is None:
        return answer.is_error, text.text
    assert json.loads(text.text) == answer.structured_content
    return answer.is_error, answer.structured_content


async def find_by_attributes(client: Client) -> None:
    for chosen, total in (
        ({"attributes": {"tags": "vip", "source": "web\\, old"}}, 1),
        ({"attributes": {"tags": "none,vip"}, "with_attributes": ["tags", "source"]}, 1),
        ({"attributes": {"source": "web"}}, 0),
        ({"without_attributes": ["tags"]}, 0),
    ):
        _, answer = await call(client, "find", user_id="u", include=["attributes"], **chosen)
        assert answer["body"]["pagination"]["total"] == total, chosen
        assert [lead["attributes"]["tags"] for lead in answer["body"]["data"]] == [["vip", "demo"]] * total
    _, answer = await call(
        client, "facets", user_id="u", facets=["attributes.tags"], attributes={"tags": "vip"}
    )
    counted = {"values": {"demo": 1, "vip": 1}, "distinct": 2}
    assert answer["body"]["data"] == {"attributes.tags": counted}
    _, answer = await call(client, "attributes", user_id="u")
    assert {"tags": 1, "source": 1, "opted_out": 0}.items() <= {
        made["name"]: made["leads"] for made in answer["body"]["data"]
    }.items()


def test_each_tool_is_described_by_the_api_and_says_as_of_when(api: Served, key: str, tmp_path: Path) -> None:
    described = json.loads(api.get("/openapi.json")[2])
    rules = described["components"]["schemas"]["Lead"]["properties"]
    operations = {
        operation["operationId"]: operation
        for path in described["paths"].values()
        for operation in path.values()
    }
    [block] = re.findall(r"^```json\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    entry = json.loads(block)["mcpServers"]["leads"]
    assert entry["command"].endswith("/leads-mcp")
    started = StdioServerParameters(
        command=sys.executable,
        args=arguments(entry["args"], api.port),
        env=environment(**dict.fromkeys(entry["env"], key)),
        cwd=tmp_path,
    )

    async def use(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == list(OPERATIONS)
        bodies = {}
        for name, tool in tools.items():
            taken = {parameter["name"]: parameter for parameter in operations[OPERATIONS[name]]["parameters"]}
            shown = tool.input_schema["properties"]
            assert [shown[name]["description"] for name in shown] == [
                taken[name]["description"] for name in shown
            ]
            if name != "freshness":
                assert operations[OPERATIONS[name]]["description"] in str(tool.description)
                assert {name for name, has in taken.items() if has["in"] != "header"} == set(shown)
            needed = {name: LEAD[name] for name in tool.input_schema["required"]}
            is_error, answer = await call(client, name, **needed)
            assert not is_error
            assert answer["headers"]["X-Data-As-Of"]
            bodies[name] = answer["body"]
        assert bodies["find"]["pagination"]["total"] == bodies["statistics"]["data"]["total_leads"] == 1
        assert bodies["find"]["data"] == [bodies["get"]["data"]]
        assert bodies["messages"]["data"]["messages"]
        assert bodies["facets"]["data"]["has_email"]
        assert [change["lead_status"] for change in bodies["history"]["data"]["transitions"]] == ["Hot"]
        # Each feed has tokens of its own.
        assert bodies["status_changes"]["next"] != bodies["changes"]["next"]
        assert bodies["changes"]["next"] == bodies["freshness"]["next"]
        for field, value in bodies["get"]["data"].items():
            assert bodies["explain"]["data"][field] == {"value": value, "rule": rules[field]["description"]}
        _, answer = await call(
            client, "find", user_id="u", platform=["whatsapp", "webchat"], has_email=False, days=None, limit=1
        )
        assert (answer["body"]["pagination"]["total"], answer["body"]["pagination"]["limit"]) == (1, 1)
        await find_by_attributes(client)
        refused: list[tuple[str, dict[str, object], int, str]] = [
            (
                "find",
                {"user_id": "u", "attributes": {"cty": "Pune"}},
                400,
                "attributes[cty] names no attribute",
            ),
            ("find", {"user_id": "u", "lead_stauts": "Hot"}, 400, "did you mean lead_status?"),
            ("statistics", {"user_id": "v"}, 403, "may not read the leads of this tenant"),
            ("explain", {"user_id": "u", "customer_phone": "1"}, 404, "Lead not found"),
        ]
        for tool_name, arguments, status, message in refused:
            is_error, answer = await call(client, tool_name, **arguments)
            assert (is_error, answer["status"]) == (True, status)
            assert message in answer["body"]["message"]
        assert await call(client, "get", user_id="u") == (True, "customer_phone must be given.")
        refusal = "must be an id, not a path and not the name of another endpoint."
        for path in (".", "..", f"{LEAD['customer_phone']}/messages", "../../../openapi.json"):
            assert await call(client, "get", user_id="u", customer_phone=path) == (
                True,
                f"customer_phone {refusal}",
            )
            assert await call(client, "find", user_id=path) == (True, f"user_id {refusal}")
        assert await call(client, "get", user_id="u", customer_phone="stats") == (
            True,
            f"customer_phone {refusal}",
        )
        end(api.process)
        assert await call(client, "get", **LEAD) == (
            True,
            "The API does not answer at its URL (ConnectError).",
        )

    async def run() -> None:
        with (tmp_path / "stderr").open("w") as log:
            # As programs of before 2026 begin.
            async with Client(stdio_client(started, errlog=log), mode="legacy") as client:
                await use(client)

    asyncio.run(run())
    assert not (tmp_path / "stderr").read_text()


@contextmanager
def over_http(api_port: int, key: str, log: Path, *program: str) -> Iterator[int]:
    """The server that a line of the documents starts, which has a key too, and may lend it to nobody."""
    [line] = re.findall(r"^leads-mcp (.*)$", SECTION, re.MULTILINE)
    port = free_port()
    command = arguments(line.split(), api_port, port)
    command[: len(program)] = program
    with started(command, log.parent, log, LEADS_MCP_TOKEN=key) as process:
        wait_until_it_answers(port, process)
        yield port


def test_over_http_each_request_shows_its_own_credential(api: Served, key: str, tmp_path: Path) -> None:
    async def ask(url: str, **headers: str) -> tuple[bool, Any]:
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            assert len((await client.list_tools()).tools) == len(OPERATIONS)
            return await call(client, "get", **LEAD)

    with over_http(api.port, key, tmp_path / "mcp") as port:
        url = f"http://127.0.0.1:{port}/mcp"
        is_error, answer = asyncio.run(ask(url, Authorization=f"Bearer {key}"))
        assert not is_error
        assert answer["body"]["data"]["customer_phone"] == LEAD["customer_phone"]
        is_error, answer = asyncio.run(ask(url))
        assert (is_error, answer["status"]) == (True, 401)
        refused = httpx2.post(
            url, json={}, headers={"Host": "evil.example", "Authorization": f"Bearer {key}"}
        )
        assert refused.status_code == 421
        refused = httpx2.post(url, json={}, headers={"Origin": f"http://127.0.0.1:{port}"})
        assert refused.status_code == 403
        for method in ("GET", "HEAD", "DELETE"):
            refused = httpx2.request(method, url, headers={"Accept": "text/event-stream"})
            assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")
    logged = (tmp_path / "mcp").read_text()
    assert LEAD["customer_phone"] not in logged
    assert key not in logged


POST = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"
HALF_SENT = (b"", POST, POST + b"Content-Length: 9\r\n\r\n{")


def test_over_http_half_a_request_holds_no_connection(tmp_path: Path) -> None:
    quick = (
        "import api.mcp.server, api.mcp.__main__\napi.mcp.server.SILENT_SECONDS = 0.2\napi.mcp.__main__.cli()"
    )
    with over_http(free_port(), "k", tmp_path / "mcp", "-c", quick) as port:
        for begun, half in product((b"", POST.replace(b"POST", b"GET") + b"\r\n"), HALF_SENT):
            with create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                connection.sendall(begun)
                if begun:
                    assert b" 405 " in connection.recv(1000)
                connection.sendall(half)
                with suppress(ConnectionResetError):
                    while connection.recv(1000):
                        pass
