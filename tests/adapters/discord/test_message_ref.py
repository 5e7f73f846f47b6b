"""The message of a job on Discord, as stored in its address."""

import time

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.discord.api import TOKEN_MARGIN, SentMessage, channel_of, spot_of
from bot.core.values import MessageRef

IDS = st.integers(0, 2**63 - 1)
TOKENS = st.text("abcXYZ019+/=_-.", max_size=200)
SPOTS = st.builds(
    SentMessage, user=IDS, message=IDS, token=TOKENS, until=IDS, limit=IDS, is_guest=st.booleans(), home=st.just(0), under=st.just(0)
)


@given(SPOTS, IDS)
def test_what_is_written_is_read(ref, channel):
    """An address decodes to the message reference that it was made from, and to its channel."""
    address = ref.address(channel)
    assert spot_of(address) == ref
    assert channel_of(address) == channel


@given(SPOTS, IDS.filter(bool))
def test_a_conversation_with_one_person_has_their_name(ref, channel):
    """A direct message channel is addressed by the user's id and can be decoded; any other channel keeps its own id."""
    address = msgspec.structs.replace(ref, home=channel).address(channel)
    assert address.channel == str(ref.user)
    assert channel_of(address) == channel
    assert spot_of(address).home == channel
    assert msgspec.structs.replace(ref, home=channel + 1).address(channel) == ref.address(channel)


@given(SPOTS, IDS.filter(bool), IDS.filter(bool))
def test_a_thread_has_the_name_of_its_channel(ref, thread, parent):
    """A thread is addressed by the id of its parent channel, and the target of messages can be decoded; other channels are unaffected."""
    assume(parent != ref.user)
    there = msgspec.structs.replace(ref, home=thread, under=parent)
    address = there.address(thread)
    assert address.channel == str(parent)
    assert channel_of(address) == thread
    assert spot_of(address) == there
    assert there.address(thread + 1) == ref.address(thread + 1)


@given(SPOTS, IDS, st.integers(1, 16))
def test_others_of_a_message_have_none_yet(ref, channel, number):
    """Of several jobs of one message, only the first is shown in it; the others keep everything except the message id."""
    assert spot_of(ref.address(channel).of(number)) == msgspec.structs.replace(ref, message=0)
    assert spot_of(ref.address(channel).of(0)) == ref


@given(st.text(), st.text())
def test_what_is_no_spot_is_none(channel, message):
    """Decoding any address raises no error."""
    address = MessageRef("discord", channel, message)
    assert isinstance(spot_of(address), SentMessage)
    assert channel_of(address) >= 0


def test_a_token_opens_for_a_while():
    """A token counts as valid until shortly before it expires; in the remaining time it can be used for a last update."""
    now = round(time.time())
    assert SentMessage(token="x", until=now + 2 * TOKEN_MARGIN).is_open
    last = SentMessage(token="x", until=now + TOKEN_MARGIN // 2)
    assert (last.is_open, last.is_last_call) == (False, True)
    dead = SentMessage(token="x", until=now - 1)
    assert (dead.is_open, dead.is_last_call) == (False, False)
    assert not SentMessage(until=now + 2 * TOKEN_MARGIN).is_open
