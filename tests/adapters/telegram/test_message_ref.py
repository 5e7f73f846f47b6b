"""The messages of a job on Telegram, as stored in its address."""

import pytest

from adapters.telegram.message_ref import SentMessage, bot_key, bot_of, renamed, spot_of
from bot.core.values import MessageRef

WHOLE = SentMessage(user=5, thread=2, asked=31, message=32, album=((1, 33), (3, 34)), signs=True, home=5, bot=7)


@pytest.mark.parametrize("ref", [SentMessage(), WHOLE, SentMessage(user=5, asked=1)])
def test_a_spot_is_read_as_it_was_written(ref):
    """An address decodes to the message reference that it was made from."""
    assert spot_of(ref.address(-4)) == ref
    assert ref.address(-4).channel == "-4"


@pytest.mark.parametrize("message", ["", "x", "1/2/3", "1/2/3/4/1//0", "1/2/3/4/1/9/0/0", "1/2/3/4/1//0/0/0", "a/2/3/4/1//0/0"])
def test_what_is_no_spot_is_none(message):
    """An invalid address refers to no message."""
    assert spot_of(MessageRef("telegram", "-4", message)) == SentMessage()


def test_one_of_several_results_has_a_message_of_its_own():
    """The second job of a message replies to the same message, and has no message of its own yet."""
    second = spot_of(WHOLE.address(-4).of(1))
    assert second == SentMessage(user=5, thread=2, asked=31, signs=True, bot=7)


def test_to_another_bot_numbers_mean_others():
    """For another bot, only the user remains of a message reference."""
    assert spot_of(WHOLE.address(-4), 7) == WHOLE
    assert spot_of(WHOLE.address(-4), 8) == SentMessage(user=5)


def test_in_a_group_that_moved_numbers_mean_others():
    """After a group has moved, its message ids are dropped, while ids of private messages are kept."""
    assert spot_of(
        MessageRef("telegram", "-5", renamed(SentMessage(user=5, asked=1, message=2, album=((0, 3),), bot=7).written))
    ) == SentMessage(user=5, bot=7)
    assert spot_of(MessageRef("telegram", "-5", renamed(WHOLE.written))) == SentMessage(
        user=5, message=32, album=WHOLE.album, home=5, bot=7
    )


@pytest.mark.parametrize(("token", "bot"), [("7000000001:AAx", 7000000001), ("x:y", 0), ("", 0)])
def test_a_token_says_whose_it_is(token, bot):
    """The id of a bot is the part of its token before the colon."""
    assert bot_of(token) == bot
    assert bot_key(token) == f"telegram:{bot}"
