"""Stored digests: due once a week, taken once, and deleted with their user."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import select, update

from bot.core.values import MessageRef, UserRef
from bot.store.database import Database, now
from bot.store.sharing.digests import WEEK
from bot.store.store import Store
from bot.store.tables.sharing import DigestRow, ShareRow
from bot.views.board_digest import SETTLING
from tests.bot.store.linked import agreed
from tests.stores import ROUNDS, accepted, done, user_of

GROUP, OTHER = MessageRef("telegram", "-7", "5/3"), MessageRef("telegram", "-8")


async def wanted(store, channel=GROUP, user=None, *, weeks=0.0):
    """Switch on a channel's digest that was last posted this many weeks ago, with no item too new for it; return it."""
    await store.digests.want(await store.people.channel(channel), channel.message, user)
    one = await store.digests.of(channel)
    ago = {"since": one.since - weeks * WEEK, "told": one.told - weeks * WEEK, "due": one.due - weeks * WEEK}
    async with store.database.write() as session:
        await session.execute(update(DigestRow).where(DigestRow.place_id == one.channel).values(ago))
        for row in await session.scalars(select(ShareRow)):
            row.created -= 2 * SETTLING
    return await store.digests.of(channel)


async def shared(store, words, user, channel=GROUP, **more):
    """Share a prompt, and return its code."""
    return (await store.boards.share(channel, user, words, f'{{"prompt": "{words}"}}', **more)).id


async def news(store, most=5):
    """Return the new items of the group's board in the last minute: their number, and the prompts of the best."""
    board = await store.boards.of(GROUP)
    count, best = await store.boards.news([board], now() - timedelta(minutes=1), now(), most)
    return count, [one.words for one in best]


async def test_it_is_due_in_a_week(store):
    """A new digest is due in a week, on the served platforms, at the address where it was switched on."""
    assert await store.digests.of(GROUP) is None
    one = await wanted(store)
    assert (one.address, one.user, one.since, one.due) == (GROUP, None, one.told, one.told + WEEK)
    assert await store.digests.due(["telegram"]) == ()
    due = await wanted(store, weeks=1.01)
    assert await store.digests.due(["telegram", "web"]) == (due,)
    assert await store.digests.due(["web"]) == ()


async def test_asking_again_changes_no_day(store):
    """Switching on again changes only the address of the digest, and switching off ends it."""
    one = await wanted(store, weeks=0.5)
    await store.digests.want(one.channel, "5/4", None)
    assert await store.digests.of(GROUP) == msgspec.structs.replace(one, address=MessageRef("telegram", "-7", "5/4"))
    for _ in range(2):
        await store.digests.end(GROUP)
    assert await store.digests.of(GROUP) is None


@pytest.mark.parametrize(("weeks", "ahead"), [(1.5, 2), (4.2, 5)])
async def test_the_next_is_on_the_same_day(store, weeks, ahead):
    """However late a digest is posted, the next one keeps its weekday and time, and covers the items since this one."""
    one = await wanted(store, weeks=weeks)
    taken = one.next()
    assert await store.digests.claim(one, taken)
    assert taken.since == one.told
    assert taken.due == one.told + ahead * WEEK
    assert now() - taken.told < timedelta(minutes=1)
    assert await store.digests.of(GROUP) == taken
    assert taken.key != one.key
    assert await store.digests.due(["telegram"]) == ()


async def test_of_many_who_take_it_at_once_one_does(database):
    """If several processes with separate connections see a due digest, one of them takes it, however often they try."""
    async with Database(database.url) as second, Database(database.url) as third:
        stores = [Store.of(one, None) for one in (database, second, third)]
        for _ in range(max(3, ROUNDS // 4)):
            one = await wanted(stores[0], weeks=1.1)
            seen = [await store.digests.due(["telegram"]) for store in stores]
            assert seen == [(one,)] * 3
            taken = await asyncio.gather(*(store.digests.claim(one, one.next()) for store in stores * 4))
            assert sum(taken) == 1
            await stores[0].digests.end(GROUP)


async def test_what_could_not_be_told_is_given_back(store):
    """A returned digest is due as before, and stays off if it was switched off in the meantime."""
    one = await wanted(store, weeks=1.1)
    taken = one.next()
    assert await store.digests.claim(one, taken)
    await store.digests.put_back(one, taken)
    assert await store.digests.due(["telegram"]) == (one,)
    taken = one.next()
    assert await store.digests.claim(one, taken)
    await store.digests.end(GROUP)
    await store.digests.put_back(one, taken)
    assert await store.digests.of(GROUP) is None
    assert not await store.digests.claim(one, one.next())


async def test_the_best_of_what_is_new(store):
    """The most liked items come first, then the most used; all new items are counted, and no older items."""
    ann, eve = await user_of(store), await user_of(store, "eve")
    old = await shared(store, "an old tree", ann)
    for words in ("a red circle", "a blue star", "a green boat"):
        await shared(store, words, ann)
    codes = {one.words: one.id for one in await store.boards.page([await store.boards.of(GROUP)], "new", 0, 9)}
    async with store.database.write() as session:
        await session.execute(update(ShareRow).where(ShareRow.id == old).values(created=now() - WEEK, votes=9))
    await store.boards.used(codes["a green boat"])
    await store.boards.vote(codes["a red circle"], eve)
    assert await news(store) == (3, ["a red circle", "a green boat", "a blue star"])
    assert await news(store, 1) == (3, ["a red circle"])
    assert await store.boards.news([], now() - WEEK, now(), 5) == (0, ())


async def test_what_is_gone_is_not_told(store):
    """Removed items, and items of deleted pictures or users, are not new items, and neither are those on other boards."""
    ann, eve = await user_of(store), await user_of(store, "eve")
    await shared(store, "it stays", ann)
    await store.boards.change(await shared(store, "removed", ann), removed=True)
    (picture,) = await done(store, ann)
    await shared(store, "deleted", ann, picture=picture.id)
    await store.pictures.drop([picture.id])
    await shared(store, "forgotten", eve)
    await store.rights.forget(eve)
    await shared(store, "elsewhere", ann, OTHER)
    assert await news(store) == (1, ["it stays"])


async def test_who_is_forgotten_is_told_no_more(store):
    """The digest of a user's private chat is deleted with them; a group's digest stays."""
    ann = await user_of(store, "9", "telegram")
    await accepted(store, await user_of(store, "eve"), address=GROUP)
    await accepted(store, ann, address=GROUP)
    await wanted(store)
    await wanted(store, MessageRef("telegram", "9"), ann)
    assert [row["person_id"] for row in (await store.rights.rows(ann))["digest"]] == [ann]
    await store.rights.forget(ann)
    assert await store.digests.of(MessageRef("telegram", "9")) is None
    assert await store.digests.of(GROUP) is not None


async def test_two_who_are_one_are_told_in_both_conversations(store):
    """The digests of two linked users stay on, in both chats, and each chat has one digest."""
    ann, eve = await user_of(store, "9", "telegram"), await user_of(store, "eve")
    await store.people.introduce(UserRef("web", eve), (await store.people.one(eve)))
    await wanted(store, MessageRef("telegram", "9"), ann)
    await wanted(store, MessageRef("web", eve), eve)
    assert await agreed(store, ann, eve)
    assert (await store.digests.of(MessageRef("telegram", "9"))).user == ann
    assert (await store.digests.of(MessageRef("web", ann))).user == ann
    assert await store.digests.of(MessageRef("web", eve)) is None


async def test_who_parts_is_not_told_of_the_others_boards(store):
    """Unlinking ends the digest in the private chat of the unlinked account; the other chat keeps its digest."""
    ann, eve = await user_of(store, "9", "telegram"), await user_of(store, "8", "discord")
    assert await agreed(store, ann, eve)
    channels = MessageRef("telegram", "9"), MessageRef("discord", "8")
    for channel in channels:
        await wanted(store, channel, ann)
    assert await store.linking.part(ann, [UserRef("discord", "8")])
    assert [await store.digests.of(channel) is not None for channel in channels] == [True, False]


async def test_a_place_that_moved_is_told_in_the_new_one(store):
    """If a channel's id changes, its digest moves along with the new message id; of two digests one is kept."""
    new = MessageRef("telegram", "-100")
    await accepted(store, await user_of(store), address=new)
    one = await wanted(store)
    await store.channels.moved(GROUP, new, lambda message: f"{message}, there")
    moved = await store.digests.of(new)
    assert (moved.address.message, moved.due) == ("5/3, there", one.due)
    assert await store.digests.of(GROUP) is None
    await wanted(store, OTHER)
    await store.channels.moved(OTHER, new, lambda _: "")
    assert await store.digests.of(OTHER) is None
    assert await store.digests.of(new) == moved
