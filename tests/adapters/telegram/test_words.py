"""User text never has an effect as markup in the bot's messages."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.telegram import render
from adapters.telegram.render import StatusLine
from tests.adapters.telegram.chat import is_done, words_of
from tests.emulators.telegram import markup
from tests.stores import tries

HOSTILE = (
    '</b><a href="http://x">free</a> <tg-spoiler>x</tg-spoiler> &lt;b&gt; &#60;i&#62;',
    "_*[x](http://x)*_ `code` ```pre``` ||s|| ~~gone~~ <b>bold <pre>",
    "<a href='tg://user?id=777'>you</a> @ann_user @all \u202e\u200b &amp;amp; \ud83d",
)

#: Characters that open a construct of the prompt grammar, and their escaped form.
OPENING, ESCAPED = re.compile(r"[(\[{<\\]"), r"\\\g<0>"

#: Entities that the bot itself adds, and that Telegram makes of a plain address, which shows where it leads.
HARMLESS = {"bold", "code", "italic", "bot_command", "url", "hashtag", "cashtag"}


def entities(message):
    """Return the entities of all versions of a message, each with its text."""
    found = []
    for version in (*message.edits, message):
        units = words_of(version).encode("utf-16-le")
        for one in version.entities or ():
            words = units[2 * one["offset"] : 2 * (one["offset"] + one["length"])].decode("utf-16-le")
            found.append((one["type"], words))
    return found


@pytest.mark.parametrize("words", HOSTILE)
async def test_words_have_no_effect(chat, words):
    """In all versions of all messages, user text creates no link, mention, spoiler or style, and is shown as written."""
    ann, dm = await chat.started()
    shown = words.encode("utf-8", "replace").decode().partition("||")[0].strip()
    await ann.say(dm, f"{OPENING.sub(ESCAPED, shown)} --steps 1 --size 64x64")
    (message,) = await chat.pictures(dm)
    assert shown[:20] in words_of(message).replace("\N{WORD JOINER}", "").replace("\\", "")
    await ann.press(message, "Edit…")
    await ann.press(message, "Info")
    for line in ("/explain {}", "/history {}", "/imagine a circle --model {}", "/help {}", "/cancel {}", "/queue", "a circle --wrong {}"):
        said = await ann.say(dm, line.format(shown))
        await chat.answer(dm, said)
    await chat.telegram.until(lambda: any("Paint" in dict(one.buttons()) for one in chat.answers(dm)))
    found = [entity for one in chat.answers(dm) for entity in entities(one)]
    assert {kind for kind, _ in found} <= HARMLESS
    assert not [said for kind, said in found if kind in ("bold", "italic") and len(said) > 2 and said in words]


async def test_nor_has_a_name(chat):
    """Names of users and groups have no effect as markup in messages that contain them."""
    mod = chat.telegram.user("mod")
    mod.first_name = "</b><a href='http://x'>@all"
    group = chat.telegram.supergroup("<b>@Studio</b>")
    group.add(mod, "administrator")
    said = await mod.say(group, f"/pause --person telegram:{mod.id}")
    await chat.telegram.until(lambda: not chat.telegram.updates_waiting)
    told = [one for channel in (group, mod.dm()) for one in chat.answers(channel)]
    assert said.id
    assert {kind for one in told for kind, _ in entities(one)} <= HARMLESS


async def test_albums_say_it_as_it_is(chat):
    """Captions of an album have no markup: they show exactly what was written."""
    ann, dm = await chat.started()
    await ann.say(dm, r"\<b>red\</b> @all circle --count 2 --steps 1 --size 64x64")
    await chat.telegram.until(lambda: len([one for one in chat.answers(dm) if one.media_group_id]) == 2)
    assert {kind for one in chat.answers(dm) for kind, _ in entities(one)} <= HARMLESS
    assert not any(map(is_done, chat.answers(dm)))


@settings(max_examples=tries(400))
@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=300), st.text(max_size=20)), max_size=8),
    st.integers(40, 200),
    st.integers(40, 400),
)
def test_pages_hold_everything(lines, first, rest):
    """A text of any length is split into pages within Telegram's limits, and nothing of it is lost or has an effect as markup."""
    given_lines = [StatusLine(said.encode("utf-8", "ignore").decode(), about.encode("utf-8", "ignore").decode()) for said, about in lines]
    pages = render.pages(given_lines, first, rest)
    read = [markup.formatted(page, "HTML") for page in pages]
    for number, (text, found) in enumerate(read):
        assert render.units(text) <= (rest if number else first)
        assert {one["type"] for one in found} <= HARMLESS | {"email", "phone_number"}
    every = "".join(text for text, _ in read).replace("\N{WORD JOINER}", "")
    assert [sign for sign in every if sign.strip()] == [
        sign for said, about in given_lines for sign in f"{about}{said}".replace("\N{WORD JOINER}", "") if sign.strip()
    ]
