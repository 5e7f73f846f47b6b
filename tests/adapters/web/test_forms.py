"""Forms over the web: shown as an entry, filled in, and sent."""

import html
import re

import pytest

from adapters.web import render
from bot.commands.context import Context
from bot.framework.command import MOST_ATTACHED, form_command
from bot.framework.forms import MOST_FIELDS, form
from bot.framework.params import Params
from bot.framework.reply import Reply
from bot.generation.fields import GenerationParams
from bot.generation.param_types import Guidance, Same, Scheduler, Way
from bot.generation.resolve import COVER
from bot.prompting.grammar import read
from inference.images.validation import MOST_BYTES
from tests.adapters.web.chat import open_chat, png
from tests.stores import init_of

FIELDS = {"prompt": "a blue square", "negative": "", "size": "", "steps": "4"}


@pytest.fixture
async def chat(tmp_path):
    async with open_chat(tmp_path) as opened:
        yield opened


async def params(chat, answer):
    """Return the params of the job that an accepted form queued."""
    assert answer.status_code == 200, answer.text
    (job,) = answer.json()["jobs"]
    return GenerationParams.model_validate_json((await chat.store.jobs.get(job["id"])).params)


async def test_edit_shows_its_form(chat):
    """A press or a typed command that opens a form returns it as HTML, with the values of the request in its fields."""
    async with chat.browser() as ada:
        job = await ada.job('a "red" circle\n& <b --steps 5')
        for answer in (await ada.press(f"edit:{job}"), await ada.say(f"/edit {job}")):
            told = answer.json()
            assert (told["jobs"], told["reply"]) == ([], "")
            assert f'value="edit:{job}"' in told["form"]
            assert "\na &#34;red&#34; circle\n&amp; &lt;b</textarea>" in told["form"]
            assert re.search(r'name="field-steps"[^>]* value="5"[^>]* min="1" max="60">', told["form"])
            assert '<option value="16:9">' in told["form"]
            assert not re.search(r"<script|style=| on\w+=", told["form"])
        assert (await ada.press(f"again:{job}")).json()["form"] == ""


async def test_a_filled_form_paints(chat):
    """A submitted form adds an entry on every open page of the user, like any other press; a repeated key is one request."""
    async with chat.browser() as ada, ada.listening() as page:
        job = await ada.job("a red circle --steps 5 --seed 9 --no fog")
        answers = [await ada.fill(f"edit:{job}", FIELDS, key="once") for _ in range(2)]
        changed = await params(chat, answers[0])
        assert changed == GenerationParams(prompt="a blue square", steps=4, seed=9)
        assert answers[0].json()["jobs"][0]["id"] == answers[1].json()["jobs"][0]["id"] != job
        assert "a blue square" in answers[0].json()["jobs"][0]["html"]
        await page.card(answers[0].json()["jobs"][0]["id"], "waiting")


async def test_line_ends_are_those_that_were_typed(chat):
    """Browsers send line ends as CR LF; the stored text has the typed line ends, from a line and from a form."""
    async with chat.browser() as ada:
        job = await ada.job("a red circle\r\na dog")
        assert GenerationParams.model_validate_json((await chat.store.jobs.get(job)).params).prompt == "a red circle\na dog"
        assert (await params(chat, await ada.fill(f"edit:{job}", FIELDS | {"prompt": "a\r\nb"}))).prompt == "a\nb"


async def test_a_form_brings_a_picture(chat):
    """A picture in a form becomes the source of the request; the next form shows it, and keeps it if no other is chosen."""
    async with chat.browser() as ada:
        job = await ada.job("a boat")
        brought = await ada.fill(f"edit:{job}", FIELDS, picture=png("blue"))
        source = (await params(chat, brought)).image
        assert await chat.store.files.get(source) == png("blue")
        other = brought.json()["jobs"][0]["id"]
        assert f'src="/files/{source}"' in (await ada.press(f"edit:{other}")).json()["form"]
        assert (await ada.client.get(f"/files/{source}")).content == png("blue")
        assert (await params(chat, await ada.fill(f"edit:{other}", FIELDS))).image == source


@pytest.mark.parametrize(
    ("fields", "picture", "told"),
    [
        ({"prompt": ""}, None, "The prompt is empty"),
        ({"steps": "600"}, None, "steps must be from 1 to 60; you wrote 600."),
        ({"prompt": "a" * 500_000}, None, "yours has 500000."),
        ({"colour": "red"}, None, "another version of Easel"),
        ({}, b"<svg onload=alert(1)>", "PNG"),
        ({}, b"\0" * (MOST_BYTES + 300_000), "20"),
    ],
)
async def test_mistakes_in_a_form_are_told(chat, fields, picture, told):
    """An invalid form is answered with one sentence, and nothing is queued."""
    async with chat.browser() as ada:
        job = await ada.job("a red circle")
        await chat.paint()
        answer = await ada.fill(f"edit:{job}", FIELDS | fields, picture=picture)
        assert answer.status_code in (413, 422)
        assert told in answer.json()["error"]
    assert await chat.store.attempts.claim("nobody") is None


async def test_a_form_is_bounded(chat):
    """A form with too many fields or files is refused."""
    async with chat.browser() as ada:
        job = await ada.job("a red circle")
        many = {f"field-{number}": (None, "x") for number in range(MOST_FIELDS + 3)}
        files = {f"field-{number}": ("a.png", png(), "image/png") for number in range(MOST_ATTACHED + 1)}
        for parts in (many, files):
            whole = {"wire": (None, f"edit:{job}"), "key": (None, "k"), **parts}
            answer = await ada.client.post("/press", files=whole, headers={"X-Easel-Token": ada.token})
            assert answer.status_code == 400
            assert answer.json()["error"]


async def test_nobody_fills_in_anothers_form(chat):
    """The form of another user's request is neither shown nor accepted, and no form is accepted without the page's token."""
    async with chat.browser() as ada, chat.browser() as bob:
        job = await ada.job("a red circle")
        await chat.paint()
        for answer in (await bob.press(f"edit:{job}"), await bob.fill(f"edit:{job}", FIELDS)):
            assert answer.status_code == 422
            assert "circle" not in answer.text
        ada.token = "0" * 64
        assert (await ada.fill(f"edit:{job}", FIELDS)).status_code == 403
    assert await chat.store.attempts.claim("nobody") is None


async def test_a_preset_asks_for_its_slots(chat):
    """A preset with slots opens a form under its name and fills them in unchanged; without a name, presets are offered."""
    value = 'The "Last": {one|two}\n<b>(x)</b>'
    async with chat.browser() as ada:
        await ada.say("/preset save placard a placard of {title}, {colour=red}")
        shown = (await ada.say("/preset use placard --steps 3")).json()["form"]
        assert ">placard</h2>" in shown
        assert re.findall(r"<label[^>]*>(\w+)</label>", shown) == ["title", "colour"]
        wire = re.search(r'name="wire" value="([^"]+)"', shown)[1]
        answer = await ada.client.post(
            "/press",
            files={"wire": (None, wire), "key": (None, "k"), "field-slot_1": (None, value), "field-slot_2": (None, "")},
            headers={"X-Easel-Token": ada.token},
        )
        words = (await params(chat, answer)).prompt
        assert "".join(one.text for part in read(words).prompt.parts for one in part) == f"a placard of {value}, red"
        offered = (await ada.say("/preset use")).json()["reply"]
        assert ">placard</button>" in offered
        assert ">night</button>" in offered


class Everything(Params):
    """A parameter of every kind."""

    scheduler: Scheduler = None
    guidance: Guidance = None
    same: Same = None
    way: Way = None


@form_command
async def everything(_ctx: Context, _want: Everything) -> Reply:
    """Ask for everything."""
    values = {"scheduler": 'a "b"', "guidance": 2.5, "same": "yes", "way": None}
    return Reply(form=form(everything, "form-edit", "everything", values, {}))


async def test_every_kind_has_its_field():
    """Numbers have bounded fields, choices have lists that start with an empty option, and names have text fields."""
    shown = html.unescape(render.form(await everything.run(None, Everything())))
    assert re.search(r'type="text"[^>]* name="field-scheduler"[^>]* value="a "b""', shown)
    assert re.search(r'type="number"[^>]* value="2.5" step="any" inputmode="decimal" min="0" max="\d+">', shown)
    lists = re.findall(r'<select[^>]* name="field-(\w+)"[^>]*>(.*?)</select>', shown, re.DOTALL)
    choices = {name: re.findall(r"<option(.*?)>(.*?)<", values) for name, values in lists}
    assert choices["same"] == [("", ""), (" selected", "yes"), ("", "no")]
    assert [value for _, value in choices["way"]] == ["", "first", "up", "down", "last"]


async def test_a_form_shows_no_covered_picture(chat):
    """If pictures are covered, a form keeps its picture without showing it."""
    async with chat.browser() as ada:
        job = await ada.job("a red circle", picture=png())
        source = init_of(await chat.store.jobs.get(job))
        assert f'src="/files/{source}"' in (await ada.press(f"edit:{job}")).json()["form"]
        await chat.store.settings.change((await chat.store.jobs.get(job)).address, {COVER: True})
        told = (await ada.press(f"edit:{job}")).json()["form"]
        assert f"/files/{source}" not in told
        assert "stays" in told or "kept" in told
