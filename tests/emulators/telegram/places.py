"""Methods about chats and their members, and getFile."""

from tests.emulators.telegram.access import ADMINISTRATOR, CREATOR, LEFT
from tests.emulators.telegram.errors import Refusal
from tests.emulators.telegram.media import MOST_OF_DOWNLOAD
from tests.emulators.telegram.routing import Methods
from tests.emulators.telegram.world import Member

method = Methods()


@method("getChat")
def get_chat(call):
    chat = call.chat()
    return lambda: chat.full()


@method("getChatMember")
def get_chat_member(call):
    chat, number = call.chat(), call.get("user_id")
    user = call.telegram.users.get(number)
    if user is None or (chat.user and user not in (chat.user, call.telegram.bot)):
        raise Refusal("user not found")
    found = Member(user) if chat.user else chat.members.get(number) or Member(user, LEFT)
    return lambda: found.payload(chat)


@method("getChatAdministrators")
def get_chat_administrators(call):
    chat = call.chat()
    if chat.user:
        raise Refusal("there are no administrators in the private chat")
    # Other bots are left out; this bot is included.
    told = [one for one in chat.members.values() if not one.user.is_bot or one.user is call.telegram.bot]
    return lambda: [one.payload(chat) for one in told if one.status in (CREATOR, ADMINISTRATOR)]


@method("getChatMemberCount")
def get_chat_member_count(call):
    chat = call.chat()
    return lambda: 2 if chat.user else sum(one.status not in ("left", "kicked") for one in chat.members.values())


@method("leaveChat")
def leave_chat(call):
    chat = call.chat("edit")
    if chat.user:
        raise Refusal("chat member status can't be changed in private chats")

    def act():
        chat.bot_becomes(LEFT, call.telegram.bot)
        return True

    return act


@method("getFile")
def get_file(call):
    if (wanted := call.get("file_id")) is None:
        raise Refusal("file_id not specified")
    if (found := call.telegram.stored.get(wanted)) is None:
        raise Refusal("invalid file_id")
    if len(found.data) > MOST_OF_DOWNLOAD:
        raise Refusal("file is too big")
    return lambda: found.payload() | {"file_path": call.telegram.published(found)}
