"""Demo data: source rows of made-up tenants, the same every time, of any size.

`load` writes what a messaging platform would have written: the reference's tenant with the lead that the API
reference prints and the showcase tenant, in which every filter, sort and page has something to show, or any
number of tenants of any size for a benchmark. It writes source rows only; a refresh or a rebuild makes leads
of them.
"""

from projector.demo.loading import (
    DEFAULT_LEADS,
    DEFAULT_MESSAGES_PER_LEAD,
    DEFAULT_SEED,
    SHOWCASE_USER_ID,
    DemoReport,
    load,
)
from projector.demo.reference import USER_ID as REFERENCE_USER_ID

__all__ = [
    "DEFAULT_LEADS",
    "DEFAULT_MESSAGES_PER_LEAD",
    "DEFAULT_SEED",
    "REFERENCE_USER_ID",
    "SHOWCASE_USER_ID",
    "DemoReport",
    "load",
]
