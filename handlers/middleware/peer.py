"""Whose address a request comes from, through as many proxies as the settings trust and not one more."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import request

from handlers.services import services


def peer_address() -> str:
    """The sender's address as text, or "unknown".

    With TRUSTED_PROXY_HOPS at n the address is the one that the outermost of our n proxies saw; what a client
    writes into X-Forwarded-For lies further left and is never looked at.
    """
    hops = services().settings.trusted_proxy_hops
    direct = request.remote_addr or ""
    if hops == 0:
        return _plain(direct) or "unknown"
    told = [part.strip() for part in ",".join(request.headers.getlist("X-Forwarded-For")).split(",") if part.strip()]
    chain = [*told, direct]
    return _plain(chain[max(0, len(chain) - 1 - hops)]) or _plain(direct) or "unknown"


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


def allowed(text: str) -> bool:
    """Whether the webhook's address rule, if there is one, lets this address in."""
    networks = services().settings.webhook_allowed_ips
    address = parsed(text)
    return not networks or (address is not None and any(address in network for network in networks))
