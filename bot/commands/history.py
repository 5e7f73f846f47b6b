"""The commands that search pictures by words and filters, page by page, and mark favourites."""

from bot.commands.context import Context
from bot.framework.command import command
from bot.framework.params import Params
from bot.framework.reply import MOST_WIRE, Button, Fact, Reply
from bot.generation.param_types import Folder, Page, PictureId, Words
from bot.i18n.translate import number, text
from bot.store.database import now
from bot.store.images.search import SearchPage, SearchQuery
from bot.views import history_query, job_card
from bot.views.history_query import Query

#: Pictures on a page of history: as many as a message of the strictest platform shows.
PAGE = 10

#: The number of folders that are listed if a folder does not exist.
_MOST_FOLDERS = 20


class History(Params):
    """The search text and the page."""

    words: Words = None
    page: Page = None


class Favourite(Params):
    """The picture to mark, and its folder."""

    picture: PictureId
    folder: Folder = None


@command
async def history(ctx: Context, want: History) -> Reply:
    """Show or search your pictures, newest first."""
    words, page = (want.words or "").strip(), want.page or 1
    query = history_query.read(words, now())
    found = await _found(ctx, query, page) if query != Query() or not words else SearchPage((), 0, False)
    count = f"{number(found.count)}{'+' if found.more else ''}"
    if not found.pictures:
        return await _nothing(ctx, query, words) if not found.count else Reply(text=text("history-end", page=page, count=count))
    first = (page - 1) * PAGE + 1
    last = first + len(found.pictures) - 1
    told = text("history-page", first=first, last=last, count=count, words=words)
    is_last = not found.more and last >= found.count
    more = () if is_last else _listed(words, page + 1, "button-more")
    if not is_last and not more:
        told = f"{told} {text('history-next', words=words, page=page + 1)}"
    return Reply(text=told, pictures=tuple(job_card.shown(one) for one in found.pictures), buttons=more)


async def _found(ctx: Context, query: Query, page: int) -> SearchPage:
    """Return a page of the results that this user may see."""
    people = await _people(ctx, query)
    if people is None or not await _may_ask(ctx, query, people):
        return SearchPage((), 0, False)
    sought = SearchQuery(
        user=ctx.user.id,
        people=people,
        here=ctx.address,
        words=query.words,
        model=query.model,
        preset=query.preset,
        seed=query.seed,
        before=query.before,
        marked=query.marked,
        folder=query.folder.casefold(),
    )
    return await ctx.store.finding.pictures(sought, page, PAGE)


async def _may_ask(ctx: Context, query: Query, people: tuple[str, ...]) -> bool:
    """Return whether this user may use a filter: a preset's pictures are found only by those who may see the preset."""
    if not query.preset or people == (ctx.user.id,):
        return True
    reader = await ctx.store.presets.reader(ctx.user.id, ctx.address)
    return await ctx.store.presets.find(query.preset, reader) is not None


async def _people(ctx: Context, query: Query) -> tuple[str, ...] | None:
    """Return the users whose pictures are searched: an empty tuple means all users, None means no user."""
    if not query.by:
        # Users find their favourites again, whoever requested them.
        return () if query.marked else (ctx.user.id,)
    if query.by.casefold() == "me":
        return (ctx.user.id,)
    return tuple(one.id for one in await ctx.store.people.named(query.by)) or None


async def _nothing(ctx: Context, query: Query, words: str) -> Reply:
    if query.is_plain:
        return Reply(text=text("history-none", words=words))
    folders = await ctx.store.finding.folders(ctx.user.id, _MOST_FOLDERS) if query.folder else ()
    facts = (Fact(text("fact-folders"), ", ".join(folders)),) if folders else ()
    return Reply(text=text("history-nothing", words=words), facts=facts)


def _listed(words: str, page: int, label: str) -> tuple[Button, ...]:
    """Return the button to a page; None if the search text is too long for a button."""
    wire = history.wire(words=words, page=page)
    return (history.button(label, words=words, page=page),) if len(wire.encode()) <= MOST_WIRE else ()


@command
async def favourite(ctx: Context, want: Favourite) -> Reply:
    """Add a picture to your favourites, move it to a folder, or remove it again."""
    picture, _ = await ctx.picture(want.picture)
    folder, words = history_query.folder(want.folder or "").casefold(), picture.words or text("paint-no-words")
    marked = await ctx.store.favourites.folder(ctx.user.id, picture.id)
    if marked is not None and folder in ("", marked):
        await ctx.store.favourites.unmark(ctx.user.id, picture.id)
        return Reply(text=text("favourite-off", words=words))
    await ctx.store.favourites.mark(ctx.user.id, picture.id, folder)
    buttons = _listed(f'in:"{folder}"' if folder else "is:favourite", 1, "button-favourites")
    return Reply(text=text("favourite-on", words=words, folder=folder), buttons=buttons)
