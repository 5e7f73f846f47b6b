"""The script of the recording: user actions that fill each table and post each kind of button."""

import json
import re
from base64 import urlsafe_b64encode
from datetime import timedelta

from sqlalchemy import update

from bot.core.values import MessageRef, UserRef, new_id
from bot.jobs import execution
from bot.jobs.board_digests import BoardDigests
from bot.store.database import now
from bot.store.jobs.job import NewJob
from bot.store.tables.sharing import DigestRow
from tests.adapters.discord import chat as discords
from tests.adapters.telegram import chat as telegrams
from tests.recorded.stage import Stage, caller, channel, png, wire_in
from tests.stores import request_of

SMALL = "--size 64x64 --steps 2"

#: Characters with a meaning in button data, in the prompt grammar, in HTML or in a command line.
ODD = 'The "Last": 100% {one|two} & ü☂'

PLACARD = "a placard of {title}, {colour=red}, {prompt}"

#: A dead process on another host.
GONE = "another-computer/1/1/gone"


class Scene:
    """The users and channels, and what they do."""

    def __init__(self, stage: Stage):
        self.stage = stage
        self.guild = stage.discord.guild("Studio")
        self.channel = self.guild.channel("general")
        self.ann = stage.discord.user("ann").join(self.guild)
        self.mod = stage.discord.user("mod").join(self.guild, ["manage_messages"])
        self.eve = stage.discord.user("eve").join(self.guild)
        self.bob, self.boss = stage.telegram.user("bob"), stage.telegram.user("boss", language="de")
        self.group = stage.telegram.supergroup("Attic", self.bob)
        self.group.add(self.boss, "administrator")

    async def play(self):
        """Do everything, first with the dispatcher running and then without it."""
        for user in (self.bob, self.boss):
            await self.stage.on_telegram(user, "/start")
        async with self.stage.dispatcher:
            await self._settled()
            await self._in_discord()
            await self._in_telegram()
            await self._on_the_page()
            await self._on_boards()
            await self._everywhere()
            await self._linked()
            await self._told_at_last()
            await self.stage.quiet()
        await self._left_open()

    async def _asked(self, line, who, where, **more):
        """Run a command as a user of Discord or Telegram; no message is posted."""
        platform = "telegram" if who in (self.bob, self.boss) else "discord"
        moderates = {self.mod: self.channel, self.boss: self.group}.get(who) is where
        return await self.stage.ask(line, caller(platform, who, moderates=moderates), channel(platform, where), **more)

    async def _settled(self):
        """Presets, settings, rules, roles, tiers, grants, tokens."""
        store = self.stage.store
        for line, who, where in (
            (
                f"/preset_save placard {PLACARD} --steps 3 --most steps=9,count=2 --lock scheduler --scheduler ddim --tags signs",
                self.ann,
                0,
            ),
            ("/preset_edit placard --tags signs,paper --negative fog --size 64x64", self.ann, 0),
            ("/preset_save plain a large red circle --steps 3 --size 64x64", self.ann, 0),
            ("/preset_save many {a=1} {b=2} {c} {d=4}, {prompt} --size 64x64 --steps 2", self.ann, 0),
            ("/preset_save gone a forgotten circle", self.ann, 0),
            ("/preset_delete gone", self.ann, 0),
            ("/preset_share placard", self.ann, 0),
            ("/settings --steps 2 --negative blur --language es", self.eve, 0),
            ("/settings --guidance 4.5 --preset plain", self.ann, self.ann.dm()),
            ("/settings --without preset", self.ann, self.ann.dm()),
            ("/settings --here --size 64x64", self.mod, 0),
            ("/rules --most steps=20,count=4 --credits 900 --cover on --closed explain", self.mod, 0),
            ("/rules --credits 800", self.boss, self.group),
        ):
            await self._asked(line, who, where or self.channel)
        imported = [{"name": f"filler-{number}", "prompt": f"a circle, number {number}"} for number in range(18)]
        await self._asked(f"/preset_import --text {json.dumps({'easel_presets': 1, 'presets': imported})}", self.ann, self.channel)
        mod = await store.people.user(caller("discord", self.mod))
        await store.people.appoint(mod.id, role="operator", tier="gold")
        await self._asked(f"/grant discord:{self.ann.id} --credits 12.5", self.mod, self.channel, key="grant-once")
        self.token = await store.tokens.create("gallery")

    async def _in_discord(self):
        """Slash commands, source pictures, several pictures, forms, menus, threads, a failed job, a repeat."""
        channel, ann, discord = self.channel, self.ann, self.stage.discord
        plain = {"size": "64x64", "steps": 2}
        use = await ann.use(channel, "imagine", prompt="a large red circle", seed=11, negative="fog", size="64x64", steps=3)
        card = await self._done(use)
        await self._done(
            await ann.use(channel, "imagine", prompt="(a tower:1.2) BREAK [fog]", image=("s.png", png()), strength=0.5, steps=4)
        )
        await self._done(await ann.use(channel, "imagine", prompt="a blue square", count=3, seed=5, **plain))
        await self._done(await ann.use(channel, "preset use", preset="placard", words=f"title:cat {ODD}".replace('"', "")))
        await self._done(await ann.use(channel, "imagine", prompt="a {red|blue} circle", seed=7, **plain))
        await self._done(await ann.use(channel, "imagine", prompt="a broken circle", **plain), "retry")
        await ann.use(channel, "imagine", prompt="one circle || two circles", **plain)
        await self.stage.quiet()
        for name, given in (("edit", {"negative": ODD, "steps": "3"}), ("branch", {"prompt": f"a tree, {ODD}"})):
            source = card if name == "edit" else await self._info(card)
            await self._filled(await ann.click(source, wire_in(source, name)), given)
        filled = await ann.click(await self._info(card), wire_in(await self._info(card), "preset_keep"))
        await self._filled(filled, {"name": "kept", "tags": "one, two"})
        for name in ("again", "vary"):
            await ann.click(card, wire_in(card, name))
        way = await discords.told(await ann.use(channel, "preset use", preset="placard", words="at night", steps=7))
        await self._filled(await ann.click(way, wire_in(way, "fill")), {"slot_1": ODD, "slot_2": "", "words": "at night"})
        offered = await ann.use(channel, "preset use")
        await discord.until(lambda: offered.message and offered.message.buttons())
        asked = await ann.menu(channel, "Use as source", card)
        await self._filled(asked, {"prompt": "a green square", "strength": "0.5"})
        thread = channel.thread("a thread")
        await self._done(await ann.use(thread, "imagine", prompt="a circle in a thread", **plain))
        await self._done(await ann.use(ann.dm(), "imagine", prompt="a circle between us", **plain))
        await self.stage.quiet()
        job = wire_in(card, "again").partition(":")[2]
        await self._asked(f"/again {job} --same", ann, channel)
        await self.stage.quiet()

    async def _done(self, use, name="again"):
        """Wait until a command's card is finished, and return it."""

        def found():
            return use.message if use.message and any(one[1].startswith(f"{name}:") for one in use.message.buttons()) else None

        return await self.stage.discord.until(found)

    async def _info(self, card):
        """Press Info on a card and return the answer."""
        return await discords.told(await self.ann.click(card, wire_in(card, "info")))

    async def _filled(self, asked, given):
        """Submit a modal."""
        await self.stage.discord.until(lambda: asked.modal)
        sent = await self.ann.submit(asked, given)
        await self.stage.discord.until(lambda: sent.kind)

    async def _in_telegram(self):
        """Messages, an album, a document, forms, deep links, a lost delivery and a refused delivery."""
        stage, bob, group, telegram = self.stage, self.bob, self.group, self.stage.telegram
        dm, bot = bob.dm(), stage.telegram.bot.username
        await bob.say(dm, f"a large red circle --seed 11 {SMALL} --negative fog")
        (card,) = await telegram.until(lambda: [one for one in stage_pictures(telegram, dm)] or None)
        await bob.say(group, f"/imagine@{bot} a square || a circle {SMALL}")
        await stage.quiet()
        await bob.say(dm, f"a red circle --count 2 {SMALL}")
        await bob.document(dm, png("green"), "s.png", caption="a green circle --strength 0.5 --steps 4")
        await bob.say(group, f"/preset_use@{bot} night a boat {SMALL}")
        await stage.quiet()
        await bob.press(card, wire_in(card, "edit"))
        form = await telegram.until(lambda: self._form(dm, "+"))
        await bob.press(form, "Steps")
        await telegram.until(lambda: any(data.startswith("~3=") for _, data in form.buttons()))
        await bob.press(form, next(data for _, data in form.buttons() if data.startswith("~3=")))
        await telegram.until(lambda: "~3" in [data for _, data in form.buttons()])
        await bob.say(dm, f"--negative {ODD.replace('{', '').replace('|', '')}", reply_to=form)
        await telegram.until(lambda: "100%" in telegrams.words_of(form))
        await bob.press(form, "Paint")
        await stage.quiet()
        await bob.say(dm, "/preset_save banner a banner of {title}, {prompt} --steps 2 --size 64x64")
        await stage.quiet()
        await bob.say(dm, "/preset_use banner at night --seed 3")
        await telegram.until(lambda: (found := self._form(dm, "+")) is not form and found)
        for line in ("a linked circle", "/queue"):
            carried = f"/imagine {line}" if not line.startswith("/") else line
            await bob.start(urlsafe_b64encode(carried.encode()).decode().rstrip("="))
        await stage.on_telegram(bob, "/imagine")
        telegram.fault("sendMediaGroup", "reset")
        await bob.say(dm, f"two lost circles --count 2 {SMALL}")
        await stage.quiet()
        telegram.fault("editMessageMedia", (400, "Bad Request: WEBPAGE_MEDIA_EMPTY"), times=10)
        await bob.say(dm, f"a circle that is never taken {SMALL}")
        await stage.quiet()
        telegram.faults.clear()

    def _form(self, dm, begins):
        """Return the newest form in a chat, or nothing."""
        ours = [one for one in reversed(dm.messages) if one.sender is self.stage.telegram.bot]
        return next((one for one in ours if any(data.startswith(begins) for _, data in one.buttons())), None)

    async def _on_the_page(self):
        """The requests of a browser: lines, presses and forms."""
        async with self.stage.browser() as browser:
            answer = await self.stage.on_page(browser, f"a large red circle --seed 11 {SMALL} --negative fog")
            await self.stage.on_page(browser, f"three circles --count 3 {SMALL}")
            await self.stage.on_page(browser, "a brown circle --strength 0.5 --steps 4", picture=png("brown"))
            await self.stage.on_page(browser, f"a broken page {SMALL}")
            await self.stage.quiet()
            job = answer["jobs"][0]["id"]
            await self.stage.press_on_page(browser, f"edit:{job}")
            await browser.fill(f"edit:{job}", {"prompt": f"a tree, {ODD}", "negative": "", "size": "64x64", "steps": "3"})
            (picture,) = (await self.stage.store.pictures.of_jobs([job]))[job]
            await self.stage.press_on_page(browser, f"info:{picture.id}")
            for name in ("branch", "preset_keep"):
                await self.stage.press_on_page(browser, f"{name}:{picture.id}")
            await self.stage.press_on_page(browser, f"favourite:{picture.id}")
            await self.stage.on_page(browser, "/preset save sign a sign of {title}, {prompt}")
            for line in (
                "/preset use sign at night --seed 3",
                "/preset use",
                "/preset show sign",
                "/settings",
                "/history circle",
                "/me forget",
            ):
                await self.stage.on_page(browser, line)
            await self.stage.press_on_page(browser, "settle")
            await self.stage.quiet()

    async def _on_boards(self):
        """Favourites, shares, likes, reports, two linked groups, digests."""
        stage, store = self.stage, self.stage.store
        ann = await store.people.user(caller("discord", self.ann))
        pictures = await stage.rows(f"SELECT id FROM picture WHERE person_id = '{ann.id}' ORDER BY created")
        for number, folder in enumerate(("", "Best Ones", "ü folder")):
            await self._asked(f"/favourite {pictures[number][0]}" + (f" --folder {folder}" if folder else ""), self.ann, self.channel)
        await self._asked(f"/share --picture {pictures[0][0]}", self.ann, self.channel)
        for number in range(6):
            await self._asked(f"/share --prompt a shared circle, number {number} {SMALL}", self.ann, self.channel)
        await self._asked("/share --prompt a {red|blue} boat --steps 3 --negative fog", self.bob, self.group)
        code = (await self._asked("/group_link", self.mod, self.channel)).text.split("/group link ")[1].split(".")[0]
        answer = (await self._asked(f"/group_link {code}", self.boss, self.group)).text.split("/group link ")[1].split(" ")[0]
        await self._asked(f"/group_link {answer}", self.mod, self.channel)
        await self._asked("/group_link", self.mod, self.channel)
        shared = dict(await stage.rows("SELECT words, id FROM share"))
        first, second = shared["a shared circle, number 0"], shared["a shared circle, number 1"]
        boat = next(code for words, code in shared.items() if "boat" in words)
        placard = next(code for words, code in shared.items() if "placard" in words)
        for line, who, where in (
            (f"/like {first}", self.bob, self.group),
            (f"/like {first}", self.boss, self.group),
            (f"/like {boat}", self.ann, self.channel),
            (f"/keep {boat} --name boats", self.ann, self.channel),
            (f"/report {second} --reason rude", self.bob, self.group),
            (f"/report {second}", self.eve, self.channel),
            (f"/pin {first}", self.mod, self.channel),
            (f"/remove {shared['a shared circle, number 5']}", self.ann, self.channel),
            ("/preset_fork placard --name mine", self.bob, self.group),
            ("/settings --here --language de", self.mod, self.channel),
            ("/digest on", self.boss, self.group),
            ("/digest on", self.ann, self.ann.dm()),
        ):
            await self._asked(line, who, where)
        self.shared = {"first": first, "boat": boat, "placard": placard}
        await stage.quiet()

    async def _everywhere(self):
        """Commands whose answers have buttons, in private on Discord and Telegram."""
        codes = self.shared
        lines = [
            *("/preset show placard", "/preset show poster", "/preset use", "/preset list", "/preset list filler", "/settings", "/board"),
            *("/history", "/history circle", "/history by:me circle", "/link", "/me forget", f"/use {codes['placard']} at dawn"),
        ]
        for user, asked in ((self.ann, self.stage.on_discord), (self.bob, self.stage.on_telegram)):
            platform = "discord" if user is self.ann else "telegram"
            known = await self.stage.store.people.user(caller(platform, user))
            rows = await self.stage.rows(f"SELECT id FROM picture WHERE person_id = '{known.id}' ORDER BY created LIMIT 2")
            first, second = (row[0] for row in rows)
            own = [
                f"/info {first}",
                f"/compare {first} {second}",
                f"/favourite {second} --folder odd: 100%",
                f"/share --prompt a {user.name} circle",
            ]
            for line in (*lines, *own, f"/info {second}", f"/preset list {'a ' * 40}".strip()):
                await asked(user, line)
        await self.stage.quiet()
        message = await self.stage.on_discord(self.ann, "/settings")
        await self._filled(await self.ann.click(message, wire_in(message, "settle")), {"steps": "3", "guidance": ""})
        await self.bob.press(await self.stage.on_telegram(self.bob, "/settings"), "settle")
        await self.stage.telegram.until(lambda: self._form(self.bob.dm(), "+"))
        await self.stage.quiet()

    async def _linked(self):
        """Linked accounts, accounts that were linked and unlinked, and a deleted user."""
        stage = self.stage
        async with stage.browser() as browser:
            await stage.on_page(browser, f"a circle of a browser {SMALL}")
            code = re.search(r"/link ([\w-]{16,})", (await browser.say("/link")).text)[1]
            await stage.press_on_page(browser, "link_check")
            await self._asked(f"/link {code}", self.ann, self.ann.dm())
            asks = await stage.press_on_page(browser, "link_check")
            await browser.press(re.search(r"link_join:[\w-]+", asks["reply"])[0])
        await stage.quiet()
        zoe = stage.discord.user("zoe").join(self.guild)
        yan = stage.telegram.user("yan")
        await self._asked(f"/imagine a circle of zoe {SMALL}", zoe, self.channel)
        await stage.ask(f"/imagine a circle of yan {SMALL}", caller("telegram", yan), channel("telegram", self.group))
        await stage.quiet()
        code = (await self._asked("/link", zoe, zoe.dm())).text.split("/link ")[1].split(" ")[0].strip(".")
        await stage.ask(f"/link {code}", caller("telegram", yan), channel("telegram", yan.dm()))
        asks = await self.stage.app.pressed("link_check", caller("discord", zoe), channel("discord", zoe.dm()))
        await stage.app.pressed(asks.buttons[0].wire, caller("discord", zoe), channel("discord", zoe.dm()))
        await stage.ask("/unlink", caller("telegram", yan), channel("telegram", yan.dm()))
        # An open code, and a deleted user.
        await stage.on_discord(self.mod, "/link")
        gone = stage.discord.user("gone").join(self.guild)
        await self._asked(f"/imagine a circle of nobody {SMALL}", gone, self.channel)
        await stage.quiet()
        asked = await self._asked("/me_forget", gone, gone.dm())
        await stage.app.pressed(asked.buttons[0].wire, caller("discord", gone), channel("discord", gone.dm()))

    async def _told_at_last(self):
        """Send the board digests."""
        async with self.stage.store.database.write() as session:
            await session.execute(update(DigestRow).values(due=now() - timedelta(minutes=1), since=now() - timedelta(days=7)))
        await BoardDigests(self.stage.store, self.stage.router, ("discord", "telegram")).look()

    async def _left_open(self):
        """Leave work unfinished: queued, paused and running jobs, pending and half-sent deliveries."""
        stage, store, plain = self.stage, self.stage.store, {"size": "64x64", "steps": 2}
        dm, ann, bob = self.bob.dm(), self.ann, self.bob
        for prompt in ("an ended circle", "a circle on its way", "a running circle", "a cancelled circle"):
            await ann.use(self.channel, "imagine", prompt=prompt, **plain)
            await self._waits(prompt)
            job = await store.attempts.claim(GONE)
            if "running" in prompt or "cancelled" in prompt:
                continue
            result = await execution.attempt(job, stage.engine, store.files, lambda *_: None, lambda *_: None)
            assert await store.attempts.finish(job, result.pictures, result.device_seconds, result.proof)
            if "on its way" in prompt:
                await self._taken(job.id)
        cancelled = next(one for one in await stage.rows("SELECT id, line FROM job WHERE state = 'running'") if "cancelled" in one[1])
        assert await store.jobs.cancel(cancelled[0])
        for line in (f"a running boat {SMALL}",):
            await bob.say(dm, line)
            await self._waits(line.partition(" --")[0])
            assert (await store.attempts.claim(GONE)).request.prompt.text == "a running boat"
        await ann.use(self.channel, "imagine", prompt="a waiting tower", image=("s.png", png("blue")), strength=0.5, steps=4)
        await ann.use(self.channel, "preset use", preset="placard", words="title:dog")
        await ann.use(ann.dm(), "imagine", prompt=f"(a waiting circle:1.3) BREAK [fog] --no mist, {ODD}", count=2, seed=9, **plain)
        await bob.say(dm, f"a waiting boat || another waiting boat {SMALL} --negative fog")
        await bob.say(self.group, f"/imagine@{stage.telegram.bot.username} a waiting group {SMALL}")
        for prompt in ("a waiting tower", "title:dog", "waiting circle", "another waiting boat", "a waiting group"):
            await self._waits(prompt)
        async with stage.browser() as browser:
            await stage.on_page(browser, f"a waiting page {SMALL}")
        await stage.on_discord(ann, "/queue")
        await stage.on_telegram(bob, "/queue")
        await self._left_at_a_terminal()
        # A paused channel and a paused user.
        cellar = stage.telegram.supergroup("Cellar", self.boss, self.bob)
        await stage.ask(f"/imagine a paused boat {SMALL}", caller("telegram", self.bob), channel("telegram", cellar))
        await stage.ask("/pause", caller("telegram", self.boss, moderates=True), channel("telegram", cellar))
        await self._asked(f"/imagine a paused circle {SMALL}", self.eve, self.channel)
        await self._asked(f"/pause discord:{self.eve.id}", self.mod, self.channel)
        await self._asked("/reports", self.mod, self.channel)

    async def _taken(self, job_id):
        """Let the dead process claim the delivery of one job and give all others back."""
        taken = await self.stage.store.outbox.claim(GONE, ["discord"], 9)
        for one in taken:
            if one.job != job_id:
                assert await self.stage.store.outbox.later(one, 0.0, "", unsure=False)

    async def _waits(self, words):
        """Wait until a queued job with these words exists."""

        async def found():
            rows = await self.stage.rows("SELECT line, wish FROM job WHERE state = 'waiting'")
            return any(words in line or words in params for line, params in rows)

        await self.stage.discord.until(found)

    async def _left_at_a_terminal(self):
        """A job of `easel paint` whose terminal was closed."""
        user = await self.stage.store.people.user(UserRef("terminal", "ann", "ann"))
        params, address = '{"prompt":"a circle of a terminal"}', MessageRef("terminal", "/nowhere/pictures", "circle-1.png/circle-2.png")
        request = request_of("a circle of a terminal", count=2, steps=2)
        new = NewJob(id=new_id(), user=user.id, address=address, line="a circle of a terminal", params=params, request=request)
        await self.stage.store.jobs.accept([new])


def stage_pictures(telegram, chat):
    """Return the messages with finished pictures."""
    return [one for one in chat.messages if one.sender is telegram.bot and telegrams.is_done(one)]
