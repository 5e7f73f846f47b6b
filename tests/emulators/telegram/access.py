"""What the bot may read, edit and send, and which messages it receives."""

from tests.emulators.telegram.errors import Refusal

CREATOR, ADMINISTRATOR, MEMBER, RESTRICTED, LEFT, KICKED = "creator", "administrator", "member", "restricted", "left", "kicked"
# Telegram's names for the kinds of messages in refusals.
SENDABLE = {"text": "text messages", "photo": "photos", "document": "documents", "animation": "animations"}


def check_access(chat, access):
    """Refuse what the bot may not do in a chat: `read`, `edit` or `write`, each of which includes the one before."""
    if chat.moved_to and access != "read":
        raise Refusal("group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.moved_to.id)
    if chat.user:
        _check_private(chat, access)
        return
    status, channel = chat.status_of(chat.telegram.bot), f"{chat.kind} chat"
    if status == KICKED and (access != "read" or chat.kind != "group"):
        raise Refusal(f"bot was kicked from the {channel}", 403)
    is_open = chat.kind == "group" or chat.username
    if status == LEFT and (access != "read" or not is_open):
        raise Refusal(f"bot is not a member of the {channel}", 403)
    if chat.kind == "channel" and access != "read" and status not in (CREATOR, ADMINISTRATOR):
        raise Refusal("need administrator rights in the channel chat")


def _check_private(chat, access):
    if not chat.is_started:
        known = any(chat.user.id in one.members and one.has_bot for one in chat.telegram.chats.values())
        if not known:
            raise Refusal("chat not found")
        if access == "write":
            raise Refusal("bot can't initiate conversation with a user", 403)
    if chat.is_blocked and access == "write":
        raise Refusal("bot was blocked by the user", 403)


def check_sending(chat, kind, thread):
    """Refuse a message that may not be sent to a chat or one of its topics."""
    is_admin = chat.is_admin(chat.telegram.bot)
    if kind in chat.denied and not is_admin:
        raise Refusal(f"not enough rights to send {SENDABLE[kind]} to the chat")
    topic = chat.topics.get(thread if thread is not None else 1)
    if topic and topic.is_closed and not is_admin:
        raise Refusal("TOPIC_CLOSED")


def is_heard(message):
    """Return whether the bot receives a message: in privacy mode, groups send it only messages that are meant for it."""
    chat, bot = message.chat, message.telegram.bot
    if message.sender is bot or (message.sender and message.sender.is_bot and not message.sender_chat):
        return False
    if chat.user:
        return True
    if not chat.has_bot or (chat.kind == "channel" and not chat.is_admin(bot)):
        return False
    if not message.telegram.privacy or chat.is_admin(bot) or message.service or message.via is bot:
        return True
    return _is_meant(message, bot)


def _is_meant(message, bot):
    answered = message.reply_to
    if answered and (answered.sender is bot or (answered.was_heard and not answered.service)):
        return True
    first = next((one for one in message.entities if one["offset"] == 0 and one["type"] == "bot_command"), None)
    if first is None:
        return False
    addressed = message.words[: first["length"]].partition("@")[2]
    # A command without a bot's name goes to the bot that sent the last message.
    return addressed.lower() == bot.username.lower() if addressed else message.chat.last_bot in (None, bot)
