"""Methods that edit and delete: texts, captions, pictures, keyboards, whole messages."""

import copy

from tests.emulators.telegram.errors import NOT_MODIFIED, Refusal
from tests.emulators.telegram.keyboards import checked
from tests.emulators.telegram.routing import Methods
from tests.emulators.telegram.sending import caption_of, media_of, text_of

method = Methods()
KEEP_HOURS = 48


def _message(call):
    """Return the message to edit: a message of the bot in a chat, or an inline result that a user sent."""
    if inline := call.get("inline_message_id"):
        found = next((one for chat in call.telegram.chats.values() for one in chat.messages if one.inline_id == inline), None)
        if found is None:
            raise Refusal("MESSAGE_ID_INVALID")
        return found
    if call.get("chat_id") is None and call.get("message_id") is None:
        raise Refusal("message identifier is not specified")
    chat = call.chat("edit")
    message = call.message(chat, "message to edit not found")
    is_own = message.sender is call.telegram.bot or (chat.kind == "channel" and chat.may(call.telegram.bot, "can_edit_messages"))
    # A message with a keyboard other than an inline keyboard cannot be edited, nor can a service message.
    has_other_keyboard = message.reply_markup is not None and not message.keyboard
    if not is_own or message.service or has_other_keyboard or message.via or message.forward_origin:
        raise Refusal("message can't be edited")
    call.count(chat)
    return message


def _edited(call, message, change):
    """Return a function that applies an edit; a keyboard that is not sent again is removed."""
    after = copy.copy(message)
    change(after)
    after.reply_markup = checked(call.get("reply_markup"), is_inline_only=True)
    if after.media and after.media is not message.media and call.get("inline_message_id") and call.files:
        raise Refusal("can't upload new files to inline messages")
    if after.sameness() == message.sameness():
        raise Refusal(NOT_MODIFIED)

    def act():
        call.telegram.edit_message(message, after)
        return True if call.get("inline_message_id") else message.payload()

    return act


@method("editMessageText")
def edit_message_text(call):
    draft = text_of(call, call.args)
    message = _message(call)
    if message.media:
        raise Refusal("there is no text in the message to edit")

    def change(after):
        after.text, after.entities, after.link_preview = draft.text, draft.entities, draft.link_preview

    return _edited(call, message, change)


@method("editMessageCaption")
def edit_message_caption(call):
    draft = caption_of(call, call.args)
    message = _message(call)
    if not message.media:
        raise Refusal("there is no caption in the message to edit")

    def change(after):
        after.caption, after.entities, after.is_caption_above = draft.caption, draft.entities, draft.is_caption_above

    return _edited(call, message, change)


@method("editMessageMedia")
def edit_message_media(call):
    item = call.get("media")
    if item is None:
        raise Refusal('parameter "media" is required')
    draft = media_of(call, item)
    message = _message(call)
    if message.media_group_id and (draft.kind == "animation" or (draft.kind == "document") != (message.media.kind == "document")):
        raise Refusal("can't use the media of the specified type in the album")

    def change(after):
        draft.put(after)

    return _edited(call, message, change)


@method("editMessageReplyMarkup")
def edit_message_reply_markup(call):
    return _edited(call, _message(call), lambda _: None)


def _check_deletable(call, message):
    chat, bot = message.chat, call.telegram.bot
    is_too_old = call.telegram.now() - message.date > KEEP_HOURS * 3600
    is_own = message.sender is bot or bool(chat.user) or (chat.kind == "channel" and chat.may(bot, "can_post_messages"))
    if chat.may(bot, "can_delete_messages"):
        return
    if not is_own or is_too_old:
        raise Refusal("message can't be deleted for everyone")


@method("deleteMessage")
def delete_message(call):
    message = call.message(call.chat("edit"), "message to delete not found")
    _check_deletable(call, message)
    return lambda: call.telegram.delete_message(message)


@method("deleteMessages")
def delete_messages(call):
    chat, numbers = call.chat("edit"), call.get("message_ids")
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= 100:
        raise Refusal("message identifiers are not specified")
    found = [one for one in map(chat.message, numbers) if one]
    for one in found:
        _check_deletable(call, one)
    return lambda: all([call.telegram.delete_message(one) for one in found])
