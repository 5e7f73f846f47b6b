"""python-telegram-bot, whose name is this folder's too."""

import telegram
from telegram import ext

__all__ = ["ext", "telegram"]
