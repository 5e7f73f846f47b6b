"""Actions of users on a Discord emulator by others, SimCord, in this process."""

from contextlib import asynccontextmanager

import discord
import simcord

from adapters.base import Bot
from adapters.discord.api import DiscordApi
from adapters.discord.client import Client
from adapters.discord.delivery import Sender
from adapters.discord.interactions import InteractionHandler
from bot.config import Config
from bot.views import job_card
from tests.stores import init_of
from tests.talk import png, talk


class Stage:
    """Easel without an engine in a Discord server with two users."""

    def __init__(self, env, chat):
        self.env = env
        self.chat = chat
        self.guild = env.create_guild()
        self.channel = self.guild.create_text_channel("general")
        self.ann, self.bob = (self.guild.add_member(env.create_user(name)) for name in ("ann", "bob"))

    async def open(self):
        """Return the open jobs of the channel."""
        return [job for job in await self.chat.store.jobs.of_channel(self.channel, 100) if job.is_open]


@asynccontextmanager
async def staged(tmp_path):
    """Yield a connected bot that accepts and shows jobs. This is not a fixture, because SimCord's clock belongs to one task."""
    async with talk(tmp_path) as chat:
        posts = DiscordApi(lambda: client)
        sender = Sender(chat.store, posts, 2**20)

        async def card(job):
            return job_card.job_view(job)

        async def refresh(job_id):
            job = await chat.store.jobs.get(job_id)
            await sender.show(job_card.job_view(job, (await chat.store.pictures.of_jobs([job_id]))[job_id]), job.address)

        desk = InteractionHandler(Bot(Config(), chat.app, card, refresh), posts, 2**20)
        client = Client(Config().discord, desk, lambda: None)
        async with simcord.run(client) as env:
            await client.tree.sync()
            yield Stage(env, chat)


async def test_a_request_becomes_a_card(tmp_path):
    """A slash command is acknowledged publicly at once, and its response becomes the card of the request."""
    async with staged(tmp_path) as stage:
        asked = await stage.ann.slash(stage.channel, "imagine", prompt="a red circle", steps=20)
        assert asked.acknowledged
        assert not asked.ephemeral
        (shown,) = [message for message in stage.channel.history() if message.components]
        assert "a red circle" in str([one.to_dict() for one in shown.components])


async def test_a_request_from_a_picture(tmp_path):
    """An attachment is the source of the picture."""
    async with staged(tmp_path) as stage:
        await stage.ann.slash(stage.channel, "imagine", prompt="a blue star", image=("cat.png", png()), strength=0.4)
        (job,) = await stage.chat.store.jobs.open_of((await stage.chat.store.people.named("ann"))[0].id)
        assert await stage.chat.store.files.get(init_of(job)) == png()


async def test_mistakes_are_for_their_person_alone(tmp_path):
    """A refused request leaves no public message."""
    async with staged(tmp_path) as stage:
        asked = await stage.ann.slash(stage.channel, "imagine", prompt="a red circle", size="enormous")
        assert asked.response is None
        assert [message for message in stage.channel.history() if not message.flags.ephemeral] == []
        assert "768x512" in str(said := stage.env.http_requests[-1].json)
        assert discord.MessageFlags._from_value(said["flags"]).ephemeral


async def test_answers_about_oneself_are_private(tmp_path):
    """Answers about the user are ephemeral."""
    async with staged(tmp_path) as stage:
        for name in ("queue", "quota", "history", "help"):
            assert (await stage.ann.slash(stage.channel, name)).ephemeral


async def test_a_button_works_and_is_its_persons(tmp_path):
    """Cancel works for the requester; another user is refused in an ephemeral message with a button to make their own."""
    async with staged(tmp_path) as stage:
        await stage.ann.slash(stage.channel, "imagine", prompt="a red circle")
        shown = stage.channel.last_message
        refused = await stage.bob.click(shown, label="Cancel")
        assert refused.followups[-1].flags.ephemeral
        await stage.ann.click(shown, label="Cancel")
        assert "cancelled" in str([one.to_dict() for one in stage.channel.last_message.components])


async def test_models_are_suggested(tmp_path):
    """Models are completed from the available models."""
    async with staged(tmp_path) as stage:
        offered = await stage.ann.autocomplete(stage.channel, "imagine", "model", "de", prompt="x")
        assert [one["value"] for one in offered] == ["demo"]
