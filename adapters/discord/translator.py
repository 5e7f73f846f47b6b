"""Translations of the commands that Discord shows; the English texts are part of the command declarations."""

from collections.abc import Callable

from discord import Locale, app_commands

from bot.i18n.translate import ENGLISH, language_of, speaking

#: The key of a text's extras that holds the function which returns it in the current language.
_SAYS = "says"


def translatable(says: Callable[[], str]) -> app_commands.locale_str:
    """Return a text that is sent to Discord in every language."""
    with speaking(ENGLISH):
        return app_commands.locale_str(says(), **{_SAYS: says})


class Translations(app_commands.Translator):
    """Translates descriptions and menus; command names are the same in every language, because users also type them on other platforms."""

    async def translate(self, string: app_commands.locale_str, locale: Locale, context: app_commands.TranslationContextTypes) -> str | None:
        """Return a text in the language of a locale, or `None` if it is the same there."""
        del context
        says, language = string.extras.get(_SAYS), language_of(str(locale))
        if says is None or language in ("", ENGLISH):
            return None
        with speaking(language):
            said: str = says()
        return None if said == string.message else said
