"""Reads images that users attach, that a message shows, or that are avatars; and files that a command reads."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import discord
import msgspec

from adapters.discord.api import SILENCE
from bot.core.errors import BadInput
from inference.contract.errors import BadPicture
from inference.images.validation import MOST_BYTES

#: A read is safe to repeat, so a failed download is retried.
_TRIES = 3

#: The size of an avatar in pixels, and its query.
_AVATAR = 512


class Picture(msgspec.Struct, frozen=True):
    """An image at Discord: its address, and its size in bytes if Discord names it."""

    url: str
    size: int = 0


def of_data(attached: Mapping[str, Any]) -> Picture:
    """Return an attachment as Discord describes it."""
    return Picture(str(attached["url"]), int(attached.get("size", 0)))


def pictures_of(client: discord.Client, message: discord.Message) -> list[Picture]:
    """Return the images attached to a message, or else those that it shows, in order."""
    attached = [one for one in message.attachments if (one.content_type or "").startswith("image/")]
    # For messages of others only attachments: a gallery can show images of any address.
    is_ours = client.user is not None and message.author.id == client.user.id
    return [Picture(one.url, one.size) for one in attached] or (list(_shown(message.components)) if is_ours else [])


def files_of(message: discord.Message) -> list[Picture]:
    """Return the files attached to a message, of any type, in order."""
    return [Picture(one.url, one.size) for one in message.attachments]


def avatar_of(user: discord.User | discord.Member) -> Picture:
    """Return a user's avatar."""
    return Picture(user.display_avatar.with_size(_AVATAR).with_static_format("png").url)


def _shown(components: Iterable[Any]) -> Iterator[Picture]:
    """Yield the images in the galleries of a message."""
    for component in components:
        for item in getattr(component, "items", ()):
            if isinstance(item, discord.MediaGalleryItem):
                yield Picture(item.media.url)
        yield from _shown(getattr(component, "children", ()))


async def fetched(client: discord.Client, picture: Picture) -> bytes:
    """Return the bytes of an image; raises `BadPicture` if it is too large, `BadInput` if the download fails."""
    if picture.size > MOST_BYTES:
        raise BadPicture("picture-bytes", given=picture.size, most=MOST_BYTES)
    for _ in range(_TRIES):
        with contextlib.suppress(discord.HTTPException, *SILENCE):
            return await client.http.get_from_cdn(picture.url)
    raise BadInput("input-picture-fetch")
