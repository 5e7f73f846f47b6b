"""The bot in groups, topics and channels on Telegram, and where it is not welcome."""

import asyncio

from bot.core.values import MessageRef
from bot.store.jobs.outbox import GAVE_UP
from tests.adapters.telegram.chat import is_done, words_of
from tests.adapters.web.chat import png

SMALL = "--steps 1 --size 64x64"


async def test_a_group_is_answered_where_it_asks(chat):
    """In a group, commands with or without the bot's name work; talk, commands of other bots and replies to pictures are ignored."""
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    group = chat.telegram.group("Studio", ann, bob)
    await ann.say(group, f"/imagine@{chat.telegram.bot.username} a red circle {SMALL}")
    await bob.say(group, f"/imagine a blue circle {SMALL}")
    first, _ = await chat.pictures(group, 2)
    await bob.say(group, "/imagine@other_bot a green circle")
    await bob.say(group, "/weather today")
    await ann.say(group, "what a nice circle", reply_to=first)
    await bob.say(group, f"/imagine a yellow circle {SMALL}")
    await chat.pictures(group, 3)
    assert len(chat.answers(group)) == 3
    jobs = [await chat.job(one) for one in chat.answers(group)]
    assert len({job.user for job in jobs}) == 2


async def test_talk_is_no_request_without_privacy_mode(chat):
    """Without privacy mode, the bot answers commands and mentions only."""
    chat.telegram.privacy = False
    ann = chat.telegram.user("ann")
    group = chat.telegram.supergroup("Studio", ann)
    await ann.say(group, "a red circle")
    await ann.photo(group, png("red"), caption="look at this")
    await ann.say(group, f"@{chat.telegram.bot.username} a blue circle {SMALL}")
    (message,) = await chat.pictures(group)
    assert (await chat.job(message)).request.prompt.text == "a blue circle"
    assert len(chat.answers(group)) == 1


async def test_a_topic_is_answered_in_the_topic(chat):
    """Pictures and answers stay in the topic of their request."""
    ann = chat.telegram.user("ann")
    forum = chat.telegram.forum("Studio", ann)
    topic = forum.topic("Ideas")
    await ann.say(forum, f"/imagine a red circle {SMALL}", topic=topic)
    (message,) = await chat.pictures(forum)
    await ann.say(forum, "/imagine a circle --steps 900", topic=topic)
    await ann.press(message, "Again")
    await chat.pictures(forum, 2)
    await chat.telegram.until(lambda: any("from 1 to 60" in words_of(one) for one in chat.answers(forum)))
    assert {one.message_thread_id for one in chat.answers(forum)} == {topic.id}


async def test_private_answers_are_private(chat):
    """A private answer is sent to the user alone; a user without a chat with the bot gets a link to it."""
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    group = chat.telegram.group("Studio", ann, bob)
    await ann.start()
    await ann.say(group, "/quota")
    await chat.telegram.until(lambda: len(chat.answers(ann.dm())) == 2)
    assert chat.answers(group) == []
    said = await bob.say(group, "/quota")
    hint = await chat.answer(group, said)
    ((_, url),) = hint.buttons()
    assert url.startswith(f"https://t.me/{chat.telegram.bot.username}?start=")
    await bob.start(url.partition("?start=")[2])
    quota = await chat.telegram.until(lambda: chat.answers(bob.dm()))
    assert words_of(quota[-1]) == words_of(chat.answers(ann.dm())[-1])


async def test_buttons_are_for_the_right_person(chat):
    """Others may use Again, but only the owner, and in a group a moderator, may cancel or delete."""
    ann, bob, mod = (chat.telegram.user(name) for name in ("ann", "bob", "mod"))
    group = chat.telegram.supergroup("Studio", ann, bob)
    group.add(mod, "administrator")
    chat.painter.may.clear()
    await ann.say(group, f"/imagine a red circle {SMALL}")
    card = await chat.telegram.until(lambda: next((one for one in chat.answers(group) if "Cancel" in dict(one.buttons())), None))
    press = await bob.press(card, "Cancel")
    answer = await press.answered()
    assert answer.show_alert
    assert answer.text
    assert "Cancel" in dict(card.buttons())
    await mod.press(card, "Cancel")
    await chat.telegram.until(lambda: "cancelled" in words_of(card))
    chat.painter.may.set()
    await ann.say(group, f"/imagine a red circle {SMALL}")
    (message,) = await chat.pictures(group)
    press = await bob.press(message, "Delete")
    assert (await press.answered()).show_alert
    await bob.press(message, "Again")
    second = (await chat.pictures(group, 2))[-1]
    assert (await chat.job(second)).user != (await chat.job(message)).user


async def test_who_speaks_as_the_group_is_the_group(chat):
    """Anonymous administrators of different groups are different users, each acting as their group."""
    boss = chat.telegram.user("boss")
    groups = [chat.telegram.supergroup(name) for name in ("Studio", "Other")]
    for group in groups:
        group.add(boss, "administrator", anonymous=True)
        await boss.say(group, f"/imagine a red circle {SMALL}")
    people = {(await chat.job((await chat.pictures(group))[0])).user for group in groups}
    assert len(people) == 2


async def test_a_channel_is_refused_politely(chat):
    """A command in a channel is answered with one sentence; other posts are ignored."""
    ann = chat.telegram.user("ann")
    channel = chat.telegram.channel("News", ann)
    await ann.say(channel, "good morning")
    said = await ann.say(channel, "/imagine a red circle")
    assert "channel" in (await chat.answer(channel, said)).text
    assert len(chat.answers(channel)) == 1


async def test_a_group_that_moves_takes_its_requests_along(chat):
    """A job of a group that becomes a supergroup while it runs is delivered in the supergroup."""
    ann = chat.telegram.user("ann")
    group = chat.telegram.group("Studio", ann)
    chat.painter.may.clear()
    await ann.say(group, f"/imagine a red circle {SMALL}")
    await chat.telegram.until(lambda: chat.answers(group))
    new = await group.migrate()
    chat.painter.may.set()
    (message,) = await chat.pictures(new)
    job = await chat.job(message)
    assert job.address.channel == str(new.id)
    assert await chat.store.jobs.of_channel(MessageRef("telegram", str(group.id)), 10) == ()


async def test_messages_of_a_group_that_moved_are_others_there(chat):
    """After a group has moved, an old message id, which may belong to another message there, is not used."""
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    await ann.start()
    group = chat.telegram.group("Studio", ann)
    await ann.say(group, f"/imagine a red circle {SMALL}")
    (message,) = await chat.pictures(group)
    old = await chat.job(message)
    (picture,) = (await chat.store.pictures.of_jobs([old.id]))[old.id]
    new = await group.migrate()
    new._last_id = message.id - 2
    new.add(bob)
    await bob.say(new, f"/imagine a blue boat {SMALL}")
    (theirs,) = await chat.pictures(new)
    assert theirs.id == message.id
    said = await ann.say(ann.dm(), f"/delete {picture.id}")
    await chat.answer(ann.dm(), said)
    await asyncio.sleep(0.5)
    assert is_done(theirs)
    assert "a blue boat" in words_of(theirs)
    assert (await chat.job(theirs)).request.prompt.text == "a blue boat"


async def test_a_bot_that_was_sent_away_says_so_privately(chat):
    """If the bot was removed from the group, a result is sent in private; if that fails too, it is kept."""
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    group = chat.telegram.supergroup("Studio", ann, bob)
    await ann.start()
    chat.painter.may.clear()
    await ann.say(group, f"/imagine a red circle {SMALL}")
    await bob.say(group, f"/imagine a blue circle {SMALL}")
    cards = await chat.telegram.until(lambda: found if len(found := chat.answers(group)) == 2 else None)
    jobs = [dict(one.buttons())["Cancel"].partition(":")[2] for one in cards]
    await group.kick_bot(bob)
    chat.painter.may.set()
    await chat.telegram.until(lambda: any(is_done(one) for one in chat.answers(ann.dm())))

    async def ended():
        found = await chat.store.outbox.of_job(jobs[1])
        return found is not None and found.state == GAVE_UP

    await chat.telegram.until(ended)
    assert len((await chat.store.pictures.of_jobs([jobs[1]]))[jobs[1]]) == 1


async def test_an_edited_message_is_the_same_request(chat):
    """An edit that corrects a refused message queues its job; an edit of an accepted message does not, and is answered with a hint."""
    ann, dm = await chat.started()
    said = await ann.say(dm, f"a red circle --stepz 1 {SMALL}")
    await chat.answer(dm, said)
    await ann.edit(said, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    await chat.telegram.until(lambda: not chat.telegram.updates_waiting)
    await ann.edit(said, f"a blue circle {SMALL}")
    await chat.telegram.until(lambda: any("Edit" in words_of(one) for one in chat.answers(dm)))
    assert len([one for one in chat.answers(dm) if is_done(one)]) == 1
    assert (await chat.job(message)).request.prompt.text == "a red circle"


async def test_words_in_a_caption_that_is_too_long_go_on(chat):
    """A prompt that does not fit into a caption is continued in a reply."""
    ann, dm = await chat.started()
    words = " ".join(f"circle{number}" for number in range(160))
    await ann.say(dm, f"{words} {SMALL}")
    (message,) = await chat.pictures(dm)
    more = await chat.telegram.until(lambda: next((one for one in chat.answers(dm) if one.reply_to is message), None))
    assert len(message.caption) <= 1024
    assert words in f"{message.caption} {more.text}"


async def test_presets_are_offered_where_one_types(chat):
    """Typing the bot's name and the start of a preset's name offers the preset; sent to a group, it generates with the typed words."""
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    group = chat.telegram.supergroup("Studio", ann, bob)
    await ann.start()
    said = await ann.say(ann.dm(), "/preset save calm a blue {prompt} by the sea --steps 1 --size 64x64")
    await chat.answer(ann.dm(), said, "saved")
    (result,) = await ann.inline("cal red circle", chat_type="supergroup")
    assert result["title"] == "Paint with calm"
    await ann.choose(result, group, "cal red circle")
    (message,) = await chat.pictures(group)
    assert (await chat.job(message)).request.prompt.text == "a blue red circle by the sea"
    assert await bob.inline("cal") == []


async def test_inline_pictures_are_ones_own(chat):
    """Inline mode offers a user's own pictures by their words in any chat, newest first, and none of other users."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL} || a blue boat {SMALL}")
    await chat.pictures(dm, 2)
    results = await ann.inline("boat")
    assert [one["caption"] for one in results] == ["a blue boat"]
    assert len(await ann.inline("")) == 2
    assert await chat.telegram.user("bob").inline("") == []
