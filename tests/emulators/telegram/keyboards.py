"""Keyboards of messages: validation, and the values of their buttons."""

import re

from tests.emulators.telegram.errors import Refusal, check_bytes

MOST_BUTTONS, MOST_IN_A_ROW = 100, 8
LINK = re.compile(r"(https?://|tg://)\S+|(?:[\w-]+\.)+\w{2,}(/\S*)?", re.IGNORECASE)
# The keys that define a button's action; other keys define its look.
DEEDS = (
    *("url", "callback_data", "web_app", "login_url", "switch_inline_query", "switch_inline_query_current_chat"),
    *("switch_inline_query_chosen_chat", "copy_text", "callback_game", "pay"),
)


def checked(markup, *, is_inline_only=False):
    """Return a valid keyboard, or refuse it; an empty keyboard becomes None."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise Refusal("object expected as reply markup")
    if "inline_keyboard" in markup:
        return _inline(markup["inline_keyboard"])
    if is_inline_only:
        raise Refusal("inline keyboard expected")
    if "keyboard" in markup:
        _check_size(markup["keyboard"], 300, 12)
    return markup or None


def _inline(rows):
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Refusal('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    _check_size(rows, MOST_BUTTONS, MOST_IN_A_ROW)
    for button in (one for row in rows for one in row):
        _check_button(button)
    kept = [row for row in rows if row]
    return {"inline_keyboard": kept} if kept else None


def _check_size(rows, most, most_in_a_row):
    if sum(map(len, rows)) > most or any(len(row) > most_in_a_row for row in rows):
        raise Refusal("reply markup is too long")


def _check_button(button):
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise Refusal('can\'t parse inline keyboard button: Field "text" must be of type String')
    if not button["text"].strip():
        raise Refusal("BUTTON_TEXT_INVALID")
    deeds = [one for one in DEEDS if one in button]
    if not deeds:
        raise Refusal("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if len(deeds) > 1:
        raise Refusal("BUTTON_TYPE_INVALID")
    if "callback_data" in button:
        check_bytes(button["callback_data"], 1, 64, "BUTTON_DATA_INVALID")
    if "url" in button and not LINK.fullmatch(button["url"]):
        raise Refusal(f"inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL")


def deed(button):
    """Return the value of a button: its callback data, its URL, or the text that it inserts."""
    if isinstance(button, str):
        return None
    found = next((button[one] for one in DEEDS if one in button), None)
    return found.get("text", found) if isinstance(found, dict) else found
