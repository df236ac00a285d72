"""The page of an answer, its pagination object, and the link to the next page."""

from urllib.parse import urljoin

from api.request.parameters import Page
from api.response.pagination import MAX_LINK_LENGTH, page_of_results
from tests.unit.api.conftest import Library, MakeApp


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


def test_a_link_is_relative_to_the_address_of_the_page(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database).test_client()
    for base in (library.base, f"{library.base}/", f"{library.base}/{library.phone}/messages"):
        answer = client.get(f"{base}?limit=1&offset=1")
        # As requests has it, and a browser by new URL(link, address).
        following = urljoin(
            f"https://proxy.example/api{base}?limit=1&offset=1", answer.headers["Link"][1:-13]
        )
        assert following.startswith(f"https://proxy.example/api{base}?limit=1&cursor=")
        assert client.get(following.removeprefix("https://proxy.example/api")).status_code == 200


def test_a_link_is_on_pages_alone(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database).test_client()
    page = client.get(f"{library.base}?limit=1")
    assert client.head(f"{library.base}?limit=1").headers["Link"] == page.headers["Link"]
    same = client.get(f"{library.base}?limit=1", headers={"If-None-Match": page.headers["ETag"]})
    assert same.status_code == 304
    for answer in (
        same,
        client.get(f"{library.base}/stats"),
        client.get(f"{library.base}/{library.phone}"),
        client.get(f"{library.base}?offset=2147483647"),
        client.get(f"{library.base}?cursor=x"),
    ):
        assert "Link" not in answer.headers
