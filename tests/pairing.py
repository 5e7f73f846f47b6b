"""A command that takes two pictures and says which ones came: only tests have it."""

from typing import Annotated

from pydantic import Field

from bot.framework.command import command
from bot.framework.params import Params, PictureMark
from bot.framework.reply import Reply
from bot.store.images.blobs import BlobStore
from inference.contract.inputs import Role


class Pair(Params):
    """Two pictures, and words that mean nothing."""

    words: Annotated[str | None, Field(max_length=100, description="Any words")] = None
    image: Annotated[str | None, Field(description="A picture to change"), PictureMark(Role.INIT)] = None
    mask: Annotated[str | None, Field(description="Where to change it"), PictureMark(Role.MASK)] = None


@command
async def pair(_ctx, want: Pair) -> Reply:
    """Say which pictures came."""
    return Reply(text=told(want.image, want.mask))


def told(image, mask):
    """Return what the command says, of the keys of two pictures or of their bytes."""
    first, second = (BlobStore.key_of(one) if isinstance(one, bytes) else one for one in (image, mask))
    return f"image {first and first[:12]}, mask {second and second[:12]}"
