"""The Telegram adapter."""

from adapters.base import Adapter, Bot


def open_adapter(bot: Bot) -> Adapter | None:
    """Return the adapter, or `None` if there is no token."""
    if not bot.config.telegram.token:
        return None
    # Imported here because an installation without a Telegram bot does not need its library.
    from adapters.telegram.adapter import TelegramAdapter

    return TelegramAdapter(bot)
