"""The address of the database, with the settings that every session of the API has."""

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.config import Config

# A statement finds no function and no operator that somebody made in a schema of the login's own path.
SEARCH_PATH = "pg_catalog, pg_temp"

# No table is held for longer by a migrate: who waits longer waits for a command of somebody else.
LOCK_TIMEOUT_MS = 2000

CONNECT_TIMEOUT_SECONDS = 2


def conninfo(config: Config) -> str:
    """Returns the configured address with the settings that every session of the API has."""
    given = conninfo_to_dict(config.database_url)
    settings = {
        "search_path": SEARCH_PATH,
        "default_transaction_read_only": "on",
        "statement_timeout": str(config.statement_timeout_ms),
        "lock_timeout": str(min(LOCK_TIMEOUT_MS, config.statement_timeout_ms)),
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "jit": "off",
        # PostgreSQL plans a statement once a connection, for tenants of every size: pages are read by an index.
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_sort": "off",
        "random_page_cost": "1.1",
        "max_parallel_workers_per_gather": "0",
    }
    options = " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())
    parameters: dict[str, str | int | None] = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "leads-api",
        # The API notices a server that vanished without closing its connections soon after its slowest answer.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": config.statement_timeout_ms + 2000,
        **given,
        "client_encoding": "utf8",
        "options": f"{given.get('options') or ''} {options}".strip(),
    }
    return make_conninfo("", **parameters)


def _escaped(value: str) -> str:
    """Returns a value as libpq's `options` takes it."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
