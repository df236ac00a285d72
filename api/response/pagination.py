"""The pagination object of an answer."""

from api.request.parameters import Page


def pagination(page: Page, total: int) -> bytes:
    """Returns the pagination object of a page, of `total` results in all, as JSON."""
    more = "true" if page.offset + page.limit < total else "false"
    return f'{{"total":{total},"limit":{page.limit},"offset":{page.offset},"hasMore":{more}}}'.encode()
