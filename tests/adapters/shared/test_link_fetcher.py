"""Pictures behind links: what is fetched, and what must not be reached.

The friend is a server that may be reached. The secret is a listener on another address and the same port, which stands for
everything that must not be. A test sets the addresses of names.
"""

import asyncio
import ipaddress
import itertools
import ssl
from contextlib import asynccontextmanager
from functools import partial

import httpcore2
import pytest
import trustme

from adapters.shared.link_fetcher import fetch, is_public, only_public, target_of
from bot.core.errors import BadInput
from inference.images.validation import MOST_BYTES

FRIEND, SECRET = "127.0.0.2", "127.0.0.1"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


class Place:
    """The friend and the secret, the number of connections to each, and the responses of the friend."""

    def __init__(self):
        self.port = 0
        self.friend = self.secret = 0
        self.asked = []
        self.answers = {}
        self.names = {}
        self.resolved = []

    async def answer(self, reader, writer):
        """Respond to a request with the value for its path: bytes, or a coroutine function that sends the response."""
        self.friend += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            told = self.answers[head.split()[1]]
            if callable(told):
                await told(writer)
            else:
                writer.write(told)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def trap(self, _, writer):
        """Count a connection to the secret, and send a picture."""
        self.secret += 1
        writer.write(picture(PNG))
        writer.close()

    async def resolve(self, name, _):
        """Return the next addresses of a name; an unset name resolves to the secret."""
        self.resolved.append(name)
        return next(self.names.get(name, itertools.repeat((SECRET,))))

    def allow(self, address, port):
        """Allow the friend and all public addresses on any port."""
        return (str(address), port) == (FRIEND, self.port) or is_public(address)

    async def fetch(self, path="/", host="friend.example", **more):
        """Fetch a path from the friend."""
        return await self.follow(f"http://{host}:{self.port}{path}", **more)

    async def follow(self, link, **more):
        """Fetch a link."""
        return await fetch(link, resolve=self.resolve, allow=self.allow, **more)


def picture(body):
    """Return a response with a body."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def redirect(link, status=302):
    """Return a response that redirects to a link."""
    return f"HTTP/1.1 {status} Found\r\nLocation: {link}\r\nContent-Length: 0\r\n\r\n".encode()


@asynccontextmanager
async def opened(context=None):
    """Open the friend and the secret on the same port."""
    both = Place()
    secret = await asyncio.start_server(both.trap, SECRET, 0)
    both.port = secret.sockets[0].getsockname()[1]
    both.names["friend.example"] = both.names["pictures.example"] = itertools.repeat((FRIEND,))
    friend = await asyncio.start_server(both.answer, FRIEND, both.port, ssl=context)
    async with secret, friend:
        yield both


@pytest.fixture
async def channel():
    """Yield the friend and the secret."""
    async with opened() as both:
        yield both


@asynccontextmanager
async def refused(key):
    """Expect a refusal with this key."""
    with pytest.raises(BadInput) as caught:
        yield
    assert caught.value.problem.key == key


HOSTS = [
    *(
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "00000000",
    ),
    *(
        "127.0.0.1.",
        "127.000.000.001",
        "127.0.0.01",
        "1.127.0.0.1x",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "secret.example",
    ),
    *(
        "127。0。0。1",
        "①②⑦.⓪.⓪.①",
        "127．0．0．1",
        "１２７.0.0.1",
        "ⓛocalhost",
        "127%2e0.0.1",
        "127.0.0.1%00",
        "%6cocalhost",
        "localhost%20",
    ),
    *(
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
    ),
    *(
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::80ff:fffe]",
        "[2001:db8::5efe:127.0.0.1]",
        "[2a00::5efe:7f00:1]",
        "[2a00::200:5efe:7f00:1]",
        "[fe80::1]",
    ),
    *(
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1%lo]",
        "[fec0::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[3fff::1]",
        "[5f00::1]",
        "[::1",
        "::1",
        "[::1]x",
    ),
    *(
        "169.254.169.254",
        "169.254.169%2e254",
        "100.100.100.200",
        "100.64.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "192.0.0.8",
        "192.0.0.1",
    ),
    *(
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "203.0.113.1",
        "192.88.99.1",
        "metadata",
        "a_b.example",
        "xn--secret-1ga.example",
    ),
]
WAYS = [
    *(
        "http://{host}:{port}/",
        "https://{host}:{port}/",
        "HTTP://{host}:{port}/x.png?y#z",
        "http://friend.example@{host}:{port}/",
        "//{host}:{port}/",
    ),
    *("http://friend.example:{port}\\@{host}:{port}/", "http://{host}:{port}\\@friend.example/", "http://a@{host}:{port}@friend.example/"),
    *(
        "http:{host}:{port}/",
        "http:///{host}:{port}/",
        "ftp://{host}:{port}/",
        "http://{host}:{port}#@friend.example/",
        "http://{host}:{port}?@friend.example/",
    ),
]
HOSTILE = [(way, host) for way in WAYS for host in HOSTS]


async def test_hostile_links_reach_nothing(channel):
    """No spelling of a forbidden address, and no name that resolves to it, causes a connection."""
    assert len(HOSTILE) >= 500
    for way, host in HOSTILE:
        with pytest.raises(BadInput, match=r"input-link-(form|unreachable)"):
            await channel.follow(way.format(host=host, port=channel.port), seconds=2)
    assert (channel.secret, channel.friend) == (0, 0)


async def test_redirects_reach_nothing_more(channel):
    """A redirect to a forbidden address is refused, and an invalid redirect gives the same error."""
    led = [
        (way, host) for way, host in HOSTILE if way.startswith(("http://{host}", "https://{host}", "HTTP", "//", "http://friend.example@"))
    ]
    for number, (way, host) in enumerate(led):
        channel.answers[f"/{number}"] = redirect(way.format(host=host, port=channel.port), (301, 302, 303, 307, 308)[number % 5])
        async with refused("input-link-unreachable"):
            await channel.fetch(f"/{number}", seconds=2)
    assert len(led) >= 300
    assert (channel.secret, channel.friend) == (0, len(led))


async def test_a_name_is_resolved_once(channel):
    """A name is resolved once for check and connection, so that a name that changes its address cannot bypass the check."""
    channel.names["friend.example"] = iter([(FRIEND,), (SECRET,), (SECRET,)])
    channel.answers["/"] = picture(PNG)
    assert await channel.fetch() == PNG
    assert (channel.resolved, channel.secret) == (["friend.example"], 0)
    async with refused("input-link-unreachable"):
        await channel.fetch()
    channel.names["friend.example"] = iter([(FRIEND,), (SECRET,)])
    channel.answers["/"] = redirect("/again")
    async with refused("input-link-unreachable"):
        await channel.fetch()
    assert channel.secret == 0


@pytest.mark.parametrize(
    "others", [(SECRET,), ("::1",), ("10.0.0.1",), ("fe80::1%eth0",), ("2606:4700::1111%eth0",), ("garbage",), ("2002:7f00:1::",)]
)
async def test_every_address_must_be_allowed(channel, others):
    """A name is refused if any of its addresses is forbidden."""
    for answer in ((FRIEND, *others), (*others, FRIEND), others, ()):
        channel.names["friend.example"] = itertools.repeat(answer)
        async with refused("input-link-unreachable"):
            await channel.fetch()
    assert (channel.secret, channel.friend) == (0, 0)


@pytest.mark.parametrize(
    "link", [f"http://{SECRET}:{{port}}/", "http://friend.example:1/", "http://none.example:{port}/"], ids=["refused", "silent", "missing"]
)
async def test_inner_networks_stay_unknown(channel, link):
    """Refused, unreachable and unknown hosts give the same error, with the host from the link."""

    async def resolve(name, _):
        if name == "none.example":
            raise OSError("no such name")
        return (FRIEND,)

    with pytest.raises(BadInput) as caught:
        await fetch(link.format(port=channel.port), resolve=resolve, allow=lambda address, _: str(address) == FRIEND)
    assert caught.value.problem.key == "input-link-unreachable"
    assert str(caught.value.problem.facts["host"]) in link


async def test_production_allows_public_addresses_on_usual_ports():
    """The default policy refuses the friend, and a public address on an unusual port."""
    async with opened() as channel:
        for link in (f"http://{FRIEND}:{channel.port}/", f"http://{FRIEND}/", "http://8.8.8.8:8080/", "http://localhost/"):
            async with refused("input-link-unreachable"):
                await fetch(link)
        assert (channel.friend, channel.secret) == (0, 0)
    assert only_public(ipaddress.ip_address("8.8.8.8"), 443)
    assert not only_public(ipaddress.ip_address("8.8.8.8"), 25)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((one, True) for one in ("8.8.8.8", "2606:4700::1111", "2002:808:808::1", "2a00::5efe:808:808", "2001:4860:4860::8888")),
        *((one, False) for one in ("100.64.0.1", "192.0.0.8", "224.0.0.1", "::127.0.0.1", "fec0::1", "ff02::1", "64:ff9b::808:808")),
        *(
            (one, False)
            for one in ("2002:a00:1::", "2a00::5efe:a00:1", "2a00::200:5efe:a00:1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "3fff::1")
        ),
    ],
)
def test_public_addresses(address, public):
    """An address is public if it and any address embedded in it are reachable from everywhere."""
    assert is_public(ipaddress.ip_address(address)) == public


@pytest.mark.parametrize(
    ("link", "read"),
    [
        ("https://Example.com", "https://example.com/"),
        ("http://example.com.:80/a b".replace(" ", "%20"), "http://example.com/a%20b"),
        ("https://example.com:8443/ä/%C3%A4?q=ö&r=%2f#part", "https://example.com:8443/%C3%A4/%C3%A4?q=%C3%B6&r=%2f"),
        ("http://[2606:4700:0::1111]:443/", "http://[2606:4700::1111]:443/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
    ],
)
def test_links_have_one_spelling(link, read):
    """A link is normalised once into parts that need no further parsing."""
    assert target_of(link).link == read


@pytest.mark.parametrize(
    "link", ["", "example.com", "http://", "http://a b/", "http://a:99999/", "http://a/\ud800", "http://" + "a" * 2000, "http://[v1.a]/"]
)
def test_what_is_no_link(link):
    """Anything that is not a valid link is refused with an explanation of the form."""
    with pytest.raises(BadInput, match="input-link-form"):
        target_of(link)


@pytest.mark.parametrize(
    "body", [PNG, b"\xff\xd8\xff" + bytes(50), b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(9)], ids=["PNG", "JPEG", "WebP"]
)
async def test_a_good_picture_arrives(channel, body):
    """A picture is fetched by name and through redirects, completely, and without secrets in the request."""
    channel.answers = {"/a?b=c": redirect("../d"), "/d": redirect(f"http://{FRIEND}:{channel.port}/e", 308), "/e": picture(body)}
    assert await channel.fetch("/a?b=c#f") == body
    assert f"Host: friend.example:{channel.port}" in channel.asked[0]
    assert not any(word in channel.asked[0].lower() for word in ("cookie", "referer", "authorization", "python"))


@pytest.mark.parametrize(
    "answer",
    [
        picture(b"<html>" + bytes(200)),
        picture(PNG[:7]),
        picture(b""),
        picture(b"GIF89a" + bytes(30)),
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["page", "short", "empty", "gif", "missing", "nowhere"],
)
async def test_what_is_no_picture(channel, answer):
    """A page, a fragment, an empty body and a missing file are refused as not a picture."""
    channel.answers["/"] = answer
    async with refused("input-link-no-picture"):
        await channel.fetch()


@pytest.mark.parametrize(
    "answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + PNG], ids=["silent", "garbage", "cut"]
)
async def test_broken_answers(channel, answer):
    """A server that closes the connection or sends garbage counts as unreachable."""
    channel.answers["/"] = answer
    async with refused("input-link-unreachable"):
        await channel.fetch()


async def test_redirects_end(channel):
    """Three redirects are followed; a fourth redirect and a loop are refused."""
    channel.answers = {"/0": redirect("/1"), "/1": redirect("/2"), "/2": redirect("/3"), "/3": picture(PNG), "/": redirect("/")}
    assert await channel.fetch("/0") == PNG
    channel.answers["/3"] = redirect("/4")
    for path in ("/0", "/"):
        async with refused("input-link-redirects"):
            await channel.fetch(path)
    assert channel.friend == 12


async def test_slow_bodies_end(channel):
    """A body that trickles and a server that sends nothing are given up after the time limit."""

    async def trickle(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + PNG)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    channel.answers = {"/trickle": trickle, "/silent": lambda _: asyncio.sleep(0.6)}
    for path in channel.answers:
        async with refused("input-link-slow"):
            await channel.fetch(path, seconds=0.3)


async def test_endless_bodies_end(channel):
    """An endless body is read up to the maximum size of a picture, and an endless page only up to its first bytes."""
    sent = 0

    async def endless(writer, start):
        nonlocal sent
        sent, block = 0, bytes(2**20)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + start)
        while True:
            writer.write(block)
            await writer.drain()
            sent += len(block)

    for start, key, most in ((PNG, "input-link-big", 3 * MOST_BYTES), (b"<html>", "input-link-no-picture", MOST_BYTES)):
        channel.answers["/"] = partial(endless, start=start)
        async with refused(key):
            await channel.fetch()
        assert sent < most


async def test_proxies_of_the_environment_are_not_used(channel, monkeypatch):
    """Proxies from environment variables are not used."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{SECRET}:{channel.port}")
    channel.answers["/"] = picture(PNG)
    assert await channel.fetch() == PNG
    assert channel.secret == 0


async def test_the_peer_is_asked_who_it_is(channel, monkeypatch):
    """If the connection ends at another address than the checked one, no request is sent."""
    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", diverted(httpcore2.AnyIOBackend.connect_tcp))
    async with refused("input-link-unreachable"):
        await channel.fetch()
    assert channel.asked == []


def diverted(connect):
    """Return a connect function that connects to the secret instead."""

    async def elsewhere(self, host, *rest):
        assert host == FRIEND
        return await connect(self, SECRET, *rest)

    return elsewhere


async def test_certificates_are_checked_for_the_name():
    """With TLS, the certificate must match the name in the link at any address, and a redirect to plain HTTP is refused."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pictures.example").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with opened(context) as channel:
        link = f"https://pictures.example:{channel.port}/"
        channel.answers = {"/": picture(PNG), "/down": redirect(f"http://pictures.example:{channel.port}/")}
        assert await channel.follow(link, trust=trust) == PNG
        for other, known in ((link, None), (link.replace("pictures", "friend"), trust), (f"{link}down", trust)):
            async with refused("input-link-unreachable"):
                await channel.follow(other, trust=known)
