"""How the text of a setting is read. Each function raises ValueError with what is allowed."""

import re
from collections.abc import Callable
from dataclasses import field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
from limits import parse_many
from psycopg.conninfo import conninfo_to_dict

Value = TypeVar("Value")
Proxies = tuple[IPv4Network | IPv6Network, ...]

MAX_PORT = 65535
STORES = ("memory", "redis", "rediss", "redis+unix", "valkey", "valkeys", "valkey+unix")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION_ATTRIBUTES = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
READ_WRITE = "read-write"
MAX_SECONDS = 86_400


def setting(name: str, parse: Callable[[str], Any], default: Any, *, is_secret: bool = False) -> Any:  # noqa: ANN401
    """Return a field of a class of settings: its variable, and what reads its text."""
    metadata = {"name": name, "parse": parse, "is_secret": is_secret}
    return field(default=default, repr=not is_secret, metadata=metadata)


def whole_number(least: int, greatest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `greatest`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= greatest:
            raise ValueError(f"a whole number from {least} to {greatest}")
        return int(text)

    return read


port = whole_number(1, MAX_PORT)


def seconds(text: str) -> float:
    """Return a number of seconds above zero and up to a day."""
    allowed = f"a number of seconds up to {MAX_SECONDS}, such as 60 or 2.5"
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not 0 < float(text) <= MAX_SECONDS:
        raise ValueError(allowed)
    return float(text)


def off_or(read: Callable[[str], Value], off: Value) -> Callable[[str], Value]:
    """Return a reader that takes `off` too."""

    def read_switchable(text: str) -> Value:
        if text.lower() == "off":
            return off
        try:
            return read(text)
        except ValueError as allowed:
            raise ValueError(f"{allowed}, or off") from None

    return read_switchable


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """Return a reader of one of these words, in any case."""
    by_lower = {choice.lower(): choice for choice in choices}

    def read(text: str) -> str:
        if text.lower() not in by_lower:
            raise ValueError(f"{', '.join(choices[:-1])} or {choices[-1]}")
        return by_lower[text.lower()]

    return read


def switch(text: str) -> bool:
    """Return whether the text is `on`."""
    return one_of(("on", "off"))(text) == "on"


ADDRESS = "a PostgreSQL address such as postgresql://USER:PASSWORD@HOST:PORT/DATABASE"


def database_url(url: str) -> str:
    """Return the address of a PostgreSQL server, in a form that libpq takes."""
    # psycopg's own message can repeat the password.
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise ValueError(ADDRESS) from None
    # libpq looks at these only when it connects.
    ports = str(parts.get("port") or "").split(",")
    for port in ports:
        if port and not (port.isdecimal() and 1 <= int(port) <= MAX_PORT):
            raise ValueError(f"{ADDRESS}, its port a number from 1 to {MAX_PORT}")
    hosts = str(parts.get("host") or parts.get("hostaddr") or "").split(",")
    if len(ports) not in (1, len(hosts)):
        raise ValueError(f"{ADDRESS}, with one port or as many as it has hosts")
    for name, choices in (("sslmode", SSL_MODES), ("target_session_attrs", SESSION_ATTRIBUTES)):
        if parts.get(name, choices[0]) not in choices:
            raise ValueError(f"{ADDRESS}, its {name} one of {', '.join(choices)}")
    return url


NOT_READ_WRITE = (
    "prefer-standby, which takes a standby where there is one, or primary: with read-write no server would do,"
    " because the API's sessions are read-only"
)


def readers_url(url: str) -> str:
    """Return the address of a server for sessions that are read-only by their settings."""
    if conninfo_to_dict(database_url(url)).get("target_session_attrs") == READ_WRITE:
        raise ValueError(f"an address whose target_session_attrs is {NOT_READ_WRITE}")
    return url


def rate_limit(text: str) -> str:
    """Return one limit in the notation of the library `limits`."""
    try:
        count = len(parse_many(text))
    except ValueError:
        count = 0
    # A limit of 0 requests would let none pass, and a window of 0 seconds is not one.
    if count != 1 or 0 in map(int, re.findall(r"\d+", text)):
        raise ValueError("one limit such as '100 per minute' or '5 per second'")
    return text


_HOST_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")


def host_names(text: str) -> tuple[str, ...]:
    """Return the names in a list with commas, in the form in which a browser sends them."""
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    if not all(map(_HOST_NAME.fullmatch, names)):
        raise ValueError("names such as leads.internal, with commas, and without a port or a wildcard")
    return names


def networks(text: str) -> Proxies:
    """Return the addresses and networks in a list with commas."""
    try:
        return tuple(ip_network(network.strip()) for network in text.split(",") if network.strip())
    except ValueError:
        raise ValueError("addresses or networks such as 10.0.0.5 or 10.1.0.0/16, with commas") from None


ANY_ORIGIN = "*"
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def origins(text: str) -> tuple[str, ...]:
    """Return the origins in a list with commas, in the form in which a browser sends them."""
    return tuple(dict.fromkeys(_origin(origin.strip()) for origin in text.split(",") if origin.strip()))


def _origin(text: str) -> str:
    """Return an origin in lower case, without the default port of its scheme."""
    if text == ANY_ORIGIN:
        return text
    match = _ORIGIN.fullmatch(text.lower())
    if match is None or int(match[3] or 1) > MAX_PORT:
        raise ValueError(
            "origins such as https://app.example.com or http://localhost:3000, with commas and without a path,"
            " * for any"
        )
    scheme, host, port = match.groups()
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def storage(uri: str) -> str:
    """Return the address of a store of the library `limits`."""
    try:
        urlsplit(uri).port  # noqa: B018  # It raises ValueError if it is not a port.
    except ValueError:
        raise ValueError("an address whose port is a number up to 65535") from None
    if uri.partition("://")[0] not in STORES:
        raise ValueError("memory://, redis://HOST:PORT or valkey://HOST:PORT")
    return uri
