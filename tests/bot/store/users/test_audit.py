"""The audit log: actions of moderators and operators, newest first, also after the users involved are gone."""

from sqlalchemy import delete

from bot.core.values import MessageRef
from bot.store.tables.core import UserRow
from bot.store.users.users import User
from tests.stores import user_of
from tests.stores import usual_server as server

__all__ = ["server"]


async def test_acts_are_remembered(store):
    """Each action is read back with its actor, target, channel and facts, the newest first."""
    ann, bob = await user_of(store, "ann"), await user_of(store, "bob")
    channel = await store.people.channel(MessageRef("web", "studio"))
    await store.audit.note(User(ann, "ann"), "pause", user=bob, channel=channel, facts={"jobs": 3, "credits": 1.5})
    await store.audit.note("terminal", "forget")

    forget, pause = await store.audit.latest(10)

    assert (pause.actor, pause.name, pause.act, pause.person_name, pause.channel) == (ann, "ann", "pause", "bob", "web:studio")
    assert dict(pause.facts) == {"jobs": 3, "credits": 1.5}
    assert (forget.actor, forget.name, forget.user, forget.channel, dict(forget.facts)) == ("terminal", "", None, "", {})
    assert len(await store.audit.latest(1)) == 1


async def test_acts_outlive_their_people(store):
    """An action stays after its actor and its target are deleted, without their names."""
    ann, bob = await user_of(store, "ann"), await user_of(store, "bob")
    await store.audit.note(ann, "pause", user=bob)
    async with store.database.write() as session:
        await session.execute(delete(UserRow))

    (act,) = await store.audit.latest(10)

    assert (act.actor, act.name, act.user, act.person_name) == (ann, "", None, "")
