"""Collects stored encodings and their decoded values; part of the recording script."""

import sqlite3

import msgspec
from sqlalchemy import make_url

from adapters.discord.api import SentMessage as DiscordSpot
from adapters.discord.api import channel_of
from adapters.discord.api import spot_of as discord_spot
from adapters.telegram.deep_links import unpacked
from adapters.telegram.message_ref import SentMessage as TelegramSpot
from adapters.telegram.message_ref import chat_of
from adapters.telegram.message_ref import spot_of as telegram_spot
from bot.core import values
from bot.core.values import MessageRef
from bot.generation.fields import GenerationParams
from bot.presets.template import Body
from bot.store.users.users import of_channel
from inference.contract.errors import Problem
from inference.contract.request import PictureRequest

#: Message references with a value in each field, beside those that the scene makes.
_ON_DISCORD = (
    (DiscordSpot(user=101, message=202, token="aW50/ZXJh+Y3Q=", until=1_795_000_000, limit=10_485_760), 303),
    (DiscordSpot(user=101, message=202, limit=26_214_400, is_guest=True, token="t/o/k", until=1_795_000_900), 303),
    (DiscordSpot(user=101, message=202, home=404), 404),
    (DiscordSpot(user=101, message=202, home=505, under=303), 505),
    (DiscordSpot(), 303),
)
_IN_TELEGRAM = (
    (TelegramSpot(user=11, thread=22, asked=33, message=44, signs=True, bot=55), -1002000000001),
    (TelegramSpot(user=11, asked=33, message=44, album=((0, 45), (2, 46)), bot=55), 11),
    (TelegramSpot(user=11, message=44, album=((1, 45),), home=11, bot=55), -4500000001),
    (TelegramSpot(), 11),
)

_LINKS = ("L2ltYWdpbmUgYSByZWQgY2lyY2xl", "L2hpc3Rvcnkgw7xteA", "bm8gbGluZQ", "inline")


def stored(url):
    """Return a few values of each encoding in an SQLite database, with what they decode to."""
    with sqlite3.connect(make_url(url).database) as rows:
        jobs = rows.execute(
            "SELECT platform, place.key, message, wish, request, proof, problem FROM job"
            " JOIN place ON place.id = place_id ORDER BY job.created"
        ).fetchall()
        bodies = [one[0] for one in rows.execute("SELECT body FROM preset_version")]
        shares = [one[0] for one in rows.execute("SELECT wish FROM share")]
        settings = [one[0] for one in rows.execute("SELECT given FROM setting WHERE place_id IS NOT NULL")]
        inbox_updates = [one[0].decode() for one in rows.execute("SELECT body FROM inbox WHERE done IS NULL")]
    channels = [MessageRef(*one[:3]) for one in jobs]
    made = [ref.address(channel) for ref, channel in (*_ON_DISCORD, *_IN_TELEGRAM)]
    made += [one.of(2) for one in made if one.message]
    return {
        "addresses": _few([_address(one) for one in (*made, *channels)], lambda one: str({k: bool(v) for k, v in one["spot"].items()})),
        "wishes": _few([_said(one[3], _wish(one[3])) for one in jobs], lambda one: str(sorted(one["says"]))),
        "requests": _few(
            [_said(one[4].hex(), _request(one[4])) for one in jobs], lambda one: str({k: type(v) for k, v in one["says"].items()})
        ),
        "evidence": _few([_said(one[5], _evidence(one[5])) for one in jobs], lambda one: str(sorted(one["says"]))),
        "problems": _few([_said(one[6].hex(), _problem(one[6])) for one in jobs if one[6]], lambda one: one["stored"]),
        "presets": _few([_said(one, _body(one)) for one in bodies], lambda one: str({k: bool(v) for k, v in one["says"].items()})),
        "shares": _few([_said(one, _wish(one)) for one in shares if one != "{}"], lambda one: str(sorted(one["says"]))),
        "rules": [_said(one, _rules(one)) for one in settings],
        "letters": inbox_updates,
        "links": [_said(one, unpacked(one)) for one in _LINKS],
    }


def _few(those, kind):
    kept = {}
    for one in those:
        kept.setdefault(kind(one), []).append(one)
    return [one for some in kept.values() for one in some[:2]]


def _said(stored, says):
    return {"stored": stored, "says": says}


def _address(one):
    ref, where = {
        "discord": lambda: (discord_spot(one), channel_of(one)),
        "telegram": lambda: (telegram_spot(one), chat_of(one)),
    }.get(one.platform, lambda: (None, 0))()
    says = {} if ref is None else msgspec.to_builtins(ref)
    return {"platform": one.platform, "place": one.channel, "message": one.message, "spot": says, "channel": where}


def _wish(stored):
    return GenerationParams.model_validate_json(stored).model_dump(exclude_none=True)


def _request(stored):
    return msgspec.to_builtins(msgspec.msgpack.decode(stored, type=PictureRequest))


def _evidence(stored):
    return msgspec.to_builtins(values.read_provenance(stored))


def _problem(stored):
    return msgspec.to_builtins(msgspec.msgpack.decode(stored, type=Problem))


def _body(stored):
    return msgspec.to_builtins(msgspec.json.decode(stored, type=Body))


def _rules(stored):
    held = of_channel(stored)
    told = {"closed": sorted(held.closed - {""}), "most": dict(held.most), "language": held.language}
    return {**told, "cover": held.cover, "credits": held.credits}
