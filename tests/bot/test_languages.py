"""The catalogues of languages other than English: complete, with the same facts, and within the platforms' limits."""

import asyncio
import re
from collections import defaultdict
from datetime import UTC, datetime
from typing import get_args

import pytest
from fluent.syntax import FluentParser, ast
from fluent.syntax.visitor import Visitor

from bot.commands import COMMANDS
from bot.framework.help import help_key, help_of, help_with, param_keys
from bot.framework.params import MOST_HELP
from bot.generation.param_types import Language
from bot.i18n import translate
from bot.i18n.translate import (
    ENGLISH,
    LANGUAGES,
    PLURALS,
    duration,
    keys,
    language_of,
    moment,
    number,
    ordinal,
    speak,
    speaking,
    spoken,
    text,
)
from tests.bot.i18n.test_translate import CATALOGUE

OTHERS = [language for language in LANGUAGES if language != ENGLISH]

#: Texts that are in the command declarations in English, and in the catalogues in other languages.
HELP = {help_key(command) for command in COMMANDS}
DESCRIBED = {key for command in COMMANDS for param in command.params for key in param_keys(param)}
DECLARED = ("help-", "param-")
IN_ENGLISH = frozenset(key for key in keys() if key.startswith(DECLARED))

#: Length limits of platforms, by prefix of the key: of a button, a form's title, a menu entry, a help line.
LIMITS = {"button-": 80, "form-": 45, "discord-menu-source": 32, "discord-menu-info": 32, "discord-menu-again": 32, "telegram-help-": 256}

#: Replies to a press in Telegram, and their length limit, beyond which they would be cut off.
ANSWERS, MOST_ANSWER = ("telegram-gone", "telegram-sent-privately", "telegram-form-words", "input-button", "telegram-broke"), 200


class Made(Visitor):
    """The parts of a message: its facts, and for each choice the kind of its selector and its variants."""

    def __init__(self, message):
        self.facts, self.choices = set(), []
        self.visit(message)

    def visit_VariableReference(self, node):
        """Record a fact."""
        self.facts.add(node.id.name)

    def visit_SelectExpression(self, node):
        """Record a choice."""
        variants = [one.key.name if isinstance(one.key, ast.Identifier) else one.key.value for one in node.variants]
        self.choices.append((type(node.selector), variants))
        self.generic_visit(node)


def messages(language):
    """Return the messages of a catalogue by key, and assert that each is valid and exists once."""
    body = FluentParser().parse((CATALOGUE.parent / f"{language}.ftl").read_text(encoding="utf-8")).body
    assert not [entry.content for entry in body if isinstance(entry, ast.Junk)]
    found = [entry for entry in body if isinstance(entry, ast.Message)]
    assert len({one.id.name for one in found}) == len(found)
    return {one.id.name: one for one in found}


def shared(language):
    """Return the keys of a catalogue that English has too."""
    return {key for key in keys(language) if key not in HELP | DESCRIBED or key in IN_ENGLISH}


def resolved(param, language):
    """Return the key under which a language has the description of a parameter, or `None`."""
    return next((key for key in param_keys(param) if key in keys(language)), None)


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_translated(language):
    """Each language has the same keys as English: a missing or unused text is found."""
    assert not sorted(keys() - shared(language)), "missing"
    assert not sorted(shared(language) - keys()), "unused"


@pytest.mark.parametrize("language", OTHERS)
def test_every_command_is_described(language):
    """Each command and each parameter has its help in every language, and there is no help for removed commands or parameters."""
    assert not sorted(HELP - keys(language)), "missing help"
    missing = sorted(f"{command.name} {param.name}" for command in COMMANDS for param in command.params if not resolved(param, language))
    assert not missing
    used = {resolved(param, language) for command in COMMANDS for param in command.params}
    assert not sorted(key for key in keys(language) - used - HELP - IN_ENGLISH if key.startswith(DECLARED)), "unused"


@pytest.mark.parametrize("language", OTHERS)
def test_parameters_share_a_description_only_where_english_does(language):
    """Two parameters of one name with different meanings have two descriptions."""
    said = defaultdict(set)
    for command in COMMANDS:
        for param in command.params:
            said[resolved(param, language)].add(param.help)
    assert not {key: helps for key, helps in said.items() if len(helps) > 1}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_tells_the_same_facts(language):
    """A sentence has the same facts as its English version, no fewer and no more."""
    english, other = messages(ENGLISH), messages(language)
    facts = {key: (Made(english[key]).facts, Made(other[key]).facts) for key in english.keys() & other.keys()}
    assert len(facts) > 400
    assert not {key: both for key, both in facts.items() if both[0] != both[1]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_counted_has_every_plural(language):
    """A choice by number has a variant for each plural category of the language, and `other` last."""
    counted = [
        (key, variants)
        for key, message in messages(language).items()
        for selector, variants in Made(message).choices
        if selector is ast.VariableReference and {"one", "many"} & set(variants)
    ]
    assert len(counted) > 20
    assert not [one for one in counted if not set(PLURALS[language]) <= set(one[1]) or one[1][-1] != "other"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_fit_where_platforms_show_them(language):
    """Help lines, buttons, form titles, menu entries and replies to presses fit the strictest platform."""
    with speaking(language):
        said = {key: text(key) for key in keys()}
        lines = [help_of(command) for command in COMMANDS] + [help_with(param) for command in COMMANDS for param in command.params]
    assert not [line for line in lines if not 1 <= len(line) <= MOST_HELP]
    assert not {key: told for key, told in said.items() for begin, most in LIMITS.items() if key.startswith(begin) and len(told) > most}
    assert not {key: said[key] for key in ANSWERS if len(said[key]) > MOST_ANSWER}


@pytest.mark.parametrize("language", OTHERS)
def test_other_languages_are_plain_too(language):
    """No sentence has invisible characters or exclamation marks, and quotes are those of the language."""
    with speaking(language):
        said = {key: text(key) for key in keys(language)}
    assert not {
        key: told for key, told in said.items() if not told.isprintable() or re.search("[!¡“”]" if language == "es" else "[!”]", told)
    }


def test_every_language_can_be_chosen():
    """All available languages can be chosen as a setting."""
    (choices, _) = get_args(get_args(Language)[0])
    assert set(get_args(choices)) == set(LANGUAGES)


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("de-AT", "de"), ("de_DE.UTF-8", "de"), ("ES-419", "es"), ("en-GB", "en"), ("fr", ""), ("", ""), ("deu", ""), ("-", "")],
)
def test_a_locale_is_of_a_language(locale, language):
    """A locale counts by its language, and a locale without a catalogue counts as none."""
    assert language_of(locale) == language
    with speaking(locale):
        assert spoken() == (language or ENGLISH)


def test_a_missing_text_is_said_in_english(monkeypatch):
    """A text missing in a language is shown in English."""
    bare = translate.Sentences("card-next = dran\n", "de")
    english = translate._sentences(ENGLISH)
    monkeypatch.setattr(translate, "_sentences", {"de": bare, "en": english}.__getitem__)
    with speaking("de"):
        assert (text("card-next"), text("card-starting")) == ("dran", english.tell("card-starting", {}))


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ["7.5", "3rd", "2 h", "2026-11-09 07:05 UTC", "1 credit, about t", "1.5 credits, about t", "2000000 credits, about t"]),
        ("de", ["7,5", "3.", "2 h", "09.11.2026, 07:05 UTC", "1 Credit, etwa t", "1,5 Credits, etwa t", "2000000 Credits, etwa t"]),
        (
            "es",
            ["7,5", "3.ª", "2 h", "09/11/2026 07:05 UTC", "1 crédito, aprox. t", "1,5 créditos, aprox. t", "2000000 de créditos, aprox. t"],
        ),
    ],
)
def test_numbers_and_times_are_written_as_people_do(language, told):
    """Decimals, ordinals, times, days and plurals follow the language."""
    with speaking(language):
        said = [number(7.5), ordinal(3), duration(7200), moment(datetime(2026, 11, 9, 7, 5, tzinfo=UTC))]
        assert [*said, *(text("explain-cost", credits=credits, time="t") for credits in (1.0, 1.5, 2_000_000.0))] == told


async def test_two_at_once_have_a_language_each():
    """Two concurrent users each get their own language."""

    async def talk(locale, others):
        with speaking(locale):
            await others.wait()
            first = text("card-next")
            speak("es")
            await others.wait()
            return first, text("card-next")

    others = asyncio.Barrier(2)
    german, english = await asyncio.gather(talk("de-DE", others), talk("en-US", others))
    assert (german, english) == (("als Nächstes dran", "la siguiente"), ("next in queue", "la siguiente"))
    assert spoken() == ENGLISH
