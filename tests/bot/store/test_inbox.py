"""Incoming updates: stored before they are acknowledged, accepted once, and handled in order."""

import asyncio
from datetime import timedelta

from sqlalchemy import select, update

from bot.store.database import now
from bot.store.tables.core import InboxRow


async def numbers(store, platform="web", most=100):
    """Return the numbers of the open updates."""
    return [one.update for one in await store.inbox.open(platform, most)]


async def test_letters_are_kept_in_the_order_in_which_they_came(store):
    """Updates come back unchanged and in order of arrival, whatever their numbers are, and no more than requested."""
    assert await store.inbox.take("web", [("10", b"\x00first"), ("9", b"second"), ("x", b"")]) == ("10", "9", "x")
    await store.inbox.take("web", [("1", b"last")])
    first, *_ = inbox_updates = await store.inbox.open("web")
    assert [(one.update, one.body) for one in inbox_updates] == [("10", b"\x00first"), ("9", b"second"), ("x", b""), ("1", b"last")]
    assert (first.platform, abs((now() - first.created).total_seconds()) < 60) == ("web", True)
    assert await numbers(store, most=2) == ["10", "9"]
    assert await store.inbox.take("web", []) == ()


async def test_a_platform_that_repeats_itself_is_heard_once(store):
    """A number is one update, whether it is repeated in one batch, later, or after it was handled; on another platform it is another."""
    assert await store.inbox.take("web", [("1", b"a"), ("1", b"again")]) == ("1",)
    assert await store.inbox.take("web", [("1", b"later"), ("2", b"b")]) == ("2",)
    assert await store.inbox.done("web", "1")
    assert await store.inbox.take("web", [("1", b"much later")]) == ()
    assert await numbers(store) == ["2"]
    assert await store.inbox.take("other", [("1", b"c")]) == ("1",)
    assert await numbers(store, "other") == ["1"]


async def test_many_who_bring_the_same_bring_it_once(store):
    """If twenty batches with the same updates arrive at once, in any order, each update is new to exactly one of them."""
    inbox_updates = [(str(number), b"x") for number in range(10)]
    found = await asyncio.gather(*(store.inbox.take("web", inbox_updates[turn % 10 :] + inbox_updates[: turn % 10]) for turn in range(20)))
    assert sorted(number for some in found for number in some) == sorted(number for number, _ in inbox_updates)
    assert len(await numbers(store)) == 10


async def test_a_letter_is_acted_on_once(store):
    """Of ten concurrent reports that an update is handled the first counts, and its body is deleted."""
    await store.inbox.take("web", [("1", b"secret"), ("2", b"b")])
    assert sorted(await asyncio.gather(*(store.inbox.done("web", "1") for _ in range(10)))) == [False] * 9 + [True]
    assert not await store.inbox.done("web", "nothing")
    assert not await store.inbox.done("other", "2")
    assert await numbers(store) == ["2"]
    async with store.database.read() as session:
        assert sorted(await session.scalars(select(InboxRow.body))) == [b"", b"b"]


async def test_old_letters_are_forgotten_when_they_were_acted_on(store):
    """Updates handled long ago are deleted; open updates are kept, however old."""
    await store.inbox.take("web", [(name, b"") for name in ("old", "new", "open")])
    for name in ("old", "new"):
        await store.inbox.done("web", name)
    long_ago = now() - timedelta(days=9)
    async with store.database.write() as session:
        await session.execute(update(InboxRow).where(InboxRow.update == "old").values(done=long_ago))
        await session.execute(update(InboxRow).values(created=long_ago))
    assert await store.inbox.sweep(now() - timedelta(days=7)) == 1
    assert await numbers(store) == ["open"]
    assert await store.inbox.take("web", [("new", b""), ("old", b"")]) == ("old",)


async def test_a_letter_is_its_runners_as_long_as_that_has_a_lease(store):
    """Updates of a process with a lease belong to it; free updates, and those of a process without one, go to the next claim."""
    await store.leases.take("mine", "alive", 60.0)
    await store.leases.take("over", "silent", -1.0)
    await store.inbox.take("web", [("1", b"a")], "alive")
    await store.inbox.take("web", [("2", b"b")], "silent")
    await store.inbox.take("web", [("3", b"c")], "never")
    await store.inbox.take("web", [("4", b"d")])
    await store.inbox.take("other", [("5", b"e")])
    await store.inbox.done("web", "3")
    assert [one.update for one in await store.inbox.claim("web", "alive")] == ["2", "4"]
    assert await store.inbox.claim("web", "another") == ()


async def test_what_a_runner_lets_go_of_is_free(store):
    """Updates released by a process go to the next claim, oldest first; handled updates and those of others stay as they are."""
    for runner in ("me", "you"):
        await store.leases.take(runner, runner, 60.0)
    await store.inbox.take("web", [("1", b"a"), ("2", b"b"), ("3", b"c")], "me")
    await store.inbox.take("web", [("4", b"d")], "you")
    await store.inbox.done("web", "2")
    assert await store.inbox.claim("web", "me") == ()
    await store.inbox.release("web", "me")
    assert [one.update for one in await store.inbox.claim("web", "you", 1)] == ["1"]
    assert [one.update for one in await store.inbox.claim("web", "you")] == ["3"]


async def test_of_many_who_claim_each_letter_goes_to_one(store):
    """If ten processes claim free updates at once, each update goes to exactly one."""
    for number in range(10):
        await store.leases.take(str(number), str(number), 60.0)
    await store.inbox.take("web", [(str(number), b"x") for number in range(20)])
    found = await asyncio.gather(*(store.inbox.claim("web", str(number), 5) for number in range(10)))
    assert sorted(int(one.update) for some in found for one in some) == list(range(20))
