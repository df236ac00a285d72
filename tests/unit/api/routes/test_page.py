"""The page for people, which tests/browser drives, and the one to try the API: they need nothing from elsewhere."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import orjson
from flask import Flask
from flask.testing import FlaskClient

from api.config.auth import AuthConfig
from api.database.statement import compile_statement
from api.plan.projection import FIRST_TENANTS, MOST_LISTED
from api.routes.page import REFERENCE_TENANT, example
from tests.exactness.platform import refresh_now
from tests.support.cases import cases
from tests.support.running import write_source
from tests.support.server import Database
from tests.unit.api.auth.tokens import token_config
from tests.unit.api.conftest import Library, MakeApp


class Page(HTMLParser):
    """What a browser would run or load for a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inline: list[tuple[str, str]] = []
        self.loaded: list[tuple[str, str]] = []
        self.attributes: set[str] = set()
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.attributes |= {name for name in attributes if name == "style" or name.startswith("on")}
        source = attributes.get("src") or attributes.get("href")
        if source and tag != "a":
            kinds = {"script": "script-src", "stylesheet": "style-src", "icon": "img-src", "img": "img-src"}
            self.loaded.append((kinds[attributes.get("rel") or tag], source))
        elif tag in ("script", "style"):
            self._open = tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inline.append((self._open, data))
            self._open = None


def policy_of(header: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (part.split() for part in header.split(";"))}


@cases("path", ["/", "/docs/", "/docs", "/docs/index.html", "/docs/oauth2-redirect.html"])
def test_the_policy_lets_the_page_run_and_nothing_else(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        policy = policy_of(answer.headers["Content-Security-Policy"])
        page = Page(answer.get_data(as_text=True))
    assert page.loaded
    for directive, source in page.loaded:
        assert "//" not in source
        assert "'self'" in policy[directive]
        # The page after a login names its script without a folder.
        with client.get(urljoin("/docs/", source)) as file:
            assert file.status_code == 200
    # Each script within the page by its hash, byte for byte as a browser takes it; none by a general permit.
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for tag, text in page.inline
        if tag == "script"
    ]
    assert policy["script-src"] == ["'self'", *hashes]
    assert [tag for tag, _ in page.inline if tag == "style"] == []
    assert page.attributes == set()
    assert "'self'" in policy["connect-src"]
    # Icons of the style sheet.
    assert policy["img-src"] == ["'self'", *(["data:"] if path.startswith("/docs") else [])]
    for directive in ("default-src", "base-uri", "form-action", "frame-ancestors"):
        assert policy[directive] == ["'none'"]
    if path == "/":
        assert (answer.status_code, answer.mimetype, len(page.loaded), hashes) == (200, "text/html", 4, [])
        assert policy["style-src"] == policy["connect-src"] == ["'self'"]
        assert (policy["trusted-types"], policy["require-trusted-types-for"]) == (["'none'"], ["'script'"])


def test_no_host_of_a_caller_gets_into_the_script_of_the_page(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, auth=AuthConfig(("none",))).test_client()
    answers = [client.get("/docs/", headers={"Host": host}) for host in ("localhost", "evil.example")]
    assert answers[0].get_data() == answers[1].get_data()
    assert answers[0].headers["Content-Security-Policy"] == answers[1].headers["Content-Security-Policy"]


@cases("path", ["/page/", "/page/none.js", "/page/../templates/page.html", "/page/%2e%2e/__init__.py"])
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_all_modules_come_as_one(client: FlaskClient) -> None:
    """So that a far browser waits for one request, not for a chain of them. None is there that no other one loads."""
    static = Path(__file__).parents[4] / "api" / "page" / "static"
    with client.get("/page/all.js") as answer:
        text, etag = answer.get_data(as_text=True), answer.headers["ETag"]
    assert not re.search(r"^(import|export)\b", text, re.MULTILINE)
    defined = re.findall(r"^const (\w+)\$ = ", text, re.MULTILINE)
    assert sorted(defined) == sorted(module.stem for module in static.glob("*.js"))
    assert client.get("/page/all.js", headers={"If-None-Match": etag}).status_code == 304
    with client.get("/page/all.css") as answer:
        assert answer.mimetype == "text/css"
        for sheet in static.glob("*.css"):
            assert sheet.read_text("utf-8") in answer.get_data(as_text=True)


def test_a_tenant_is_named_only_where_nobody_is_asked(
    client: FlaskClient, library: Library, make_app: MakeApp
) -> None:
    asked = make_app(library.database, auth=token_config()).test_client()
    for path, openly, closed in (
        ("/", 'data-asks-who-calls="no"', 'data-asks-who-calls="yes"'),
        ("/docs/openapi.json", '"security":[]', '"security":[{"credentials":[]}]'),
    ):
        text = client.get(path).get_data(as_text=True)
        assert openly in text
        assert any(user_id in text for user_id in library.model.leads)
        text = asked.get(path).get_data(as_text=True)
        assert closed in text
        assert not any(user_id in text for user_id in library.model.leads)


def test_the_setting_takes_it_away(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, page=False).test_client()
    for path in ("/", "/page/main.js"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "application/json")
    assert client.get("/docs/").status_code == 200


def shown(app: Flask) -> tuple[str | None, str | None]:
    with app.test_request_context():
        app.preprocess_request()
        return example()


def test_the_first_tenant_or_that_of_the_reference_and_its_most_active_lead(
    database: Database, make_app: MakeApp
) -> None:
    with database.connect() as conn:
        for tenant in ("b", "a", REFERENCE_TENANT):
            write_source(conn, tenant)
            refresh_now(conn)
            assert shown(make_app(database)) == (tenant, "49151000001")


@cases("path", ["/", "/docs/", "/docs/openapi.json"])
def test_a_page_is_there_without_a_read_model(empty_database: Database, make_app: MakeApp, path: str) -> None:
    app = make_app(empty_database)
    assert app.test_client().get(path).status_code == 200
    assert shown(app) == (None, None)


def listed(app: Flask) -> list[str]:
    tenants: list[str] = orjson.loads(app.extensions["leads"].database.fetch(FIRST_TENANTS).text)
    return tenants


def test_no_more_than_a_page_can_offer_and_one(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        conn.execute(
            "INSERT INTO read_model.tenants (user_id)"
            " SELECT 't' || lpad(n::text, 5, '0') FROM generate_series(1, 20000) AS n"
        )
        conn.execute("VACUUM (ANALYZE) read_model.tenants")
        text = compile_statement(FIRST_TENANTS).text
        plan = "\n".join(str(line) for (line,) in conn.execute(b"EXPLAIN (ANALYZE, TIMING OFF) " + text))
    assert "tenants_pkey" in plan
    assert f"rows={MOST_LISTED + 1}" in plan
    assert "rows=20000 loops" not in plan
    assert listed(make_app(database)) == [f"t{number:05}" for number in range(1, MOST_LISTED + 2)]


def test_tenants_are_listed_by_name_with_their_id(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        conn.execute("INSERT INTO read_model.tenants (user_id) VALUES ('\"'), ('<b>'), ('a-long-tenant-id')")
        conn.execute(
            "INSERT INTO read_model.tenant_names VALUES ('<b>', '<b>Bold & Sons</b>'), ('x', 'No tenant'),"
            " ('a-long-tenant-id', 'Acme')"
        )
    app = make_app(database)
    assert listed(app) == ['"', "<b>", "a-long-tenant-id"]
    text = app.test_client().get("/").get_data(as_text=True)
    assert '<option value="&#34;" title="&#34;">&#34;</option>' in text
    assert ">&lt;b&gt;Bold &amp; Sons&lt;/b&gt; · &lt;b&gt;</option>" in text
    assert 'title="a-long-tenant-id">Acme · a-long-ten…</option>' in text
    assert "No tenant" not in text
    assert "<b>" not in text
