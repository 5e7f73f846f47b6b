"""Import python-telegram-bot, whose package has the same name as this folder."""

import telegram
from telegram import ext

__all__ = ["ext", "telegram"]
