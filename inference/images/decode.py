"""Decodes untrusted input pictures into plain pixels. Runs only in the worker process, because attacks target decoders."""

import io
import warnings

import numpy as np
from PIL import Image, ImageCms, ImageOps

from inference.contract.errors import BadPicture
from inference.contract.inputs import Input, Role
from inference.images.validation import MOST_PIXELS, check_bytes, check_pixels, most_pixels

_ORIENTATION = 0x0112
#: The transformation for each EXIF orientation; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(data: bytes, size: tuple[int, int] | None = None) -> Image.Image:
    """Return the picture as RGB, upright, with transparency on white, cropped and scaled to fill `size` (width, height) if given.

    Only the pixels of the first frame are kept. Raises `BadPicture`, and no other exception, for any data.
    """
    header = check_bytes(data)
    try:
        # Decoders warn about many files that they still read; a warning would not help the user.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decoded(data, header.format, size)
    except BadPicture:
        raise
    except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, struct.error, EOFError and more for bad files.
        raise BadPicture("picture-broken", format=header.format) from error


def read_input(given: Input, size: tuple[int, int]) -> Image.Image:
    """Return an input as its mode needs it: a mask in grey, a reference at its original size, any other input as from `read`."""
    image = read(given.data, None if given.role is Role.REFERENCE else size)
    return image.convert("L") if given.role is Role.MASK else image


def _decoded(data: bytes, kind: str, size: tuple[int, int] | None) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=(kind,)) as file:
        check_pixels(*file.size, most_pixels(kind))  # A forged file can name one size first and another one later.
        _scale_down(file)
        file.load()
        image = _upright(_eight_bits(_in_srgb(file)), file)
    if size is not None:
        image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    return _bare(image)


def _scale_down(file: Image.Image) -> None:
    """Have a large JPEG decoded at a half, a quarter or an eighth of its size, so that memory is bounded; no other format can do that."""
    width, height = file.size
    parts = 1
    while width * height > MOST_PIXELS * parts**2 and parts < 8:
        parts *= 2
    if parts > 1:
        file.draft(file.mode, (width // parts, height // parts))


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return the image in sRGB if its file says that its numbers mean other colours; a profile that cannot be read says nothing."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "L", "P", "CMYK"):
        return image
    if image.has_transparency_data or image.mode == "P":
        image = _eight_bits(image)
    try:
        described = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        colours = image.convert("RGB") if image.mode == "RGBA" else image
        converted = ImageCms.profileToProfile(colours, described, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except Exception:  # As everywhere here: a forged profile can raise anything.
        return image
    if converted is None:
        return image
    if image.mode == "RGBA":
        converted.putalpha(image.getchannel("A"))
    return converted


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the image as RGB, or as RGBA if some of it may be transparent."""
    if image.mode.startswith("I"):
        # 16-bit grey: a plain conversion would clip values above 255 instead of scaling them.
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _upright(image: Image.Image, file: Image.Image) -> Image.Image:
    """Return the image with the EXIF orientation of its file applied; an EXIF block that cannot be read is ignored."""
    try:
        turn = _TURNS.get(file.getexif().get(_ORIENTATION, 1))
    except Exception:  # As above: any exception can come out of a forged block, and the pixels are fine without it.
        return image
    return image if turn is None else image.transpose(turn)


def _bare(image: Image.Image) -> Image.Image:
    """Return only the pixels, on white: a conversion or a crop would keep EXIF, comments and profiles."""
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(image, None, image if image.mode == "RGBA" else None)
    return canvas
