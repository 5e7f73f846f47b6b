"""The audit: what people with more rights did, newest first, also when those concerned have gone."""

from sqlalchemy import delete

from bot.core.values import Address
from bot.store.tables.core import PersonRow
from bot.store.users.users import Person
from tests.stores import person_of


async def test_acts_are_remembered(store):
    """Who did what to whom, where, and what belongs to it comes back as it was, the newest first."""
    ann, bob = await person_of(store, "ann"), await person_of(store, "bob")
    place = await store.people.place(Address("web", "studio"))
    await store.audit.note(Person(ann, "ann"), "pause", person=bob, place=place, facts={"jobs": 3, "credits": 1.5})
    await store.audit.note("terminal", "forget")

    forget, pause = await store.audit.latest(10)

    assert (pause.actor, pause.name, pause.act, pause.person_name, pause.place) == (ann, "ann", "pause", "bob", "web:studio")
    assert dict(pause.facts) == {"jobs": 3, "credits": 1.5}
    assert (forget.actor, forget.name, forget.person, forget.place, dict(forget.facts)) == ("terminal", "", None, "", {})
    assert len(await store.audit.latest(1)) == 1


async def test_acts_outlive_their_people(store):
    """An act stays when the actor and whoever it was done to are gone, without their names."""
    ann, bob = await person_of(store, "ann"), await person_of(store, "bob")
    await store.audit.note(ann, "pause", person=bob)
    async with store.database.write() as session:
        await session.execute(delete(PersonRow))

    (act,) = await store.audit.latest(10)

    assert (act.actor, act.name, act.person, act.person_name) == (ann, "", None, "")
