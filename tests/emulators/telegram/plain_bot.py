"""A plain python-telegram-bot bot for the tests of the emulator."""

import io

import pytest
from PIL import Image

from tests.emulators.telegram.library import ext
from tests.emulators.telegram.library import telegram as library

# Local connections need no certificates, which are slow to load.
PLAIN = {"httpx_kwargs": {"verify": False}}


def png(width=64, height=48, colour="red"):
    """Return a picture file."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


PNG = png()


def keyboard(data="again:1", **more):
    """Return a keyboard with one row."""
    return library.InlineKeyboardMarkup([[library.InlineKeyboardButton("Again", callback_data=data, **more)]])


def picture(data=PNG, caption=None, **more):
    """Return a photo for an album or an edit."""
    return library.InputMediaPhoto(data, caption=caption, filename="cat.png", **more)


def client(telegram, token=None):
    """Return a bot that is connected to the emulator."""
    asking, polling = library.request.HTTPXRequest(**PLAIN), library.request.HTTPXRequest(**PLAIN)
    return ext.ExtBot(token or telegram.token, telegram.api_base, telegram.file_base, asking, polling)


def application(telegram):
    """Return an application that is connected to the emulator; received updates are in `bot_data`."""
    made = ext.Application.builder().bot(client(telegram)).build()
    made.bot_data["heard"] = []
    made.add_handler(ext.TypeHandler(library.Update, heard), group=-1)
    made.add_handler(ext.CommandHandler("paint", paint))
    made.add_handler(ext.CallbackQueryHandler(pressed))
    made.add_handler(ext.InlineQueryHandler(proposed))
    return made


async def heard(update, context):
    """Record every update."""
    context.bot_data["heard"].append(update)


async def paint(update, context):
    """Send a placeholder, then replace it with a picture and a button."""
    sent = await update.effective_message.reply_text(f"wait, <b>{' '.join(context.args)}</b>", parse_mode="HTML")
    await sent.edit_media(picture(caption="done"), reply_markup=keyboard())


async def pressed(update, _context):
    """Answer a press, and remove the button."""
    await update.callback_query.answer(f"pressed {update.callback_query.data}", show_alert=True)
    await update.callback_query.edit_message_reply_markup(None)


async def proposed(update, _context):
    """Answer an inline query with one text."""
    asked = update.inline_query
    content = library.InputTextMessageContent(f"<i>{asked.query}</i>", parse_mode="HTML")
    article = library.InlineQueryResultArticle("1", "One", content, reply_markup=keyboard())
    await asked.answer([article], next_offset="more", cache_time=0)


async def refused(telegram, asking, description, status=400):
    """Assert that a request is refused with exactly this description."""
    with pytest.raises(library.error.TelegramError) as raised:
        await asking
    assert (telegram.requests[-1].status, telegram.requests[-1].description) == (status, description)
    return raised.value


async def polled(bot, offset=0, **more):
    """Return the updates of a poll that does not wait."""
    return await bot.get_updates(offset, timeout=0, **more)
