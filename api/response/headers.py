"""The headers of requests and answers, as the OpenAPI document describes them."""

from typing import Any, NamedTuple

from api.request.change_token import EXAMPLE as TOKEN
from api.request.cursor import EXAMPLE

EVENTS = "text/event-stream"
CORRELATION_ID = "^[A-Za-z0-9._-]{1,128}$"

_MOMENT = {"type": "string", "format": "date-time"}
_NUMBER = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}


class Header(NamedTuple):
    """What a header says, a value that it may have, and its JSON schema."""

    description: str
    example: str | int
    schema: dict[str, Any] = _TEXT

    def as_openapi(self) -> dict[str, Any]:
        """Returns the header as OpenAPI describes one."""
        return {"description": self.description, "schema": self.schema, "example": self.example}


HEADERS = {
    "X-Correlation-Id": Header(
        "The `correlationId` of the body.",
        "1764124863984-q5aaacm9z",
        {**_TEXT, "pattern": CORRELATION_ID},
    ),
    "X-Data-As-Of": Header(
        "The answer contains every change of the tenant that was committed before this moment. Absent while nothing is "
        "promised, such as after the clock of the database was set back.",
        "2026-11-26T02:41:03.120Z",
        _MOMENT,
    ),
    "X-Data-Dead-Letters": Header(
        "Keys of this tenant that are set aside with an error. Their leads may be out of date. Absent if there are "
        "none.",
        1,
        {**_NUMBER, "minimum": 1},
    ),
    "ETag": Header(
        "Stands for `data` and `pagination`. A caller who sends it back as `If-None-Match` learns whether they are the "
        "same.",
        'W/"v5d3bd3e3a92b9d3f7f2f8f6b"',
        {**_TEXT, "pattern": '^W/"[vm][0-9a-f]+"$'},
    ),
    "Link": Header(
        "Where the next page is, relative to the address of this one. Absent on the last page.",
        f'<?limit=10&cursor={EXAMPLE}>; rel="next"',
    ),
    "X-RateLimit-Limit": Header("Requests that this tenant may send in one period.", 100, _NUMBER),
    "X-RateLimit-Remaining": Header("Requests that are left in this period.", 99, _NUMBER),
    "X-RateLimit-Reset": Header("End of the period, in seconds since 1970.", 1764124920, _NUMBER),
    "RateLimit": Header(
        "Requests that are left in this period (`r`), and the seconds until it ends (`t`).",
        '"tenant";r=99;t=57',
    ),
    "RateLimit-Policy": Header("Requests in one period (`q`), and its seconds (`w`).", '"tenant";q=100;w=60'),
    "X-Total-Count": Header(
        "Number of leads or messages in the file, not counting a header row; or of leads that pass the filters.",
        4,
        _NUMBER,
    ),
    "Content-Disposition": Header(
        "A name for the file, with the moment that it shows.",
        'attachment; filename="leads-20261126T024103Z.csv"',
    ),
    "Retry-After": Header("Seconds to wait before the next try.", 1, {**_NUMBER, "minimum": 1}),
    "WWW-Authenticate": Header(
        "`Bearer`, with what is wrong with the credentials.", 'Bearer realm="leads", error="invalid_token"'
    ),
}
LIMITED = (
    "X-Correlation-Id",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit",
    "RateLimit-Policy",
)
KNOWN = ("X-Data-As-Of", "X-Data-Dead-Letters")

# What a request may have. Any value is taken.
REQUEST_HEADERS = {
    "If-None-Match": Header(
        "The `ETag` of an answer that the caller has, several with commas, or `*` for any. The API answers 304 while "
        "the answer is the same.",
        HEADERS["ETag"].example,
    ),
    "Last-Event-ID": Header(
        "With `Accept: text/event-stream`, the `id` of the last event that the caller has, in place of `since`.",
        TOKEN,
    ),
    "X-Correlation-Id": Header(
        "Identifies the request in the answer and in the logs, if it has up to 128 letters, digits, `.`, `_` and `-`. "
        "Otherwise the API makes an id of its own.",
        "my-request-1",
    ),
}
