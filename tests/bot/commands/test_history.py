"""History, favourites, branches and comparisons, as users request them."""

import io

import pytest
from PIL import Image

from bot.commands.history import history
from bot.core.errors import BadInput, NotAllowed
from bot.views import side_by_side as comparing
from tests.talk import png, talk


@pytest.fixture
async def bot(tmp_path):
    """Return a chat with the bot."""
    async with talk(tmp_path) as open_one:
        yield open_one


def told(reply):
    """Return the facts of a reply by name."""
    return {fact.name: fact.told for fact in reply.facts}


def button(reply, label):
    """Return the button with a label."""
    return next(one for one in reply.buttons if one.label == label)


async def test_filters_narrow_history(bot):
    """Words and filters together narrow the history, and an empty result is reported as such."""
    await bot.painted("a red circle --seed 5 --size 64x64")
    await bot.painted("a blue circle --seed 6 --size 64x64")
    assert [one.words for one in (await bot.say("/history circle seed:5")).pictures] == ["a red circle"]
    assert len((await bot.say("/history model:demo")).pictures) == 2
    assert (await bot.say("/history model:other red")).text == "No pictures that you can see here match “model:other red”."
    assert (await bot.say("/history before:1d")).text == "No pictures that you can see here match “before:1d”."
    assert (await bot.say("/history before:2999-01-01")).text == "1 to 2 of 2 pictures matching “before:2999-01-01”."
    assert (await bot.say("/history ☂")).text == "None of your pictures has “☂” in its prompt."
    assert (await bot.say("/history /")).text == "None of your pictures has “/” in its prompt."
    with pytest.raises(BadInput, match="input-filter"):
        await bot.say("/history colour:red")


async def test_others_pictures_are_found_where_they_were_shown(bot):
    """Pictures of other users can be found by name in the channel where they were made, and nowhere else; unknown users give nothing."""
    await bot.painted("a red boat --size 64x64", who="bob")
    await bot.painted("a red secret --size 64x64", who="bob", where="bob's own")
    assert "no pictures yet" in (await bot.say("/history")).text
    assert [one.words for one in (await bot.say("/history by:bob red")).pictures] == ["a red boat"]
    assert (await bot.say("/history by:bob", where="elsewhere")).pictures == ()
    assert (await bot.say("/history by:nobody")).text == "No pictures that you can see here match “by:nobody”."
    assert len((await bot.say("/history by:me", who="bob")).pictures) == 2


async def test_more_than_is_counted(bot, monkeypatch):
    """If counting stopped early, the reply says so, and there is a next page."""
    monkeypatch.setattr("bot.store.images.search.MOST_COUNTED", 12)
    await bot.painted("a red circle --count 13 --size 64x64")
    first = await bot.say("/history red")
    assert first.text == "1 to 10 of 12+ pictures matching “red”."
    assert (await bot.press(first.buttons[0])).text == "11 to 13 of 12+ pictures matching “red”."


async def test_favourites(bot):
    """A picture can be marked as a favourite from its Info, found by that, moved between folders, and unmarked by pressing again."""
    _, (picture,) = await bot.painted("a red circle --size 64x64")
    await bot.painted("a blue square --size 64x64")
    info = await bot.say(f"/info {picture.id}")
    assert (await bot.press(button(info, "button-favourite"))).text == "Added to favourites: a red circle"
    assert [one.id for one in (await bot.say("/history is:favourite")).pictures] == [picture.id]
    moved = await bot.say(f'/favourite {picture.id} --folder "The  Best"')
    assert moved.text == "Added to favourites, in folder “the best”: a red circle"
    assert [one.id for one in (await bot.press(moved.buttons[0])).pictures] == [picture.id]
    assert told(await bot.say("/history in:none")) == {"your folders": "the best"}
    off = await bot.press(button(await bot.say(f"/info {picture.id}"), "button-unfavourite"))
    assert off.text == "Removed from favourites: a red circle"
    assert (await bot.say("/history is:favourite")).pictures == ()


async def test_favourites_are_ones_own(bot):
    """A picture of another user can be a favourite too; no one else finds it by that, and it is not found where it cannot be seen."""
    _, (picture,) = await bot.painted("a red circle --size 64x64", who="bob")
    await bot.say(f"/favourite {picture.id}")
    assert [one.id for one in (await bot.say("/history is:favourite")).pictures] == [picture.id]
    assert (await bot.say("/history is:favourite", where="elsewhere")).pictures == ()
    assert (await bot.say("/history is:favourite", who="bob")).pictures == ()
    with pytest.raises(NotAllowed):
        await bot.say(f"/favourite {picture.id}", who="eve", where="elsewhere")


async def test_branch_asks_with_what_made_the_picture(bot):
    """The form of a branch has the drawn prompt, the size, the steps and the seed of its picture."""
    job, (_, second) = await bot.painted("a {red|green} circle (-fog) --seed 9 --count 2 --steps 3 --size 128x64")
    form = (await bot.press(button(await bot.say(f"/info {second.id}"), "button-branch"))).form
    values = {one.param.name: one.value for one in form.fields}
    assert values == {"prompt": job.request.prompt.text, "negative": "fog", "size": "128x64", "steps": "3", "seed": "10"}


async def test_branch_without_a_change_is_the_same_picture(bot):
    """A branch submitted unchanged generates that one picture again, with its seed and all its settings."""
    job, (_, second) = await bot.painted("a {red|green} circle --seed 9 --count 2 --guidance 3 --size 64x64")
    form = (await bot.say(f"/branch {second.id}")).form
    same = await bot.job(await bot.press(form.wire, filled={one.param.name: one.value for one in form.fields}))
    assert (same.request.seed, same.request.count, same.request.guidance) == (10, 1, 3)
    assert same.request.prompt == job.request.prompt
    assert (same.request.model, same.request.scheduler) == (job.request.model, job.request.scheduler)


async def test_branch_changes_what_is_said(bot):
    """A branch changes only the changed fields, and an emptied seed becomes random."""
    _, (picture,) = await bot.painted("a red circle --seed 9 --steps 3 --size 64x64")
    changed = await bot.job(await bot.say(f"/branch {picture.id} --prompt a blue circle --steps 5"))
    assert (changed.request.prompt.text, changed.request.steps, changed.request.seed) == ("a blue circle", 5, 9)
    anew = await bot.job(await bot.say(f"/branch {picture.id} --without seed"))
    assert anew.request.seed != 9


async def test_compare_tells_what_differs(bot):
    """Comparing two pictures shows both files and a combined image, with only the settings in which they differ."""
    _, (first,) = await bot.painted("a red circle --seed 5 --steps 3 --size 64x64")
    _, (second,) = await bot.painted("a red circle --seed 6 --steps 4 --size 64x64", who="bob")
    reply = await bot.say(f"/compare {first.id} {second.id}")
    assert told(reply) == {"seed": "5 → 6", "steps": "3 → 4"}
    assert [one.id for one in reply.pictures] == [first.id, second.id]
    with Image.open(io.BytesIO(reply.files[0].data)) as picture:
        assert picture.format == "JPEG"
        assert picture.width > 2 * 256
    kept = [key async for some in bot.store.files.listed() for key in some]
    assert bot.store.files.key_of(reply.files[0].data) not in kept


async def test_compare_takes_the_one_before(bot):
    """A single picture is compared with the previous picture of its user; the first picture has none."""
    _, (first,) = await bot.painted("a red circle --seed 5 --size 64x64")
    _, (second,) = await bot.painted("a red circle --seed 5 --size 64x64")
    reply = await bot.press(button(await bot.say(f"/info {second.id}"), "button-compare"))
    assert [one.id for one in reply.pictures] == [first.id, second.id]
    assert reply.text == "Both were painted with the same settings."
    assert "There is no earlier picture" in (await bot.say(f"/compare {first.id}")).text


@pytest.mark.parametrize("said", ["{0} {0}", "{0} {0} {0}"])
async def test_compare_wants_two(bot, said):
    """The same picture twice, or more than two pictures, are refused."""
    _, (picture,) = await bot.painted("a red circle --size 64x64")
    with pytest.raises(BadInput, match=r"input-compare|input-long"):
        await bot.say(f"/compare {said.format(picture.id)}")


async def test_compare_shows_nobody_elses(bot):
    """A picture that the user may not see cannot be compared, on either side."""
    _, (mine,) = await bot.painted("a red circle --size 64x64")
    _, (theirs,) = await bot.painted("a red circle --size 64x64", who="bob", where="elsewhere")
    for said in (f"{mine.id} {theirs.id}", f"{theirs.id} {mine.id}", theirs.id):
        with pytest.raises(NotAllowed):
            await bot.say(f"/compare {said}")


@pytest.mark.parametrize("sizes", [((64, 64), (64, 64)), ((4000, 8), (8, 4000)), ((1, 1), (2048, 1024))])
def test_any_two_sizes_fit_side_by_side(sizes):
    """Whatever the two sizes, the combined image contains both and stays within its limits."""
    made = comparing.side_by_side(tuple(png(*size) for size in sizes), ("seed 5", "a caption that is much too long " * 9))
    with Image.open(io.BytesIO(made)) as picture:
        assert picture.width <= 2 * 1536 + 8
        assert picture.height <= 768 + 32


def test_filters_survive_a_button():
    """Colons and quotes in filters survive a button unchanged."""
    made = history.wire(words='in:"my best" red', page=2)
    assert history.pressed(made.split(":")[1:]) == {"words": 'in:"my best" red', "page": "2"}
