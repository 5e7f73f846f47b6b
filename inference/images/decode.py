"""Input pictures from strangers into plain pixels. Runs in the worker process alone: decoders are where attacks arrive."""

import io
import warnings

import numpy as np
from PIL import Image, ImageCms, ImageOps

from inference.contract.errors import BadPicture
from inference.contract.inputs import Input, Role
from inference.images.validation import MOST_PIXELS, check_bytes, check_pixels, most_pixels

_ORIENTATION = 0x0112
#: What each EXIF orientation asks for; 1 is upright.
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
    """Return the picture upright, on white where it is transparent, as RGB, cut and scaled to fill `size` (width, height).

    Only the first frame counts and nothing but pixels survives. Raises `BadPicture`, and nothing else, whatever the data.
    """
    header = check_bytes(data)
    try:
        # Decoders warn about much that is read all the same; a warning would say nothing to the person.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decoded(data, header.format, size)
    except BadPicture:
        raise
    except Exception as error:  # Pillow raises OSError, ValueError, SyntaxError, struct.error, EOFError and more for bad files.
        raise BadPicture("picture-broken", format=header.format) from error


def read_input(given: Input, size: tuple[int, int]) -> Image.Image:
    """Return an input as a mode is given it: a mask in grey and a reference at its own size, all others as `read` has them."""
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
    """Return the image as RGB, or RGBA where some of it may be transparent."""
    if image.mode.startswith("I"):
        # 16-bit grey: a plain conversion would cut off all above 255 instead of scaling it.
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _upright(image: Image.Image, file: Image.Image) -> Image.Image:
    """Return the image turned as the EXIF block of its file asks; a block that cannot be read asks for nothing."""
    try:
        turn = _TURNS.get(file.getexif().get(_ORIENTATION, 1))
    except Exception:  # As above: any exception can come out of a forged block, and the pixels are fine without it.
        return image
    return image if turn is None else image.transpose(turn)


def _bare(image: Image.Image) -> Image.Image:
    """Return the pixels alone, on white: a conversion or a crop would carry EXIF, comments and profiles along."""
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(image, None, image if image.mode == "RGBA" else None)
    return canvas
