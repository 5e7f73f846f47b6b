"""Channel settings by moderators: the language of a channel, and the credits of each member per day."""

import pytest

from bot.core.errors import BadInput, NotAllowed
from bot.core.limits import Policy, Tier
from bot.core.values import Invocation, MessageRef, UserRef
from bot.i18n.translate import speaking, spoken, tell
from bot.store.users.users import OPERATOR
from tests.talk import PLATFORM, talk

#: A request that costs a credit, as 30 steps of 512 × 512 do: four pictures of a quarter of that size. The other costs two.
ONE = "/imagine a red circle --steps 30 --size 256x256 --count 4"
TWO = "/imagine a red circle --steps 60 --size 256x256 --count 4"


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


def told(reply):
    """Return the facts of a reply by name."""
    return {one.name: one.told for one in reply.facts}


async def ask(bot, command, who, locale="en", *, where="studio", moderates=False, **given):
    """Run a command as an adapter does; return the reply, and the language in use after it."""
    caller, address = UserRef(PLATFORM, who, who, moderates, locale), MessageRef(PLATFORM, where)
    with speaking(locale):
        reply = await bot.app.handle(Invocation(command=command, given=given, caller=caller, address=address))
        return reply, spoken()


async def german(bot):
    """Set the channel's language to German, and Eva's to Spanish."""
    await bot.say("/settings --here --language de", "mod", moderates=True)
    await ask(bot, "settings", "eva", where="alone", language="es")


async def test_a_place_has_a_language(bot):
    """Users without a choice get the channel's language at once, whatever their platform reports, and elsewhere their own."""
    await german(bot)
    assert [(await ask(bot, "queue", "ann", locale))[1] for locale in ("fr", "en", "")] == ["de", "de", "de"]
    assert (await ask(bot, "queue", "ann", "en", where="alone"))[1] == "en"


async def test_a_choice_of_ones_own_goes_before_it(bot):
    """A user's own choice overrides the channel's language, and after it is reset, the channel's applies at once."""
    await german(bot)
    assert (await ask(bot, "queue", "eva"))[1] == "es"
    reply, language = await ask(bot, "settings", "eva", without="language")
    assert (language, told(reply)["Sprache"]) == ("de", "Deutsch (Vorgabe dieses Chats)")


async def test_what_everybody_sees_is_in_the_language_of_the_place(bot):
    """Jobs in a channel report in its language for all users, and elsewhere in the user's language; jobs started by buttons too."""
    await german(bot)
    for who in ("ann", "eva"):
        reply, _ = await ask(bot, "imagine", who, prompt="a red circle")
        assert (await bot.job(reply)).language == "de"
        assert (await bot.job(await bot.press(f"again:{reply.jobs[0]}", who))).language == "de"
    alone = [await ask(bot, "imagine", who, where="alone", prompt="a red circle") for who in ("ann", "eva")]
    assert [(await bot.job(reply)).language for reply, _ in alone] == ["en", "es"]


async def test_the_language_is_shown_with_who_decided_it(bot):
    """Settings show whether the language is the user's choice, the channel's or the platform's; for a channel, only its own."""
    assert told(await bot.say("/settings"))["language"] == "English"
    assert "language" not in told(await bot.say("/settings --here", "mod", moderates=True))
    reply, language = await ask(bot, "settings", "mod", moderates=True, language="de", here=True)
    assert (language, told(reply)["Sprache"]) == ("de", "Deutsch (Vorgabe dieses Chats)")
    assert told((await ask(bot, "settings", "ann"))[0])["Sprache"] == "Deutsch (Vorgabe dieses Chats)"
    reply, _ = await ask(bot, "settings", "mod", moderates=True, language="es")
    assert told(reply)["idioma"] == "español (de tus ajustes)"
    reply, _ = await ask(bot, "settings", "mod", moderates=True, here=True)
    assert told(reply)["idioma"] == "Deutsch (de los ajustes de este chat)"


async def test_the_language_of_a_place_is_taken_back(bot):
    """After the channel's language is reset, all users get their own again; each change is logged, and other settings can go along."""
    await bot.say("/rules --closed vary", "mod", moderates=True)
    await bot.say("/settings --here --language de --steps 9", "mod", moderates=True)
    await bot.say("/settings --here --without language", "mod", moderates=True)
    (act, before) = await bot.store.audit.latest(2)
    assert [(one.act, one.facts) for one in (act, before)] == [
        ("settings", {"names": "language"}),
        ("settings", {"names": "language, steps"}),
    ]
    reply, language = await ask(bot, "imagine", "ann", prompt="a red circle")
    job = await bot.job(reply)
    assert (language, job.language, job.request.steps) == ("en", "en", 9)


@pytest.mark.parametrize("line", ["/settings --here --language de", "/settings --here --without language", "/rules --credits 3"])
async def test_only_who_looks_after_a_place_decides(bot, line):
    """A member can change neither a channel's language nor the credits of its members."""
    with pytest.raises(NotAllowed, match="denied-moderators"):
        await bot.say(line)
    assert (await bot.store.settings.of("", MessageRef(PLATFORM, "studio"))).channel == {}


async def test_each_member_has_so_many_credits_a_day(bot):
    """A refusal, and explain before it, name the cost and the credits left; elsewhere, and for the operator, nothing changes."""
    shown = await bot.say("/rules --credits 2,5", "mod", moderates=True)
    assert told(shown)["credits"] == "2.5 a day for each member"
    (act,) = await bot.store.audit.latest(1)
    assert (act.act, act.facts) == ("rules", {"names": "credits"})
    await bot.say(ONE)
    await bot.say(ONE, "eve")
    assert told(await bot.say("/quota"))["you in this chat"] == "1.5 of 2.5 left"
    assert told(await bot.say("/quota", where="elsewhere")) == {}
    with pytest.raises(NotAllowed) as refused:
        await bot.say(TWO)
    said = "This costs 2 credits. In this chat each member can use 2.5 a day, and you have 1.5 left today."
    assert tell(refused.value.problem) == said
    assert (await bot.say(TWO, where="elsewhere")).jobs
    with pytest.raises(NotAllowed, match="denied-credits-here"):
        await bot.say(f"{TWO} || a star --steps 60 --size 256x256 --count 4", "mod", moderates=True)
    await bot.appointed("root", role=OPERATOR)
    assert (await bot.say(f"{TWO} || a star --steps 60 --size 256x256 --count 4", "root")).jobs
    assert told(await bot.say("/quota", "root")) == {}


async def test_the_credits_of_a_place_are_taken_back(bot):
    """Without the channel's limit, users have the operator's credits, and a limit of zero is valid."""
    await bot.say("/rules --credits 0", "mod", moderates=True)
    assert told(await bot.say("/rules"))["credits"] == "0 a day for each member"
    with pytest.raises(NotAllowed, match="denied-credits-here"):
        await bot.say(ONE)
    for line in ("/rules --credits -1", "/rules --credits nan", "/rules --credits many"):
        with pytest.raises(BadInput):
            await bot.say(line, "mod", moderates=True)
    assert told(await bot.say("/rules --without credits", "mod", moderates=True)) == {}
    assert (await bot.say(ONE)).jobs


async def test_quota_shows_what_is_tighter_too(tmp_path):
    """Quota shows the remaining credits of the channel beside those of the operator."""
    async with talk(tmp_path, policy=Policy(tiers={"": Tier(credits=5000)})) as bot:
        await bot.say("/rules --credits 2", "mod", moderates=True)
        await bot.say(ONE)
        assert told(await bot.say("/quota")) == {"today": "4 of 5 left", "you in this chat": "1 of 2 left"}
