"""A command that takes two pictures and reports which pictures it received; only tests have it."""

from typing import Annotated

from pydantic import Field

from bot.framework.command import command
from bot.framework.params import Params, PictureMark
from bot.framework.reply import Reply
from bot.store.images.blobs import BlobStore
from inference.contract.inputs import Role


class Pair(Params):
    """Two pictures, and a text without a meaning."""

    words: Annotated[str | None, Field(max_length=100, description="Any words")] = None
    image: Annotated[str | None, Field(description="A picture to change"), PictureMark(Role.INIT)] = None
    mask: Annotated[str | None, Field(description="Where to change it"), PictureMark(Role.MASK)] = None


@command
async def pair(_ctx, want: Pair) -> Reply:
    """Say which pictures came."""
    return Reply(text=told(want.image, want.mask))


def told(image, mask):
    """Return the report of the command, given the keys or the bytes of the two pictures."""
    first, second = (BlobStore.key_of(one) if isinstance(one, bytes) else one for one in (image, mask))
    return f"image {first and first[:12]}, mask {second and second[:12]}"
