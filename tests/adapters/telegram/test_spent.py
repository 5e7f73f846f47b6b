"""Chats that have used up their rate limit: waiting messages delay no other chat, and none is lost."""

import asyncio

import pytest

from adapters.telegram.rate_limit import RateLimiter, Spent
from bot.core.values import MessageRef
from bot.store.jobs.outbox import SENT, UNKNOWN
from tests.adapters.telegram.chat import is_done, open_chat, words_of

SMALL = "--steps 1 --size 64x64"

#: In seconds. Longer than any test waits.
LONG = 600.0


async def test_a_chat_that_may_be_told_nothing_holds_up_no_other(chat):
    """Results for a group that must pause wait in the outbox, other chats get theirs at once, and no delivery becomes unsure."""
    people = [chat.telegram.user(f"p{number}") for number in range(10)]
    group = chat.telegram.supergroup("Studio", *people)
    ann, dm = await chat.started()
    chat.painter.may.clear()
    for user in people:
        await user.say(group, f"/imagine a red circle --count 2 {SMALL}")
    await chat.telegram.until(lambda: len(chat.answers(group)) == 10)
    chat.adapter._budget.rest(group.id, LONG)
    chat.painter.may.set()
    jobs = await chat.store.jobs.of_channel(MessageRef("telegram", str(group.id)), 20)

    async def waiting():
        found = [await chat.store.outbox.of_job(job.id) for job in jobs]
        return found if all(one is not None and one.attempt > 0 for one in found) else None

    found = await chat.telegram.until(waiting)
    assert not any(one.unsure or one.state in (SENT, UNKNOWN) for one in found)
    await ann.say(dm, f"a boat {SMALL}")
    await chat.pictures(dm)


async def test_a_turn_that_takes_too_long_is_not_waited_for():
    """A message that would wait too long, also behind waiting messages, fails at once with the wait, and uses up nothing."""
    budget = RateLimiter(minute=60.0, second=0.0)
    await budget.turn(-1, 15)
    with pytest.raises(Spent) as spent:
        await budget.turn(-1, 9, 3.0)
    assert 3.0 < spent.value.seconds <= 60.0
    await budget.turn(-1, 5, 3.0)
    waiting = asyncio.create_task(budget.turn(-1, 1))
    await asyncio.sleep(0)
    with pytest.raises(Spent):
        await budget.turn(-1, 1, 3.0)
    waiting.cancel()


async def test_room_is_kept_for_albums(chat):
    """In a group, as many messages are reserved as the results of its running jobs need, one for each picture of an album."""
    ann = chat.telegram.user("ann")
    group = chat.telegram.supergroup("Studio", ann)
    chat.painter.may.clear()
    await ann.say(group, f"/imagine a red circle --count 8 {SMALL}")
    await ann.say(group, f"/imagine a blue circle --count 8 {SMALL}")
    await chat.telegram.until(lambda: len(chat.answers(group)) == 2)

    async def running():
        return await chat.store.work.ends(MessageRef("telegram", str(group.id)), 20) == (8, 8)

    await chat.telegram.until(running)
    chat.adapter._budget._minute = 60.0
    chat.adapter._budget._chat(group.id).told.clear()
    assert await chat.adapter._has_room(str(group.id))
    await chat.adapter._budget.turn(group.id, 1)
    assert not await chat.adapter._has_room(str(group.id))
    chat.adapter._budget._chat(group.id).told.clear()
    chat.painter.may.set()


async def test_a_press_is_answered_before_the_chat_is_told(chat, monkeypatch):
    """A press in a group that must pause is answered anyway, before Telegram's time limit."""
    monkeypatch.setattr("adapters.telegram.callbacks._ANSWER_SECONDS", 0.2)
    ann = chat.telegram.user("ann")
    group = chat.telegram.supergroup("Studio", ann)
    await ann.say(group, f"/imagine a red circle {SMALL}")
    (message,) = await chat.pictures(group)
    chat.adapter._budget.rest(group.id, LONG)
    press = await ann.press(message, "Again")
    await press.answered()
    assert len(chat.answers(group)) == 1


async def test_what_comes_too_late_for_a_press_is_said_in_a_message(chat, monkeypatch):
    """A private sentence that is too late for the answer to a press is sent to the user alone."""
    monkeypatch.setattr("adapters.telegram.callbacks._ANSWER_SECONDS", 0.2)
    ann, bob = chat.telegram.user("ann"), chat.telegram.user("bob")
    await bob.start()
    await chat.telegram.until(lambda: chat.answers(bob.dm()))
    group = chat.telegram.supergroup("Studio", ann, bob)
    await ann.say(group, f"/imagine a red circle {SMALL}")
    (message,) = await chat.pictures(group)
    chat.telegram.fault("getChatAdministrators", ("slow", 1))
    chat.adapter._letters._act.__self__._people.forget(group.id)
    press = await bob.press(message, "Delete")
    assert not (await press.answered()).text
    await chat.telegram.until(lambda: any("That picture doesn't exist" in words_of(one) for one in chat.answers(bob.dm())))
    assert len(chat.answers(group)) == 1


async def test_chats_that_wait_leave_room_to_others(telegram, tmp_path, monkeypatch):
    """However many chats wait for their rate limit, other chats are answered in the meantime."""
    monkeypatch.setattr("adapters.telegram.update_inbox.MOST_AT_ONCE", 2)
    async with open_chat(tmp_path, telegram) as chat:
        ann, bob = telegram.user("ann"), telegram.user("bob")
        groups = [telegram.supergroup(f"Studio {number}", ann) for number in range(3)]
        for group in groups:
            chat.adapter._budget.rest(group.id, LONG)
            await ann.say(group, "/imagine a boat --steps 900")
        await telegram.until(lambda: not telegram.updates_waiting)
        await bob.start()
        await telegram.until(lambda: chat.answers(bob.dm()))
        assert not any(chat.answers(group) for group in groups)


async def test_an_answer_that_telegram_did_not_take_is_given_again(chat):
    """An answer to a message or press that Telegram asks to retry later is sent later, once."""
    ann, dm = await chat.started()
    fault = chat.telegram.fault("sendMessage", ("429", 1))
    said = await ann.say(dm, "/help")
    await chat.answer(dm, said)
    assert fault.hits == 1
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    fault = chat.telegram.fault("sendMessage", ("429", 1))
    await ann.press(message, "Edit…")
    await chat.telegram.until(lambda: any("Paint" in dict(one.buttons()) for one in chat.answers(dm)))
    assert fault.hits == 1
    assert len([one for one in chat.answers(dm) if is_done(one)]) == 1


async def test_a_press_that_comes_to_nothing_says_so(chat):
    """If Telegram refuses what a press should send, the user is told."""
    ann, dm = await chat.started()
    await ann.say(dm, f"a red circle {SMALL}")
    (message,) = await chat.pictures(dm)
    chat.telegram.fault("sendMessage", 500)
    press = await ann.press(message, "Edit…")
    answer = await press.answered()
    assert answer.show_alert
    assert "Try again" in answer.text
