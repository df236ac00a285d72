"""The page to try the API, and the page for people, need nothing from elsewhere."""

import base64
import hashlib
from html.parser import HTMLParser
from urllib.parse import urljoin

from flask.testing import FlaskClient

from api.config.auth import AuthConfig
from tests.support.cases import cases
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
        given = dict(attrs)
        self.attributes |= {name for name in given if name == "style" or name.startswith("on")}
        source = given.get("src") or given.get("href")
        if source and tag != "a":
            kinds = {"script": "script-src", "stylesheet": "style-src", "icon": "img-src", "img": "img-src"}
            self.loaded.append((kinds[given.get("rel") or tag], source))
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


def test_no_host_of_a_caller_gets_into_the_script_of_the_page(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, auth=AuthConfig(("none",))).test_client()
    answers = [client.get("/docs/", headers={"Host": host}) for host in ("localhost", "evil.example")]
    assert answers[0].get_data() == answers[1].get_data()
    assert answers[0].headers["Content-Security-Policy"] == answers[1].headers["Content-Security-Policy"]
