"""Posts that no command requested, on Telegram: their topic, their album, and the correct delivery outcome."""

import pytest

from bot.core.values import MessageRef
from bot.framework.reply import Fact, Reply
from bot.jobs.delivery import Later, Refused, Sent, Unknown
from bot.views import job_card
from tests.adapters.telegram.chat import words_of

SMALL = "--steps 1 --size 64x64"
NEWS = Reply(text="This came by itself", facts=(Fact("1", "a red circle <b>by</b> @ann"),))


async def place_of(chat, group, user, topic=None):
    """Return the address of a job in a group, and a reply with its two pictures."""
    await user.say(group, f"/imagine a red circle --count 2 {SMALL}", topic=topic)

    def job_of():
        wires = [wire for one in chat.answers(group) for _, wire in one.buttons()]
        return next((wire.removeprefix("again:") for wire in wires if wire.startswith("again:")), None)

    job = await chat.store.jobs.get(await chat.telegram.until(job_of))
    pictures = (await chat.store.pictures.of_jobs([job.id]))[job.id]
    return job.address, Reply(text=NEWS.text, facts=NEWS.facts, pictures=tuple(job_card.shown(one) for one in pictures))


async def test_words_and_an_album_in_their_topic(chat):
    """In a forum, a post is sent to the topic of its address, with its pictures as an album below."""
    ann = chat.telegram.user("ann")
    forum = chat.telegram.forum("Studio", ann)
    topic = forum.topic("Pictures")
    address, news = await place_of(chat, forum, ann, topic)
    before = len(forum.messages)
    outcome = await chat.adapter.post(address, news, "news")
    said, *album = forum.messages[before:]
    assert outcome == Sent(str(said.id))
    assert words_of(said) == "This came by itself\n1 a red circle <b>by</b> @\N{WORD JOINER}ann"
    assert [one.message_thread_id for one in (said, *album)] == [said.message_thread_id] * 3
    assert said.message_thread_id
    assert [bool(one.photo) for one in album] == [True, True]
    assert {one.reply_to for one in album} == {said}


async def test_pictures_that_get_lost_do_not_unsay_it(chat):
    """If the text has arrived, the post counts as sent, whatever happens to the pictures."""
    ann = chat.telegram.user("ann")
    group = chat.telegram.group("Studio", ann)
    address, news = await place_of(chat, group, ann)
    chat.telegram.fault("sendMediaGroup", 500, times=9)
    assert isinstance(await chat.adapter.post(address, news, "news"), Sent)
    assert words_of(group.messages[-1]).startswith("This came by itself")


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (403, Refused("closed")),
        ((400, "Bad Request: chat not found"), Refused("closed")),
        ((400, "Bad Request: message thread not found"), Refused("closed")),
        ((400, "Bad Request: strange"), Unknown("BadRequest")),
        (("429", 3_600), Later("Busy")),
        ("timeout-after-success", Later("NetworkError", unsure=True)),
    ],
)
async def test_refusals(chat, kind, outcome):
    """If the bot is not welcome, the post is refused for good; it may be retried only if it was surely not sent or repeats are detected."""
    ann, dm = await chat.started()
    chat.telegram.fault("sendMessage", kind, times=9)
    assert await chat.adapter.post(MessageRef("telegram", str(ann.id)), NEWS, "news") == outcome
    assert len([one for one in chat.answers(dm) if "by itself" in words_of(one)]) == (kind == "timeout-after-success")


async def test_who_blocked_the_bot_is_told_nothing(chat):
    """A post to a user who has blocked the bot is refused for good."""
    ann, _ = await chat.started()
    await ann.block()
    assert isinstance(await chat.adapter.post(MessageRef("telegram", str(ann.id)), NEWS, "news"), Refused)


async def test_a_group_that_moved_is_told_in_the_new_one(chat):
    """A post to a group that has moved is sent to the new group, and the new address is stored."""
    ann = chat.telegram.user("ann")
    group = chat.telegram.group("Studio", ann)
    address, news = await place_of(chat, group, ann)
    await chat.store.digests.want(await chat.store.people.channel(address), address.message, None)
    new = await group.migrate()
    assert isinstance(await chat.adapter.post(address, news, "news"), Sent)
    assert any("by itself" in words_of(one) for one in chat.answers(new))
    assert (await chat.store.digests.of(MessageRef("telegram", str(new.id)))).user is None
