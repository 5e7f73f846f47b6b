"""Methods about the bot itself: its user, its commands and descriptions, and the way it gets updates."""

import re

from tests.emulators.telegram.errors import Refusal
from tests.emulators.telegram.routing import Methods
from tests.emulators.telegram.updates import BY_WEBHOOK
from tests.emulators.telegram.webhook import check_address

method = Methods()
LONGEST_POLL = 50
MOST_COMMANDS = 100
OF_CHAT = ("chat", "chat_administrators", "chat_member")
SCOPES = ("default", "all_private_chats", "all_group_chats", "all_chat_administrators", *OF_CHAT)
# Method suffix -> (argument, maximum length, Telegram's name in a refusal).
DESCRIPTIONS = {
    "Name": ("name", 64, "BOT_TITLE_INVALID"),
    "Description": ("description", 512, "BOT_DESCRIPTION_INVALID"),
    "ShortDescription": ("short_description", 120, "BOT_SHORT_DESCRIPTION_INVALID"),
}


@method("getMe")
def get_me(call):
    return lambda: call.telegram.me()


@method("getUpdates")
def get_updates(call):
    def whole(name, default, low, high):
        value = call.get(name, default)
        return min(max(value, low), high) if isinstance(value, int) else default

    _allow(call)
    limit, timeout = whole("limit", 100, 1, 100), whole("timeout", 0, 0, LONGEST_POLL)
    return lambda: call.telegram.updates.get(whole("offset", 0, -(2**31), 2**31), limit, timeout, call.is_gone)


def _allow(call):
    wanted = call.get("allowed_updates")
    if isinstance(wanted, list):  # otherwise the previous value is kept
        call.telegram.updates.allowed = list(wanted)


@method("setWebhook")
def set_webhook(call):
    url, secret = call.get("url", ""), call.get("secret_token")
    if url:
        check_address(call.telegram, url)
    if secret is not None and not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
        raise Refusal("secret token contains unallowed characters")
    if secret is not None and len(secret) > 256:
        raise Refusal("secret token is too long")

    def act():
        if call.get("drop_pending_updates"):
            call.telegram.updates.drop()
        if url:
            _allow(call)
            call.telegram.updates.stop_poll(BY_WEBHOOK)
        call.telegram.updates.webhook.set(url, secret, call.get("max_connections", 40))
        return True

    return act


@method("deleteWebhook")
def delete_webhook(call):
    def act():
        if call.get("drop_pending_updates"):
            call.telegram.updates.drop()
        call.telegram.updates.webhook.set("", None, 40)
        return True

    return act


@method("getWebhookInfo")
def get_webhook_info(call):
    return lambda: call.telegram.updates.webhook.payload()


def _scope(call):
    """Return a scope as (type, chat, user), without the parts that its type does not have."""
    wanted = call.get("scope") or {"type": "default"}
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind not in SCOPES:
        raise Refusal("can't parse BotCommandScope: unsupported type specified")
    if kind not in OF_CHAT:
        return (kind,)
    if (chat := call.telegram.find_chat(wanted.get("chat_id"))) is None:
        raise Refusal("chat not found")
    if kind == "chat_member" and wanted.get("user_id") not in call.telegram.users:
        raise Refusal("user not found")
    return (kind, chat.id, wanted["user_id"]) if kind == "chat_member" else (kind, chat.id)


def _language(call):
    language = call.get("language_code", "")
    if language and not re.fullmatch(r"[a-z]{2}", language):
        raise Refusal("LANG_CODE_INVALID")
    return language


@method("setMyCommands")
def set_my_commands(call):
    scope, language, commands = _scope(call), _language(call), call.get("commands", [])
    if not isinstance(commands, list):
        raise Refusal("expected an Array of BotCommand")
    if len(commands) > MOST_COMMANDS:
        raise Refusal("BOT_COMMANDS_TOO_MUCH")
    kept = []
    for one in commands:
        name = str(one.get("command", "")).removeprefix("/")
        if not re.fullmatch(r"[a-z0-9_]{1,32}", name):
            raise Refusal("BOT_COMMAND_INVALID")
        if not 1 <= len(str(one.get("description", ""))) <= 256:
            raise Refusal("BOT_COMMAND_DESCRIPTION_INVALID")
        kept.append({"command": name, "description": one["description"]})

    def act():
        call.telegram.commands[scope, language] = kept
        return True

    return act


@method("getMyCommands")
def get_my_commands(call):
    scope, language = _scope(call), _language(call)
    return lambda: call.telegram.commands.get((scope, language), [])


@method("deleteMyCommands")
def delete_my_commands(call):
    scope, language = _scope(call), _language(call)

    def act():
        call.telegram.commands.pop((scope, language), None)
        return True

    return act


def _describe(suffix, name, most, sentence):
    @method(f"setMy{suffix}")
    def set_description(call):
        language, text = _language(call), str(call.get(name, ""))
        if len(text) > most:
            raise Refusal(sentence)

        def act():
            call.telegram.descriptions[name, language] = text
            return True

        return act

    @method(f"getMy{suffix}")
    def get_description(call):
        language, told = _language(call), call.telegram.descriptions
        return lambda: {name: told.get((name, language)) or told.get((name, ""), "")}


for _suffix, _told in DESCRIPTIONS.items():
    _describe(_suffix, *_told)


@method("setChatMenuButton")
def set_chat_menu_button(call):
    chat = call.chat().id if call.get("chat_id") is not None else None
    button = call.get("menu_button") or {"type": "default"}
    if button.get("type") not in ("default", "commands", "web_app"):
        raise Refusal("can't parse menu button: unsupported type specified")

    def act():
        call.telegram.menu_buttons[chat] = button
        return True

    return act


@method("getChatMenuButton")
def get_chat_menu_button(call):
    chat, buttons = call.chat().id if call.get("chat_id") is not None else None, call.telegram.menu_buttons
    return lambda: buttons.get(chat) or buttons.get(None) or {"type": "commands"}
