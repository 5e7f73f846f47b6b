"""Security: other sites, foreign host names, other users' data, and oversized input."""

import asyncio
from urllib.parse import quote

import pytest
from markupsafe import escape
from starlette.requests import Request
from starlette.routing import Route

from adapters.web.auth.origin_policy import OriginPolicy, needs_login
from adapters.web.middleware import HEADERS
from bot.config import Web
from bot.core.errors import BadConfig
from inference.images.validation import MOST_BYTES
from tests.adapters.web.chat import PATIENCE, open_chat, png

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</p><script src=x>alert(1)</script >",
    '" autofocus onfocus="alert(1)',
    "'><svg/onload=alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "<!-- <a href=javascript:alert(1)>",
]

#: The markup that would appear if input were not escaped.
MARKUP = ("<img src=x", "<script src=x", 'onfocus="alert', "<svg/onload", "<!--", "<a href=javascript")


@pytest.fixture
async def chat(tmp_path):
    async with open_chat(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("words", HOSTILE)
async def test_words_are_never_markup(chat, words):
    """Typed text is escaped everywhere: in entries, the page, events, replies, searches and error pages."""
    async with chat.browser() as ada, ada.listening() as listener:
        answer = (await ada.say(words)).json()
        job = answer["jobs"][0]["id"]
        await chat.paint()
        done = await listener.card(job, "done")
        (picture,) = (await chat.store.pictures.of_jobs([job]))[job]
        shown = [
            answer["jobs"][0]["html"],
            done["html"],
            (await ada.press(f"info:{picture.id}")).json()["reply"],
            (await ada.say(f"/history {words}")).json().get("reply", ""),
            await ada.open(),
            (await ada.client.get("/history", params={"words": words})).text,
            (await ada.client.get("/" + quote(words), headers={"Accept": "text/html"})).text,
        ]
        assert escape(words) in shown[0]
        for html in shown:
            assert not any(markup in html for markup in MARKUP)


@pytest.mark.parametrize("path", ["/", "/login", "/healthz", "/static/page.css", "/nothing", "/queue", "/files/none", "/events"])
async def test_every_answer_has_the_headers(chat, path):
    """Pages, fragments, files, errors and streams all have the security headers."""
    async with chat.client() as client, client.stream("GET", path) as answer:
        for name, value in HEADERS.items():
            assert name == "cache-control" or answer.headers[name] == value
        assert answer.headers["cache-control"] in ("no-store", "no-cache")
        assert "server" not in answer.headers


def test_the_policy_allows_nothing_from_elsewhere():
    """The policy forbids inline scripts, foreign hosts and framing."""
    policy = dict(rule.split(" ", 1) for rule in HEADERS["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in HEADERS["content-security-policy"]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "", "127.0.0.1@evil.example", "[::1", "10.0.0.7"],
)
async def test_foreign_names_are_refused(chat, host):
    """A host name that is not this server's, as in DNS rebinding, is refused."""
    async with chat.client() as client:
        for method, path in (("GET", "/"), ("POST", "/say"), ("GET", "/events"), ("GET", "/static/page.css")):
            answer = await client.request(method, path, headers={"Host": host})
            assert answer.status_code in (400, 421)
            assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8000", "[::1]:8000"])
async def test_own_names_are_answered(chat, host):
    """This computer's own names are accepted."""
    async with chat.client() as client:
        assert (await client.get("/healthz", headers={"Host": host})).text == "ok"


@pytest.mark.parametrize(
    ("web", "host", "is_known"),
    [
        ({"public_url": "https://Easel.example/chat"}, "easel.example", True),
        ({"public_url": "https://easel.example"}, "easel.example:443", True),
        ({"public_url": "https://easel.example"}, "other.example", False),
        ({"host": "0.0.0.0"}, "192.168.1.5:8000", True),
        ({"host": "0.0.0.0"}, "rebound.example:8000", False),
        ({"host": "::"}, "[fe80::1]:8000", True),
        ({"host": "192.168.1.5"}, "192.168.1.5:8000", True),
        ({"host": "192.168.1.5"}, "192.168.1.6:8000", False),
        ({}, "192.168.1.5:8000", False),
    ],
)
def test_names_of_a_configuration(web, host, is_known):
    """The configured names are accepted; if bound to all addresses, any numeric address is, because no foreign name can pose as one."""
    assert OriginPolicy.of(Web(**web)).knows(host) is is_known


@pytest.mark.parametrize("given", ["easel.example", "ftp://easel.example", "https://", "javascript:alert(1)"])
def test_a_public_address_that_is_none(given):
    """A public URL without a scheme or host is a configuration error."""
    with pytest.raises(BadConfig):
        OriginPolicy.of(Web(public_url=given))


@pytest.mark.parametrize(
    ("web", "is_needed"),
    [
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "127.0.0.2"}, False),
        ({"require_login": True}, True),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": "192.168.1.5"}, True),
        ({"host": "easel.example"}, True),
        ({"public_url": "https://easel.example"}, True),
        ({"public_url": "http://localhost:9000"}, False),
    ],
)
def test_where_a_token_is_asked_for(web, is_needed):
    """A token is required whenever others than the users of this computer can reach the page."""
    assert needs_login(Web(**web)) is is_needed


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"},
        {"Origin": "file://"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_other_pages_cannot_send(chat, headers):
    """Requests from another site, or another port of this computer, are refused even with the right token."""
    async with chat.browser() as ada:
        answer = await ada.say("a red circle", **headers)
        assert answer.status_code == 403
        assert "another site" in answer.json()["error"]
        assert (await ada.client.post("/login", data={"token": "x"}, headers=headers)).status_code == 403
    assert await chat.store.attempts.claim("nobody") is None


async def test_the_own_page_can_send(chat):
    """Requests with the page's own origin, or with its public URL behind a proxy, are accepted."""
    async with chat.browser() as ada:
        assert (await ada.say("a red circle", Origin=chat.url, **{"Sec-Fetch-Site": "same-origin"})).status_code == 200
    hosts = OriginPolicy.of(Web(public_url="https://easel.example/chat"))
    assert hosts.may_send("https://easel.example", "same-origin", "127.0.0.1:8000")
    assert not hosts.may_send("https://easel.example:444", None, "127.0.0.1:8000")


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
async def test_a_form_needs_the_token_of_its_page(chat, token):
    """A request needs the token of the page that the cookie belongs to, not only the cookie."""
    async with chat.browser() as ada, chat.browser() as bob:
        for wrong in (token.encode(), bob.token.encode()):
            answer = await ada.client.post("/press", data={"wire": "again:x", "key": "1"}, headers={b"X-Easel-Token": wrong})
            assert answer.status_code == 403


async def test_without_a_cookie_nothing_is_shown(chat):
    """Without a cookie, nothing is shown, accepted or streamed."""
    async with chat.client() as client:
        for path in ("/queue", "/history", "/commands", "/suggest", "/events", "/files/x", "/earlier"):
            assert (await client.get(path)).status_code == 401
        for path in ("/say", "/press"):
            assert (await client.post(path, data={"line": "a circle"})).status_code == 401


async def test_the_cookie(chat):
    """The cookie is a long random secret, hidden from scripts and other sites, and stays the same."""
    async with chat.client() as client:
        first = (await client.get("/")).headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(first.split("; "))
        assert "Secure" not in first
        assert len(client.cookies["easel"]) == 32
        again = (await client.get("/")).headers["set-cookie"]
        assert again.split(";")[0] == first.split(";")[0]
    async with chat.client(cookies={"easel": "chosen"}) as client:
        assert "easel=chosen" not in (await client.get("/")).headers["set-cookie"]


async def test_files_are_for_their_owners(chat):
    """A picture is served to its owner only; other users and invalid names get a 404."""
    async with chat.browser() as ada, chat.browser() as bob:
        job = await ada.job("a red, < round > circle")
        await chat.paint()
        (picture,) = (await chat.store.pictures.of_jobs([job]))[job]
        for key in (picture.file, picture.thumbnail):
            own = await ada.client.get(f"/files/{key}")
            assert (own.status_code, own.headers["content-type"]) == (200, "image/png")
            assert "immutable" in own.headers["cache-control"]
            assert (await bob.client.get(f"/files/{key}")).status_code == 404
        download = await ada.client.get(f"/files/{picture.file}?download")
        assert download.headers["content-disposition"] == 'attachment; filename="a-red-round-circle-0.png"'
        for key in ("none.png", "..%2f..%2feasel.db", "%2e%2e/easel.db", f"{'0' * 64}.png", "0" * 64 + ".svg", "%00"):
            assert (await ada.client.get(f"/files/{key}")).status_code == 404


async def test_a_body_that_is_too_large(chat):
    """A body larger than a picture is refused, with or without a declared length, and the server keeps running."""

    async def endless():
        for _ in range(MOST_BYTES // 100_000 + 10):
            yield b"x" * 100_000

    async with chat.browser() as ada:
        heads = {"X-Easel-Token": ada.token, "Content-Type": "multipart/form-data; boundary=x"}
        for path in ("/say", "/press"):
            declared = await ada.client.post(path, content=b"x" * (MOST_BYTES + 300_000), headers=heads)
            assert declared.status_code == 413
        start = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'

        async def streamed():
            yield start
            async for piece in endless():
                yield piece

        answer = await ada.client.post("/say", content=streamed(), headers=heads)
        assert answer.status_code == 413
        assert "20 MB" in answer.json()["error"]
        small = await ada.client.post("/login", content=b"token=" + b"x" * 20_000, headers=heads)
        assert small.status_code == 413
        assert (await ada.say("a red circle", picture=png())).status_code == 200


@pytest.mark.parametrize(
    "content", [b"", b"--x\r\nnonsense", b"\xff\xfe", b"--x--", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--"]
)
async def test_broken_forms(chat, content):
    """A malformed form is refused with a sentence."""
    async with chat.browser() as ada:
        heads = {"X-Easel-Token": ada.token, "Content-Type": "multipart/form-data; boundary=x"}
        answer = await ada.client.post("/say", content=content, headers=heads)
        assert answer.status_code in (400, 422)
        assert answer.json()["error"]


async def test_a_defect_is_an_incident(chat, caplog):
    """An unexpected error is answered with a code, and logged under it with the traceback, but without the cookie."""

    async def fail(_: Request):
        raise ZeroDivisionError("an inside matter")

    routes = chat.adapter._server.config.app.router.routes
    routes.insert(0, Route("/defect", fail))
    async with chat.browser() as ada:
        answer = await ada.client.get("/defect")
        secret = ada.client.cookies["easel"]
    assert answer.status_code == 500
    (record,) = [one for one in caplog.records if one.getMessage().startswith("web.failed")]
    assert record.args[0] in answer.json()["error"]
    assert record.exc_info[0] is ZeroDivisionError
    assert secret not in caplog.text
    assert "an inside matter" not in answer.text


async def test_whoever_leaves_in_the_middle_is_no_incident(chat, caplog):
    """A connection that is closed while sending is logged in one line, not as a defect."""
    caplog.set_level("INFO", "easel.web")
    async with chat.browser() as ada:
        _, writer = await asyncio.open_connection("127.0.0.1", chat.adapter.port)
        heads = (
            f"POST /say HTTP/1.1\r\nHost: localhost\r\nCookie: easel={ada.client.cookies['easel']}\r\nX-Easel-Token: {ada.token}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\n"
        )
        writer.write(heads.encode())
        await writer.drain()
        writer.close()
        async with asyncio.timeout(PATIENCE):
            # Nothing signals a new log record.
            while not (told := [one for one in caplog.records if one.name == "easel.web"]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert [one.getMessage() for one in told] == ["web.left method=POST path=/say"]
    assert told[0].exc_info is None


async def test_other_sites_only_link(chat):
    """Another site can neither fetch nor embed anything, but a link from it leads to the same conversation."""
    async with chat.browser() as ada:
        job = await ada.job("a red circle")
        for site in ("cross-site", "same-site"):
            for path in ("/", "/events", "/queue", "/static/page.css"):
                answer = await ada.client.get(path, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
                assert answer.status_code == 403
        cookies = dict(ada.client.cookies)
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with chat.client() as client:
        # A browser leaves out a strict cookie here, which must not make the user a new one.
        hop = await client.get("/", headers=link)
        assert (hop.status_code, "set-cookie" in hop.headers) == (200, False)
        assert 'content="0; url=/"' in hop.text
    async with chat.browser(cookies=cookies, headers={"Sec-Fetch-Site": "same-origin"}) as ada:
        assert f"job-{job}" in await ada.open()
