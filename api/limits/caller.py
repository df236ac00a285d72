"""The address of a caller, and whether it repeats requests that are answered at once too often."""

import re
from collections import Counter
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from time import monotonic
from wsgiref.types import WSGIEnvironment

from api.config.values import Proxies

# A client that obeys Retry-After, or probes /health, asks less often.
AT_ONCE_PER_SECOND = 50
# A network of IPv6 usually belongs to one caller.
_IPV6_BITS = 64
# Some proxies name the port of a caller too, which differs for each connection.
_WITH_PORT = re.compile(r"(?:\[([^]]*)\]|([^:]*))(?::[0-9]+)?")


def caller_address(environ: WSGIEnvironment, proxies: Proxies) -> str:
    """Return the address of a caller: behind a proxy, the last one in X-Forwarded-For that is not a trusted proxy."""
    address, is_proxy = read_address(str(environ["REMOTE_ADDR"]), proxies)
    hops = environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if is_proxy else []
    while is_proxy and hops and (hop := hops.pop().strip()):
        address, is_proxy = read_address(hop, proxies)
    return address


@lru_cache(maxsize=4096)
def read_address(text: str, proxies: Proxies) -> tuple[str, bool]:
    """Return the address or the network of a caller, and whether it is that of a trusted proxy."""
    parts = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((parts[1] or parts[2]) if parts else text)
    except ValueError:
        return text, False
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    is_proxy = any(address in network for network in proxies)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_BITS), strict=False)), is_proxy
    return str(address), is_proxy


class Haste:
    """Counts the answers that were given at once to each address in this second."""

    def __init__(self, proxies: Proxies, own_paths: frozenset[str]) -> None:
        self._proxies = proxies
        self._own_paths = own_paths
        self._second, self._answered = 0, Counter[tuple[str, str]]()

    def is_hasty(self, environ: WSGIEnvironment) -> bool:
        """Count a request, and return whether its address has asked for this path too often.

        Callers can invent paths, so all but the own paths are counted together.
        """
        path, second = environ["PATH_INFO"], int(monotonic())
        if second != self._second:
            self._second, self._answered = second, Counter()
        whose = caller_address(environ, self._proxies), path if path in self._own_paths else ""
        self._answered[whose] += 1
        return self._answered[whose] > AT_ONCE_PER_SECOND
