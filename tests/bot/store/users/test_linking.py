"""One user on several platforms: linked once with all data, never by the code alone, and unlinked again."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.core.values import UserRef
from bot.presets.template import Body
from bot.store.database import now
from bot.store.jobs.job import PAUSED
from bot.store.tables.core import LinkCodeRow, UserRow
from bot.store.users.tokens import digest
from bot.store.users.users import OPERATOR
from tests.bot.store.linked import HERE, agreed, count, holds_nothing_of, two
from tests.stores import accepted, books_are_right, done, under, user_of, whole


@pytest.fixture
def limited(store):
    """Return a store where every user has ten credits a day."""
    return under(store, 10_000)


async def test_a_code_is_kept_as_its_digest(store):
    """A code has at least 128 random bits, only its digest is stored, and the next code of its user voids it."""
    ann, eve = await two(store)
    first, second = await store.linking.make(ann), await store.linking.make(ann)
    assert first != second
    assert len(set(first) - {"-"}) > 8
    assert len(first.replace("-", "")) * 5 >= 128
    async with store.database.read() as session:
        (kept,) = await session.scalars(select(LinkCodeRow.digest))
    assert kept == digest(second.replace("-", ""))
    assert not await store.linking.ask(first, eve)
    assert await store.linking.ask(second, eve)


async def test_a_code_is_read_as_people_type_it(store):
    """Lower case, spaces, and letters that look like digits are accepted in a code."""
    ann, eve = await two(store)
    code = await store.linking.make(ann)
    sloppy = code.replace("-", " ").lower().replace("0", "o").replace("1", "l")
    assert await store.linking.ask(f"  {sloppy} ", eve)


async def test_a_stolen_code_joins_nobody(store):
    """Typing a code only makes a request: nothing is linked until the code's owner confirms exactly that user."""
    ann, eve = await two(store)
    thief = await user_of(store, "thief", "telegram")
    code = await store.linking.make(ann)
    assert await store.linking.ask(code, thief)
    assert not await store.linking.ask(code, eve)
    assert not await store.linking.join(thief, ann)
    assert not await store.linking.join(ann, eve)
    asked = await store.linking.asked(ann)
    assert (asked.user.name, asked.known) == ("thief", (UserRef("telegram", "thief"),))
    await store.linking.refuse(ann)
    assert not await store.linking.join(ann, thief)
    assert (await store.people.find(UserRef("telegram", "thief"))).id == thief


async def test_whoever_asked_is_not_exchanged(store):
    """A confirmation of one requester does not confirm another who typed a newer code."""
    ann, eve = await two(store)
    thief = await user_of(store, "thief", "telegram")
    await store.linking.ask(await store.linking.make(ann), eve)
    await store.linking.ask(await store.linking.make(ann), thief)
    assert not await store.linking.join(ann, eve)
    assert await count(store, UserRow) == 3


async def test_a_code_is_used_once(store):
    """After a link neither its code nor its confirmation has any further effect."""
    ann, eve = await two(store)
    code = await store.linking.make(ann)
    await store.linking.ask(code, eve)
    assert await store.linking.join(ann, eve)
    assert not await store.linking.join(ann, eve)
    assert not await store.linking.ask(code, await user_of(store, "bob"))
    assert await count(store, LinkCodeRow) == 0


async def test_a_code_ends(store):
    """An expired code can neither be typed nor confirmed."""
    ann, eve = await two(store)
    code = await store.linking.make(ann)
    assert await store.linking.ask(code, eve)
    async with store.database.write() as session:
        await session.execute(update(LinkCodeRow).values(until=now() - timedelta(seconds=1)))
    assert not await store.linking.ask(code, eve)
    assert not await store.linking.join(ann, eve)
    with pytest.raises(LookupError):
        await store.linking.asked(ann)


async def test_nobody_is_joined_with_themselves(store):
    """A user who types their own code gets the answer for a wrong code, and the code stays open."""
    ann, eve = await two(store)
    code = await store.linking.make(ann)
    assert not await store.linking.ask(code, ann)
    assert not await store.linking.ask("nothing", eve)
    assert not await store.linking.ask("", eve)
    assert await store.linking.asked(ann) is None
    assert await store.linking.ask(code, eve)


async def test_everything_comes_together_once(limited):
    """Of fifty concurrent confirmations one links: credits, history and all other data belong to one user, nothing twice."""
    ann, eve = await two(limited)
    for user, channel in ((ann, "guild"), (eve, "chat")):
        await accepted(limited, user, credits=1000, channel=channel)
        await done(limited, user, "a boat", [whole()], channel=channel)
    await limited.ledger.grant(ann, 500)
    await limited.ledger.grant(eve, 700)
    await limited.linking.ask(await limited.linking.make(ann), eve)

    joined = await asyncio.gather(*(limited.linking.join(ann, eve) for _ in range(50)))

    assert sorted(joined) == [False] * 49 + [True]
    assert await holds_nothing_of(limited, eve)
    assert {(await limited.people.find(UserRef(*known))).id for known in (("discord", "ann"), ("telegram", "eve"))} == {ann}
    assert len(await limited.finding.own(ann, "boat", 1, 1000)) == 2
    assert len(await limited.jobs.open_of(ann)) == 2
    balance = await limited.ledger.balance(ann)
    assert (balance.left, balance.extra) == (8000, 1200)
    assert await books_are_right(limited)


async def test_of_fifty_who_type_it_at_once_one_asks(store):
    """Of fifty users who type a code at once, one becomes its requester."""
    ann = await user_of(store, "ann", "discord")
    code = await store.linking.make(ann)
    thieves = [await user_of(store, f"thief {number}", "telegram") for number in range(50)]
    asked = await asyncio.gather(*(store.linking.ask(code, thief) for thief in thieves))
    assert sum(asked) == 1
    assert (await store.linking.asked(ann)).user.id == thieves[asked.index(True)]


async def test_two_who_agree_with_each_other_at_once(limited):
    """If two users confirm each other's codes at the same moment, they are linked once, and nothing is lost."""
    ann, eve = await two(limited)
    for user in (ann, eve):
        await done(limited, user, "a boat", [whole()])
    await limited.linking.ask(await limited.linking.make(ann), eve)
    await limited.linking.ask(await limited.linking.make(eve), ann)
    both = await asyncio.gather(*(limited.linking.join(*pair) for pair in ((ann, eve), (eve, ann)) * 10))
    assert sum(both) == 1
    (left,) = {(await limited.people.find(UserRef(*known))).id for known in (("discord", "ann"), ("telegram", "eve"))}
    assert len(await limited.finding.own(left, "", 1, 1000)) == 2


async def test_a_name_leaves_as_somebody_new(limited):
    """An unlinked account has no data and no new allowance for the day, and history and presets stay."""
    ann, eve = await two(limited)
    await done(limited, eve, "a boat", [whole()])
    await accepted(limited, eve, credits=4000)
    await limited.ledger.grant(eve, 500)
    await limited.people.appoint(ann, role=OPERATOR, tier="gold")
    await limited.presets.save(eve, "poster", Body(settings={"steps": 3}))
    assert await agreed(limited, ann, eve)

    new = await limited.linking.part(ann, [UserRef("telegram", "eve")], "Eve")

    parted = await limited.people.find(UserRef("telegram", "eve"))
    assert (parted.id, parted.name, parted.role, parted.tier) == (new, "Eve", "", "")
    assert (await limited.people.find(UserRef("discord", "ann"))).id == ann
    assert (len(await limited.finding.own(new, "", 1, 1000)), len(await limited.finding.own(ann, "", 1, 1000))) == (0, 1)
    assert await limited.presets.of_person(new) == ()
    balance = await limited.ledger.balance(new)
    assert (balance.left, balance.extra, (await limited.ledger.balance(ann)).extra) == (6000, 0, 500)
    assert await books_are_right(limited)


async def test_parting_again_and_again_makes_no_credits(limited):
    """Linking and unlinking in a circle gives neither more nor less credits than one day has."""
    ann, eve = await two(limited)
    spent = 0
    for _ in range(4):
        if (left := (await limited.ledger.balance(eve)).left) >= 3000:
            await accepted(limited, eve, credits=min(left, 3000))
            spent += 3000
        assert await agreed(limited, ann, eve)
        eve = await limited.linking.part(ann, [UserRef("telegram", "eve")])
        assert await books_are_right(limited)
    assert spent == 9000
    assert (await limited.ledger.balance(eve)).left == 10_000 - spent


async def test_who_parts_is_still_held_back(store):
    """Unlinking does not evade a pause by a moderator."""
    ann, eve = await two(store)
    await store.line.pause_member(eve, HERE, paused=True)
    assert await agreed(store, ann, eve)
    new = await store.linking.part(ann, [UserRef("telegram", "eve")])
    assert (await accepted(store, new, channel="here")).state == PAUSED
    await store.line.pause_person(ann, paused=True)
    assert await store.linking.part(ann, [UserRef("discord", "ann")]) is None


async def test_the_only_name_stays(store):
    """The only account of a user cannot be unlinked, and of concurrent unlinks of all accounts one account remains."""
    ann, eve = await two(store)
    assert await store.linking.part(ann, [UserRef("discord", "ann")]) is None
    assert await store.linking.part(ann, [UserRef("telegram", "eve")]) is None
    assert await agreed(store, ann, eve)
    names = [UserRef("discord", "ann"), UserRef("telegram", "eve")]
    assert await store.linking.part(ann, names) is None
    parted = await asyncio.gather(*(store.linking.part(ann, [names[number % 2]]) for number in range(10)))
    assert len([one for one in parted if one is not None]) == 1


async def test_a_token_leaves_with_the_page_that_it_opens(store):
    """Unlinking the chat page takes its tokens along, and they open the page for the same user again."""
    ann = await user_of(store, "ann", "discord")
    secret = await store.tokens.create("Eve")
    eve = await store.tokens.holder(secret)
    await store.people.introduce(UserRef("web", eve.id), eve)
    assert await agreed(store, ann, eve.id)
    new = await store.linking.part(ann, [UserRef("web", eve.id)])
    assert (await store.tokens.holder(secret)).id == new
    assert (await store.people.find(UserRef("token", "Eve"))).id == new
    assert (await store.people.find(UserRef("discord", "ann"))).id == ann
