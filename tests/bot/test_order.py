"""Commands about the queue, credits and moderation: each does its job, for permitted users."""

import pytest

from bot.core.errors import BadInput, NotAllowed
from bot.core.limits import Policy, Tier
from bot.i18n.translate import tell
from bot.store.billing import ledger
from bot.store.jobs.job import CANCELLED, FAILED, PAUSED, WAITING
from inference.contract.errors import Problem
from tests.talk import PLATFORM, talk

#: Two of these cost as much as a picture of 512 x 512 in 30 steps: one credit.
HALF = "--size 256x256 --steps 60"


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot, without limits."""
    async with talk(tmp_path) as open_one:
        yield open_one


@pytest.fixture
async def strict(tmp_path):
    """Return the same with three credits a day, and one open request for supporters."""
    tiers = {"": Tier(credits=3_000), "supporter": Tier(credits=None, most_open=1)}
    async with talk(tmp_path, policy=Policy(tiers, channel=5_000)) as open_one:
        yield open_one


def facts(reply):
    """Return the facts of a reply."""
    return {fact.name: fact.told for fact in reply.facts}


async def refusal(doing):
    """Return the sentence with which a call is refused."""
    with pytest.raises((BadInput, NotAllowed)) as refused:
        await doing
    return tell(refused.value.problem)


async def states(bot, *jobs):
    """Return the states of jobs."""
    return [(await bot.store.jobs.get(job.id)).state for job in jobs]


async def test_without_limits_the_quota_says_so(bot):
    """Without limits the quota says so, and shows no meaningless numbers."""
    reply = await bot.say("/quota")
    assert (reply.text, facts(reply)) == ("You have no credit limit.", {})


async def test_requests_cost_credits(strict):
    """A request holds its credits at once, is refused with numbers if it does not fit, and costs nothing after a cancellation."""
    first = await strict.job(await strict.say(f"a red circle {HALF} --count 4"))
    assert facts(await strict.say("/quota")) == {"today": "1 of 3 left", "this whole chat": "3 of 5 left"}
    told = await refusal(strict.say(f"a blue square {HALF} --count 4"))
    assert told == "This costs 2 credits, and you have 1 left. You get 3 again tomorrow."
    assert await strict.open() == 1
    await strict.say(f"/cancel {first.id}")
    assert facts(await strict.say("/quota"))["today"] == "3 of 3 left"
    assert await ledger.mistakes(strict.store.database) == ()


async def test_a_place_has_credits_of_its_own(strict):
    """A user with enough credits is refused if other users have used up those of the channel."""
    await strict.say(f"a red circle {HALF} --count 6")
    assert "this chat has 2 left" in await refusal(strict.say(f"a blue square {HALF} --count 6", who="bob"))
    assert facts(await strict.say("/quota", who="bob"))["today"] == "3 of 3 left"


async def test_operators_grant_credits(strict):
    """A grant is used after the daily credits, is shown, and is logged; only operators can grant."""
    assert "Only the operator" in await refusal(strict.say("/grant ada --credits 2"))
    await strict.appointed("eve", role="operator")
    await strict.say("/quota")
    ada = await strict.appointed("ada")
    reply = await strict.say("/grant ada --credits 1.5", who="eve", key="once")
    assert reply.text == f"Ada ({ada}) now has 1.5 granted credits."
    assert await strict.say("/grant ada --credits 1.5", who="eve", key="once") == reply
    assert facts(await strict.say("/quota"))["granted"] == "1.5"
    await strict.say(f"a red circle {HALF} --count 8")
    assert facts(await strict.say("/quota"))["granted"] == "0.5"
    assert "Unknown user" in await refusal(strict.say("/grant zoe --credits 1", who="eve"))
    assert [one.act for one in await strict.store.audit.latest(10)] == ["grant"]


async def test_a_tier_changes_what_one_gets(strict):
    """A supporter without a credit limit is still limited to the tier's number of open requests."""
    await strict.appointed("ada", tier="supporter")
    await strict.say(f"a red circle {HALF} --count 6", where="elsewhere")
    assert "You can have one unfinished job at a time" in await refusal(strict.say("a blue square"))


async def test_a_request_moves_in_its_own_line(bot):
    """Moving changes the order of the user's own requests, and of no one else's."""
    first, second = [await bot.job(await bot.say(words)) for words in ("a red circle", "a blue square")]
    (button,) = [one for one in (await bot.say("/queue")).buttons if one.wire.startswith("move:")]
    assert (await bot.press(button)).text == "Moved: a blue square"
    assert list(facts(await bot.say("/queue"))) == ["a blue square", "a red circle"]
    assert "can't be moved" in (await bot.say(f"/move {second.id} --way up")).text
    assert "That job doesn't exist" in await refusal(bot.say(f"/move {first.id} --way up", who="bob"))


async def test_what_failed_can_be_tried_again(bot):
    """A failed request has a button that puts it back into the queue, and any other request has none."""
    job = await bot.job(await bot.say("a red circle"))
    assert "didn't fail" in (await bot.say(f"/retry {job.id}")).text
    assert await bot.store.attempts.fail(await bot.store.attempts.claim("painter"), Problem("memory-spent"))
    assert await states(bot, job) == [FAILED]
    assert (await bot.press(f"retry:{job.id}")).text == "Queued again: a red circle"
    assert await states(bot, job) == [WAITING]


async def test_what_did_not_arrive_can_be_sent_again(bot):
    """A result that may not have arrived is sent again if its user reports that."""
    job, _ = await bot.painted("a red circle")
    assert "has arrived" in (await bot.say(f"/resend {job.id}")).text
    (delivery,) = await bot.store.outbox.claim("painter", [PLATFORM])
    assert await bot.store.outbox.unknown(delivery, "timeout")
    assert (await bot.say(f"/resend {job.id}")).text == "Sending again: a red circle"
    assert [one.job for one in await bot.store.outbox.claim("painter", [PLATFORM])] == [job.id]


async def test_who_looks_after_a_place_pauses_it(bot):
    """In a paused channel all old and new requests are paused until it resumes; other channels are not affected."""
    here, there = await bot.job(await bot.say("a red circle")), await bot.job(await bot.say("a blue square", where="elsewhere"))
    assert "Only moderators" in await refusal(bot.say("/pause"))
    assert "1 job" in (await bot.say("/pause", who="bob", moderates=True)).text
    late = await bot.job(await bot.say("a green star"))
    assert await states(bot, here, there, late) == [PAUSED, WAITING, PAUSED]
    assert facts(await bot.say("/queue"))["a red circle"] == "paused by a moderator"
    assert (await bot.say("/resume", who="bob", moderates=True)).refresh == (here.id, late.id)
    assert await states(bot, here, late) == [WAITING, WAITING]
    assert [one.act for one in await bot.store.audit.latest(10)] == ["resume", "pause"]


async def test_a_person_is_paused_in_one_place_or_everywhere(bot):
    """A channel's moderator pauses a user in that channel only; a moderator of Easel pauses them everywhere."""
    here, there = await bot.job(await bot.say("a red circle")), await bot.job(await bot.say("a blue square", where="elsewhere"))
    await bot.say("/pause ada", who="bob", moderates=True)
    late = await bot.job(await bot.say("a green star"))
    assert await states(bot, here, there, late) == [PAUSED, WAITING, PAUSED]
    await bot.appointed("eve", role="moderator")
    await bot.say("/pause ada", who="eve", where="elsewhere")
    await bot.say("/resume ada", who="bob", moderates=True)
    assert await states(bot, here, there, late) == [PAUSED, PAUSED, PAUSED]
    await bot.say("/resume ada", who="eve")
    assert await states(bot, here, there, late) == [WAITING, WAITING, WAITING]


async def test_moderators_cancel_what_is_asked_in_their_place(bot):
    """A moderator of a channel can cancel requests of others there, which is logged; other users cannot."""
    job = await bot.job(await bot.say("a red circle"))
    for attempt in (bot.say(f"/cancel {job.id}", who="bob"), bot.say(f"/cancel {job.id}", who="bob", where="elsewhere", moderates=True)):
        assert "That job doesn't exist" in await refusal(attempt)
    await bot.say(f"/cancel {job.id}", who="bob", moderates=True)
    assert await states(bot, job) == [CANCELLED]
    assert [one.act for one in await bot.store.audit.latest(10)] == ["cancel"]


async def test_an_explanation_names_the_price(bot):
    """The cost of a request and its time are shown before it is queued."""
    assert facts(await bot.say(f"/explain a red circle {HALF} --count 4"))["cost"].startswith("2 credits, about ")


async def test_nothing_is_accepted_on_a_full_disk(tmp_path):
    """On a nearly full disk a request is refused before anything is stored, and other commands still work."""
    async with talk(tmp_path, least_free=2**62) as bot:
        assert "no disk space" in await refusal(bot.say("a red circle"))
        assert await bot.open() == 0
        assert (await bot.say("/queue")).text == "You have no queued or running jobs."
