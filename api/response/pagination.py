"""The page of an answer: its results, its pagination object, and the link to the next one."""

from collections.abc import Sequence
from typing import NamedTuple

from api.request.parameters import Page
from api.request.position.cursor import encode, position_of, scope_of

# Proxies and clients take headers of some kilobytes. An answer to a longer query has no link.
MAX_LINK_LENGTH = 8000


class PageOfResults(NamedTuple):
    """The printed results of a page, the total, and whether there is a next page."""

    page: Page
    results: Sequence[bytes]
    total: int
    has_more: bool

    @property
    def json(self) -> bytes:
        """The results, joined by commas."""
        return b",".join(self.results)

    @property
    def pagination(self) -> bytes:
        """The pagination object as JSON."""
        more = "true" if self.has_more else "false"
        page = self.page
        return (
            f'{{"total":{self.total},"limit":{page.limit},"offset":{page.offset},"hasMore":{more}}}'.encode()
        )

    def link(self, *path: str) -> str | None:
        """Return the Link header, relative to the address with these ids; None on the last page."""
        if not self.has_more or not self.results:
            return None
        page = self.page
        cursor = encode(scope_of(page.asked, path), position_of(self.results[-1], page.position_fields))
        query = f"{page.query}&cursor={cursor}" if page.query else f"cursor={cursor}"
        link = f'<?{query}>; rel="next"'
        return link if len(link) <= MAX_LINK_LENGTH else None


def page_of_results(page: Page, rows: Sequence[bytes], total: int) -> PageOfResults:
    """Return the page of these rows, which are at most `page.rows_to_read`."""
    if page.position is None:
        return PageOfResults(page, rows, total, page.offset + page.limit < total)
    return PageOfResults(page, rows[: page.limit], total, len(rows) > page.limit)
