"""Inline mode: offers users in any chat their own images, which Telegram already has, and presets to generate with there."""

import logging
from collections.abc import Iterator, Mapping, Sequence

import telegram
from telegram import (
    InlineQuery,
    InlineQueryResultArticle,
    InlineQueryResultCachedPhoto,
    InlineQueryResultsButton,
    InputTextMessageContent,
)
from telegram.constants import ChatType, InlineQueryLimit

from adapters.telegram.api import REFUSALS
from adapters.telegram.message_ref import PLATFORM, bot_key
from adapters.telegram.render import MOST_CAPTION
from bot.app import App
from bot.commands.preset_use import preset_use
from bot.core.values import UserRef
from bot.i18n.translate import text
from bot.presets import template
from bot.store.images.images import StoredImage
from bot.store.sharing.presets import Reader

log = logging.getLogger("easel.telegram")

#: How long Telegram may cache an answer: new images are generated meanwhile.
_KEPT_SECONDS = 5

#: Presets shown before the images, images of a page, and presets searched for those that can be used anywhere.
_MOST_PRESETS = 5
_MOST_PICTURES = int(InlineQueryLimit.RESULTS) - _MOST_PRESETS
_MOST_LOOKED_AT = 25

#: No user scrolls through so many pages.
_LONGEST_OFFSET = 6


async def asked(api: telegram.Bot, app: App, query: InlineQuery) -> None:
    """Offer the user's images whose prompts contain the typed text, newest first."""
    page = int(query.offset) if query.offset.isdecimal() and len(query.offset) <= _LONGEST_OFFSET else 1
    try:
        user = await app.store.people.find(UserRef(PLATFORM, str(query.from_user.id)))
        found = () if user is None else await _pictures(app, user.id, query.query.strip(), page)
        handles = await app.store.handles.of(bot_key(api.token), [one.id for one in found])
        offered = await _presets(api, app, user.id, query) if user is not None and page == 1 else []
        results = [*offered, *_photos(found, handles)]
        await api.answer_inline_query(
            query.id,
            results,
            cache_time=_KEPT_SECONDS,
            is_personal=True,
            next_offset=str(page + 1) if len(found) == _MOST_PICTURES else "",
            button=None if results or page > 1 else InlineQueryResultsButton(_why_none(app), start_parameter="inline"),
        )
    except REFUSALS as error:
        # A user who types on sends a new query.
        log.info("telegram.inline_unanswered reason=%s", type(error).__name__)
    except Exception:
        log.exception("telegram.broke inline=%s", query.id)


async def _pictures(app: App, user: str, words: str, page: int) -> Sequence[StoredImage]:
    """Return the user's images; none if all are covered, because images sent from here cannot be covered."""
    return () if app.store.settings.cover else await app.store.finding.own(user, words, page, _MOST_PICTURES)


def _why_none(app: App) -> str:
    return text("telegram-inline-covered" if app.store.settings.cover else "telegram-inline-none")


def _photos(found: Sequence[StoredImage], handles: Mapping[str, str]) -> Iterator[InlineQueryResultCachedPhoto]:
    """Yield images that Telegram has."""
    for one in found:
        if one.id in handles:
            yield InlineQueryResultCachedPhoto(one.id, handles[one.id], caption=one.words[: MOST_CAPTION // 2], description=one.words[:100])


async def _presets(api: telegram.Bot, app: App, user: str, query: InlineQuery) -> list[InlineQueryResultArticle]:
    """Return presets whose names begin with the first word: once sent, each asks the bot to generate with it and the words that follow."""
    name, words = template.split(query.query)
    return [
        InlineQueryResultArticle(
            f"preset-{number}",
            text("telegram-inline-preset", name=one),
            InputTextMessageContent(f"/{preset_use.name}@{api.username} {one} {words}".strip()),
            description=words[:100] or None,
        )
        for number, one in enumerate(await _names(app, user, name, query.chat_type) if name else ())
    ]


async def _names(app: App, user: str, typed: str, chat_type: str | None) -> Sequence[str]:
    """Return the names of presets that can be used in the chat.

    Telegram tells which chat that is only for the chat with the bot: in any other the user's own and the public presets are offered.
    """
    everything = Reader(user, await app.store.boards.of_person(user))
    names = await app.store.presets.complete(everything, typed, _MOST_LOOKED_AT)
    if chat_type != ChatType.SENDER:
        anywhere = Reader(user)
        names = tuple([one for one in names if await app.store.presets.find(one, anywhere) is not None])
    return names[:_MOST_PRESETS]
