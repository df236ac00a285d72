"""The body and the headers that all answers have."""

import re
from urllib.parse import unquote

from flask.testing import FlaskClient

from api.request.parameters import Page
from api.response.openapi import HEADERS, KNOWN, LIMITED
from api.response.pagination import MAX_LINK_LENGTH, page_of_results
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp, answer_keys


@cases(
    ("given", "is_kept"),
    [
        *((one, True) for one in ("a", "A-Za.z_0-9", "x" * 128)),
        *(
            (one, False)
            for one in ("", " ", "a b", "x" * 129, 'a"b', "a\N{LATIN SMALL LETTER E WITH ACUTE}", "a/b")
        ),
    ],
)
def test_a_good_correlation_id_is_kept(
    client: FlaskClient, library: Library, given: str, *, is_kept: bool
) -> None:
    answer = client.get(library.base, headers={"X-Correlation-Id": given})
    found = answer.get_json()["correlationId"]
    assert found == given if is_kept else re.fullmatch(r"1774789631123-[0-9a-z]{9}", found)
    assert answer.headers["X-Correlation-Id"] == found


def test_the_name_of_the_tenant(database: Database, make_app: MakeApp) -> None:
    name = "Caf\N{LATIN SMALL LETTER E WITH ACUTE}\r\nX-Evil: 1 " + "\N{GRINNING FACE}" * 100
    with database.connect() as conn:
        conn.execute("INSERT INTO read_model.tenant_names VALUES ('a', %s), ('b', 'Other')", (name,))
    client = make_app(database).test_client()
    for path in ("", "/stats", "/facets", "/1"):
        sent = client.get(f"/users/a/leads{path}").headers["X-Tenant-Name"]
        assert sent.startswith("Caf%C3%A9%0D%0AX-Evil%3A%201%20%F0")
        assert unquote(sent) == name[:100]
        assert "X-Tenant-Name" not in client.get(f"/users/nobody/leads{path}").headers
    assert client.get("/users/b/lead-changes").headers["X-Tenant-Name"] == "Other"


@cases(
    "path",
    [
        "",
        "/stats",
        "/nobody",
        "?x=1",
        "/health/live",
        "/metrics",
        "/openapi.json",
        "/docs/",
        "/docs/index.css",
    ],
)
def test_no_cache_and_no_guessing_of_types(client: FlaskClient, library: Library, path: str) -> None:
    is_own = path.startswith(("/health", "/metrics", "/openapi", "/docs"))
    with client.get(path if is_own else f"{library.base}{path}") as answer:
        assert answer.headers.getlist("Cache-Control") == ["private, no-cache"]
        assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
        assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]


def test_an_answer_has_the_described_headers_and_no_other(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit="100 per minute").test_client()
    for address in answer_keys(library):
        for headers in ({}, {"If-None-Match": "*"}):
            answer = client.get(address, headers=headers)
            described = {*LIMITED, *KNOWN, "ETag"}
            if answer.status_code == 200 and address.endswith(("leads", "messages")):
                described.add("Link")
            found = {name for name, _ in answer.headers if name in HEADERS or name.startswith(("X-", "Rate"))}
            found -= {"X-Content-Type-Options"}
            assert found <= described
            # The tenant may have no dead letter, and a list no second page.
            assert described - found <= {"X-Data-Dead-Letters", "Link"}


def link(page: Page, rows: list[bytes], total: int) -> str | None:
    return page_of_results(page, rows, total).link(("u",), lambda row: [row.decode()])


def test_a_link_that_no_client_would_take_is_left_out() -> None:
    without = link(Page(2, query="x"), [b"a", b"b"], 3)
    assert without is not None
    most = MAX_LINK_LENGTH - len(without) + 1
    longest = link(Page(2, query="x" * most), [b"a", b"b"], 3)
    assert longest is not None
    assert len(longest) == MAX_LINK_LENGTH
    assert link(Page(2, query="x" * (most + 1)), [b"a", b"b"], 3) is None
