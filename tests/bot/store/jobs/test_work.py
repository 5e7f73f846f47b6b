"""Running work: the results that a channel gets next."""

from bot.core.values import MessageRef
from tests.stores import accepted, done, painted, request_of, user_of

HERE = MessageRef("web", "here")


async def test_the_ends_that_a_place_is_told_next(store):
    """They are the jobs that run for the channel or await delivery: not waiting, delivered, or elsewhere."""
    ann = await user_of(store)
    assert await store.work.ends(HERE, 20) == ()
    await done(store, ann, pictures=[painted(0), painted(1)], request=request_of("two", count=2))
    await done(store, ann, channel="elsewhere")
    assert await store.work.ends(HERE, 20) == (2,)
    await accepted(store, ann)
    assert await store.work.ends(HERE, 20) == (2,)
    job = await store.attempts.claim("a runner")
    assert sorted(await store.work.ends(HERE, 20)) == [1, 2]
    assert len(await store.work.ends(HERE, 1)) == 1
    assert await store.attempts.finish(job, [painted()], 1.0)
    assert sorted(await store.work.ends(HERE, 20)) == [1, 2]
    for delivery in await store.outbox.claim("a runner", ["web"]):
        await store.outbox.sent(delivery)
    assert await store.work.ends(HERE, 20) == ()
