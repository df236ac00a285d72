"""The body and the headers that all answers have, compressed or not, for pages of other origins too."""

import re
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient

from api.config.auth import AuthConfig
from api.request.parameters import Page
from api.response.compression import MIN_BYTES, chosen_encoding
from api.response.openapi import HEADERS, KNOWN, LIMITED
from api.response.pagination import MAX_LINK_LENGTH, page_of_results
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp, endpoints
from tests.unit.api.routes.test_memory import DECODERS


@cases(
    ("sent", "is_kept"),
    [
        *((sent, True) for sent in ("a", "A-Za.z_0-9", "x" * 128)),
        *(
            (sent, False)
            for sent in ("", " ", "a b", "x" * 129, 'a"b', "a\N{LATIN SMALL LETTER E WITH ACUTE}", "a/b")
        ),
    ],
)
def test_a_good_correlation_id_is_kept(
    client: FlaskClient, library: Library, sent: str, *, is_kept: bool
) -> None:
    answer = client.get(library.base, headers={"X-Correlation-Id": sent})
    returned = answer.get_json()["correlationId"]
    assert returned == sent if is_kept else re.fullmatch(r"1774789631123-[0-9a-z]{9}", returned)
    assert answer.headers["X-Correlation-Id"] == returned


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


def test_an_answer_has_the_described_headers_and_no_other(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit="100 per minute").test_client()
    for address in endpoints(library):
        for headers in ({}, {"If-None-Match": "*"}):
            answer = client.get(address, headers=headers)
            described = {*LIMITED, *KNOWN, "ETag"}
            if answer.status_code == 200 and address.endswith(("leads", "messages")):
                described.add("Link")
            names = {name for name, _ in answer.headers if name in HEADERS or name.startswith(("X-", "Rate"))}
            names -= {"X-Content-Type-Options"}
            assert names <= described
            # The tenant may have no dead letter, and a list no second page.
            assert described - names <= {"X-Data-Dead-Letters", "Link"}


def link(page: Page, rows: list[bytes], total: int) -> str | None:
    return page_of_results(page, rows, total).link("u")


def test_a_link_that_no_client_would_take_is_left_out() -> None:
    without = link(Page(2, query="x"), [b"{}", b"{}"], 3)
    assert without is not None
    most = MAX_LINK_LENGTH - len(without) + 1
    longest = link(Page(2, query="x" * most), [b"{}", b"{}"], 3)
    assert longest is not None
    assert len(longest) == MAX_LINK_LENGTH
    assert link(Page(2, query="x" * (most + 1)), [b"{}", b"{}"], 3) is None


TAKES = {"Accept-Encoding": "gzip, deflate, br"}
SAME = {"X-Correlation-Id": "same"}


@cases("encoding", ["gzip", "zstd"])
def test_an_answer_is_the_same_but_for_its_encoding(
    client: FlaskClient, library: Library, encoding: str
) -> None:
    for address in (
        library.base,
        f"{library.base}?days=4000",
        f"{library.base}/{library.phone}/messages",
        "/openapi.json",
    ):
        whole, small = (
            client.get(address, headers=SAME),
            client.get(address, headers=SAME | {"Accept-Encoding": encoding}),
        )
        assert len(whole.data) >= MIN_BYTES
        assert "Content-Encoding" not in whole.headers
        assert small.headers["Content-Encoding"] == encoding
        assert DECODERS[encoding](small.data) == whole.data
        assert len(small.data) < len(whole.data)
        assert small.headers["Content-Length"] == str(len(small.data))
        assert whole.headers["Vary"] == small.headers["Vary"] == "Accept-Encoding"
        assert small.headers.get("ETag") == whole.headers.get("ETag")
        assert small.headers["Content-Type"] == whole.headers["Content-Type"]


def test_a_range_is_of_the_stored_bytes(client: FlaskClient) -> None:
    with client.get("/docs/swagger-ui-bundle.js", headers={**TAKES, "Range": "bytes=0-4999"}) as answer:
        assert (answer.status_code, len(answer.data)) == (206, 5000)
        assert "Content-Encoding" not in answer.headers


@cases(
    ("header", "encoding"),
    [
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        # As browsers send it.
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=0.9, zstd;q=0.8", "gzip"),
        ("gzip;q=0, *", "zstd"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("*;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("", None),
        (";;,,q=1", None),
        ("deflate," * 200 + "gzip", "gzip"),
    ],
)
def test_what_a_caller_takes(
    client: FlaskClient, library: Library, header: str, encoding: str | None
) -> None:
    assert chosen_encoding(header) == encoding
    answer = client.get(library.base, headers={"Accept-Encoding": header})
    assert answer.headers.get("Content-Encoding") == encoding


ORIGIN = "https://app.example.com"
OTHER = "https://app.example.com.evil.example"
KEYS = AuthConfig(methods=("key",))


def preflight(origin: str = ORIGIN) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,if-none-match",
    }


def words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


@pytest.fixture
def open_to_one(library: Library, make_app: MakeApp) -> FlaskClient:
    return make_app(library.database, cors_origins=("http://localhost:3000", ORIGIN)).test_client()


def test_what_every_answer_has_and_an_allowed_origin_may_read(
    open_to_one: FlaskClient, library: Library
) -> None:
    addresses = [
        *endpoints(library),
        f"{library.base}/nobody",
        f"{library.base}?x=1",
        "/nothing",
        *("/openapi.json", "/health/live", "/metrics", "/docs/", "/docs/index.css"),
    ]
    for address in addresses:
        for headers in ({}, {"If-None-Match": "*"}):
            with open_to_one.get(address, headers={"Origin": ORIGIN, **headers}) as answer:
                pass
            # A browser asks again, guesses no type and does not tell the address.
            assert answer.headers.getlist("Cache-Control") == ["private, no-cache"]
            assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
            assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
            assert answer.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]
            assert answer.headers.getlist("Vary") == ["Accept-Encoding, Origin"]
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert words(answer.headers["Access-Control-Expose-Headers"]) == {
                name.lower() for name in HEADERS
            }


@cases(
    "origin",
    [OTHER, "https://app.example.com:8443", "http://app.example.com", "null", "", "HTTPS://APP.EXAMPLE.COM"],
)
def test_another_origin_may_not_and_without_the_setting_none_may(
    open_to_one: FlaskClient, client: FlaskClient, library: Library, origin: str
) -> None:
    for asking, asked_by, vary in (
        # A cache must not give this answer to an allowed one.
        (open_to_one, origin, "Accept-Encoding, Origin"),
        (client, ORIGIN, "Accept-Encoding"),
    ):
        for answer in (
            asking.get(library.base, headers={"Origin": asked_by}),
            asking.options(library.base, headers=preflight(asked_by)),
        ):
            assert answer.status_code == 200
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]
            assert answer.headers["Vary"] == vary


def test_a_preflight_says_what_a_page_may_do(open_to_one: FlaskClient, library: Library) -> None:
    for address in endpoints(library):
        answer = open_to_one.options(address, headers=preflight())
        assert (answer.status_code, answer.data) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert words(answer.headers["Access-Control-Allow-Methods"]) == {"get", "head", "post"}
        assert words(answer.headers["Access-Control-Allow-Headers"]) >= {
            "authorization",
            "content-type",
            "if-none-match",
        }
        assert answer.headers["Access-Control-Max-Age"] == "600"
        assert answer.headers["Vary"] == "Accept-Encoding, Origin"
        assert "Content-Type" not in answer.headers


def test_a_preflight_needs_no_credentials_and_counts_nowhere(library: Library, make_app: MakeApp) -> None:
    limit = {"rate_limit": "1 per minute", "cors_origins": (ORIGIN,)}
    client = make_app(library.database, auth=KEYS, **limit).test_client()
    for _ in range(3):
        assert client.options(library.base, headers=preflight()).status_code == 204
    refused = client.get(library.base, headers={"Origin": ORIGIN})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert refused.headers["Vary"] == "Accept-Encoding, Authorization, Origin"
    limited = make_app(library.database, **limit).test_client()
    for _ in range(3):
        assert limited.options(library.base, headers=preflight()).status_code == 204
    assert [limited.get(library.base, headers={"Origin": ORIGIN}).status_code for _ in range(2)] == [200, 429]


def test_any_origin(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, auth=KEYS, cors_origins=("*",)).test_client()
    assert (
        client.options(library.base, headers=preflight(OTHER)).headers["Access-Control-Allow-Origin"] == "*"
    )
    answer = client.get(library.base, headers={"Origin": OTHER})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Vary"] == "Accept-Encoding, Authorization"
