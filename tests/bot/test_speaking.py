"""The language of replies: that of the user's platform, until they choose one."""

import pytest

from bot.core.errors import BadInput
from bot.core.values import Invocation, MessageRef, UserRef
from bot.i18n.translate import speaking, spoken, tell, text
from tests.talk import PLATFORM, talk


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


async def ask(bot, command, locale="", who="ada", said="en", **given):
    """Run a command as an adapter does: `said` is the language in use, `locale` is what the platform reports for the user."""
    call = Invocation(
        command=command, given=given, caller=UserRef(PLATFORM, who, who, language=locale), address=MessageRef(PLATFORM, "studio")
    )
    with speaking(said):
        reply = await bot.app.handle(call)
        return reply, spoken()


async def test_a_reply_is_in_the_language_of_who_asks(bot):
    """A user with a German locale gets German replies and help lines, and a user with a Spanish locale gets them in Spanish."""
    german, _ = await ask(bot, "help", "de-AT", "ada")
    spanish, _ = await ask(bot, "help", "es-419", "eve")
    assert {one.told for one in german.facts} >= {"Male ein Bild nach deiner Beschreibung."}
    assert {one.told for one in spanish.facts} >= {"Pinta una imagen a partir de tu descripción."}


async def test_what_is_wrong_is_said_in_the_language_too(bot):
    """A refusal, including the description in it, is in the user's language although the adapter formats it."""
    with pytest.raises(BadInput) as refused:
        await ask(bot, "info", "de", "ada", "de")
    with speaking("de"):
        assert tell(refused.value.problem) == "Bei /info fehlt noch picture: ID des Bildes."


async def test_what_was_said_before_is_remembered(bot):
    """If a platform reports no locale for a user, their last known language is used, and not that of others."""
    await ask(bot, "queue", "es")
    _, language = await ask(bot, "queue", "", said="de")
    _, stranger = await ask(bot, "queue", "", "eve", said="de")
    assert (language, stranger) == ("es", "de")


async def test_a_job_is_in_the_language_that_it_was_asked_for_in(bot):
    """A job stores its language, so that later messages about it use the same."""
    german, _ = await ask(bot, "imagine", "de", prompt="a red circle")
    english, _ = await ask(bot, "imagine", "fr", "eve", prompt="a red circle")
    assert ((await bot.job(german)).language, (await bot.job(english)).language) == ("de", "en")


async def test_a_chosen_language_goes_before_the_platforms(bot):
    """A language chosen in the settings applies at once and overrides the platform's, until it is reset."""
    chosen, at_once = await ask(bot, "settings", "de", "ada", "de", language="es")
    assert (at_once, chosen.text.splitlines()[0]) == ("es", "Guardado.")
    assert {one.name: one.told for one in chosen.facts}["idioma"] == "español (de tus ajustes)"
    assert (await ask(bot, "queue", "de", said="de"))[1] == "es"
    back, now = await ask(bot, "settings", "de", said="de", without="language")
    assert (now, {one.name: one.told for one in back.facts}["Sprache"]) == ("de", "Deutsch")
    assert (await ask(bot, "queue", "en"))[1] == "en"


async def test_numbers_are_taken_as_they_are_written(bot):
    """A number with a decimal comma, as it is shown in some languages, is understood."""
    reply, _ = await ask(bot, "imagine", "de", prompt="a red circle", guidance="3,5")
    job = await bot.job(reply)
    assert job.request.guidance == 3.5
    with speaking("de"):
        assert text("number", amount=job.request.guidance) == "3,5"
