"""Routes of channels: messages, threads, typing."""

from tests.emulators.discord import world
from tests.emulators.discord.composing import compose
from tests.emulators.discord.errors import Refusal, bad, check_length
from tests.emulators.discord.messages import EPHEMERAL
from tests.emulators.discord.routing import Routes

routes = Routes()
AUTO_ARCHIVE = (60, 1440, 4320, 10080)


def _channel(call, *rights):
    """Return the channel, or refuse if the bot does not see it or lacks one of these permissions."""
    channel = call.discord.channels.get(call["channel_id"])
    if channel is None:
        raise Refusal(10003)
    if channel.guild and not (channel.guild.has_bot and channel.bot_may("view_channel")):
        raise Refusal(50001)
    if not channel.bot_may(*rights):
        raise Refusal(50013)
    return channel


def _message(call, channel):
    found = next((one for one in channel.messages if one.id == call["message_id"]), None)
    # An ephemeral message is not a message of the channel.
    if found is None or found.is_ephemeral:
        raise Refusal(10008)
    return found


@routes.get("/channels/{channel_id}")
def get_channel(call):
    """Return a channel."""
    return 200, _channel(call).payload()


@routes.patch("/channels/{channel_id}")
def edit_channel(call):
    """Edit a thread: archive, lock or rename it. The bot may not edit other channels."""
    channel = _channel(call)
    if not channel.is_thread:
        raise Refusal(50013)
    may_manage, body = channel.bot_may("manage_threads"), call.body or {}
    is_only_revived = (
        set(body) == {"archived"} and not body["archived"] and not channel.is_locked and channel.bot_may("send_messages_in_threads")
    )
    if not (may_manage or is_only_revived or (channel.owner is call.discord.bot and "locked" not in body and not channel.is_locked)):
        raise Refusal(50013)
    check_length("name", body.get("name", channel.name), 1, 100)
    names = {"archived": "is_archived", "locked": "is_locked", "name": "name"}
    if channel.is_archived and body.get("archived") is not False:
        raise Refusal(50083)
    channel.change(**{names[key]: value for key, value in body.items() if key in names})
    return 200, channel.payload()


@routes.post("/channels/{channel_id}/typing")
def typing(call):
    """Show the typing indicator."""
    _sending(call)[0].typed += 1
    return 204, None


def _sending(call, *, files=False):
    """Return the channel and whether it was archived, or refuse if the bot may not send messages there."""
    channel = _channel(call)
    needed = "send_messages_in_threads" if channel.is_thread else "send_messages"
    if not channel.bot_may(needed, *(["attach_files"] if files else [])):
        raise Refusal(50013)
    if channel.kind == world.FORUM:
        raise Refusal(50008)
    if channel.user and channel.user.dm_closed:
        raise Refusal(50007)
    if channel.is_archived and channel.is_locked and not channel.bot_may("manage_threads"):
        raise Refusal(50083)
    return channel, channel.is_archived


@routes.post("/channels/{channel_id}/messages")
def create_message(call):
    """Send a message; a repeated nonce returns the first message."""
    channel, was_archived = _sending(call, files=bool(call.uploads))
    body = call.body or {}
    check_length("nonce", str(body.get("nonce") or ""), 0, 25)
    said = call.discord.said_with(channel, body.get("nonce")) if body.get("enforce_nonce") else None
    if said:
        return 200, said.payload()
    if (body.get("flags") or 0) & EPHEMERAL:
        raise bad("flags", "BASE_TYPE_CHOICES", "Only an interaction has ephemeral messages")
    reference = _referenced(channel, body.get("message_reference"))
    draft = compose(call.discord, channel, body, call.uploads)
    if was_archived:
        channel.change(is_archived=False)
    message = call.discord.add_message(channel, call.discord.bot, draft, nonce=body.get("nonce"), reference=reference)
    return 200, message.payload()


def _referenced(channel, told):
    if not told:
        return None
    found = next((one for one in channel.messages if one.id == str(told["message_id"])), None)
    if found is None and told.get("fail_if_not_exists", True):
        raise bad("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    if not channel.bot_may("read_message_history"):
        raise Refusal(50013)
    return found


@routes.get("/channels/{channel_id}/messages")
def list_messages(call):
    """Return the latest messages, newest first."""
    channel = _channel(call)
    if not channel.bot_may("read_message_history"):
        return 200, []
    shown = [one for one in channel.messages if not one.is_ephemeral]
    before, after = int(call.query.get("before", 1 << 63)), int(call.query.get("after", 0))
    shown = [one for one in shown if after < int(one.id) < before]
    limit = int(call.query.get("limit", 50))
    if not 1 <= limit <= 100:
        raise bad("limit", "NUMBER_TYPE_RANGE", "int value should be between 1 and 100")
    return 200, [_seen(call, one) for one in reversed(shown[:limit] if "after" in call.query else shown[-limit:])]


@routes.get("/channels/{channel_id}/messages/{message_id}")
def get_message(call):
    """Return a message."""
    channel = _channel(call, "read_message_history")
    return 200, _seen(call, _message(call, channel))


def _seen(call, message):
    """Return a message as the bot may read it: without the intent, a fetched message is as blank as one in an event."""
    told = message.event(call.discord.reads_content())
    return {key: value for key, value in told.items() if key not in ("guild_id", "member")}


@routes.patch("/channels/{channel_id}/messages/{message_id}")
def edit_message(call):
    """Edit a message of the bot."""
    channel = _channel(call, *(["attach_files"] if call.uploads else []))
    message = _message(call, channel)
    if message.author is not call.discord.bot:
        raise Refusal(50005)
    if channel.is_archived:
        raise Refusal(50083)
    draft = compose(call.discord, channel, call.body, call.uploads, message)
    call.discord.edit_message(message, draft)
    return 200, message.payload()


@routes.delete("/channels/{channel_id}/messages/{message_id}")
def delete_message(call):
    """Delete a message of the bot, or of another user if the bot has the permission."""
    channel = _channel(call)
    message = _message(call, channel)
    if message.author is not call.discord.bot and (channel.guild is None or not channel.bot_may("manage_messages")):
        raise Refusal(50003 if channel.guild is None else 50013)
    if channel.is_archived:
        raise Refusal(50083)
    call.discord.delete_message(message)
    return 204, None


def _check_thread(body):
    check_length("name", body.get("name"), 1, 100)
    if body.get("auto_archive_duration") not in (None, *AUTO_ARCHIVE):
        raise bad("auto_archive_duration", "BASE_TYPE_CHOICES", f"Value must be one of {AUTO_ARCHIVE}.")


@routes.post("/channels/{channel_id}/threads")
def create_thread(call):
    """Create a thread, or in a forum a post with its first message."""
    channel, body = _channel(call), call.body or {}
    _check_thread(body)
    if channel.kind == world.FORUM:
        return _create_post(call, channel, body)
    if channel.kind != world.TEXT or channel.is_thread:
        raise Refusal(50024)
    if not channel.bot_may("create_public_threads"):
        raise Refusal(50013)
    return 201, channel.thread(body["name"]).payload()


def _create_post(call, forum, body):
    if not forum.bot_may("send_messages", *(["attach_files"] if call.uploads else [])):
        raise Refusal(50013)
    draft = compose(call.discord, forum, body.get("message"), call.uploads)
    thread = forum.thread(body["name"])
    first = call.discord.add_message(thread, call.discord.bot, draft, id=thread.id)
    return 201, thread.payload() | {"message": first.payload()}


@routes.post("/channels/{channel_id}/messages/{message_id}/threads")
def create_thread_of_message(call):
    """Create a thread attached to a message."""
    channel = _channel(call, "create_public_threads")
    message, body = _message(call, channel), call.body or {}
    _check_thread(body)
    if channel.kind != world.TEXT:
        raise Refusal(50024)
    if message.thread:
        raise Refusal(160004)
    message.thread = channel.thread(body["name"], id=message.id)
    return 201, message.thread.payload()
