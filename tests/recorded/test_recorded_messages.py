"""Stored encodings of an earlier version decode to the same values."""

import msgspec
import pytest

from adapters.discord.api import channel_of
from adapters.discord.api import spot_of as discord_spot
from adapters.telegram.deep_links import unpacked
from adapters.telegram.message_ref import chat_of
from adapters.telegram.message_ref import spot_of as telegram_spot
from bot.core import values
from bot.core.values import MessageRef
from bot.generation.fields import GenerationParams
from bot.generation.resolve import SavedDefaults
from bot.presets.template import Body
from inference.contract.errors import Problem
from inference.contract.request import PictureRequest

#: How each platform decodes the address of a job: its message, and the channel of that.
SPOTS = {"discord": (discord_spot, channel_of), "telegram": (telegram_spot, chat_of)}


def params(stored):
    """Decode the parameters of a job."""
    return GenerationParams.model_validate_json(stored).model_dump(exclude_none=True)


def rules(stored):
    """Decode the rules of a channel."""
    held = SavedDefaults.read(None, stored)
    told = {"closed": sorted(held.closed - {""}), "most": dict(held.most), "language": held.language}
    return {**told, "cover": held.cover, "credits": held.credits}


def request(stored):
    """Decode a request; the picture that it starts from was a field, `source`, and is an input now. Its bytes were never stored."""
    found = msgspec.msgpack.decode(bytes.fromhex(stored), type=PictureRequest)
    return {**msgspec.to_builtins(found), "source": found.inputs[0].data if found.inputs else None}


READ = {
    "wishes": params,
    "shares": params,
    "requests": request,
    "problems": lambda stored: msgspec.msgpack.decode(bytes.fromhex(stored), type=Problem),
    "evidence": values.read_provenance,
    "presets": lambda stored: msgspec.json.decode(stored, type=Body),
    "rules": rules,
    "links": unpacked,
}


def holds(read, recorded):
    """Return whether a decoded value contains all recorded values; a later version may add fields."""
    if isinstance(recorded, dict):
        return isinstance(read, dict) and all(name in read and holds(read[name], one) for name, one in recorded.items())
    if isinstance(recorded, list) and isinstance(read, list | tuple):
        return len(read) == len(recorded) and all(holds(*both) for both in zip(read, recorded, strict=True))
    return read == recorded


@pytest.mark.parametrize("kind", READ)
def test_stored_values_decode(messages, kind):
    """Each recorded encoding decodes to the recorded value."""
    read = [(one, msgspec.to_builtins(READ[kind](one["stored"]))) for one in messages[kind]]
    assert read
    assert [one["stored"] for one, found in read if not holds(found, one["says"])] == []


def test_message_references_decode(messages):
    """Each recorded address of a job decodes to the same message and channel."""
    wrong = []
    for one in messages["addresses"]:
        if one["platform"] in SPOTS:
            address, (ref, channel) = MessageRef(one["platform"], one["place"], one["message"]), SPOTS[one["platform"]]
            if not holds(msgspec.to_builtins(ref(address)), one["spot"]) or channel(address) != one["channel"]:
                wrong.append(one)
    assert wrong == []
    assert {one["platform"] for one in messages["addresses"]} >= set(SPOTS)
