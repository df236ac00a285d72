"""The failures of the API, as the OpenAPI document describes them: what each status means, and what it looks like."""

from http import HTTPStatus
from typing import Any, NamedTuple

from api.database.errors import NO_RIGHTS, NOT_INSTALLED
from api.limits.exports import ExportsBusyError
from api.limits.running import TENANT_IS_BUSY
from api.response.errors import MESSAGES, PHRASES, LeadNotFoundError, TokenGoneError
from api.response.headers import KNOWN, LIMITED


class DescribedError(NamedTuple):
    """What a status means, the headers of such an answer, and messages by a name for each."""

    description: str
    headers: tuple[str, ...]
    messages: dict[str, str]

    def samples(self, status: int) -> dict[str, Any]:
        """Returns a whole body for each message."""
        phrase = PHRASES.get(status, HTTPStatus(status).phrase)
        closing = {"timestamp": "2026-11-25T01:03:53.984Z", "correlationId": "1795568633984-q5aaacm9z"}
        return {
            name: {"value": {"error": phrase, "message": message, **closing}}
            for name, message in self.messages.items()
        }


# They come before a request is counted against the limit.
OF_CALLERS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

ERRORS: dict[int, DescribedError] = {
    HTTPStatus.BAD_REQUEST: DescribedError(
        "A parameter is unknown, its value is not accepted, or an id is too long. The message names each.",
        LIMITED,
        {
            "parameters": (
                "'lead_stauts' is not a parameter (did you mean lead_status?); "
                "days takes an integer from 1 to 36500"
            ),
            "range": "min_total_score must not be above max_total_score",
        },
    ),
    HTTPStatus.UNAUTHORIZED: DescribedError(
        "The request has no bearer token and no API key, or one that is not accepted.",
        ("X-Correlation-Id", "WWW-Authenticate"),
        {
            "missing": (
                "This API asks for a bearer token: send it in the header Authorization, after the word Bearer"
            ),
        },
    ),
    HTTPStatus.FORBIDDEN: DescribedError(
        "The credentials may not read this tenant, whether or not there is such a tenant.",
        ("X-Correlation-Id", "WWW-Authenticate"),
        {"otherTenant": "These credentials may not read the leads of this tenant"},
    ),
    HTTPStatus.NOT_FOUND: DescribedError(
        "The tenant has no such lead, or there is no such tenant.",
        (*LIMITED, *KNOWN),
        {"lead": str(LeadNotFoundError.description)},
    ),
    HTTPStatus.GONE: DescribedError(
        "The changes since this token are not known any more. Begin anew with an export.",
        LIMITED,
        {"token": str(TokenGoneError.description)},
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: DescribedError(
        "The request has a body of more than 64 KiB. No endpoint reads a body.",
        ("X-Correlation-Id",),
        {"body": MESSAGES[HTTPStatus.REQUEST_ENTITY_TOO_LARGE]},
    ),
    HTTPStatus.TOO_MANY_REQUESTS: DescribedError(
        "The tenant has used up its requests of this period, or too many exports run at once. The message says which.",
        (*LIMITED, "Retry-After"),
        {
            "limit": MESSAGES[HTTPStatus.TOO_MANY_REQUESTS],
            "exports": str(ExportsBusyError.description),
        },
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: DescribedError(
        "The API failed. Its log has the error under the `correlationId`.",
        LIMITED,
        {"failure": MESSAGES[HTTPStatus.INTERNAL_SERVER_ERROR]},
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: DescribedError(
        "The API cannot answer now: the tenant has too many requests under way, the data are older than `min_as_of`, "
        "the database is away or too slow, or the read model was never built. The message says which.",
        (*LIMITED, "Retry-After", "X-Data-As-Of"),
        {
            "busy": TENANT_IS_BUSY,
            "stale": (
                "The data are as of 2026-11-25T01:03:53.120000Z, and min_as_of asks for 2026-11-25T01:03:54.000000Z:"
                " try again in a second, with a moment that the clock of the database has reached"
            ),
            "database": "The database cannot be reached",
            "notBuilt": "The read model was never built",
            "notInstalled": NOT_INSTALLED,
            "noRights": NO_RIGHTS,
        },
    ),
}
