"""The page and its parts, the commands that it knows, and startup of the server."""

import socket
from datetime import UTC, datetime, timedelta

import pytest

from adapters.web.adapter import WebAdapter, open_adapter
from bot.app import App
from bot.commands import COMMANDS
from bot.commands.context import Context
from bot.core.errors import BadConfig
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import Reply
from bot.generation.param_types import Steps, Words
from tests.adapters.web.chat import open_chat


@pytest.fixture
async def chat(tmp_path):
    async with open_chat(tmp_path) as opened:
        yield opened


async def test_a_first_visit(chat):
    """A new visitor gets an empty page with three examples, each of which can be run; no data of the visitor is stored yet."""
    async with chat.browser() as ada:
        page = await ada.open()
        examples = [one.split('"')[0] for one in page.split('data-say-line="')[1:]]
        assert len(examples) == 3
        for example in examples:
            answer = (await ada.say(example)).json()
            assert answer["jobs"]
            assert answer["reply"] == ""


async def test_the_first_view_is_light(chat):
    """The page with its styles and scripts is smaller than 100 kB."""
    async with chat.browser() as ada:
        page = await ada.open()
        paths = {one.split('"')[0] for one in page.split('"/static/')[1:]}
        sizes = [len((await ada.client.get(f"/static/{path}")).content) for path in paths]
        assert len(paths) > 1
        assert len(page.encode()) + sum(sizes) < 100_000


async def test_static_files_are_asked_for_again(chat):
    """An unchanged static file is not sent again, and nothing outside the folder is served."""
    async with chat.client() as client:
        first = await client.get("/static/page.css")
        again = await client.get("/static/page.css", headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code) == (200, 304)
        for path in ("/static/", "/static/none.js", "/static/../adapter.py", "/static/%2e%2e/adapter.py", "/static/..%2fadapter.py"):
            assert (await client.get(path)).status_code == 404


async def test_earlier_entries(chat):
    """The page shows the latest thirty entries; earlier entries are loaded in order until there are none."""
    async with chat.browser() as ada:
        jobs = [await ada.job(f"a circle --seed {number}") for number in range(65)]
        page = await ada.open()
        assert [job for job in jobs if f'id="job-{job}"' in page] == jobs[-30:]
        seen, more = jobs[-30:], True
        while more:
            answer = (await ada.client.get(f"/earlier?before={seen[0]}")).json()
            assert 1 <= len(answer["cards"]) <= 30
            found = [next(job for job in jobs if f'id="job-{job}"' in html) for html in answer["cards"]]
            seen, more = [*found, *seen], answer["more"]
        assert seen == jobs
        assert (await ada.client.get("/earlier?before=none")).status_code == 422


async def test_history_and_queue(chat):
    """The history finds a user's own pictures by words and in pages; the queue shows their queued jobs."""
    async with chat.browser() as ada, chat.browser() as bob:
        for number in range(14):
            await ada.job(f"a {'red' if number % 2 else 'blue'} circle --seed {number}")
            await chat.paint()
        waits = await ada.job("a green star")
        assert (await ada.client.get("/history")).text.count("<img") == 10
        assert (await ada.client.get("/history?page=2")).text.count("<img") == 4
        assert (await ada.client.get("/history?words=red")).text.count("<img") == 7
        assert (await bob.client.get("/history")).text.count("<img") == 0
        refused = await ada.client.get("/history?page=none")
        assert (refused.status_code, "page" in refused.json()["error"]) == (422, True)
        assert f"cancel:{waits}" in (await ada.client.get("/queue")).text
        assert "cancel:" not in (await bob.client.get("/queue")).text


async def test_the_page_knows_the_commands(chat):
    """Every visible command is described with its parameters as declared: kinds, bounds, aliases and suggestions."""
    async with chat.browser() as ada:
        commands = {one["name"]: one for one in (await ada.client.get("/commands")).json()}
        assert list(commands) == [one.name for one in COMMANDS if not one.hidden]
        imagine = {one["name"]: one for one in commands["imagine"]["params"]}
        assert commands["imagine"]["free"] == "prompt"
        assert (imagine["steps"]["kind"], imagine["steps"]["low"], imagine["steps"]["high"]) == ("whole", 1, 60)
        assert "no" in imagine["negative"]["also"]
        assert "euler a" in imagine["scheduler"]["suggestions"]
        for asked, found in (
            ("param=scheduler&typed=eul", ["euler", "euler a"]),
            ("param=sampler&typed=euler a", ["euler a"]),
            ("param=x", []),
        ):
            assert (await ada.client.get(f"/suggest?command=imagine&{asked}")).json() == found
        assert (await ada.client.get("/suggest?command=imagin")).status_code == 422


class Echo(Params):
    """What to say back."""

    words: Words = None
    steps: Steps = None


@command
async def echo(ctx: Context, want: Echo) -> Reply:
    """Say it back."""
    del ctx
    return Reply(text=f"{want.words} in {want.steps} steps")


async def test_a_new_command_is_there_by_itself(chat, monkeypatch):
    """A command declared by one class and one function is offered by the page with its parameters, and can be run."""
    app: App = chat.app
    monkeypatch.setitem(app.commands, "echo", echo)
    monkeypatch.setattr(app, "offer", type(app.offer)(app.offer.model_infos, app.offer.default_model, (*app.offer.commands, "echo")))
    async with chat.browser() as ada:
        (told,) = [one for one in (await ada.client.get("/commands")).json() if one["name"] == "echo"]
        assert (told["help"], [one["name"] for one in told["params"]]) == ("Say it back.", ["words", "steps"])
        assert "hello there in 7 steps" in (await ada.say("/echo hello --steps 7 there")).json()["reply"].replace("  ", " ")


async def test_what_ended_long_ago_is_not_told_again(chat, monkeypatch):
    """A page that connects receives jobs that ended in the last minutes; older entries are part of the page itself."""
    async with chat.browser() as ada:
        old = await ada.job("a red circle")
        await chat.paint()
        waits = await ada.job("a blue circle")
        later = datetime.now(UTC) + timedelta(minutes=11)
        monkeypatch.setattr("adapters.web.routes.chat.now", lambda: later)
        async with ada.listening() as page:
            await page.card(waits, "waiting")
            assert page.of("card", old) == []


async def test_unknown_addresses(chat):
    """An unknown path is answered with a page for a browser, and with JSON for a script."""
    async with chat.client() as client:
        page = await client.get("/none", headers={"Accept": "text/html,*/*"})
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        script = await client.get("/none", headers={"Accept": "*/*"})
        assert (script.status_code, list(script.json())) == (404, ["error"])
        wrong = await client.put("/say", headers={"Accept": "text/html"})
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


async def test_a_port_that_is_taken(chat):
    """A port in use is reported with one clear error, and nothing is left open."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadConfig) as caught:
            async with chat.again(port=port):
                pass
        assert caught.value.problem.key == "config-port"
    async with chat.again(port=port) as adapter:
        assert adapter.address == f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid", "::ffff:203.0.113.1"])
async def test_an_address_that_is_not_here(chat, host):
    """A host that is not an address of this computer is reported with one clear error."""
    with pytest.raises(BadConfig) as caught:
        async with chat.again(host=host):
            pass
    assert caught.value.problem.key == "config-listen"


async def test_the_registry_opens_it(chat):
    """The registry's function returns the adapter, and an invalid public URL is refused."""
    assert isinstance(open_adapter(chat.bot), WebAdapter)
    with pytest.raises(BadConfig):
        async with chat.again(public_url="nowhere"):
            pass
