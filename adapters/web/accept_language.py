"""Which language a browser asks for."""

from collections.abc import Iterator

from bot.i18n.translate import language_of

#: Languages of a header that are looked at; people speak fewer.
_MOST = 20


def wanted(accepted: str) -> str:
    """Return which of our languages an Accept-Language header likes best, or nothing where it names none of them."""
    liked = [(weight, language) for weight, language in _liked(accepted) if language and weight > 0]
    return max(liked, key=lambda one: one[0])[1] if liked else ""


def _liked(accepted: str) -> Iterator[tuple[float, str]]:
    """Yield languages with how much they are liked; what cannot be read is not liked at all."""
    for one in accepted.split(",")[:_MOST]:
        locale, _, weight = one.partition(";")
        said = weight.strip().removeprefix("q=").strip()
        try:
            yield (float(said) if weight else 1.0), language_of(locale.strip())
        except ValueError:
            continue
