"""Covered pictures on Telegram: each photo is a spoiler, in every kind of message and after every edit."""

import io

from PIL import Image

from tests.adapters.telegram.chat import words_of

SMALL = "--steps 2 --size 64x64"


def jpeg():
    """Return a preview."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(file, "JPEG")
    return file.getvalue()


async def covered(chat):
    """Return the moderator of a group whose pictures are covered, and the group."""
    ann, _ = await chat.started()
    group = chat.telegram.group("Studio", ann)
    await ann.promote(group)
    await ruled(chat, ann, group, "on", "hidden until")
    return ann, group


async def ruled(chat, ann, group, cover, holding):
    """Change the rules of a group, and wait for the confirmation to the moderator."""
    await ann.say(group, f"/rules --cover {cover}")
    await chat.telegram.until(lambda: any(holding in words_of(one) for one in chat.answers(ann.dm())))


def photos(chat, channel):
    """Return all versions of the bot's messages in a chat that have a photo."""
    ours = [one for one in channel.every_message if one.sender is chat.telegram.bot]
    return [version for one in ours for version in (*one.edits, one) if version.photo]


async def test_the_card_is_covered_with_its_preview_and_in_every_change(chat):
    """The preview in a card, the picture that replaces it and the pictures of later jobs are covered."""
    chat.painter.preview = jpeg()
    chat.painter.may.clear()
    ann, group = await covered(chat)
    await ann.say(group, f"/imagine a red circle {SMALL}")
    await chat.telegram.until(lambda: photos(chat, group))
    chat.painter.may.set()
    (message,) = await chat.pictures(group)
    assert message.edits
    chat.painter.preview = None
    await ann.press(message, "Again")
    await chat.pictures(group, 2)
    assert len({one.photo.key for one in photos(chat, group)}) >= 3
    assert all(one.has_spoiler for one in photos(chat, group))


async def test_an_album_is_covered_picture_by_picture(chat):
    """Each picture of an album is covered, because Telegram cannot cover an album as a whole."""
    ann, group = await covered(chat)
    await ann.say(group, f"/imagine a red circle --count 4 {SMALL}")
    shown = await chat.telegram.until(lambda: len(found := [one for one in chat.answers(group) if one.media_group_id]) == 4 and found)
    assert [one.has_spoiler for one in shown] == 4 * [True]


async def test_what_a_command_shows_is_covered_and_originals_are_for_who_asks(chat):
    """Pictures in answers are covered, also if sent by file id; an original, which cannot be covered, is sent only to its requester."""
    ann, group = await covered(chat)
    await ann.say(group, f"/imagine a red circle {SMALL}")
    (message,) = await chat.pictures(group)
    await ann.press(message, "Info")
    shown = await chat.telegram.until(lambda: photos(chat, ann.dm()))
    assert [one.has_spoiler for one in shown] == [True]
    await ann.press(message, "Original")
    await chat.telegram.until(lambda: any(one.document for one in chat.answers(ann.dm())))
    assert not any(one.document for one in chat.answers(group))


async def test_elsewhere_pictures_are_open(chat):
    """The rule applies to one chat: private pictures of the same user are open, and those in the group once it is switched off."""
    ann, group = await covered(chat)
    await ann.say(ann.dm(), f"a red circle {SMALL}")
    (alone,) = await chat.pictures(ann.dm())
    await ruled(chat, ann, group, "off", "nothing is")
    await ann.say(group, f"/imagine a red circle {SMALL}")
    (again,) = await chat.pictures(group)
    assert not alone.has_spoiler
    assert not again.has_spoiler
