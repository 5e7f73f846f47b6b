"""Covered pictures on Discord: each component that shows one is a spoiler, and its file is named as one."""

import io

import pytest
from PIL import Image

from tests.adapters.discord.chat import told

pytestmark = pytest.mark.asyncio(loop_scope="module")


def jpeg():
    """Return a preview."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(file, "JPEG")
    return file.getvalue()


async def covered(chat):
    """Return a channel whose pictures are covered, and its moderator."""
    channel, ann, _ = chat.channel()
    ann.join(channel.guild, permissions="manage_messages")
    use = await ann.use(channel, "rules", cover="on")
    assert "hidden" in " ".join((await told(use)).texts())
    return channel, ann


def versions(chat, place):
    """Return all versions of the bot's messages in a channel that show a picture."""
    ours = [one for one in place.every_message if one.author is chat.discord.bot]
    return [version for one in ours for version in (*one.edits, one) if version.covered()]


async def test_the_card_is_covered_with_its_preview_and_in_every_change(chat):
    """The preview in a card, each picture that replaces it and the pictures of later jobs are covered."""
    chat.painter.preview = jpeg()
    chat.painter.may.clear()
    channel, ann = await covered(chat)
    await ann.use(channel, "imagine", prompt="a red circle", count=3, size="64x64")
    await chat.discord.until(lambda: versions(chat, channel))
    chat.painter.may.set()
    (shown,) = await chat.pictures(channel)
    chat.painter.preview = None
    await ann.click(shown, "Again")
    await chat.pictures(channel, 2)
    found = versions(chat, channel)
    assert {len(one.covered()) for one in found} == {1, 3}
    assert all(all(one.covered()) for one in found)
    assert all(file.filename.startswith("SPOILER_") for one in found for file in one.files)


async def test_what_a_command_shows_is_covered(chat):
    """Pictures in answers, with settings or side by side, are covered even if the answer is ephemeral."""
    channel, ann = await covered(chat)
    for _ in range(2):
        await ann.use(channel, "imagine", prompt="a red circle", size="64x64")
    first, second = await chat.pictures(channel, 2)
    use = await ann.click(first, "Info")
    shown = await told(use)
    assert shown.covered() == [True]
    pictures = [(await chat.store.pictures.of_jobs([job]))[job][0].id for job in [(await chat.job(one)).id for one in (first, second)]]
    compared = await told(await ann.use(channel, "compare", pictures=" ".join(pictures)))
    assert compared.covered() == [True, True, True]


async def test_elsewhere_pictures_are_open(chat):
    """The rule applies to one channel: pictures in another channel are open, and in this one once it is switched off."""
    channel, ann = await covered(chat)
    other = channel.guild.channel("other")
    await told(await ann.use(channel, "rules", cover="off"))
    for place in (channel, other):
        await ann.use(place, "imagine", prompt="a red circle", size="64x64")
        (shown,) = await chat.pictures(place)
        assert shown.covered() == [False]
        assert not any(file.filename.startswith("SPOILER_") for file in shown.files)
