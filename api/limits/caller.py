"""From which address a request comes."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from wsgiref.types import WSGIEnvironment

from api.config.values import Proxies

# Whoever has an address of IPv6 has all that begin with as many bits.
_IPV6_BITS = 64
# Some proxies name the port of a caller too, which is another one for each connection.
_WITH_PORT = re.compile(r"(?:\[([^]]*)\]|([^:]*))(?::[0-9]+)?")


def caller_address(environ: WSGIEnvironment, proxies: Proxies) -> str:
    """Return the address of a caller: behind a proxy the last one of X-Forwarded-For that is none of the proxies."""
    address, is_proxy = read_address(str(environ["REMOTE_ADDR"]), proxies)
    hops = environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if is_proxy else []
    while is_proxy and hops and (hop := hops.pop().strip()):
        address, is_proxy = read_address(hop, proxies)
    return address


@lru_cache(maxsize=4096)
def read_address(text: str, proxies: Proxies) -> tuple[str, bool]:
    """Return an address as one caller has it, and whether it is that of a proxy."""
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
