"""The page is in the browser's language until the user chooses another."""

import pytest

from adapters.web.accept_language import wanted
from tests.adapters.web.chat import open_chat


@pytest.fixture
async def chat(tmp_path):
    async with open_chat(tmp_path) as opened:
        yield opened


def speaks(language):
    """Return the client arguments of a browser with a language."""
    return {"headers": {"accept-language": language}}


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("fr-FR,fr;q=0.9,es;q=0.5,en;q=0.4", "es"),
        ("en;q=0.2, de;q=0.7", "de"),
        ("de;q=0, en", "en"),
        ("fr", ""),
        ("*", ""),
        ("", ""),
        ("de;q=nonsense, es", "es"),
        ("de;q=", ""),
        ("de;q=-1", ""),
        ("," * 10_000, ""),
    ],
)
def test_the_language_that_a_browser_likes_best(accepted, language):
    """The supported language with the highest weight is chosen; unreadable parts are ignored."""
    assert wanted(accepted) == language


async def test_the_page_is_in_the_language_of_the_browser(chat):
    """The page, its commands, errors and forms are in the browser's language."""
    async with chat.browser(**speaks("de-AT,de;q=0.9,en;q=0.5")) as ada:
        page = await ada.open()
        assert '<html lang="de">' in page
        assert "Was möchtest du sehen?" in page
        commands = {one["name"]: one["help"] for one in (await ada.client.get("/commands")).json()}
        assert commands["imagine"] == "Male ein Bild nach deiner Beschreibung."
        refused = (await ada.say("a red circle --size enormous")).json()
        assert "du hast enormous angegeben" in refused["error"]
        assert "Wie genau das Bild dem Prompt folgt" in (await ada.press("settle")).json()["form"]
        assert "Unter dieser Adresse gibt es nichts." in (await ada.client.get("/nowhere", headers={"accept": "text/html"})).text


async def test_numbers_in_fields_are_for_machines(chat):
    """Displayed numbers have the decimal separator of the language; values of form fields always have a point."""
    async with chat.browser(**speaks("de")) as ada:
        shown = (await ada.say("/settings --guidance 7,5")).json()["reply"]
        settle = (await ada.press("settle")).json()["form"]
    assert "7,5 (deine Vorgabe)" in shown
    assert 'value="7.5"' in settle


async def test_what_comes_later_is_in_the_language_of_who_asked(chat):
    """A finished picture is reported in the language of its request, whoever is online then."""
    async with (
        chat.browser(**speaks("es")) as eva,
        chat.browser(**speaks("en")) as bob,
        eva.listening() as events,
        bob.listening() as others,
    ):
        spanish = await eva.job("a red circle --steps 2")
        await chat.paint("red")
        english = await bob.job("a blue star --steps 2")
        await chat.paint("blue")
        assert "2 pasos · semilla" in (await events.card(spanish, "done"))["html"]
        assert "Otra vez" in (await events.card(spanish, "done"))["html"]
        assert "2 steps · seed" in (await others.card(english, "done"))["html"]


async def test_a_chosen_language_is_the_pages(chat):
    """After a user has chosen a language, the page and all earlier entries are in it."""
    async with chat.browser(**speaks("en")) as ada:
        await ada.job("a red circle --steps 2")
        await chat.paint("red")
        assert "Gespeichert." in (await ada.say("/settings --language de")).json()["reply"]
        page = await ada.open()
        async with ada.listening() as events:
            job = await ada.job("a blue star --steps 2")
            await chat.paint("blue")
            later = (await events.card(job, "done"))["html"]
    assert '<html lang="de">' in page
    assert "2 Schritte · Seed" in page
    assert ("2 Schritte · Seed" in later, "Nochmal" in later) == (True, True)


async def test_whoever_is_not_let_in_is_told_so_in_their_language(chat):
    """The login page is in the browser's language, because the user is not known yet."""
    async with chat.again(require_login=True) as closed, chat.client(**speaks("es")) as client:
        page = await client.get(f"http://127.0.0.1:{closed.port}/login")
        wrong = await client.post(f"http://127.0.0.1:{closed.port}/login", data={"token": "nonsense"})
    assert '<html lang="es">' in page.text
    assert "Ese token no es válido" in wrong.text
