"""Whose address a request comes from, through as many proxies as the settings trust and not one more."""

from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from flask import request

from handlers.services import services


def peer_address() -> str:
    """The sender's address of the request being handled: see `peer_of`."""
    return peer_of(request.environ, services().settings.trusted_proxy_hops)


def peer_of(environ: dict[str, Any], hops: int) -> str:
    """The sender's address as text, or "unknown".

    With TRUSTED_PROXY_HOPS at n (`hops`) the address is the one that the outermost of our n proxies saw; what a client
    writes into X-Forwarded-For lies further left and is never looked at.
    """
    direct = environ.get("REMOTE_ADDR", "")
    if hops == 0:
        return _plain(direct) or "unknown"
    told = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    chain = [*told, direct]
    return _plain(chain[max(0, len(chain) - 1 - hops)]) or _plain(direct) or "unknown"


@lru_cache(maxsize=1024)
def _plain(text: str) -> str | None:
    address = parsed(text)
    return None if address is None else str(address)


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address without port, brackets or the IPv4-in-IPv6 form; None when it is not one."""
    bare = text.partition("]")[0].strip("[") if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def neighbourhood(text: str) -> str:
    """What counts as one sender: an IPv4 address, or an IPv6 /64, which one customer holds whole."""
    address = parsed(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return text


def allowed(text: str, networks: Collection[IPv4Network | IPv6Network]) -> bool:
    """Whether an address rule lets this address in; none lets everybody in."""
    address = parsed(text) if networks else None
    return not networks or (address is not None and any(address in network for network in networks))
