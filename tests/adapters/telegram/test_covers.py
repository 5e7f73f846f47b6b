"""Covered pictures on Telegram: each photo is a spoiler, whatever brings it and however often it is changed."""

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
    """Return somebody who looks after a group whose pictures are covered, and the group."""
    ann, _ = await chat.started()
    group = chat.telegram.group("Studio", ann)
    await ann.promote(group)
    await ruled(chat, ann, group, "on", "hidden until")
    return ann, group


async def ruled(chat, ann, group, cover, holding):
    """Change the rule of a group, and wait until its person was told so."""
    await ann.say(group, f"/rules --cover {cover}")
    await chat.telegram.until(lambda: any(holding in words_of(one) for one in chat.answers(ann.dm())))


def photos(chat, channel):
    """Return every version of the bot's messages in a place that has a photo."""
    ours = [one for one in channel.every_message if one.sender is chat.telegram.bot]
    return [version for one in ours for version in (*one.edits, one) if version.photo]


async def test_the_card_is_covered_with_its_preview_and_in_every_change(chat):
    """A preview comes covered into the message, the picture that takes its place is covered too, and so is what is painted again."""
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
    """Of four pictures each is covered, for Telegram covers no album."""
    ann, group = await covered(chat)
    await ann.say(group, f"/imagine a red circle --count 4 {SMALL}")
    shown = await chat.telegram.until(lambda: len(found := [one for one in chat.answers(group) if one.media_group_id]) == 4 and found)
    assert [one.has_spoiler for one in shown] == 4 * [True]


async def test_what_a_command_shows_is_covered_and_originals_are_for_who_asks(chat):
    """Pictures of answers are covered, by Telegram's own names for them too; an original, which none can, is for who asks alone."""
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
    """A rule is one place's: in private the same person's pictures are open, and in the group as soon as it is taken back."""
    ann, group = await covered(chat)
    await ann.say(ann.dm(), f"a red circle {SMALL}")
    (alone,) = await chat.pictures(ann.dm())
    await ruled(chat, ann, group, "off", "nothing is")
    await ann.say(group, f"/imagine a red circle {SMALL}")
    (again,) = await chat.pictures(group)
    assert not alone.has_spoiler
    assert not again.has_spoiler
