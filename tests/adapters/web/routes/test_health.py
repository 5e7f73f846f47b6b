"""Probes and metrics: who may request them, and under which host names."""

from dataclasses import replace

import httpx2
import pytest

from adapters.observability.health import Health
from adapters.web.adapter import WebAdapter
from bot.config import Web
from inference.contract.errors import Problem
from inference.contract.settings import EngineSettings
from inference.supervisor import Worker
from tests.adapters.web.chat import PATIENCE, open_chat


@pytest.fixture
async def chat(tmp_path):
    async with open_chat(tmp_path) as opened:
        yield opened


@pytest.fixture
def worker():
    return Worker("cpu", EngineSettings(), {})


@pytest.fixture
def ask(chat, worker):
    """Return a function that sends a request to the page with a configuration."""
    bot = replace(chat.bot, operation=Health(chat.store, chat.dispatcher, (worker,)))

    async def asked(path, headers=None, **web):
        settings = bot.config.model_copy(update={"web": Web(**{"port": 0, **web})})
        async with (
            WebAdapter(replace(bot, config=settings)) as adapter,
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{adapter.port}", timeout=PATIENCE) as client,
        ):
            return await client.get(path, headers=headers)

    return asked


async def test_it_is_ready(ask):
    """A page is ready if its store responds and its worker is starting."""
    answer = await ask("/readyz")
    assert (answer.status_code, answer.text) == (200, "ready")


async def test_it_is_not_ready(ask, worker):
    """A problem makes the readiness probe 503 with one word for each reason, while the liveness probe stays ok."""
    worker.broken = Problem("worker-start", {"kind": "OSError"})
    answer = await ask("/readyz")
    assert (answer.status_code, answer.text) == (503, "engine")
    assert (await ask("/healthz")).text == "ok"


async def test_without_anybody_to_ask_it_is_ready(chat):
    """A page without health data is alive and ready, and has no metrics."""
    async with chat.client() as client:
        assert [(await client.get(path)).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 404]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("host", ["10.1.2.3:8000", "[2001:db8::7]", "127.0.0.1", ""])
async def test_probes_come_by_any_number(ask, path, host):
    """Probes accept any numeric host or none, as a load balancer sends, even if a token is required."""
    assert (await ask(path, {"host": host}, require_login=True, public_url="https://easel.example")).status_code == 200


@pytest.mark.parametrize(
    ("path", "host"), [("/healthz", "evil.example"), ("/metrics", "10.1.2.3"), ("/metrics", "evil.example"), ("/", "")]
)
async def test_other_names_are_refused(ask, path, host):
    """Probes refuse foreign host names, and all other paths also refuse foreign addresses."""
    assert (await ask(path, {"host": host})).status_code in (400, 421)


async def test_other_sites_cannot_ask(ask):
    """Another site cannot read probes or metrics through a user's browser."""
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await ask(path, {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"})).status_code == 403


@pytest.mark.parametrize("login", [False, True])
async def test_numbers_are_told_at_home(ask, login):
    """On a page for this computer only, local requests get the metrics without a token."""
    answer = await ask("/metrics", require_login=login)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "easel_queue_jobs" in answer.text


FROM_ELSEWHERE = [
    ({"public_url": "https://easel.example"}, {}),
    ({"host": "0.0.0.0"}, {}),
    ({"require_login": True}, {"x-forwarded-for": "203.0.113.7"}),
    ({"require_login": True}, {"x-forwarded-for": "127.0.0.1"}),
    ({"require_login": True}, {"forwarded": "for=203.0.113.7"}),
    ({"require_login": True}, {"via": "1.1 proxy"}),
]


@pytest.mark.parametrize(("web", "headers"), FROM_ELSEWHERE)
async def test_strangers_get_no_numbers(chat, ask, web, headers):
    """If the page is reachable from outside or a proxy forwards, metrics need a token; a wrong or revoked token is refused."""
    token = await chat.store.tokens.create("Collector")
    refused = await ask("/metrics", headers, **web)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "easel_" not in refused.text
    for wrong in ("Bearer x", "Bearer", f"Basic {token}", token):
        assert (await ask("/metrics", {**headers, "authorization": wrong}, **web)).status_code == 401

    assert (await ask("/metrics", {**headers, "authorization": f"Bearer {token}"}, **web)).status_code == 200
    assert (await ask("/metrics", {**headers, "authorization": f"bearer  {token}"}, **web)).status_code == 200
    await chat.store.tokens.revoke("Collector")
    assert (await ask("/metrics", {**headers, "authorization": f"Bearer {token}"}, **web)).status_code == 401


async def test_tokens_cannot_be_tried_out(chat):
    """After ten wrong tokens, an address has to wait."""
    bot = replace(chat.bot, operation=Health(chat.store, chat.dispatcher, ()))
    settings = bot.config.model_copy(update={"web": Web(port=0, host="0.0.0.0")})
    async with (
        WebAdapter(replace(bot, config=settings)) as adapter,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{adapter.port}", timeout=PATIENCE) as client,
    ):
        codes = [(await client.get("/metrics", headers={"authorization": f"Bearer {number}"})).status_code for number in range(12)]
    assert codes == [401] * 10 + [429] * 2


async def test_a_store_that_is_away_is_a_word(chat, ask, monkeypatch):
    """Metrics that cannot be read are answered with 503 and one word, without a traceback."""

    async def away():
        raise ConnectionError

    monkeypatch.setattr(chat.store.work, "queues", away)
    answer = await ask("/metrics")
    assert (answer.status_code, answer.text) == (503, "store")
