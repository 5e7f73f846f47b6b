"""Chooses a language from a browser's Accept-Language header."""

from collections.abc import Iterator

from bot.i18n.translate import language_of

#: Number of languages of a header that are considered.
_MOST = 20


def wanted(accepted: str) -> str:
    """Return the supported language that an Accept-Language header prefers, or `None` if it names none of them."""
    liked = [(weight, language) for weight, language in _liked(accepted) if language and weight > 0]
    return max(liked, key=lambda one: one[0])[1] if liked else ""


def _liked(accepted: str) -> Iterator[tuple[float, str]]:
    """Yield languages with their weights; an unreadable weight counts as 0."""
    for one in accepted.split(",")[:_MOST]:
        locale, _, weight = one.partition(";")
        said = weight.strip().removeprefix("q=").strip()
        try:
            yield (float(said) if weight else 1.0), language_of(locale.strip())
        except ValueError:
            continue
