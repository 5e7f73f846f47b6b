"""The Discord adapter."""

from adapters.base import Adapter, Bot


def open_adapter(bot: Bot) -> Adapter | None:
    """Return the adapter, or `None` if there is no token."""
    if not bot.config.discord.token:
        return None
    # Imported here because an installation without a Discord bot does not need its library.
    from adapters.discord.adapter import DiscordAdapter

    return DiscordAdapter(bot)
