"""One story over Discord, Telegram and the page: a preset is shared between groups, and each user sees what they may see."""

import re
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx2
import pytest

from adapters.base import Bot
from adapters.bootstrap import catalogue, opened
from adapters.registry import REGISTRY
from bot.app import App
from bot.commands import COMMANDS
from bot.generation.resolve import ModelCatalog
from bot.jobs.delivery import Router
from bot.jobs.dispatcher import Dispatcher
from bot.store.store import Store
from tests.adapters.discord import chat as discords
from tests.adapters.telegram import chat as telegrams
from tests.adapters.web.chat import PATIENCE, Browser
from tests.emulators.discord import Discord
from tests.emulators.telegram import Telegram


@dataclass(frozen=True)
class Stage:
    """Easel on three platforms at once."""

    discord: Discord
    telegram: Telegram
    store: Store
    page: str

    async def painted(self, channel, user, command, **given):
        """Use a generating command on Discord; return its finished message and its job."""
        use = await user.use(channel, command, **given)
        message = await self.discord.until(lambda: use.message if use.message and discords.is_done(use.message) else None)
        (wire,) = {wire for _, wire, _ in message.buttons() if wire.startswith("again:")}
        return message, await self.store.jobs.get(wire.removeprefix("again:"))

    async def told(self, channel, user, command, **given):
        """Use a Discord command with a private answer and return the answer."""
        return discords.read(await discords.told(await user.use(channel, command, **given)))

    async def heard(self, chat, user, line, holding=""):
        """Send a line on Telegram and return the answer, which is in the chat or in private."""
        said = await user.say(chat, line)
        channels = [chat, user.dm()]
        last = {id(channel): max((one.id for one in channel.messages), default=0) for channel in channels}
        last[id(chat)] = said.id

        def found():
            fresh = [
                one for channel in channels for one in channel.messages if one.sender is self.telegram.bot and one.id > last[id(channel)]
            ]
            return next((telegrams.words_of(one) for one in fresh if holding in telegrams.words_of(one)), None)

        return await self.telegram.until(found)


@pytest.fixture
async def stage(tmp_path):
    """Run Easel on an emulated Discord, an emulated Telegram and its page with one store; its engine finishes at once."""
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(discords.quick())
        telegram = await stack.enter_async_context(telegrams.quick())
        there = discords.configured(tmp_path, discord)
        settings = there.model_copy(update={"telegram": telegrams.configured(tmp_path, telegram).telegram})
        router, painter, names = Router(), discords.Painter(), ("discord", "telegram", "web")
        store = await stack.enter_async_context(opened(settings))
        dispatcher = Dispatcher(store, painter, router, names)
        app = App(COMMANDS, store, ModelCatalog(catalogue(settings).models, "demo"), wake=dispatcher.wake)
        for name in names:
            bot = Bot(settings, app, dispatcher.card, dispatcher.show)
            router.adapters[name] = await stack.enter_async_context(REGISTRY[name](bot))
        await stack.enter_async_context(dispatcher)
        await discord.ready()
        await discord.until(lambda: (telling := router.adapters["discord"]._telling) is not None and telling.done())
        await telegram.ready()
        yield Stage(discord, telegram, store, f"http://127.0.0.1:{router.adapters['web'].port}")


async def joined(stage, channel, mod, group, boss):
    """Link the boards of a Discord channel and a Telegram group, as their moderators do."""
    code = (await stage.told(channel, mod, "group link")).split("/group link ")[1].split(" ")[0]
    answer = (await stage.heard(group, boss, f"/group_link {code}", "/group link")).split("/group link ")[1].split(" ")[0]
    assert "one board" in await stage.told(channel, mod, "group link", code=answer)


async def test_a_preset_goes_round(stage):
    """A preset saved in Discord, copied and liked in Telegram and shown on the page keeps versions and credit; private ones stay hidden."""
    guild = stage.discord.guild("Studio")
    channel, ann = guild.channel("general"), stage.discord.user("ann").join(guild)
    mod = stage.discord.user("mod").join(guild, ["manage_messages"])
    bob, boss = stage.telegram.user("bob"), stage.telegram.user("boss")
    group = stage.telegram.supergroup("Attic", bob)
    group.add(boss, "administrator")
    for user in (bob, boss):
        await user.start()

    # Ann saves two presets and shares one of them.
    await stage.told(channel, ann, "preset save", name="placard", prompt="a poster of {title} in {colour=red}", steps=5)
    await stage.told(channel, ann, "preset save", name="secretly", prompt="a hidden circle")
    await stage.told(channel, ann, "preset share", preset="placard")
    _, job = await stage.painted(channel, ann, "preset use", preset="placard", words="title:cat")
    assert (job.request.prompt.text, job.request.steps) == ("a poster of cat in red", 5)
    assert '"preset":"placard@1#' in job.params
    picture = (await stage.store.pictures.of_jobs([job.id]))[job.id][0]
    await stage.told(channel, ann, "share", picture=picture.id)

    # From now on, the two groups share one board.
    assert "did you mean" not in await stage.heard(group, bob, "/preset_use placard title:dog", "There is no preset placard")
    await joined(stage, channel, mod, group, boss)

    # Bob uses the preset with his own word, copies it, and likes the shared picture.
    await bob.say(group, "/preset_use@easel_bot placard title:dog --size 64x64".replace("easel_bot", stage.telegram.bot.username))
    await stage.telegram.until(lambda: any(map(telegrams.is_done, group.messages)))
    (shown,) = [one for one in group.messages if telegrams.is_done(one)]
    assert "a poster of dog in red" in telegrams.words_of(shown)
    board = await stage.heard(group, bob, "/board", "on the board")
    assert "a poster of cat in red" in board
    code = next(line for line in board.splitlines() if "a poster of cat in red" in line).rpartition(" · ")[2]
    assert "1 like now" in await stage.heard(group, bob, f"/like {code}", "like")
    await stage.heard(group, bob, "/preset_fork placard --name mine", "Copied")
    assert "placard by ann" in (await stage.heard(group, bob, "/preset_show mine", "mine")).lower()

    # Ann changes her preset: the copy and the old job stay unchanged.
    assert "version 2" in await stage.told(channel, ann, "preset edit", name="placard", prompt="a large poster of {title}")
    assert "a poster of {title} in {colour=red}" in await stage.heard(group, bob, "/preset_show mine", "mine")
    assert (await stage.store.jobs.get(job.id)).params == job.params
    assert "a large poster of {title}" in await stage.told(channel, ann, "preset show", preset="placard")

    # The private preset is hidden from all other users.
    assert [one["value"] for one in await mod.complete(channel, "preset use", "preset", "se")] == []
    assert [one["value"] for one in await ann.complete(channel, "preset use", "preset", "se")] == ["secretly"]
    for line in ("/preset_show secretly", "/preset_use secretly", "/preset_show secretli"):
        said = await stage.heard(group, bob, line, "There is no preset")
        assert "mean secretly" not in said
    assert "secretly" not in await stage.heard(group, bob, "/preset_list", "placard")

    await look_at_the_gallery(stage, channel, ann, picture)


async def look_at_the_gallery(stage, channel, ann, picture):
    """Check that the page shows both to a member of the group, and nothing to a stranger."""
    async with httpx2.AsyncClient(base_url=stage.page, timeout=PATIENCE) as client:
        stranger = Browser(client)
        await stranger.open()
        empty = (await client.get("/gallery")).text
        assert "a poster of" not in empty
        assert (await client.get(f"/files/{picture.file}")).status_code == 404
    async with httpx2.AsyncClient(base_url=stage.page, timeout=PATIENCE) as client:
        # Ann links her browser: the code of the page is entered in Discord and confirmed on the page.
        browser = Browser(client)
        await browser.open()
        code = re.search(r"/link ([\w-]{16,})", (await browser.say("/link")).text)[1]
        await stage.told(channel, ann, "link", code=code)
        join = re.search(r"link_join:[\w-]+", (await browser.press("link_check")).text)[0]
        assert (await browser.press(join)).status_code == 200
        gallery = (await client.get("/gallery?order=liked")).text
        assert "a poster of cat in red" in gallery
        assert "a large poster of {title}" in gallery
        assert "1 like" in gallery
        assert "a hidden circle" not in gallery
        assert (await client.get(f"/files/{picture.file}")).status_code == 200
