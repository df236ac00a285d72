"""The headers of answers, as the OpenAPI document describes them."""

from typing import Any, NamedTuple


class Header(NamedTuple):
    """What a header says, and a value that it may have."""

    description: str
    example: str | int

    def as_openapi(self) -> dict[str, Any]:
        """Returns the header as OpenAPI describes one."""
        kind = "integer" if isinstance(self.example, int) else "string"
        return {"description": self.description, "schema": {"type": kind}, "example": self.example}


HEADERS = {
    "X-Correlation-Id": Header("The correlationId of the body", "1764124863984-q5aaacm9z"),
    "X-Data-As-Of": Header(
        "Every change committed before this moment is contained in the answer", "2026-11-26T02:41:03.120Z"
    ),
    "X-Data-Dead-Letters": Header(
        "Keys of this tenant that are set aside with an error; only if there are any", 1
    ),
    "ETag": Header(
        "Stands for data and pagination; send it back as If-None-Match to be told whether they are the same",
        'W/"v5d3bd3e3a92b9d3f7f2f8f6b"',
    ),
    "X-RateLimit-Limit": Header("Requests in a window", 100),
    "X-RateLimit-Remaining": Header("Requests left in this window", 99),
    "X-RateLimit-Reset": Header("When the window ends, in seconds since 1970", 1764124920),
    "RateLimit": Header(
        "Requests left in this window (r), and the seconds until it ends (t)", '"tenant";r=99;t=57'
    ),
    "RateLimit-Policy": Header("Requests in a window (q), and its seconds (w)", '"tenant";q=100;w=60'),
    "Retry-After": Header("Seconds to wait", 1),
    "WWW-Authenticate": Header(
        "Bearer, with what is wrong with the credentials", 'Bearer realm="leads", error="invalid_token"'
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
