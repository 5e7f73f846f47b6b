"""Telegram."""

from adapters.base import Adapter, Bot


def open_adapter(bot: Bot) -> Adapter | None:
    """Return the adapter, or nothing where there is no token."""
    if not bot.config.telegram.token:
        return None
    # Here and not above: who has no bot on Telegram does without its library.
    from adapters.telegram.adapter import TelegramAdapter

    return TelegramAdapter(bot)
