"""The names of all settings, and what an operator may have meant by a name that is none of them."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

_PREFIX = "LEADS_"

# Both programs read one file `.env`, so that a setting of the API is not misspelt here.
SETTINGS = (
    "LEADS_API_DATABASE_URL",
    "LEADS_API_METRICS_PORT",
    "LEADS_API_ROLE",
    "LEADS_API_THREADS",
    "LEADS_EXPORTS",
    "LEADS_API_WORKERS",
    "LEADS_AUTH",
    "LEADS_COMPRESSION",
    "LEADS_CORS_ORIGINS",
    "LEADS_JWKS_URL",
    "LEADS_JWT_ALGORITHM",
    "LEADS_JWT_ALL_SCOPE",
    "LEADS_JWT_AUDIENCE",
    "LEADS_JWT_ISSUER",
    "LEADS_JWT_KEY",
    "LEADS_JWT_TENANT_CLAIM",
    "LEADS_LOG_FORMAT",
    "LEADS_LOG_LEVEL",
    "LEADS_LOG_PERSONAL_DATA",
    "LEADS_METRICS_HOST",
    "LEADS_METRICS_PORT",
    "LEADS_ORIGIN_DATABASE_URL",
    "LEADS_PAGE",
    "LEADS_PG_BIN",
    "LEADS_QUEUE_LIMIT",
    "LEADS_RATE_LIMIT",
    "LEADS_RATE_LIMIT_STORAGE",
    "LEADS_READY_MAX_AGE",
    "LEADS_READ_MODEL_URL",
    "LEADS_REBUILD_CRON",
    "LEADS_REFRESH_BATCH",
    "LEADS_REFRESH_SECONDS",
    "LEADS_RUN_LOG_DAYS",
    "LEADS_TOMBSTONE_DAYS",
    "LEADS_STATEMENT_TIMEOUT_MS",
    "LEADS_STATE_DIR",
    "LEADS_TENANT_SETTING",
    "LEADS_TRACING",
    "LEADS_VERIFY_DAYS",
    "LEADS_VERIFY_SAMPLE",
)

# Settings whose names begin otherwise, which may be meant all the same.
_UNPREFIXED = ("DATABASE_URL", "HOST", "PORT")

# Of the tests.
_OTHERS = ("LEADS_TEST_",)

# So much of two names, without what all begin with, has to agree.
_LIKENESS = 0.7


def find_misspelt(names: Iterable[str]) -> Iterator[str]:
    """Return a sentence for each name that begins as a setting does and is none, with the nearest one."""
    known = {name.removeprefix(_PREFIX): name for name in (*SETTINGS, *_UNPREFIXED)}
    for name in sorted(names):
        if name in SETTINGS or not name.startswith(_PREFIX) or name.startswith(_OTHERS):
            continue
        near = get_close_matches(name.removeprefix(_PREFIX), known, n=1, cutoff=_LIKENESS)
        if near:
            yield f"{name} is no setting and has no effect; the nearest is {known[near[0]]}."
        else:
            yield f"{name} is no setting and has no effect: see docs/settings.md."
