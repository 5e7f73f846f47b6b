"""Which parameters the pictures of an invocation fill."""

import pytest

from bot.commands import COMMANDS
from bot.core.errors import BadInput
from bot.core.values import Invocation, MessageRef, UserRef
from tests.pairing import pair, told
from tests.talk import PLATFORM, png, talk

A, B, C = (png(colour=colour) for colour in ("red", "green", "blue"))


@pytest.fixture
async def bot(tmp_path):
    """Return a bot with a command that accepts two pictures."""
    async with talk(tmp_path, (*COMMANDS, pair)) as opened:
        yield opened


async def say(bot, words="", **call):
    """Return the reply of the command with two pictures."""
    who_and_where = {"caller": UserRef(PLATFORM, "ada", "Ada"), "address": MessageRef(PLATFORM, "studio")}
    return (await bot.app.handle(Invocation(**{"command": "pair", "given": {}, "words": words, **who_and_where, **call}))).text


@pytest.mark.parametrize(
    ("call", "image", "mask"),
    [
        ({}, None, None),
        ({"pictures": (A,)}, A, None),
        ({"pictures": (A, B)}, A, B),
        ({"given": {"image": A}, "pictures": (B,)}, A, B),
        ({"given": {"mask": A}, "pictures": (B,)}, B, A),
        ({"given": {"mask": A}}, None, A),
        ({"answered": (A,)}, A, None),
        ({"answered": (A,), "pictures": (B,)}, A, B),
        ({"answered": (A, B, C)}, A, B),
        ({"answered": (A, B), "pictures": (C,)}, A, C),
        ({"answered": (A,), "pictures": (B, C)}, B, C),
        ({"answered": (A,), "given": {"image": B, "mask": C}}, B, C),
    ],
)
async def test_pictures_fill_what_is_free(bot, call, image, mask):
    """Named pictures fill their parameters; others fill the rest in order, those of an answered message first if there is room."""
    assert await say(bot, **call) == told(image, mask)


async def test_a_picture_that_is_named_in_words_leaves_the_rest_free(bot):
    """A flag with the id of a picture fills one parameter, and the attachment fills the other."""
    _, (own,) = await bot.painted("a red circle")
    assert await say(bot, f"some words --image {own.id}", pictures=(B,)) == told(own.file, B)
    assert await say(bot, f"some words --mask {own.id}", pictures=(B,)) == told(B, own.file)
    with pytest.raises(BadInput, match="input-twice"):
        await say(bot, f"--image {own.id}", pictures=(A, B))
    with pytest.raises(BadInput, match="input-picture-unknown"):
        await say(bot, "--mask nobody", pictures=(A,))


@pytest.mark.parametrize(
    "call", [{"pictures": (A, B, C)}, {"given": {"image": A}, "pictures": (B, C)}, {"given": {"image": A, "mask": B}, "pictures": (C,)}]
)
async def test_more_pictures_than_a_command_takes_are_refused(bot, call):
    """Pictures without a free parameter are refused with the number that the command accepts, and nothing is stored."""
    with pytest.raises(BadInput) as refused:
        await say(bot, **call)
    assert (refused.value.problem.key, refused.value.problem.facts) == ("input-two-pictures", {"command": "pair", "most": 2})
    assert [key async for keys in bot.store.files.listed() for key in keys] == []
