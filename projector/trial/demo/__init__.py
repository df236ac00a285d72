"""Demo data: source rows of made-up tenants, the same every time, of any size.

`load` writes what a messaging platform would have written. That is the demo: the tenant of the API reference with the
lead that it prints, and the showcase tenant, in which every filter, sort and page has rows. Or it is any number of
tenants of any size, for a benchmark. Only source rows are written; a refresh or a rebuild makes leads of them.
"""

from projector.trial.demo.loading import (
    DEFAULT_LEADS,
    DEFAULT_MESSAGES_PER_LEAD,
    DEFAULT_SEED,
    SHOWCASE_USER_ID,
    DemoReport,
    load,
)
from projector.trial.demo.reference import USER_ID as REFERENCE_USER_ID

__all__ = [
    "DEFAULT_LEADS",
    "DEFAULT_MESSAGES_PER_LEAD",
    "DEFAULT_SEED",
    "REFERENCE_USER_ID",
    "SHOWCASE_USER_ID",
    "DemoReport",
    "load",
]
