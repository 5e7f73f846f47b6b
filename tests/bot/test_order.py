"""Commands about the line, credits and order in a group: each does what it says, for those who may."""

import pytest

from bot.core.errors import BadInput, NotAllowed
from bot.core.limits import Policy, Tier
from bot.i18n.translate import tell
from bot.store.billing import ledger
from bot.store.jobs.job import CANCELLED, FAILED, PAUSED, WAITING
from inference.contract.errors import Problem
from tests.talk import PLATFORM, talk

#: Two of these are as much as a picture of 512 x 512 in 30 steps: one credit.
HALF = "--size 256x256 --steps 60"


@pytest.fixture
async def bot(tmp_path):
    """Somebody to talk to the bot with, without limits."""
    async with talk(tmp_path) as open_one:
        yield open_one


@pytest.fixture
async def strict(tmp_path):
    """The same with three credits a day, and one request of supporters at a time."""
    tiers = {"": Tier(credits=3_000), "supporter": Tier(credits=None, most_open=1)}
    async with talk(tmp_path, policy=Policy(tiers, channel=5_000)) as open_one:
        yield open_one


def facts(reply):
    """Return the facts of a reply."""
    return {fact.name: fact.told for fact in reply.facts}


async def refusal(doing):
    """Return the sentence that something is refused with."""
    with pytest.raises((BadInput, NotAllowed)) as refused:
        await doing
    return tell(refused.value.problem)


async def states(bot, *jobs):
    """Return the states of jobs."""
    return [(await bot.store.jobs.get(job.id)).state for job in jobs]


async def test_without_limits_the_quota_says_so(bot):
    """Nobody is shown numbers that mean nothing."""
    reply = await bot.say("/quota")
    assert (reply.text, facts(reply)) == ("You have no credit limit.", {})


async def test_requests_cost_credits(strict):
    """What is asked for is held at once, what does not fit is refused with the numbers, and a cancelled request costs nothing."""
    first = await strict.job(await strict.say(f"a red circle {HALF} --count 4"))
    assert facts(await strict.say("/quota")) == {"today": "1 of 3 left", "this whole chat": "3 of 5 left"}
    told = await refusal(strict.say(f"a blue square {HALF} --count 4"))
    assert told == "This costs 2 credits, and you have 1 left. You get 3 again tomorrow."
    assert await strict.open() == 1
    await strict.say(f"/cancel {first.id}")
    assert facts(await strict.say("/quota"))["today"] == "3 of 3 left"
    assert await ledger.mistakes(strict.store.database) == ()


async def test_a_place_has_credits_of_its_own(strict):
    """Who has enough left may still find that the others have used up what the place gets."""
    await strict.say(f"a red circle {HALF} --count 6")
    assert "this chat has 2 left" in await refusal(strict.say(f"a blue square {HALF} --count 6", who="bob"))
    assert facts(await strict.say("/quota", who="bob"))["today"] == "3 of 3 left"


async def test_operators_grant_credits(strict):
    """A grant is spent after the day's own credits, is shown, and is written down; nobody else can grant."""
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
    """A supporter without a limit is still held to the number of open requests of the tier."""
    await strict.appointed("ada", tier="supporter")
    await strict.say(f"a red circle {HALF} --count 6", where="elsewhere")
    assert "You can have one unfinished job at a time" in await refusal(strict.say("a blue square"))


async def test_a_request_moves_in_its_own_line(bot):
    """Moving changes the order in which one's own requests are painted, and nothing of anybody else's."""
    first, second = [await bot.job(await bot.say(words)) for words in ("a red circle", "a blue square")]
    (button,) = [one for one in (await bot.say("/queue")).buttons if one.wire.startswith("move:")]
    assert (await bot.press(button)).text == "Moved: a blue square"
    assert list(facts(await bot.say("/queue"))) == ["a blue square", "a red circle"]
    assert "can't be moved" in (await bot.say(f"/move {second.id} --way up")).text
    assert "That job doesn't exist" in await refusal(bot.say(f"/move {first.id} --way up", who="bob"))


async def test_what_failed_can_be_tried_again(bot):
    """A failed request has a button that puts it into line again; one that did not fail has none."""
    job = await bot.job(await bot.say("a red circle"))
    assert "didn't fail" in (await bot.say(f"/retry {job.id}")).text
    assert await bot.store.attempts.fail(await bot.store.attempts.claim("painter"), Problem("memory-spent"))
    assert await states(bot, job) == [FAILED]
    assert (await bot.press(f"retry:{job.id}")).text == "Queued again: a red circle"
    assert await states(bot, job) == [WAITING]


async def test_what_did_not_arrive_can_be_sent_again(bot):
    """A result that nobody knows to have arrived is sent again when its person says so."""
    job, _ = await bot.painted("a red circle")
    assert "has arrived" in (await bot.say(f"/resend {job.id}")).text
    (delivery,) = await bot.store.outbox.claim("painter", [PLATFORM])
    assert await bot.store.outbox.unknown(delivery, "timeout")
    assert (await bot.say(f"/resend {job.id}")).text == "Sending again: a red circle"
    assert [one.job for one in await bot.store.outbox.claim("painter", [PLATFORM])] == [job.id]


async def test_who_looks_after_a_place_pauses_it(bot):
    """Everything of the place is held back, also what is asked for then, until it may go on; other places are not touched."""
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
    """Who looks after one place holds a person back there alone; a moderator of Easel does so everywhere."""
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
    """Somebody else's request is cancelled by who looks after its place, which is written down, and by nobody else."""
    job = await bot.job(await bot.say("a red circle"))
    for attempt in (bot.say(f"/cancel {job.id}", who="bob"), bot.say(f"/cancel {job.id}", who="bob", where="elsewhere", moderates=True)):
        assert "That job doesn't exist" in await refusal(attempt)
    await bot.say(f"/cancel {job.id}", who="bob", moderates=True)
    assert await states(bot, job) == [CANCELLED]
    assert [one.act for one in await bot.store.audit.latest(10)] == ["cancel"]


async def test_an_explanation_names_the_price(bot):
    """What a request costs and how long it takes is told before anything is queued."""
    assert facts(await bot.say(f"/explain a red circle {HALF} --count 4"))["cost"].startswith("2 credits, about ")


async def test_nothing_is_accepted_on_a_full_disk(tmp_path):
    """Where the disk is nearly full a request is refused before anything is kept, and other commands go on."""
    async with talk(tmp_path, least_free=2**62) as bot:
        assert "no disk space" in await refusal(bot.say("a red circle"))
        assert await bot.open() == 0
        assert (await bot.say("/queue")).text == "You have no queued or running jobs."
