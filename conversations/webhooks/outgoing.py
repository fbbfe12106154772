"""One POST to somebody else's address, which may be slow, hostile, or inside our own network."""

import asyncio
import socket
import ssl
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from conversations import conf

_MOST_BYTES = 16 * 1024  # of an answer; nobody reads them, but some servers want them read
_CONNECT_SECONDS = 10.0
_NAT64 = ip_network("64:ff9b::/96")


class Refused(Exception):
    """The address is none that we go to."""


class Answer:
    """How a POST ended: a status, or a word for what went wrong."""

    def __init__(self, outcome: str, *, status: int = 0) -> None:
        self.outcome = outcome
        self.status = status

    @property
    def taken(self) -> bool:
        """Whether the receiver has it."""
        return 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more."""
        return self.status == 410


async def post(url: str, body: bytes, headers: dict[str, str], *, seconds: float) -> Answer:
    """Send; whatever the other side does, this ends in time and holds little memory.

    Redirects are not followed, proxies of the environment not used. The name is resolved once, and
    the address that was looked at is the one that is connected to.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _post(url, body, headers)
    except TimeoutError:
        return Answer("timeout")
    except Refused:
        return Answer("private_address")
    except httpx.TimeoutException:
        return Answer("timeout")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return Answer("unreachable")


async def _post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    target = httpx.URL(url)
    if target.scheme not in ("http", "https") or not target.host or target.userinfo:
        raise Refused
    port = target.port or (443 if target.scheme == "https" else 80)
    address = await _address(target.host, port)
    pinned = target.copy_with(host=address)
    host = target.netloc.decode("ascii")
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
    async with httpx.AsyncClient(
        verify=_trusted(), timeout=timeout, follow_redirects=False, trust_env=False, http2=False
    ) as client:
        request = client.build_request(
            "POST",
            pinned,
            content=body,
            headers={**headers, "Host": host, "User-Agent": conf.user_agent()},
            extensions={"sni_hostname": target.host},
        )
        response = await client.send(request, stream=True)
        try:
            size = 0
            async for piece in response.aiter_raw():
                size += len(piece)
                if size > _MOST_BYTES:
                    break
        except httpx.HTTPError:
            pass  # the status came, and it alone counts
        finally:
            await response.aclose()
        return Answer(f"status {response.status_code}", status=response.status_code)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    """Read the certificates that we trust once: it holds up the event loop for tens of ms."""
    return httpx.create_ssl_context(trust_env=False)


async def _address(host: str, port: int) -> str:
    """Resolve, and choose the first address that we may go to.

    Raises:
        Refused: there is none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    for address in addresses:
        if conf.webhooks_may_go_inside() or is_public(address):
            return address
    raise Refused


def is_public(text: str) -> bool:
    """Say whether an address is one of the internet, however it is written."""
    address: IPv4Address | IPv6Address = ip_address(text)
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            return False
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast and not address.is_reserved
