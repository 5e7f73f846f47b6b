"""Discord."""

from adapters.base import Adapter, Bot


def open_adapter(bot: Bot) -> Adapter | None:
    """Return the adapter, or nothing where there is no token."""
    if not bot.config.discord.token:
        return None
    # Here and not above: who has no bot on Discord does without its library.
    from adapters.discord.adapter import DiscordAdapter

    return DiscordAdapter(bot)
