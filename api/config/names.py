"""The settings by name: what `--help` prints, and what an operator may have meant by a misspelt one."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from api.request.nearest import nearest


class Setting(NamedTuple):
    """The default of a setting, as an operator would write it, and what the setting is."""

    default: str
    description: str


OF_API = {
    "DATABASE_URL": Setting(
        "",
        "The platform's PostgreSQL, postgresql://user:password@host:5432/database. When it is not set, the projector"
        " uses the embedded server; the API needs a URL.",
    ),
    "LEADS_READ_MODEL_URL": Setting(
        "",
        "Database of the read model, if it is on a server of its own. When it is not set, the read model is in the"
        " platform's database.",
    ),
    "LEADS_LOG_LEVEL": Setting("INFO", "DEBUG, INFO, WARNING or ERROR."),
    "LEADS_LOG_FORMAT": Setting("auto", "text, json, or auto: text on a terminal, JSON lines elsewhere."),
    "LEADS_LOG_PERSONAL_DATA": Setting(
        "off", "on: lines of the log may hold phone numbers, names and texts of customers."
    ),
    "LEADS_METRICS_HOST": Setting(
        "127.0.0.1", "Address of the servers of LEADS_METRICS_PORT and LEADS_API_METRICS_PORT."
    ),
    "LEADS_TRACING": Setting(
        "off", "on: send traces by OTLP, as the OTEL_… variables say. Needs the extra otel."
    ),
    "HOST": Setting("127.0.0.1", "Address that the API listens on. Use 0.0.0.0 in a container."),
    "PORT": Setting("4000", "Port that the API listens on."),
    "LEADS_AUTH": Setting(
        "",
        "What a caller has to show: jwt, key, jwt,key, or none. It has to be set unless HOST is loopback, where"
        " nothing is asked for without it.",
    ),
    "LEADS_JWT_KEY": Setting(
        "", "Secret or public key (PEM, JWKS) that tokens are checked with, or the path of a file with it."
    ),
    "LEADS_JWKS_URL": Setting("", "Address (https) of the keys of the issuer, instead of LEADS_JWT_KEY."),
    "LEADS_JWT_ALGORITHM": Setting(
        "", "The only algorithm of tokens. When it is not set: HS256 for a secret, RS256 or ES256 for a key."
    ),
    "LEADS_JWT_AUDIENCE": Setting("", "The aud that a token must have. When it is not set, any or none."),
    "LEADS_JWT_ISSUER": Setting("", "The iss that a token must have. When it is not set, any or none."),
    "LEADS_JWT_TENANT_CLAIM": Setting("sub", "The claim that holds the user_id of the tenant."),
    "LEADS_JWT_ALL_SCOPE": Setting(
        "leads:read:all", "A token with this scope reads all tenants. off: no token does."
    ),
    "LEADS_API_DATABASE_URL": Setting(
        "",
        "URL that the API connects to. When it is not set, the API uses LEADS_READ_MODEL_URL, or else DATABASE_URL.",
    ),
    "LEADS_API_ROLE": Setting(
        "leads_api",
        "Role that each session of the API takes, or off: the session keeps the role of its login.",
    ),
    "LEADS_TENANT_SETTING": Setting(
        "session",
        "How PostgreSQL is told the tenant of a request: session, or transaction behind a pooler that gives each"
        " transaction another connection.",
    ),
    "LEADS_API_WORKERS": Setting(
        "1", "Number of processes. Several need a shared LEADS_RATE_LIMIT_STORAGE, or no rate limit."
    ),
    "LEADS_API_THREADS": Setting(
        "5",
        "Requests of each process that use the database at once, each with a connection of its own. One tenant may have"
        " four fifths of them.",
    ),
    "LEADS_EXPORTS": Setting(
        "1",
        "Exports of each process at once, each with a thread and a connection on top. Further ones are answered 429.",
    ),
    "LEADS_API_METRICS_PORT": Setting(
        "off", "Port of a server for /metrics alone, or off: /metrics is on PORT."
    ),
    "LEADS_READY_MAX_AGE": Setting(
        "off", "Age of the read model in seconds above which /health/ready answers 503, or off."
    ),
    "LEADS_PAGE": Setting("on", "on: there is a page for people at /. off: there is none."),
    "LEADS_RATE_LIMIT": Setting(
        "100 per minute", "Requests that one tenant may send to the endpoints, or off."
    ),
    "LEADS_RATE_LIMIT_STORAGE": Setting(
        "memory://", "Where requests are counted: memory://, redis://HOST:PORT or valkey://HOST:PORT."
    ),
    "LEADS_CORS_ORIGINS": Setting(
        "off",
        "Origins whose pages may read answers in a browser, with commas: https://app.example.com. * is any, only with"
        " LEADS_AUTH jwt or key.",
    ),
    "LEADS_COMPRESSION": Setting(
        "on",
        "Compress answers of 1 KiB and more for callers that take gzip or zstd. off: where a proxy does it.",
    ),
    "LEADS_STATEMENT_TIMEOUT_MS": Setting(
        "5000", "Milliseconds after which the API cancels a query and answers 503."
    ),
}

# Both programs may have one environment, so the API knows the names of the projector's settings too.
OF_PROJECTOR = (
    "LEADS_ORIGIN_DATABASE_URL",
    "LEADS_REFRESH_SECONDS",
    "LEADS_REFRESH_BATCH",
    "LEADS_QUEUE_LIMIT",
    "LEADS_VERIFY_DAYS",
    "LEADS_VERIFY_SAMPLE",
    "LEADS_REBUILD_CRON",
    "LEADS_RUN_LOG_DAYS",
    "LEADS_TOMBSTONE_DAYS",
    "LEADS_METRICS_PORT",
    "LEADS_STATE_DIR",
    "LEADS_PG_BIN",
)
_OF_TESTS = ("LEADS_TEST_DATABASE_URL",)

_PREFIX = "LEADS_"
# Kubernetes describes a service called `leads` or `leads-api` in variables of these names.
_OF_KUBERNETES = re.compile(
    r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)=.*|\w+_PORT=(tcp|udp|sctp)://.*"
)


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Returns a sentence for each variable that begins like a setting and is none."""
    known = (*OF_API, *OF_PROJECTOR)
    # The prefix that nearly all have says nothing about what was meant.
    by_rest = {name.removeprefix(_PREFIX): name for name in known}
    sentences = []
    for name, value in sorted(environment.items()):
        rest = name.removeprefix(_PREFIX)
        if rest == name or name in known or name in _OF_TESTS or _OF_KUBERNETES.fullmatch(f"{name}={value}"):
            continue
        near = [by_rest[one] for one in nearest(rest, by_rest)]
        hint = (
            f"Did you mean {' or '.join(near)}?"
            if near
            else "`python -m api --help` and docs/settings.md list all settings."
        )
        sentences.append(f"{name} is not a setting, and has no effect. {hint}")
    return sentences
