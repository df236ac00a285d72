"""By which name of the API a request comes, and which endpoint it is addressed to, also by a wrong method."""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import current_app
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.sansio.utils import host_is_trusted

from api.request.error_codes import ErrorCode, RequestError
from api.request.record import Record

_LONGEST_HOST_SHOWN = 100


def find_endpoint(record: Record) -> None:
    """Have a request whose endpoint does not take its method ask who calls and count like any other."""
    request = record.request
    if request.url_rule is None and isinstance(request.routing_exception, MethodNotAllowed):
        adapter = current_app.create_url_adapter(request)
        if adapter is not None:
            rule, arguments = adapter.match(method="GET", return_rule=True)
            request.url_rule, request.view_args = rule, dict(arguments)
            record.read_endpoint()


def require_one_host(record: Record) -> None:
    """Raise RequestError for a request of HTTP/1.1 without a Host, and for one with several, as RFC 9112 asks for."""
    environ = record.request.environ
    host = environ.get("HTTP_HOST", "")
    # Several headers of a name are joined by commas, which no host has.
    if "," in host or (not host and environ.get("SERVER_PROTOCOL") == "HTTP/1.1"):
        raise RequestError(
            "The request needs one Host header, and has none or several", code=ErrorCode.BAD_HOST
        )


def require_local_host(names: tuple[str, ...], record: Record) -> None:
    """Raise RequestError for a Host that is not localhost, a loopback address or one of these names.

    A stranger's page may have a name that its owner lets point to 127.0.0.1. A browser then takes this API for the
    server of that page, and lets the page read all that it answers. The Host still is that name.
    """
    host = record.request.environ.get("HTTP_HOST")
    # A browser always names one.
    if host and not is_local(host, names):
        raise RequestError(
            f"The Host {host[:_LONGEST_HOST_SHOWN]!r} is not answered: while LEADS_AUTH is not set, the API answers"
            " localhost, loopback addresses and the names of LEADS_HOSTS",
            code=ErrorCode.BAD_HOST,
        )


# Callers name few hosts, and to look at one takes 10 µs of each request.
@lru_cache(maxsize=64)
def is_local(host: str, names: tuple[str, ...]) -> bool:
    """Return whether a Host is localhost, a loopback address or one of these names."""
    # Without a list, Werkzeug only looks whether it can be one. With a list, it would find no address of IPv6.
    if not host_is_trusted(host):
        return False
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name in names or ip_address(name).is_loopback
    except ValueError:
        return False
