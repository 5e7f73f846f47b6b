"""On Telegram, users are addressed in the language of their Telegram client, also in later messages."""

import asyncio

from bot.core.values import UserRef
from bot.i18n.translate import LANGUAGES
from tests.adapters.telegram.chat import words_of


async def started(chat, name, language):
    """Return a user with a language who has started a chat, the chat, and the greeting."""
    user = chat.telegram.user(name, language=language)
    await user.start()
    await chat.telegram.until(lambda: chat.answers(user.dm()))
    return user, user.dm(), words_of(chat.answers(user.dm())[0])


async def test_somebody_spanish_is_spoken_to_in_spanish(chat):
    """The greeting, help, refusals and buttons are in Spanish."""
    eva, dm, greeting = await started(chat, "eva", "es")
    assert "pinto" in greeting
    asked = await eva.say(dm, "/help")
    assert "Pinta una imagen a partir de tu descripción." in words_of(await chat.answer(dm, asked))
    refused = await eva.say(dm, "a red circle --size enormous")
    assert "has escrito enormous" in words_of(await chat.answer(dm, refused))
    await eva.say(dm, "a red circle --steps 1 --size 64x64")
    (message,) = await chat.pictures(dm)
    assert "1 paso · semilla" in words_of(message)
    assert {"Otra vez", "Variar", "Borrar"} <= {label for label, _ in message.buttons()}
    assert (await chat.store.people.find(UserRef("telegram", str(eva.id)))).speaks() == "es"


async def test_a_result_that_comes_later_is_in_the_language_of_who_asked(chat):
    """Progress and results of two concurrent jobs are each in the language of their requester."""
    (eva, hers, _), (max, his, _) = await asyncio.gather(started(chat, "eva", "es"), started(chat, "max", "de-AT"))
    chat.painter.may.clear()
    await asyncio.gather(eva.say(hers, "a red circle --steps 2 --size 64x64"), max.say(his, "a blue star --steps 2 --size 64x64"))
    await chat.telegram.until(lambda: any("paso 1 de 2" in words_of(one) for one in chat.answers(hers)))
    await chat.telegram.until(lambda: any("Schritt 1 von 2" in words_of(one) for one in chat.answers(his)))
    chat.painter.may.set()
    ((spanish,), (german,)) = await asyncio.gather(chat.pictures(hers), chat.pictures(his))
    assert "2 pasos · semilla" in words_of(spanish)
    assert "2 Schritte · Seed" in words_of(german)
    assert {label for label, _ in german.buttons()} >= {"Nochmal", "Löschen"}


async def test_a_chosen_language_holds_in_telegram_too(chat):
    """A language chosen in the settings overrides that of the Telegram client."""
    max, dm, _ = await started(chat, "max", "de")
    chosen = await max.say(dm, "/settings --language es")
    assert "Guardado." in words_of(await chat.answer(dm, chosen))
    refused = await max.say(dm, "/imagine a red circle --size enormous")
    assert "has escrito" in words_of(await chat.answer(dm, refused))


async def test_a_group_has_a_language_of_its_own(chat):
    """In a group whose moderators chose German, cards are German, and so are answers to members without a choice of their own."""
    (bob, his, _), (eva, hers, _), (mod, _, _) = [await started(chat, name, "en") for name in ("bob", "eva", "mod")]
    group = chat.telegram.supergroup("Studio", bob, eva)
    group.add(mod, "administrator")
    await chat.answer(hers, await eva.say(hers, "/settings --language es"))
    await mod.say(group, "/settings --here --language de")
    await chat.telegram.until(lambda: any("Deutsch (Vorgabe dieses Chats)" in words_of(one) for one in chat.answers(mod.dm())))
    for number, (user, refusal) in enumerate(((bob, "du hast enormous angegeben"), (eva, "has escrito enormous")), 1):
        refused = await user.say(group, "/imagine a red circle --size enormous")
        assert refusal in words_of(await chat.answer(group, refused))
        await user.say(group, "/imagine a red circle --steps 1 --size 64x64")
        assert "1 Schritt · Seed" in words_of((await chat.pictures(group, number))[-1])
    asked = await bob.say(his, "/help")
    assert "Paint a picture from a description." in words_of(await chat.answer(his, asked))


async def test_the_first_card_is_in_the_language_of_the_group(chat):
    """The first card of a request in a group is in the group's language, whoever requests it."""
    (mod, _, _) = await started(chat, "mod", "en")
    group = chat.telegram.supergroup("Studio")
    group.add(mod, "administrator")
    await mod.say(group, "/settings --here --language de")
    await chat.telegram.until(lambda: any("Deutsch" in words_of(one) for one in chat.answers(mod.dm())))
    await mod.say(mod.dm(), "/settings --language es")
    await chat.telegram.until(lambda: any("Guardado." in words_of(one) for one in chat.answers(mod.dm())))
    chat.painter.may.clear()
    said = await mod.say(group, "/imagine a red circle --steps 2 --size 64x64")
    card = await chat.answer(group, said)
    assert {label for one in (*card.edits, card) for label, _ in one.buttons()} == {"Abbrechen"}
    chat.painter.may.set()
    await chat.pictures(group)


async def test_menus_are_there_in_every_language(chat):
    """The command menu is in the language of each user's client."""
    helps = {}
    for language in LANGUAGES:
        user = chat.telegram.user("one", language=language)
        listed = chat.telegram.commands_for(user, user.dm())
        helps[language] = {one["command"]: one["description"] for one in listed}
    assert helps["de"]["queue"] == "Zeige deine wartenden und laufenden Aufträge."
    assert helps["es"]["queue"] == "Muestra tus peticiones en espera y en curso."
    assert helps["en"].keys() == helps["de"].keys() == helps["es"].keys()
