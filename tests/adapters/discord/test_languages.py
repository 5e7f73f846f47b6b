"""On Discord, users are addressed in the language of their client, also in later messages and in the list of commands."""

import asyncio

import pytest
from discord import Locale

from tests.adapters.discord.chat import read, told

pytestmark = pytest.mark.asyncio(loop_scope="module")


def german(user):
    """Set a user's language to German and return the user."""
    user.locale = "de"
    return user


async def test_somebody_german_is_spoken_to_in_german(chat):
    """Help, refusals, forms and buttons are in German."""
    channel, ann, _ = chat.channel()
    use = await german(ann).use(channel, "help")
    assert "Male ein Bild nach deiner Beschreibung." in read(await told(use))
    use = await ann.use(channel, "imagine", prompt="a red circle", size="enormous")
    assert "du hast enormous angegeben" in read(await told(use))
    await ann.use(channel, "imagine", prompt="a red circle", steps=1)
    (shown,) = await chat.pictures(channel)
    assert [label for label, _, _ in shown.buttons()] == ["Nochmal", "Variieren", "Ändern…", "Info", "Löschen"]
    assert "1 Schritt · Seed" in read(shown)
    pressed = await ann.click(shown, "Info")
    assert "Schritte" in read(await told(pressed))


async def test_a_result_that_comes_later_is_in_the_language_of_who_asked(chat):
    """In one channel, each card is in the language of its requester, while its job runs and afterwards."""
    channel, ann, bob = chat.channel()
    chat.painter.may.clear()
    use, other = await asyncio.gather(
        german(ann).use(channel, "imagine", prompt="a red circle", steps=2), bob.use(channel, "imagine", prompt="a blue star", steps=2)
    )
    await chat.discord.until(lambda: use.message and "Schritt 1 von 2" in read(use.message))
    await chat.discord.until(lambda: other.message and "step 1 of 2" in read(other.message))
    labels = [{label for label, _, _ in one.message.buttons()} for one in (use, other)]
    assert labels == [{"Abbrechen"}, {"Cancel"}]
    chat.painter.may.set()
    await chat.pictures(channel, 2)
    assert "2 Schritte · Seed" in read(use.message)
    assert "2 steps · seed" in read(other.message)


async def test_what_no_command_says_is_in_the_language_too(chat):
    """Answers without a command, such as that a message has no picture, are in the user's language."""
    channel, ann, bob = chat.channel()
    said = await bob.say(channel, "hello")
    use = await german(ann).menu(channel, "Use as source", said)
    assert read(await told(use)) == "In dieser Nachricht ist kein Bild."


async def test_a_message_is_answered_in_the_language_of_its_server(chat):
    """A message has no language: a known user is answered in their last language, and an unknown user in that of the server."""
    guild = chat.discord.guild("Estudio", locale="es-ES")
    channel = guild.channel("general")
    eva, ann = (chat.discord.user(one).join(guild) for one in ("eva", "ann"))
    await german(ann).use(channel, "imagine", prompt="a green tree", steps=1)
    await chat.pictures(channel)
    await eva.say(channel, "<@BOT> a red circle --steps 1")
    await chat.pictures(channel, 2)
    await ann.say(channel, "<@BOT> a blue star --steps 1")
    first, spanish, second = map(read, await chat.pictures(channel, 3))
    assert "1 paso · semilla" in spanish
    assert "1 Schritt · Seed" in first
    assert "1 Schritt · Seed" in second


async def test_a_channel_has_a_language_of_its_own(chat):
    """In a channel whose moderators chose German, cards are German, and so are answers to members without a choice of their own."""
    channel, mod, bob = chat.channel()
    eva = chat.discord.user("eva").join(channel.guild)
    mod.join(channel.guild, permissions="manage_messages")
    await told(await eva.use(channel, "settings", language="es"))
    assert "Deutsch (Vorgabe dieses Chats)" in read(await told(await mod.use(channel, "settings", language="de", here=True)))
    for number, (user, refusal) in enumerate(((bob, "du hast enormous angegeben"), (eva, "has escrito enormous")), 1):
        assert refusal in read(await told(await user.use(channel, "imagine", prompt="a red circle", size="enormous")))
        use = await user.use(channel, "imagine", prompt="a red circle", steps=1)
        await chat.pictures(channel, number)
        assert "1 Schritt · Seed" in read(use.message)
    assert "Paint a picture from a description." in read(await told(await bob.use(bob.dm(), "help")))


async def test_commands_are_listed_in_every_language(chat):
    """Command descriptions are registered in all supported languages, but command names are not, because users also type them elsewhere."""
    listed = {(one["type"], one["name"]): one for one in chat.discord.commands}
    imagine, source = listed[1, "imagine"], listed[3, "Use as source"]
    assert imagine["description_localizations"] == {
        "de": "Male ein Bild nach deiner Beschreibung.",
        **dict.fromkeys(("es-ES", "es-419"), "Pinta una imagen a partir de tu descripción."),
    }
    steps = next(one for one in imagine["options"] if one["name"] == "steps")
    assert steps["description_localizations"]["de"].startswith("Schritte")
    assert not imagine.get("name_localizations")
    assert source["name_localizations"][str(Locale.german)] == "Als Ausgangsbild verwenden"
