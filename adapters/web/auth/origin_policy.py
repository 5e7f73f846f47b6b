"""Decides which host names this server answers to, and which pages may send requests to it.

A page of another site can make a browser ask `127.0.0.1`, under a name of its own (DNS rebinding) or with a form. The host name
and the origin are therefore checked first.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.config import Web
from bot.core.errors import BadConfig

#: Loopback names of this computer.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: `Sec-Fetch-Site` values for requests from no other site: this page, or the user. Old browsers do not send the header.
_OWN = (None, "same-origin", "none")

_HOST = re.compile(r"(?P<name>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class OriginPolicy:
    """The accepted host names; with `numbers` also every numeric address, which no foreign name can resolve to."""

    names: frozenset[str]
    numbers: bool
    #: Scheme, name and port that users outside see, if a proxy gives the page another address.
    origin: str

    @classmethod
    def of(cls, web: Web) -> "OriginPolicy":
        """Return the policy for a configuration; raises `BadConfig` for an invalid public address."""
        public = urlsplit(web.public_url)
        if web.public_url and (public.scheme not in ("http", "https") or not public.hostname):
            raise BadConfig("config-public-url", given=web.public_url)
        names = LOOPBACK | {web.host.lower()} | ({public.hostname.lower()} if public.hostname else set())
        return cls(frozenset(names), _is_everywhere(web.host), f"{public.scheme}://{public.netloc}".lower() if public.hostname else "")

    def knows(self, host: str) -> bool:
        """Return whether a `Host` header names this server."""
        name = name_of(host)
        return name in self.names or (self.numbers and is_number(name))

    def may_send(self, origin: str | None, site: str | None, host: str) -> bool:
        """Return whether a page may send a request here, by the `Origin`, `Sec-Fetch-Site` and `Host` of the request.

        Without an origin the client is no browser, or a browser that reports the page as its own.
        """
        if site not in _OWN:
            return False
        if origin is None:
            return True
        scheme, _, rest = origin.lower().partition("://")
        return origin.lower() == self.origin or (scheme in ("http", "https") and rest == host.lower())

    @staticmethod
    def may_look(site: str | None, mode: str | None) -> bool:
        """Return whether a resource may be fetched from here, by `Sec-Fetch-Site` and `Sec-Fetch-Mode`: other sites may only link."""
        return site in _OWN or mode == "navigate"


def name_of(host: str) -> str:
    """Return the name in a `Host` header, without port and brackets; empty if it is no host."""
    found = _HOST.fullmatch(host)
    return found["name"].strip("[]").lower() if found else ""


def needs_login(web: Web) -> bool:
    """Return whether users must show a token: if anyone besides the local users of this computer can reach the server."""
    return web.require_login or is_reachable(web)


def is_reachable(web: Web) -> bool:
    """Return whether anyone besides the local users can reach the server; behind a proxy, remote users look local."""
    return not is_loopback(web.host) or bool(web.public_url and not is_loopback(urlsplit(web.public_url).hostname or ""))


def is_loopback(name: str) -> bool:
    """Return whether a name or an address is a loopback one of this computer."""
    return name.lower() in LOOPBACK or (is_number(name) and ipaddress.ip_address(name).is_loopback)


def _is_everywhere(name: str) -> bool:
    return is_number(name) and ipaddress.ip_address(name).is_unspecified


def is_number(name: str) -> bool:
    """Return whether a name is a numeric address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
