"""Reads the body of a look-up, the only request that has one."""

import orjson

from api.request.error_codes import ErrorCode, RequestError
from api.request.text import MAX_ID_LENGTH, canonical_phone, is_broken

MAX_BODY_BYTES = 64 * 1024
MAX_PHONES = 500
PHONES = "customer_phones"
_TAKES = f'the body takes a JSON object such as {{"{PHONES}": ["918979556941"]}}'


def read_phones(body: bytes) -> list[str]:
    """Return the canonical phones of a body, in order. Raises RequestError, which says what is wrong."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RequestError(f"the body is not JSON in UTF-8: {_TAKES}", code=ErrorCode.BAD_BODY) from None
    if not isinstance(content, dict) or content.keys() != {PHONES} or not isinstance(content[PHONES], list):
        raise RequestError(_TAKES, code=ErrorCode.BAD_BODY)
    phones = content[PHONES]
    if len(phones) > MAX_PHONES:
        raise RequestError(
            f"{PHONES} has {len(phones)} phones: it takes up to {MAX_PHONES}", code=ErrorCode.BAD_BODY
        )
    for place, phone in enumerate(phones):
        if not isinstance(phone, str) or len(phone) > MAX_ID_LENGTH or is_broken(phone):
            raise RequestError(
                f"{PHONES}[{place}] takes a text of at most {MAX_ID_LENGTH} characters without a NUL character",
                code=ErrorCode.BAD_BODY,
            )
    return [canonical_phone(phone) for phone in phones]
