"""From which address a request comes, behind as many proxies as the settings know."""

from ipaddress import IPv6Address, ip_address
from typing import Any

from django.http import HttpRequest

from streaming.conf import conf

_NETWORK = 64  # what a provider gives to one household; within it addresses cost nothing


def address_of(scope: Any) -> str:
    """Return the address of a request's client, as one key for limits.

    Each trusted proxy adds to `X-Forwarded-For` whom it heard: the client's address is as many
    places from the right as there are such proxies. What stands further left, the client wrote.

    Returns:
        an address, for IPv6 its /64 network; empty where there is none, as for a Unix socket.
    """
    proxies = conf().trusted_proxies
    said = forwarded_for(scope)
    if proxies and said:
        return _normal(said[-min(proxies, len(said))]) or _peer(scope)
    if said and is_rewritten(scope):
        # uvicorn took the header for the client's address (`--proxy-headers`); we were not told
        # that anybody may say so.
        return "forwarded"
    return _peer(scope)


def address_of_request(request: HttpRequest) -> str:
    """Do as `address_of` for a request; under WSGI there is the address of the peer alone."""
    scope = getattr(request, "scope", None)
    return str(request.META.get("REMOTE_ADDR", "")) if scope is None else address_of(scope)


def request_scope(request: HttpRequest) -> Any:
    """Return the ASGI scope of a request; empty under WSGI."""
    return getattr(request, "scope", {})


def forwarded_for(scope: Any) -> list[str]:
    """List what `X-Forwarded-For` says, in the order of the way."""
    given = [value for name, value in scope.get("headers", ()) if name == b"x-forwarded-for"]
    return [part.strip() for part in b",".join(given).decode("latin1").split(",") if part.strip()]


def is_rewritten(scope: Any) -> bool:
    """Whether the server put something from a header in the place of the peer's address."""
    client = scope.get("client")
    return client is not None and client[1] == 0


def is_loopback(scope: Any) -> bool:
    """Whether the request comes from this machine and was not passed on for somebody else."""
    passed_on = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via", b"x-forwarded-host")
    if any(name in passed_on for name, _ in scope.get("headers", ())):
        return False
    try:
        return ip_address((scope.get("client") or ("",))[0]).is_loopback
    except ValueError:
        return False


def _peer(scope: Any) -> str:
    client = scope.get("client")
    return _normal(str(client[0])) if client else ""


def _normal(text: str) -> str:
    """Return an address as one text; empty for what is none."""
    host = text.strip('"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return f"{IPv6Address(int(found) >> _NETWORK << _NETWORK)}/{_NETWORK}"
    return str(found)
