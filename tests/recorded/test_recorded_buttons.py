"""Buttons, list entries and forms that an earlier version posted: they bind to the same values and still work."""

import json
from contextlib import asynccontextmanager

import httpx2
import pytest

from adapters.base import Bot
from adapters.bootstrap import catalogue, opened
from adapters.web.adapter import WebAdapter
from bot.app import App
from bot.core.errors import BadInput
from bot.generation.fields import GenerationParams
from bot.generation.resolve import ModelCatalog
from bot.jobs.delivery import Router
from bot.jobs.dispatcher import Dispatcher
from tests.adapters.discord import chat as discords
from tests.adapters.telegram import chat as telegrams
from tests.adapters.web.chat import PATIENCE, Browser, config
from tests.emulators.discord import uses
from tests.emulators.discord.composing import compose
from tests.emulators.discord.messages import COMPONENTS_V2
from tests.emulators.telegram.messages import Draft
from tests.recorded.dumps import RECORDED
from tests.recorded.pressing import Caught, pressing, wire_of
from tests.talk import png

BUTTONS = json.loads((RECORDED / "buttons.json").read_text(encoding="utf-8"))
POSTED = [one for those in BUTTONS["posted"].values() for one in those]


def filled_in(one):
    """Return the submitted fields of a recorded form, None for a button."""
    if "data" in one:
        fields = [label["component"] for label in one["data"]["components"]]
        return {field["custom_id"]: field.get("value") or (field.get("values") or [""])[0] for field in fields}
    filled = one.get("filled")
    return filled and {name: png(64, 64) if value == "PNG" else value for name, value in filled.items()}


async def test_every_recorded_string_binds_to_its_values(tmp_path):
    """Each recorded button, list entry and form runs its command with exactly the recorded parameter values."""
    wrong = {}
    async with pressing(tmp_path) as bot:
        for one in (*POSTED, *BUTTONS["varied"]):
            try:
                meant = await bot.meant(wire_of(one["carried"]), filled_in(one))
            except Exception as error:
                meant = repr(error)
            if meant != (one["command"], one["values"]):
                wrong[one["carried"]] = meant
    assert wrong == {}


def of(platform, where):
    """Return the first recorded example of each command on a platform."""
    return list({one["command"]: one for one in reversed(POSTED) if (one["platform"], one["where"]) == (platform, where)}.values())


def check(caught, expected):
    """Assert that the commands ran with the recorded values, in this order."""
    assert [(name, values) for name, values in caught.asked] == [(one["command"], one["values"]) for one in expected]


@asynccontextmanager
async def in_discord(folder):
    """Yield an emulated Discord, a channel, a user, and the recording commands of the bot there."""
    caught = Caught()
    async with discords.quick() as discord, discords.open_chat(folder, discord, caught.commands) as chat:
        channel, ann, _ = chat.channel()
        yield discord, channel, ann, caught


def planted(discord, channel, *components):
    """Put a message of the bot with these components into a channel."""
    body = {"flags": COMPONENTS_V2, "components": [{"type": 1, "components": list(components)}]}
    return discord.add_message(channel, discord.bot, compose(discord, channel, body, {}))


async def test_old_buttons_in_discord(tmp_path):
    """Buttons and list entries in old Discord messages run their commands with the recorded values."""
    async with in_discord(tmp_path) as (discord, channel, ann, caught):
        pressed = []
        for one in of("discord", "button"):
            message = planted(discord, channel, {"type": 2, "style": 2, "label": "Old", "custom_id": one["carried"]})
            await ann.click(message, one["carried"])
            pressed.append(one)
            await discord.until(lambda: len(caught.asked) == len(pressed))
        for one in of("discord", "choice"):
            options = [{"label": "Old", "value": one["carried"]}]
            message = planted(discord, channel, {"type": 3, "custom_id": one["select"], "options": options})
            await ann.pick(message, one["select"], [one["carried"]])
            pressed.append(one)
            await discord.until(lambda: len(caught.asked) == len(pressed))
    check(caught, pressed)


async def test_old_forms_in_discord(tmp_path):
    """A Discord modal that was opened before the upgrade can be submitted after it."""
    async with in_discord(tmp_path) as (discord, channel, ann, caught):
        sent = []
        for one in of("discord", "filled"):
            await uses.Use(discord, ann, channel, uses.MODAL, one["data"], source=planted(discord, channel, _any())).send()
            sent.append(one)
            await discord.until(lambda: len(caught.asked) == len(sent))
    check(caught, sent)


def _any():
    return {"type": 2, "style": 2, "label": "Old", "custom_id": "settle"}


async def test_old_buttons_in_telegram(tmp_path):
    """Buttons under old Telegram messages run their commands with the recorded values."""
    caught = Caught()
    async with telegrams.quick() as telegram, telegrams.open_chat(tmp_path, telegram, caught.commands) as chat:
        ann, dm = await chat.started()
        pressed = of("telegram", "button")
        for number, one in enumerate(pressed, 1):
            markup = {"inline_keyboard": [[{"text": "Old", "callback_data": one["carried"]}]]}
            message = telegram.add_message(dm, telegram.bot, Draft(text="Old", reply_markup=markup))
            await (await ann.press(message, "Old")).answered()
            assert len(caught.asked) == number
    check(caught, pressed)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_old_buttons_on_the_page(tmp_path, kind):
    """Buttons and forms of a web page that was open before the upgrade run their commands with the recorded values."""
    caught = Caught()
    mine = [one for one in BUTTONS["posted"][kind] if one["platform"] == "web"]
    async with pages(tmp_path, caught.commands) as browser:
        for number, one in enumerate(mine, 1):
            fields = {f"field-{name}": (None, "") for name in one.get("fields", ()) if name != "image"}
            parts = {"wire": (None, one["carried"]), "key": (None, f"key-{number}"), **fields}
            answer = await browser.client.post("/press", files=parts, headers={"X-Easel-Token": browser.token})
            assert answer.status_code == 200, answer.text
    asked = [(name, {key: value for key, value in values.items() if key != "without"}) for name, values in caught.asked]
    assert asked == [(one["command"], one["values"]) for one in mine]


@asynccontextmanager
async def pages(folder, commands):
    """Yield a browser on the web page of a bot with these commands."""
    settings = config(folder)
    async with opened(settings) as store:
        dispatcher = Dispatcher(store, None, Router(), ("web",))
        app = App(commands, store, ModelCatalog(catalogue(settings).models, "demo"), wake=dispatcher.wake)
        async with WebAdapter(Bot(settings, app, dispatcher.card, dispatcher.show)) as adapter:
            url = f"http://127.0.0.1:{adapter.port}"
            async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE) as client:
                browser = Browser(client)
                await browser.open()
                yield browser


def posted(recorded, command):
    """Return the recorded button data of a command that belongs to this database."""
    return [wire_of(one["carried"]) for one in BUTTONS["posted"][recorded.kind] if one["command"] == command]


def owner(recorded, wire):
    """Return the owner of the picture or job that button data names."""
    about = wire.split(":")[1] if not wire.startswith("share") else wire.split(":")[2]
    return next(one["person_id"] for table in ("picture", "job") for one in recorded.rows[table] if one["id"] == about)


async def params(recorded, reply):
    """Return the parameters of the one job of a reply."""
    return GenerationParams.model_validate_json((await recorded.job(reply)).params)


async def test_old_buttons_paint(recorded):
    """Recorded Again, Vary, Edit and Branch buttons queue jobs with the parameters of their pictures."""
    for wire in posted(recorded, "again"):
        job = await recorded.job(await recorded.press(wire, owner(recorded, wire)))
        assert job.params == (await recorded.store.jobs.get(wire.split(":")[1])).params.replace(_seed(wire, recorded), "")
    for wire in posted(recorded, "vary"):
        picture = await recorded.store.pictures.get(wire.split(":")[1])
        assert (await params(recorded, await recorded.press(wire, owner(recorded, wire)))).image == picture.file
    for name in ("edit", "branch"):
        for wire in posted(recorded, name):
            form = (await recorded.press(wire, owner(recorded, wire))).form
            assert form.wire == wire
            # Without a new picture the old one stays.
            sent = {one.param.name: one.value for one in form.fields if one.name != "image"} | {"prompt": "a yellow boat"}
            assert (await params(recorded, await recorded.press(wire, owner(recorded, wire), filled=sent))).prompt == "a yellow boat"


def _seed(wire, recorded):
    (kept,) = [json.loads(one["wish"]) for one in recorded.rows["job"] if one["id"] == wire.split(":")[1]]
    return f',"seed":{kept["seed"]}' if "seed" in kept else "\0"


async def seen(recorded, wire, who, where):
    """Press a button of a preset; return None if the user may not see the preset, or if the form is of an earlier version of it."""
    try:
        return await recorded.press(wire, who, where)
    except BadInput as error:
        if error.problem.key in ("input-preset-unknown", "input-preset-other"):
            return None
        raise


async def test_old_buttons_of_presets_paint(recorded):
    """Recorded buttons of presets queue jobs, after their form if a slot has to be filled."""
    ann, bob = recorded.named("ann"), recorded.named("bob")
    group = recorded.channel("telegram", "/preset_use@")
    used = 0
    for wire in (*posted(recorded, "preset_use"), *posted(recorded, "fill")):
        for who in (ann, bob):
            reply = await seen(recorded, wire, who, group)
            if reply is None:
                continue
            if reply.form is not None:
                sent = {one.param.name: one.value or "cat" for one in reply.form.fields}
                reply = await recorded.press(reply.form.wire, who, group, filled=sent)
            assert (await params(recorded, reply)).preset
            used += 1
    assert used >= 4


async def test_old_buttons_do_what_they_do(recorded):
    """Recorded buttons for info, favourites, boards, paging, cancelling and deleting do their work."""
    ann = recorded.named("ann")
    for name in ("info", "compare", "original", "favourite", "share", "preset_keep"):
        for wire in posted(recorded, name):
            reply = await recorded.press(wire, owner(recorded, wire))
            assert reply.pictures or reply.text or reply.form, wire
    for wire in (*posted(recorded, "use"), *posted(recorded, "like"), *posted(recorded, "keep")):
        if not wire.endswith("at dawn"):
            reply = await recorded.press(wire, ann)
            assert reply.text or reply.jobs or reply.form, wire
    for name in ("history", "preset_list", "board"):
        for wire in posted(recorded, name):
            assert (await recorded.press(wire, ann)).text
    for wire in posted(recorded, "cancel"):
        if await recorded.store.jobs.get(wire.split(":")[1]) is not None:
            await recorded.press(wire, owner(recorded, wire))
            assert not (await recorded.store.jobs.get(wire.split(":")[1])).is_open
    for wire in posted(recorded, "delete"):
        await recorded.press(wire, owner(recorded, wire))
        assert await recorded.store.pictures.get(wire.split(":")[1]) is None
