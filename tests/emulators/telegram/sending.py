"""Methods that send: texts, photos, files, albums, copies, chat actions and reactions."""

from dataclasses import replace

from tests.emulators.telegram import markup
from tests.emulators.telegram.access import check_sending
from tests.emulators.telegram.errors import Refusal
from tests.emulators.telegram.keyboards import checked
from tests.emulators.telegram.media import Animation, Document, Photo, given
from tests.emulators.telegram.messages import Draft
from tests.emulators.telegram.routing import Methods

method = Methods()
MOST_OF_TEXT, MOST_OF_CAPTION = 4096, 1024
ACTIONS = (
    *("typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document", "choose_sticker"),
    *("find_location", "record_video_note", "upload_video_note"),
)
EMOJI = (
    "❤👍👎🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾😡"
)


def text_of(call, source, name="text", entities="entities"):
    """Return a draft with a text."""
    raw = source.get(name)
    if not raw:
        raise Refusal("message text is empty")
    text, found = markup.formatted(str(raw), source.get("parse_mode"), source.get(entities), call.telegram.users)
    if not text:
        raise Refusal("text must be non-empty")
    if markup.units(text) > MOST_OF_TEXT:
        raise Refusal("message is too long")
    return Draft(text=text, entities=found, link_preview=source.get("link_preview_options"))


def caption_of(call, source):
    """Return a draft with a caption, its position and the spoiler flag."""
    raw = str(source.get("caption") or "")
    text, found = markup.formatted(raw, source.get("parse_mode"), source.get("caption_entities"), call.telegram.users)
    if markup.units(text) > MOST_OF_CAPTION:
        raise Refusal("message caption is too long")
    is_above, is_hidden = bool(source.get("show_caption_above_media")), bool(source.get("has_spoiler"))
    return Draft(caption=text or None, entities=found, is_caption_above=is_above, has_spoiler=is_hidden)


def _place(call, draft, cost=1):
    """Return (chat, keyword arguments for the message in it)."""
    chat = call.chat("write")
    thread = call.get("message_thread_id")
    if thread is not None and thread not in _threads(chat):
        raise Refusal("message thread not found")
    check_sending(chat, draft.kind, thread)
    answered, quote = _reply(call, chat)
    if thread is None and answered and answered.topic:
        thread = answered.message_thread_id
    call.count(chat, cost)
    is_silent, is_protected = bool(call.get("disable_notification")), bool(call.get("protect_content"))
    return chat, {"thread": thread, "reply_to": answered, "quote": quote, "is_silent": is_silent, "is_protected": is_protected}


def _threads(chat):
    """Return the valid values of message_thread_id: in a forum the topics except the general topic, elsewhere the existing threads."""
    if chat.is_forum:
        return set(chat.topics) - {1}
    return {one.message_thread_id for one in chat.messages} - {None}


def _reply(call, chat):
    wanted = call.get("reply_parameters")
    if wanted is None:
        return None, None
    if not isinstance(wanted, dict):
        raise Refusal("object expected as reply parameters")
    channel = call.telegram.find_chat(wanted["chat_id"]) if "chat_id" in wanted else chat
    if channel is None:
        raise Refusal("chat not found")
    found = channel.message(wanted.get("message_id"))
    if found is None:
        if wanted.get("allow_sending_without_reply"):
            return None, None
        raise Refusal("message to be replied not found")
    quote = wanted.get("quote") and markup.formatted(wanted["quote"], wanted.get("quote_parse_mode"))[0]
    if quote and quote not in found.words:
        raise Refusal("QUOTE_TEXT_INVALID")
    return found, quote or None


def _sent(call, draft):
    """Return a function that sends a message."""
    draft.reply_markup = checked(call.get("reply_markup"))
    chat, more = _place(call, draft)
    return lambda: call.telegram.add_message(chat, call.telegram.bot, draft, **more).payload()


@method("sendMessage")
def send_message(call):
    return _sent(call, text_of(call, call.args))


def _file(call, name, kind, **more):
    if call.get(name) is None:
        raise Refusal(f"there is no {name} in the request")
    return given(call, call.get(name), kind, **more)


@method("sendPhoto")
def send_photo(call):
    return _sent(call, replace(caption_of(call, call.args), media=_file(call, "photo", Photo)))


@method("sendDocument")
def send_document(call):
    name = str(call.get("document", "")).removeprefix("attach://")
    # A GIF becomes an animation, unless content type detection is disabled.
    is_film = name in call.files and call.files[name].data[:4] == b"GIF8" and not call.get("disable_content_type_detection")
    kind = Animation if is_film else Document
    return _sent(call, replace(caption_of(call, call.args), media=_file(call, "document", kind), has_spoiler=False))


@method("sendAnimation")
def send_animation(call):
    size = {name: call.get(name) for name in ("width", "height", "duration")}
    upload = call.get("animation")
    more = size if isinstance(upload, str) and upload.startswith("attach://") else {}
    return _sent(call, replace(caption_of(call, call.args), media=_file(call, "animation", Animation, **more)))


def media_of(call, item):
    """Return a draft of an InputMedia."""
    kinds = {"photo": Photo, "document": Document, "animation": Animation}
    if not isinstance(item, dict):
        raise Refusal("can't parse InputMedia: expected an Object")
    if item.get("type") not in kinds:
        raise Refusal(f'can\'t parse InputMedia: type "{item.get("type")}" is unsupported')
    if not item.get("media"):
        raise Refusal("can't parse InputMedia: media not found")
    return replace(caption_of(call, item), media=given(call, item["media"], kinds[item["type"]]))


def _check_album(drafts):
    if len(drafts) > 10:
        raise Refusal("too many messages to send as an album")
    if len(drafts) < 2:
        raise Refusal("there must be at least two messages in an album")
    kinds = {one.kind for one in drafts}
    if "animation" in kinds:
        raise Refusal("can't parse InputMedia: type \"animation\" can't be used in sendMediaGroup")
    if len(kinds) > 1:
        raise Refusal("document can't be mixed with other media types")


@method("sendMediaGroup")
def send_media_group(call):
    items = call.get("media")
    if not isinstance(items, list):
        raise Refusal("expected an Array of InputMedia")
    if "reply_markup" in call.args:
        raise Refusal("reply markup can't be used in sendMediaGroup")
    drafts = [media_of(call, one) for one in items]
    _check_album(drafts)
    chat, more = _place(call, drafts[0], len(drafts))
    group = str(next(call.telegram.ids.albums))
    return lambda: [call.telegram.add_message(chat, call.telegram.bot, one, group_id=group, **more).payload() for one in drafts]


def _draft_of(message):
    return Draft(**{name: getattr(message, name) for name in vars(Draft())})


@method("copyMessage")
def copy_message(call):
    source = call.message(call.chat("read", "from_chat_id"), "message to copy not found")
    if source.service or source.is_protected:
        raise Refusal("message can't be copied")
    draft = replace(_draft_of(source), reply_markup=checked(call.get("reply_markup")))
    if "caption" in call.args and source.media:
        told = caption_of(call, call.args)
        draft = replace(draft, caption=told.caption, entities=told.entities, is_caption_above=told.is_caption_above)
    chat, more = _place(call, draft)
    return lambda: {"message_id": call.telegram.add_message(chat, call.telegram.bot, draft, **more).id}


@method("forwardMessage")
def forward_message(call):
    source = call.message(call.chat("read", "from_chat_id"), "message to forward not found")
    if source.service or source.is_protected:
        raise Refusal("message can't be forwarded")
    draft = replace(_draft_of(source), reply_markup=None)
    chat, more = _place(call, draft)
    origin = {"type": "user", "sender_user": (source.sender or call.telegram.bot).payload(), "date": source.date}
    if source.chat.kind == "channel":
        origin = {"type": "channel", "chat": source.chat.payload(), "message_id": source.id, "date": source.date}
    return lambda: call.telegram.add_message(chat, call.telegram.bot, draft, forward_origin=origin, **more).payload()


@method("sendChatAction")
def send_chat_action(call):
    action = call.get("action")
    if action not in ACTIONS:
        raise Refusal("wrong parameter action in request")
    chat = call.chat("write")

    def act():
        call.telegram.actions.append((chat, action, call.get("message_thread_id")))
        return True

    return act


@method("setMessageReaction")
def set_message_reaction(call):
    chat = call.chat("write")
    message = call.message(chat, "message to react not found")
    wanted = call.get("reaction", [])
    if len(wanted) > 1:
        raise Refusal("REACTIONS_TOO_MANY")
    if any(one.get("type") != "emoji" or one.get("emoji", "").rstrip("\ufe0f") not in EMOJI for one in wanted):
        raise Refusal("REACTION_INVALID")

    def react():
        message.reactions[call.telegram.bot.id] = list(wanted)
        return True

    return react
