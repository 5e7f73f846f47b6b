"""Boards under concurrency: sharing, joining and leaving at the same time neither loses nor doubles a shared item."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from bot.core.errors import BadInput
from bot.core.values import MessageRef
from bot.presets.template import Body
from bot.store.sharing.presets import PUBLIC
from bot.store.tables.sharing import BoardRow, PresetRow, ShareRow, VoteRow
from tests.stores import ROUNDS, user_of

HERE, THERE = MessageRef("web", "here"), MessageRef("web", "there")


async def preset_of(store, user, name="placard", words="a cat"):
    """Save a preset of a user."""
    return await store.presets.save(user, name, Body(prompt=words))


async def on(store, channel):
    """Return the items on the board of a channel."""
    return await store.boards.page([await store.boards.of(channel) or ""], "new", 0, 1000)


async def row_of(store, preset):
    """Return the row of a preset."""
    async with store.database.read() as session:
        return await session.get(PresetRow, preset.id)


@pytest.mark.parametrize("channel", [HERE, None])
async def test_an_archived_preset_is_its_makers_alone(store, channel):
    """An archived preset is on no board and blocks no name, and after it is saved again only its author sees it."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    made = await preset_of(store, ann)
    await store.presets.show(made, channel)
    await store.presets.archive(made.id)
    assert await on(store, HERE) == ()
    again = await preset_of(store, ann, words="a private matter")
    assert (again.id, again.version, again.shelf, again.archived) == (made.id, 2, ann, False)
    reader = await store.presets.reader(bob, HERE)
    assert await store.presets.find("placard", reader) is None
    assert await store.presets.listed(reader, "private", 0, 9) == ()
    await store.presets.show(await preset_of(store, bob), channel)
    await store.presets.show(again, MessageRef("web", "another"))


async def test_archiving_leaves_a_free_name(store):
    """A preset removed from a board is archived under another name if its name is taken in the author's own scope."""
    ann = await user_of(store)
    made = await preset_of(store, ann)
    await store.presets.show(made, HERE)
    async with store.database.write() as session:
        row = {"person_id": ann, "shelf": ann, "key": "placard", "name": "placard", "head": 0}
        session.add(PresetRow(**row))
    await store.presets.archive(made.id)
    row = await row_of(store, made)
    assert (row.shelf, row.board_id, row.name, row.archived) == (ann, None, "placard-2", True)


@pytest.mark.parametrize("channel", [HERE, None])
async def test_of_two_who_show_one_name_at_once_one_is_told(store, channel):
    """If two presets of one name are shown in one scope at the same moment, one is there, and the other's author gets an error."""
    ann, bob = await user_of(store), await user_of(store, "bob")
    for number in range(ROUNDS):
        presets = [await preset_of(store, user, f"n{number}") for user in (ann, bob)]
        shown = await asyncio.gather(*(store.presets.show(one, channel) for one in presets), return_exceptions=True)
        (refused,) = filter(None, shown)
        assert (type(refused), refused.problem.key) == (BadInput, "input-preset-taken-there")
        assert sorted([(await row_of(store, one)).shelf in (ann, bob) for one in presets]) == [False, True]


async def test_what_is_shared_at_once_is_there_once(store):
    """The same picture, prompt or preset shared several times at the same moment is on the board once."""
    ann = await user_of(store)
    for number in range(ROUNDS):
        made = await preset_of(store, ann, f"n{number}")
        shares = [store.boards.share(HERE, ann, f"w{number}", f'{{"prompt": "w{number}"}}') for _ in range(3)]
        *shared, _, _ = await asyncio.gather(*shares, *(store.presets.show(made, HERE) for _ in range(2)))
        assert len({one.id for one in shared}) == 1
    async with store.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(ShareRow)) == 2 * ROUNDS


async def test_nothing_is_lost_where_boards_are_joined_meanwhile(store):
    """Items shared on a board while it is merged into another are on the merged board, and none is refused."""
    ann = await user_of(store)
    for number in range(ROUNDS):
        one, other = (MessageRef("web", f"{name}{number}") for name in ("one", "other"))
        boards = [await store.boards.opened(channel) for channel in (one, other)]
        presets = [await preset_of(store, ann, f"n{number}-{index}") for index in range(4)]
        shows = [store.presets.show(made, other) for made in presets]
        shares = [store.boards.share(other, ann, f"{number}-{index}", f'{{"prompt": "{number}-{index}"}}') for index in range(4)]
        done = await asyncio.gather(*shows[:2], *shares[:2], store.boards.join(*boards), *shows[2:], *shares[2:])
        assert True in done
        assert await store.boards.of(one) == await store.boards.of(other) == boards[0]
        assert len(await on(store, other)) == 8
        assert {(await row_of(store, made)).shelf for made in presets} == {boards[0]}


async def test_a_name_is_found_on_the_board_that_it_came_to(store):
    """A preset whose name changes its letters under case folding is found after its board was merged into another."""
    one, other, name = MessageRef("web", "one"), MessageRef("web", "other"), "\u0390\u03b4\u03c1\u03b1"
    for who, channel in (("ann", one), ("eve", other)):
        user = await user_of(store, who)
        await store.presets.show(await store.presets.save(user, name, Body(prompt=f"of {who}")), channel)
    assert await store.boards.join(await store.boards.opened(one), await store.boards.opened(other))
    bob = await store.presets.reader(await user_of(store, "bob"), other)
    found = [await store.presets.find(each, bob) for each in (name, name.upper(), f"{name}-2")]
    assert [each.body.prompt for each in found] == ["of ann", "of ann", "of eve"]


async def test_boards_that_are_joined_from_both_sides_are_one(store):
    """Three groups joined with each other in all directions at once end on one board, with the items of all."""
    ann = await user_of(store)
    for number in range(ROUNDS):
        channels = [MessageRef("web", f"{name}{number}") for name in ("a", "b", "c")]
        for channel in channels:
            await store.boards.share(channel, ann, f"of {channel.channel}", f'{{"prompt": "{channel.channel}"}}')
        a, b, c = [await store.boards.of(channel) for channel in channels]
        await asyncio.gather(*(store.boards.join(*pair) for pair in ((a, b), (b, a), (b, c), (c, b))))
        boards = [await store.boards.of(channel) for channel in channels]
        if len(set(boards)) > 1:
            # A join that names a board which is gone in the meantime has no effect, and loses nothing.
            await store.boards.join(*sorted(set(boards)))
        assert len(await on(store, channels[0])) == 3


async def test_a_board_that_goes_takes_no_preset_along(store):
    """A preset of a board that was deleted from the database stays with its author."""
    ann = await user_of(store)
    made = await preset_of(store, ann)
    await store.presets.show(made, HERE)
    async with store.database.write() as session:
        await session.execute(delete(BoardRow))
    assert (await store.presets.own(ann, "placard")).body.prompt == "a cat"


async def test_what_stands_on_a_board_is_not_moved_to_another(store):
    """A preset on a board is not moved silently: it has to be unshared first, and showing it twice changes nothing."""
    ann = await user_of(store)
    made = await preset_of(store, ann)
    await store.presets.show(made, HERE)
    for channel in (THERE, None):
        with pytest.raises(BadInput, match="input-preset-elsewhere"):
            await store.presets.show(made, channel)
    await store.presets.show(made, HERE)
    assert (await row_of(store, made)).board_id == await store.boards.of(HERE)
    await store.presets.hide(made.id)
    await store.presets.show(made, None)
    row = await row_of(store, made)
    assert (row.shelf, row.board_id, await on(store, HERE)) == (PUBLIC, None, ())


async def test_groups_that_answer_each_other_at_once_are_joined(store):
    """Two groups that enter each other's codes and answers at the same moment end on one board, and no code is left."""
    for number in range(ROUNDS // 2):
        one, other = (MessageRef("web", f"{name}{number}") for name in ("one", "other"))
        codes = [await store.joining.invite(channel) for channel in (other, one)]
        answers = await asyncio.gather(*(store.joining.enter(code, channel) for code, channel in zip(codes, (one, other), strict=True)))
        assert [answer.joined for answer in answers] == [False, False]
        given = zip((answers[1].answer, answers[0].answer), (one, other), strict=True)
        entered = await asyncio.gather(*(store.joining.enter(answer, channel) for answer, channel in given))
        assert [done.joined for done in entered if done is not None] == [True]
        assert await store.boards.of(one) == await store.boards.of(other)
        for answer in answers:
            assert await store.joining.enter(answer.answer, one) is None


async def test_a_code_is_worth_something_until_it_joins(store):
    """A code that could not join anything, because it is the group's own, stays valid."""
    code = await store.joining.invite(HERE)
    assert await store.joining.enter(code, HERE) is None
    answer = await store.joining.enter(code, THERE)
    assert await store.joining.enter(answer.answer, THERE) is None
    assert (await store.joining.enter(answer.answer, HERE)).joined


async def test_what_is_shared_while_a_place_leaves_is_on_one_board(store):
    """Items shared while a channel leaves a board are on the old board or on its own, and none is lost."""
    ann = await user_of(store)
    for number in range(ROUNDS):
        one, other = (MessageRef("web", f"{name}{number}") for name in ("one", "other"))
        assert await store.boards.join(*[await store.boards.opened(channel) for channel in (one, other)])
        made = await preset_of(store, ann, f"n{number}")
        shares = [store.boards.share(other, ann, word, f'{{"prompt": "{word}"}}') for word in ("a", "b", "c")]
        parts = [store.boards.part(channel) for channel in (one, other)]
        await asyncio.gather(store.presets.show(made, other), *shares, *parts)
        assert await store.boards.of(one) != await store.boards.of(other)
        assert len(await on(store, one)) + len(await on(store, other)) == 4
        assert (await row_of(store, made)).board_id in [await store.boards.of(channel) for channel in (one, other)]


async def test_votes_are_right_whoever_goes_meanwhile(store):
    """Votes of users who are deleted or linked at the same moment cause no deadlock, and the count is right."""
    bob = await user_of(store, "bob")
    code = (await store.boards.share(HERE, bob, "a red circle", "{}")).id
    for number in range(ROUNDS):
        ann, eve = await user_of(store, f"ann{number}", "discord"), await user_of(store, f"eve{number}", "telegram")
        for user in (ann, eve):
            await store.boards.vote(code, user)
        assert await store.linking.ask(await store.linking.make(ann), eve)
        await asyncio.gather(store.linking.join(ann, eve), *(store.boards.vote(code, user) for user in (bob, ann)))
        assert (await store.boards.get(code)).votes == await votes(store)
        await asyncio.gather(store.rights.forget(ann), store.boards.vote(code, bob), liked(store, code, ann))
        assert (await store.boards.get(code)).votes == await votes(store) == 0


async def liked(store, code, user):
    """Vote for an item, as a user who may be deleted by then."""
    with suppress(IntegrityError):
        await store.boards.vote(code, user)


async def votes(store):
    """Return the number of votes."""
    async with store.database.read() as session:
        return await session.scalar(select(func.count()).select_from(VoteRow))
