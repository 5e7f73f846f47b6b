"""Fetches images from links that users type, without giving users access to hosts that only this machine can reach.

A link is parsed once, strictly. Its name is resolved once, all of its addresses must be public, and the connection goes to exactly
one of these addresses; the address of the peer is checked again. Each redirect passes all checks again. No proxy of the environment
is used. Time, bytes and redirects are limited, and a response that does not begin like an image is not read further.

Users learn nothing of the networks around this machine: a refused address, an address that does not answer and
a name that does not exist all give the same sentence.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from urllib.parse import quote, urljoin, urlsplit

import httpcore2

from bot.core.errors import BadInput
from inference.images.validation import MOST_BYTES

MOST_SECONDS = 10.0
MOST_REDIRECTS = 3

#: An address that does not answer leaves time for the next address.
_SECONDS_TO_CONNECT = 3.0
_MOST_ADDRESSES = 4

_PORTS = {"https": 443, "http": 80}

#: The characters of a link, including pasted characters beyond ASCII, without blanks, control characters and backslashes.
_LINK = re.compile(r"[!-\[\]-~\u00a1-\U0010ffff]{1,2000}")

#: Characters that a path and a query keep as written; this includes escapes, so nothing is escaped twice.
_SAFE = "/%:@!$&'()*+,;=~-._?"

#: A DNS name. A name that ends in a number would be read as an address in an old spelling, so it must be a plain address.
_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")

#: The authority: a name or an address, an IPv6 address in square brackets, and a port.
_NETLOC = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

#: No compression: a small compressed response could unpack without end.
_HEADERS = (("Accept", "image/png, image/jpeg, image/webp"), ("Accept-Encoding", "identity"), ("User-Agent", "Easel"))

#: An image shows its format within this many bytes.
_MAGIC_BYTES = 16

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Resolves a name to its addresses.
Resolve = Callable[[str, int], Awaitable[Iterable[str]]]

#: Returns whether an address and port may be connected to.
Allow = Callable[[IPAddress, int], bool]

#: Python counts these as global, and no image lives there: protocol assignments, a retired relay, documentation, routing segments.
_NEVER = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "5f00::/16")))

#: The allocated global unicast range of IPv6.
_UNICAST = ipaddress.IPv6Network("2000::/3")


@dataclass(frozen=True)
class Target:
    """A parsed link: the host is lower case ASCII, the path includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return host and port as a request names them: without the default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def link(self) -> str:
        """Return the target written as a link."""
        return f"{self.scheme}://{self.authority}{self.path}"


def target_of(link: str) -> Target:
    """Parse a link; raises `BadInput` for anything but a plain http or https link to a named host or a plain address."""
    try:
        if not _LINK.fullmatch(link):
            raise ValueError("characters that no link has")
        parts = urlsplit(link)
        if parts.scheme not in _PORTS or not _NETLOC.fullmatch(parts.netloc):
            raise ValueError("another scheme, a user name, or a disguised host")
        query = f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
        path = quote(parts.path or "/", safe=_SAFE) + query
        return Target(parts.scheme, _host(parts.hostname or ""), parts.port or _PORTS[parts.scheme], path)
    except ValueError:
        raise BadInput("input-link-form") from None


def _host(written: str) -> str:
    """Return a host in its canonical spelling; raises `ValueError` for every other spelling of an address."""
    if ":" in written:
        return str(ipaddress.IPv6Address(written))
    name = written.removesuffix(".")
    return name if _NAME.fullmatch(name) else str(ipaddress.IPv4Address(name))


def is_public(address: IPAddress) -> bool:
    """Return whether an address is public, and every IPv4 address embedded in it."""
    return all(map(_is_plainly_public, (address, *_packed(address))))


def _is_plainly_public(address: IPAddress) -> bool:
    if not address.is_global or address.is_reserved or address.is_multicast:
        return False
    if any(address.version == one.version and address in one for one in _NEVER):
        return False
    # Site-local, NAT64 and all unallocated addresses lie outside.
    return address.version == 4 or address in _UNICAST


def _packed(address: IPAddress) -> Iterable[ipaddress.IPv4Address]:
    """Yield the IPv4 addresses that an IPv6 address leads to: mapped, 6to4, Teredo, ISATAP, NAT64."""
    if not isinstance(address, ipaddress.IPv6Address):
        return
    yield from filter(None, (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())))
    words = int(address)
    if (words >> 32) & 0xFCFF_FFFF == 0x0000_5EFE or words >> 96 == 0x0064_FF9B or words >> 80 == 0x0064_FF9B_0001:
        yield ipaddress.IPv4Address(words & 0xFFFF_FFFF)


def only_public(address: IPAddress, port: int) -> bool:
    """Return whether an address is public and the port is a web port."""
    return port in _PORTS.values() and is_public(address)


async def look_up(name: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a name from the system resolver; raises `OSError` if there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return tuple(str(address[0]) for *_, address in found)


async def fetch(
    link: str, *, resolve: Resolve = look_up, allow: Allow = only_public, trust: ssl.SSLContext | None = None, seconds: float = MOST_SECONDS
) -> bytes:
    """Return the bytes of the image behind a link, a PNG, JPEG or WebP by its first bytes.

    Raises `BadInput` if the link is malformed, its address is refused or does not answer, it redirects too often, gives no
    image, too large an image, or takes too long. Nothing is ever sent to an address that `allow` refuses.
    """
    target = first = target_of(link)
    way = _Way(resolve, allow, trust or _trusted())
    try:
        async with asyncio.timeout(seconds):
            for _ in range(MOST_REDIRECTS + 1):
                answer = await _ask(target, way)
                if isinstance(answer, bytes):
                    return answer
                target = _next(target, answer)
    except TimeoutError:
        raise BadInput("input-link-slow", seconds=seconds) from None
    except _UNREACHABLE:
        raise BadInput("input-link-unreachable", host=first.host) from None
    raise BadInput("input-link-redirects", most=MOST_REDIRECTS)


class _Unreachable(Exception):
    """The address does not answer, or may not be asked."""


#: Every failure of a name, an address, a certificate or a server.
_UNREACHABLE = (
    _Unreachable,
    OSError,
    UnicodeError,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
)


@dataclass(frozen=True)
class _Way:
    """How names become connections: `addresses` are the addresses that may be connected to now."""

    resolve: Resolve
    allow: Allow
    trust: ssl.SSLContext
    addresses: tuple[IPAddress, ...] = ()


def _next(target: Target, location: str) -> Target:
    """Return the target of a redirect; the user did not write it, so its own mistakes are not reported."""
    try:
        led_to = target_of(urljoin(target.link, location))
    except (BadInput, ValueError):
        raise _Unreachable from None
    if (target.scheme, led_to.scheme) == ("https", "http"):
        raise _Unreachable
    return led_to


async def _allowed(target: Target, way: _Way) -> tuple[IPAddress, ...]:
    """Return the addresses of a target, all of them allowed."""
    try:
        found: tuple[str, ...] = (str(ipaddress.ip_address(target.host)),)
    except ValueError:
        found = tuple(await way.resolve(target.host, target.port))
    try:
        addresses = tuple(dict.fromkeys(map(ipaddress.ip_address, found)))
    except ValueError:
        raise _Unreachable from None
    # A zone after a percent sign is a network of this machine, whatever the address.
    if not addresses or any("%" in one for one in found) or not all(way.allow(one, target.port) for one in addresses):
        raise _Unreachable
    return addresses[:_MOST_ADDRESSES]


async def _ask(target: Target, way: _Way) -> bytes | str:
    """Return the image at a target, or the target that it redirects to."""
    backend = _Pinned(replace(way, addresses=await _allowed(target, way)))
    # Built of its parts: nothing parses the link a second time with a different result.
    url = httpcore2.URL(scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode())
    headers = [("Host", target.authority), *_HEADERS]
    async with (
        httpcore2.AsyncConnectionPool(ssl_context=way.trust, network_backend=backend) as pool,
        pool.stream("GET", url, headers=headers) as response,
    ):
        told = {name.lower(): value for name, value in response.headers}
        if response.status in _REDIRECTS and b"location" in told:
            return told[b"location"].decode("ascii", "replace")
        if response.status != 200:
            raise BadInput("input-link-no-picture")
        return await _picture(response.aiter_stream())


async def _picture(body: AsyncIterator[bytes]) -> bytes:
    """Return a body that begins like an image and ends in time."""
    data = bytearray()
    async for piece in body:
        data += piece
        if len(data) >= _MAGIC_BYTES and not _begins_like_a_picture(data):
            break
        if len(data) > MOST_BYTES:
            raise BadInput("input-link-big", most=MOST_BYTES // 1_000_000)
    if not _begins_like_a_picture(data):
        raise BadInput("input-link-no-picture")
    return bytes(data)


def _begins_like_a_picture(data: bytearray) -> bool:
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (data.startswith(b"RIFF") and data[8:12] == b"WEBP")


class _Pinned(httpcore2.AnyIOBackend):
    """Connects to the allowed addresses, whatever name it is asked for."""

    def __init__(self, way: _Way) -> None:
        self._way = way

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # a name; its addresses were resolved and checked before
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109  # the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection to the first allowed address that answers."""
        for address in self._way.addresses:
            try:
                stream = await super().connect_tcp(str(address), port, _SECONDS_TO_CONNECT, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
            peer = stream.get_extra_info("server_addr")
            if ipaddress.ip_address(peer[0]) == address and self._way.allow(address, peer[1]):
                return stream
            await stream.aclose()
        raise _Unreachable


@cache
def _trusted() -> ssl.SSLContext:
    return httpcore2.default_ssl_context()
