"""What Discord shows of the commands in other languages than English, which stands in their declarations."""

from collections.abc import Callable

from discord import Locale, app_commands

from bot.i18n.translate import ENGLISH, language_of, speaking

#: Under which name a text carries what says it in the language that is spoken.
_SAYS = "says"


def translatable(says: Callable[[], str]) -> app_commands.locale_str:
    """Return a text that Discord is told in every language."""
    with speaking(ENGLISH):
        return app_commands.locale_str(says(), **{_SAYS: says})


class Translations(app_commands.Translator):
    """Translates descriptions and menus; names of commands are the same in every language, for they are typed elsewhere too."""

    async def translate(self, string: app_commands.locale_str, locale: Locale, context: app_commands.TranslationContextTypes) -> str | None:
        """Return a text in the language of a locale, or nothing where that is the same."""
        del context
        says, language = string.extras.get(_SAYS), language_of(str(locale))
        if says is None or language in ("", ENGLISH):
            return None
        with speaking(language):
            said: str = says()
        return None if said == string.message else said
