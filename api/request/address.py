"""Checks the Host of a request, and finds its endpoint, even for a wrong method."""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit
from wsgiref.types import WSGIEnvironment

from flask import current_app
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.sansio.utils import host_is_trusted

from api.request.error_codes import ErrorCode, RequestError
from api.request.record import Record

_LONGEST_HOST_SHOWN = 100


def find_addressee(names: tuple[str, ...] | None, record: Record) -> None:
    """Find the endpoint of a request, even for a wrong method: such a request is authenticated and counted too.

    Raises RequestError if the Host is not allowed: see require_host.
    """
    require_host(record.request.environ, names)
    request = record.request
    if request.url_rule is None and isinstance(request.routing_exception, MethodNotAllowed):
        adapter = current_app.create_url_adapter(request)
        if adapter is not None:
            rule, arguments = adapter.match(method="GET", return_rule=True)
            request.url_rule, request.view_args = rule, dict(arguments)
            record.read_endpoint()


def require_host(environ: WSGIEnvironment, names: tuple[str, ...] | None) -> None:
    """Raise RequestError for a request of HTTP/1.1 without a Host or with several, as RFC 9112 demands.

    Unless `names` is None, the Host has to be localhost, a loopback address or one of the names. This prevents DNS
    rebinding: the owner of a foreign page can let its name point to 127.0.0.1, and a browser then lets that page read
    the answers of this API. The Host of such a request is still the foreign name.
    """
    host = environ.get("HTTP_HOST", "")
    # Several headers of one name are joined by commas, which no host contains.
    if "," in host or (not host and environ.get("SERVER_PROTOCOL") == "HTTP/1.1"):
        raise RequestError(
            "The request needs one Host header, and has none or several", code=ErrorCode.BAD_HOST
        )
    # A browser always sends a Host.
    if names is not None and host and not is_local(host, names):
        raise RequestError(
            f"The Host {host[:_LONGEST_HOST_SHOWN]!r} is not answered: while LEADS_AUTH is not set, the API answers"
            " localhost, loopback addresses and the names of LEADS_HOSTS",
            code=ErrorCode.BAD_HOST,
        )


# Callers send few different hosts, and each check takes 10 µs.
@lru_cache(maxsize=64)
def is_local(host: str, names: tuple[str, ...]) -> bool:
    """Return whether a Host is localhost, a loopback address or one of these names."""
    # Without a list, Werkzeug only checks the syntax. With a list, it would not match an IPv6 address.
    if not host_is_trusted(host):
        return False
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name in names or ip_address(name).is_loopback
    except ValueError:
        return False
