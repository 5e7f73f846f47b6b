"""Read a request in each of the four forms in which Telegram accepts arguments: query, form, multipart and JSON."""

import contextlib
import json
import re

from tests.emulators.telegram.errors import Refusal
from tests.emulators.telegram.routing import Upload

MIB = 1024 * 1024
MOST_OF_UPLOAD = 50 * MIB
# Arguments that are JSON in a form, with Telegram's name for each in a refusal.
OBJECTS = {
    "allowed_updates": "allowed updates",
    "button": "inline query results button",
    "caption_entities": "caption entities",
    "commands": "commands",
    "entities": "entities",
    "link_preview_options": "link preview options",
    "media": "media",
    "menu_button": "menu button",
    "message_ids": "message identifiers",
    "reaction": "reaction types",
    "reply_markup": "reply keyboard markup",
    "reply_parameters": "reply parameters",
    "results": "inline query results",
    "scope": "BotCommandScope",
}
NUMBERS = (
    *("chat_id", "from_chat_id", "message_id", "message_thread_id", "user_id", "reply_to_message_id", "offset", "limit", "timeout"),
    *("cache_time", "max_connections", "width", "height", "duration", "video_start_timestamp"),
)
YES_OR_NO = (
    *("allow_paid_broadcast", "allow_sending_without_reply", "disable_content_type_detection", "disable_notification"),
    *("drop_pending_updates", "has_spoiler", "is_big", "is_personal", "protect_content", "remove_caption", "show_alert"),
    "show_caption_above_media",
)
# A file with one of these names is the argument itself; any other file is referred to by an argument.
FILES = ("photo", "document", "animation", "audio", "video", "voice", "sticker", "thumbnail", "certificate")


async def read(request):
    """Return the arguments and files of a request, and the total size of the files in bytes."""
    args, files = dict(request.query), {}
    if request.content_type.startswith("multipart/"):
        async for part in await request.multipart():
            data = bytes(await part.read())
            if part.filename is None:
                args[part.name] = data.decode()
            else:
                files[part.name] = Upload(part.filename, data)
    elif request.content_type == "application/json":
        args |= _json(await request.text())
    else:
        args |= dict(await request.post())
    args |= {name: f"attach://{name}" for name in files if name in FILES}
    return args, files, sum(len(one.data) for one in files.values())


def _json(text):
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError as broken:
        raise Refusal("can't parse request JSON object") from broken
    if not isinstance(found, dict):
        raise Refusal("can't parse request JSON object")
    return found


def understood(args):
    """Return the arguments with texts converted to the types of the arguments."""
    return {name: _value(name, value) for name, value in args.items()}


def _value(name, value):
    if not isinstance(value, str):
        return value
    if name in NUMBERS and re.fullmatch(r"\s*-?\d+\s*", value):
        return int(value)
    if name in YES_OR_NO:
        return value.strip().lower() in ("true", "yes", "1")
    if name in OBJECTS and value:
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(value)
        raise Refusal(f"can't parse {OBJECTS[name]} JSON object")
    return value
