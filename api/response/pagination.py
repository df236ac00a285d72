"""The pagination object of an answer."""

from api.request.parameters import Page


def pagination(page: Page, total: int) -> bytes:
    """Returns the pagination object of a page, of `total` results in all, as JSON."""
    more = "true" if page.offset + page.limit < total else "false"
    return f'{{"total":{total},"limit":{page.limit},"offset":{page.offset},"hasMore":{more}}}'.encode()


def rows_of(page: Page, total: int) -> int:
    """Returns how many results a page has, of `total` results in all."""
    return max(0, min(page.limit, total - page.offset))
