"""Prints some keys of a lead instead of all."""

from collections.abc import Sequence

import orjson


def fewer_keys(printed: bytes, keys: Sequence[str] | None) -> bytes:
    """Returns a printed lead, or a list of them, with these keys only, in their documented order; all for None."""
    if keys is None:
        return printed
    leads = orjson.loads(printed)
    if isinstance(leads, dict):
        return orjson.dumps({key: leads[key] for key in keys})
    return orjson.dumps([{key: lead[key] for key in keys} for lead in leads])
