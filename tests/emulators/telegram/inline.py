"""The message that an inline result becomes when a user sends it."""

from tests.emulators.telegram import markup
from tests.emulators.telegram.keyboards import checked
from tests.emulators.telegram.messages import Draft


def drafted(telegram, result):
    """Return the draft of the message."""
    keyboard = checked(result.get("reply_markup"), is_inline_only=True)
    if content := result.get("input_message_content"):
        text, entities = markup.formatted(content["message_text"], content.get("parse_mode"), content.get("entities"), telegram.users)
        return Draft(text=text, entities=entities, reply_markup=keyboard, link_preview=content.get("link_preview_options"))
    file_id = next((result[name] for name in ("photo_file_id", "document_file_id", "gif_file_id") if name in result), None)
    assert file_id in telegram.stored, f"Only what Telegram already has can be sent here, not {result}"
    caption, entities = markup.formatted(
        result.get("caption") or "", result.get("parse_mode"), result.get("caption_entities"), telegram.users
    )
    is_above = bool(result.get("show_caption_above_media"))
    media = telegram.stored[file_id].media
    return Draft(caption=caption or None, entities=entities, media=media, reply_markup=keyboard, is_caption_above=is_above)
