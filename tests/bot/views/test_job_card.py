"""The card of a job, from its acceptance until long after its end."""

from datetime import timedelta

import msgspec
import pytest

from bot.commands.generate import again, edit, vary
from bot.commands.history import history
from bot.core.scheduling import Forecast
from bot.i18n.translate import text
from bot.store.database import now
from bot.views import job_card
from bot.views.job_card import Progress, in_order
from inference.contract.errors import Problem
from tests.talk import talk


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


def labels(buttons):
    """Return the labels of buttons."""
    return [text(one.label) for one in buttons]


async def test_while_it_waits(bot):
    """A waiting card shows the position in the queue, and can be cancelled."""
    job = await bot.job(await bot.say("a red circle"))
    first, third = job_card.job_view(job), job_card.job_view(job, forecast=Forecast(2, 40.4))
    assert (first.status, third.status) == ("next in queue", "3rd in queue, about 40 s")
    assert labels(first.buttons) == ["Cancel"]
    assert first.is_open
    assert first.buttons[0].careful
    assert (first.owner, first.words, first.line, first.count) == (job.user, "a red circle", "a red circle", 1)


async def test_while_it_runs(bot):
    """A running card shows its step and the remaining time, and no progress after the end."""
    job = await bot.job(await bot.say("a red circle"))
    running = msgspec.structs.replace(job, state="running")
    assert job_card.job_view(running).status == "starting"
    shown = job_card.job_view(running, progress=Progress(12, 20, 4.2, b"jpeg"))
    assert shown.status == "step 12 of 20, about 4 s"
    assert shown.progress is not None
    assert job_card.job_view(msgspec.structs.replace(job, state="cancelled"), progress=Progress(1, 2)).progress is None


async def test_when_it_is_done(bot):
    """A finished card shows its pictures, each with its buttons, and a summary."""
    job, pictures = await bot.painted("a red circle --steps 9 --seed 7 --count 2")
    job = msgspec.structs.replace(job, started=now(), ended=now() + timedelta(seconds=4.12))
    shown = job_card.job_view(job, pictures)
    assert shown.status == "a red circle · 2 pictures · 9 steps · seeds 7 to 8 · 4.1 s"
    assert not shown.is_open
    assert labels(shown.buttons) == ["Again", "Edit…"]
    assert [(one.seed, labels(one.buttons)) for one in shown.pictures] == [(7, ["Vary", "Info", "Delete"]), (8, ["Vary", "Info", "Delete"])]
    assert [one.careful for one in shown.pictures[0].buttons] == [False, False, True]


async def test_buttons_work_for_ever(bot):
    """The custom ids of buttons never change, because buttons in old messages are pressed years later."""
    _, (picture,) = await bot.painted("a red circle")
    job = await bot.job(await bot.say("a red circle"))
    wires = [one.wire for one in (*job_card.job_view(job).buttons, *job_card.shown(picture).buttons)]
    assert wires == [f"cancel:{job.id}", f"vary:{picture.id}", f"info:{picture.id}", f"delete:{picture.id}"]
    assert again.wire(job="a", same=1) == "again:a:1"
    assert vary.wire(picture="a", strength="0.5") == "vary:a:0.5"
    assert edit.wire(job="a") == "edit:a"
    assert history.wire(words="red: 5%", page=2) == "history:red%3A 5%25:2"


@pytest.mark.parametrize(
    ("state", "problem", "status"),
    [
        ("cancelled", None, "cancelled"),
        ("failed", None, "Failed."),
        ("failed", Problem("memory-spent", {"width": 64, "height": 64}), "64 × 64 doesn't fit into this device's memory."),
        ("done", None, "deleted"),
    ],
)
async def test_when_there_is_nothing_to_show(bot, state, problem, status):
    """A card without pictures shows why there are none, and how to try again."""
    job = await bot.job(await bot.say("a red circle"))
    shown = job_card.job_view(msgspec.structs.replace(job, state=state, problem=problem))
    assert shown.status.startswith(status)
    assert labels(shown.buttons) == [*(["Retry"] if state == "failed" else []), "Again", "Edit…"]


async def test_buttons_stand_in_one_order(bot):
    """The buttons of a request and its picture have one order everywhere: generating commands first, destructive commands last."""
    job, pictures = await bot.painted("a red circle")
    shown = job_card.job_view(msgspec.structs.replace(job, state="failed"), pictures)
    whole = in_order([*shown.pictures[0].buttons, *shown.buttons])
    assert labels(whole) == ["Retry", "Again", "Vary", "Edit…", "Info", "Delete"]
