"""Limit, offset, and what an answer says of them."""

from dataclasses import dataclass

DEFAULT_LIMIT = 50
GREATEST_OFFSET = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """The part of an ordered set that a caller asks for."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0

    def pagination(self, total: int) -> bytes:
        """The pagination object, as JSON."""
        more = "true" if self.offset + self.limit < total else "false"
        return f'{{"total":{total},"limit":{self.limit},"offset":{self.offset},"hasMore":{more}}}'.encode()
