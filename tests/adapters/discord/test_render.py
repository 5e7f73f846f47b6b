"""Cards and replies as Discord messages."""

import re

import pytest
from discord import ui
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import render
from adapters.discord.render import File
from bot.core.values import new_id
from bot.framework.reply import Button, Fact, Reply, Shown
from bot.store.jobs.job import DONE, FAILED, RUNNING, WAITING
from bot.views import job_card
from bot.views.job_card import JobView, Progress

MOST_SHOWN, MOST_PARTS = 4_000, 40


def card(words="a red circle", status="", state=DONE, count=1, **more):
    """Return a card with `count` pictures."""
    job = new_id()
    shown = tuple([_shown(index, words) for index in range(count)]) if state == DONE else ()
    status = status or f"{words} · 20 steps"
    of_job = job_card.job_buttons(job, state)
    size = {"width": 64, "height": 64, "count": count}
    return JobView(job=job, owner="o", state=state, line="", words=words, status=status, pictures=shown, buttons=of_job, **size, **more)


def _shown(index, words):
    made = new_id()
    return Shown(made, index, index, 64, 64, "f", "t", words, job_card.picture_buttons(made))


def sent_along(one):
    """Return files for a card's pictures."""
    return tuple([File(f"{shown.index}.png", b"", shown.words) for shown in one.pictures[:10]])


def parts(view):
    """Return every component of a message."""
    return list(view.walk_children())


def said(view):
    """Return all text of a message."""
    return "\n".join(part.content for part in parts(view) if isinstance(part, ui.TextDisplay))


def wires(view):
    """Return the data of all buttons and list options."""
    pressed = [part.custom_id for part in parts(view) if isinstance(part, ui.Button)]
    return pressed + [option.value for part in parts(view) if isinstance(part, ui.Select) for option in part.options]


@pytest.mark.parametrize("count", range(1, 17))
async def test_everything_can_be_done_with_every_picture(count):
    """However many pictures there are, each can be varied, inspected and deleted, within the limits of a message."""
    one = card(count=count)
    view = render.of_card(one, sent_along(one))
    assert len(parts(view)) <= MOST_PARTS
    assert {button.wire for shown in one.pictures for button in shown.buttons} | {button.wire for button in one.buttons} == set(wires(view))
    assert len(set(wires(view))) == len(wires(view))


async def test_one_picture_has_one_row_in_the_common_order():
    """The buttons of a single picture are in one row, in the order used everywhere."""
    one = card()
    (row,) = [part for part in parts(render.of_card(one, sent_along(one))) if isinstance(part, ui.ActionRow)]
    assert [button.label for button in row.children] == ["Again", "Vary", "Edit…", "Info", "Delete"]


async def test_what_takes_away_is_never_pressed_by_mistake():
    """With several pictures, Delete is in a list and not among the buttons."""
    one = card(count=3)
    shown = [part for part in parts(render.of_card(one, sent_along(one))) if isinstance(part, ui.Button)]
    assert not any(button.custom_id.startswith("delete:") for button in shown)


async def test_pictures_are_described():
    """Every picture has its prompt as alt text, cut to 1024 characters."""
    one = card(words="red " * 500)
    (gallery,) = [part for part in parts(render.of_card(one, sent_along(one))) if isinstance(part, ui.MediaGallery)]
    assert gallery.items[0].description == ("red " * 500)[:1024]


async def test_a_message_takes_ten_pictures_and_says_so():
    """Of more than ten pictures, the first ten are shown, and a line says where the others are."""
    one = card(count=16)
    assert "6 more are in /history" in said(render.of_card(one, sent_along(one))).replace("\\", "")


@pytest.mark.parametrize("state", [WAITING, RUNNING, FAILED])
async def test_what_is_not_done_says_what_and_how_far(state):
    """A card without pictures shows the prompt and, in small print, the status."""
    view = render.of_card(card(state=state, status="step 3 of 20"), ())
    assert said(view).splitlines() == ["a red circle", "-# step 3 of 20"]


async def test_a_preview_is_shown_where_there_is_one():
    """While a job runs, its preview is a picture of the message."""
    one = card(state=RUNNING, status="step 3 of 20", progress=Progress(3, 20, preview=b"jpeg"))
    (file,) = render.preview_of(one)
    assert file.data == b"jpeg"
    (gallery,) = [part for part in parts(render.of_card(one, (file,))) if isinstance(part, ui.MediaGallery)]
    assert gallery.items[0].media.url == f"attachment://{file.name}"


FACTS = st.lists(st.builds(Fact, st.text(max_size=60), st.text(max_size=600)), max_size=40)
BUTTONS = st.lists(st.builds(Button, st.just("button-again"), st.integers(0, 10**9).map(lambda n: f"again:{n}")), max_size=80)


@given(st.text(max_size=6_000), FACTS, BUTTONS)
async def test_every_reply_has_room(told, facts, pressed):
    """Any reply stays within Discord's limits, and no component is empty."""
    view = render.of_reply(Reply(text=told, facts=tuple(facts), buttons=tuple(pressed)))
    assert 0 < len(said(view)) <= MOST_SHOWN
    assert len(parts(view)) <= MOST_PARTS
    assert all(part.content.strip() for part in parts(view) if isinstance(part, ui.TextDisplay))


@given(st.text(min_size=1, max_size=3_000))
async def test_hostile_words_stay_words(words):
    """A prompt has no effect as markup in a card: only our own markup is unescaped."""
    one = card(words=words)
    for view in (render.of_card(one, sent_along(one)), render.of_card(card(words=words, state=WAITING, status="next"), ())):
        ours = re.sub(r"^-# ", "", said(view), flags=re.MULTILINE)
        left = re.sub(r"\\[^0-9A-Za-z\s]", "", ours)
        assert not re.search(r"[*_~`|>@<\[\]#]|https?:", left)


async def test_the_library_keeps_no_message_in_mind():
    """A sent layout is finished for the library, which keeps nothing of it until a button is pressed."""
    assert render.of_card(card(), ()).is_finished()
