"""Which endpoint a request is addressed to, also where it does not take the method, and by which name of the API."""

from collections.abc import Collection
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from flask import Request, current_app
from werkzeug.exceptions import BadRequest, HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.sansio.utils import host_is_trusted

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# What is remembered is bounded, because a caller may write any path and any Host.
_MAX_SHAPES = 256
_MAX_HOSTS = 256
_MAX_PARTS = 8
_PREFIX = "/users/"
_METHODS = frozenset({"GET", "HEAD"})
_LONGEST_HOST_SHOWN = 100


class Address(NamedTuple):
    """The rule of an endpoint, and the values that a path gives its variables."""

    rule: Rule
    arguments: dict[str, str]


class _Shape(NamedTuple):
    """The rule of all paths of one shape, and the part that each of its variables is."""

    rule: Rule
    places: tuple[tuple[str, int], ...]


class Addresses:
    """Finds the endpoint of an address that looks like one that Werkzeug has found before.

    Werkzeug decides by the words of its rules, such as `leads`, and takes any other part of a path for a variable. So
    paths with the same words at the same places have the same endpoint, and one look into a dictionary tells it.
    """

    def __init__(self, url_map: Map) -> None:
        self._url_map = url_map
        # Once the first request is there, no rule is added any more.
        self._words: frozenset[str] | None = None
        self._shapes: dict[tuple[str | None, ...], _Shape | None] = {}
        self._hosts: set[str] = set()

    def note_host(self, environ: "WSGIEnvironment") -> None:
        """Remember that Werkzeug has taken the Host of this request."""
        if len(self._hosts) >= _MAX_HOSTS:
            self._hosts.clear()
        self._hosts.add(environ.get("HTTP_HOST", ""))

    def find(self, environ: "WSGIEnvironment") -> Address | None:
        """Returns the address of a request; None where only Werkzeug can say what it is."""
        path: str = environ.get("PATH_INFO", "")
        if (
            not path.startswith(_PREFIX)
            or not path.isascii()
            or environ["REQUEST_METHOD"] not in _METHODS
            or environ.get("HTTP_HOST") not in self._hosts
            or "HTTP_UPGRADE" in environ
        ):
            return None
        parts = path.split("/")
        if self._words is None:
            self._words = frozenset(part for rule in self._url_map.iter_rules() for part in _parts(rule))
        words = self._words
        key = (environ["REQUEST_METHOD"], *[part if part in words else None for part in parts])
        try:
            shape = self._shapes[key]
        except KeyError:
            shape = self._learn(environ, parts)
            if len(self._shapes) < _MAX_SHAPES and len(parts) <= _MAX_PARTS:
                self._shapes[key] = shape
        if shape is None:
            return None
        return Address(shape.rule, _values(shape.places, parts))

    def _learn(self, environ: "WSGIEnvironment", parts: list[str]) -> _Shape | None:
        """Returns what Werkzeug finds; None if it finds nothing, or a variable that is not one whole part."""
        try:
            rule, arguments = self._url_map.bind_to_environ(environ, subdomain="").match(return_rule=True)
        except HTTPException:
            return None
        places = tuple((part[1:-1], place) for place, part in enumerate(_parts(rule)) if part.startswith("<"))
        is_simple = len(_parts(rule)) == len(parts) and arguments == _values(places, parts)
        return _Shape(rule, places) if is_simple else None


def _parts(rule: Rule) -> list[str]:
    return rule.rule.split("/")


def _values(places: tuple[tuple[str, int], ...], parts: list[str]) -> dict[str, str]:
    return {name: parts[place] for name, place in places}


def find_address(request: Request) -> Rule | None:
    """Returns the rule of the endpoint, and None for an address that does not exist.

    An endpoint answers a method that it does not take, too: such a request asks who calls and counts like any other.
    """
    if request.url_rule is None and isinstance(request.routing_exception, MethodNotAllowed):
        adapter = current_app.create_url_adapter(request)
        if adapter is not None:
            rule, arguments = adapter.match(method="GET", return_rule=True)
            request.url_rule, request.view_args = rule, dict(arguments)
    return request.url_rule


def require_local_host(environ: "WSGIEnvironment", names: Collection[str]) -> None:
    """Raises BadRequest for a Host that is not localhost, a loopback address or one of these names.

    A stranger's page may have a name that its owner lets point to 127.0.0.1. A browser then takes this API for the
    server of that page, and lets the page read all that it answers. The Host still is that name.
    """
    host = environ.get("HTTP_HOST")
    # A browser always names one.
    if host and not _is_local(host, names):
        raise BadRequest(
            f"The Host {host[:_LONGEST_HOST_SHOWN]!r} is not answered: while LEADS_AUTH is not set, the API answers"
            " localhost, loopback addresses and the names of LEADS_HOSTS"
        )


def _is_local(host: str, names: Collection[str]) -> bool:
    # Without a list, Werkzeug only looks whether it can be one. With a list, it would find no address of IPv6.
    if not host_is_trusted(host):
        return False
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name in names or ip_address(name).is_loopback
    except ValueError:
        return False
