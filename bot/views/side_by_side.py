"""Two pictures side by side as one, each with a line below it that says what it is."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

#: The least and the greatest height at which pictures are laid side by side; both get the same.
_LEAST, _MOST = 256, 768

#: However wide a picture is, it gets no more pixels across than this.
_WIDEST = 1536

#: Pixels between the pictures and around their captions, the size of the letters, and the quality of the JPEG.
_GAP, _LETTERS, _QUALITY = 8, 16, 92

_GROUND, _INK = (24, 24, 24), (235, 235, 235)


def side_by_side(files: tuple[bytes, bytes], captions: tuple[str, str]) -> bytes:
    """Return two pictures as one JPEG. It takes a moment, so it belongs into a thread."""
    # Here and not above: a start has no use for it.
    from PIL import Image, ImageDraw, ImageFont

    opened = [_opened(one) for one in files]
    height = min(max(_LEAST, *(one.height for one in opened)), _MOST)
    laid = [_laid(one, height) for one in opened]
    strip = _LETTERS + 2 * _GAP
    tall = max(one.height for one in laid)
    whole = Image.new("RGB", (sum(one.width for one in laid) + _GAP, tall + strip), _GROUND)
    draw, font, left = ImageDraw.Draw(whole), ImageFont.load_default(_LETTERS), 0
    for one, caption in zip(laid, captions, strict=True):
        whole.paste(one, (left, (tall - one.height) // 2))
        draw.text((left + _GAP, tall + _GAP // 2), _fitting(caption, font.getlength, one.width - 2 * _GAP), _INK, font)
        left += one.width + _GAP
    made = io.BytesIO()
    whole.save(made, "JPEG", quality=_QUALITY)
    return made.getvalue()


def _opened(data: bytes) -> "Image.Image":
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
        return picture.convert("RGB")


def _laid(picture: "Image.Image", height: int) -> "Image.Image":
    """Return a picture of that height, or less where it would become too wide."""
    scale = min(height / picture.height, _WIDEST / picture.width)
    return picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))


def _fitting(caption: str, length: Callable[[str], float], most: int) -> str:
    """Return a caption no longer than so many pixels."""
    if length(caption) <= most:
        return caption
    while caption and length(f"{caption}…") > most:
        caption = caption[:-1]
    return f"{caption}…"
