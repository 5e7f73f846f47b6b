"""Where a job is shown: what an address carries."""

import time

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.discord.message_ref import TOKEN_MARGIN, Spot, channel_of, spot_of
from bot.core.values import Address

IDS = st.integers(0, 2**63 - 1)
TOKENS = st.text("abcXYZ019+/=_-.", max_size=200)
SPOTS = st.builds(
    Spot, user=IDS, message=IDS, token=TOKENS, until=IDS, limit=IDS, is_guest=st.booleans(), home=st.just(0), under=st.just(0)
)


@given(SPOTS, IDS)
def test_what_is_written_is_read(spot, channel):
    """An address gives back the spot that it was made of, and its channel."""
    address = spot.address(channel)
    assert spot_of(address) == spot
    assert channel_of(address) == channel


@given(SPOTS, IDS.filter(bool))
def test_a_conversation_with_one_person_has_their_name(spot, channel):
    """A channel between a person and the bot is a place of that person's name, and is still known; any other keeps its own."""
    address = msgspec.structs.replace(spot, home=channel).address(channel)
    assert address.place == str(spot.user)
    assert channel_of(address) == channel
    assert spot_of(address).home == channel
    assert msgspec.structs.replace(spot, home=channel + 1).address(channel) == spot.address(channel)


@given(SPOTS, IDS.filter(bool), IDS.filter(bool))
def test_a_thread_has_the_name_of_its_channel(spot, thread, parent):
    """A thread is a place of the name of the channel that it hangs on, and is still known as where messages go; no other channel is."""
    assume(parent != spot.user)
    there = msgspec.structs.replace(spot, home=thread, under=parent)
    address = there.address(thread)
    assert address.place == str(parent)
    assert channel_of(address) == thread
    assert spot_of(address) == there
    assert there.address(thread + 1) == spot.address(thread + 1)


@given(SPOTS, IDS, st.integers(1, 16))
def test_others_of_a_message_have_none_yet(spot, channel, number):
    """Of several results of one message only the first is shown in it; the others know everything but a message."""
    assert spot_of(spot.address(channel).of(number)) == msgspec.structs.replace(spot, message=0)
    assert spot_of(spot.address(channel).of(0)) == spot


@given(st.text(), st.text())
def test_what_is_no_spot_is_none(place, message):
    """Whatever stands in an address, reading it raises nothing."""
    address = Address("discord", place, message)
    assert isinstance(spot_of(address), Spot)
    assert channel_of(address) >= 0


def test_a_token_opens_for_a_while():
    """A token is counted on until shortly before its end; in that last moment it can still be used to say so."""
    now = round(time.time())
    assert Spot(token="x", until=now + 2 * TOKEN_MARGIN).is_open
    last = Spot(token="x", until=now + TOKEN_MARGIN // 2)
    assert (last.is_open, last.is_last_call) == (False, True)
    dead = Spot(token="x", until=now - 1)
    assert (dead.is_open, dead.is_last_call) == (False, False)
    assert not Spot(until=now + 2 * TOKEN_MARGIN).is_open
