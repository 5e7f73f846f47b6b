"""Pictures and files: photos are converted to JPEG in several sizes, documents are kept as they are."""

import functools
import hashlib
import io
import mimetypes
import secrets
import warnings
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from tests.emulators.telegram.errors import WRONG_FILE, Refusal

MIB = 1024 * 1024
MOST_OF_PHOTO, MOST_OF_DOWNLOAD = 10 * MIB, 20 * MIB
SIDES = (90, 320, 800, 1280, 2560)
QUALITY = 87


@dataclass(eq=False)
class Stored:
    """A file that can be downloaded, and sent again by its id."""

    media: Any
    data: bytes = field(repr=False)
    suffix: str
    unique_id: str
    file_id: str = field(default_factory=lambda: "AgACAgIAAxkB" + secrets.token_urlsafe(42))
    path: str = ""
    path_until: float = 0.0

    def payload(self):
        """Return the fields that all kinds of files have."""
        return {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": len(self.data)}


class Media:
    """The media of a message."""

    kind = ""

    def __init__(self, telegram, upload):
        self.telegram, self.uploaded, self.name = telegram, upload.data, upload.name
        # Equal keys mean the same media. Whether Telegram recognises a repeated upload is unknown, so `same_upload_is_same` decides.
        fresh = b"" if telegram.same_upload_is_same else secrets.token_bytes(8)
        self.key = hashlib.sha256(self.kind.encode() + fresh + upload.data).hexdigest()

    def __repr__(self):
        return f"<{type(self).__name__} {self.name} {len(self.uploaded)} bytes>"

    def _store(self, data, suffix, tag=""):
        unique = "AQAD" + hashlib.sha256(f"{self.key}{tag}".encode()).hexdigest()[:12]
        made = Stored(self, data, suffix, unique)
        self.telegram.stored[made.file_id] = made
        return made


class Photo(Media):
    """A photo: JPEG in several sizes; `sizes` are (width, height, file), smallest first."""

    kind = "photo"

    def __init__(self, telegram, upload):
        super().__init__(telegram, upload)
        shown = _variants(upload.data)
        self.sizes = [(width, height, self._store(data, ".jpg", f"{width}x{height}")) for width, height, data in shown]

    @property
    def width(self):
        """The width of the largest size."""
        return self.sizes[-1][0]

    @property
    def height(self):
        """The height of the largest size."""
        return self.sizes[-1][1]

    @property
    def data(self):
        """The bytes of the largest size, as downloaded."""
        return self.sizes[-1][2].data

    @property
    def file_id(self):
        """The file id of the largest size."""
        return self.sizes[-1][2].file_id

    def payload(self):
        """Return its fields in a message."""
        return {"photo": [one.payload() | {"width": width, "height": height} for width, height, one in self.sizes]}


class Document(Media):
    """A file that is kept as it is."""

    kind = "document"

    def __init__(self, telegram, upload):
        super().__init__(telegram, upload)
        self.mime = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
        self.file = self._store(upload.data, mimetypes.guess_extension(self.mime) or "")

    @property
    def data(self):
        """The file's bytes."""
        return self.file.data

    @property
    def file_id(self):
        """The file's id."""
        return self.file.file_id

    def _told(self):
        return self.file.payload() | {"file_name": self.name, "mime_type": self.mime}

    def payload(self):
        """Return its fields in a message."""
        return {"document": self._told()}


class Animation(Document):
    """A silent video. Telegram converts a GIF to MPEG-4; here it stays a GIF."""

    kind = "animation"

    def __init__(self, telegram, upload, width=0, height=0, duration=0):
        super().__init__(telegram, upload)
        self.width, self.height, self.duration = width or 0, height or 0, duration or 0
        if not self.width and (size := _size(upload.data)):
            self.width, self.height = size

    def payload(self):
        """Return its fields in a message; for old bots it is a document too."""
        size = {"width": self.width, "height": self.height, "duration": self.duration}
        return {"animation": self._told() | size, "document": self._told()}


def _opened(data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data))


def _size(data):
    try:
        return _opened(data).size
    except (OSError, ValueError):
        return None


def check_photo(data):
    """Refuse a photo that is too large, too elongated or not an image."""
    if len(data) > MOST_OF_PHOTO:
        raise Refusal(f"file of size {len(data)} bytes is too big for a photo; the maximum size is {MOST_OF_PHOTO} bytes")
    if not data:
        raise Refusal("file must be non-empty")
    if (size := _size(data)) is None:
        raise Refusal("IMAGE_PROCESS_FAILED")
    if sum(size) > 10000 or max(size) > 20 * min(size):
        raise Refusal("PHOTO_INVALID_DIMENSIONS")
    try:
        _variants(data)
    except (OSError, ValueError, SyntaxError) as broken:
        raise Refusal("IMAGE_PROCESS_FAILED") from broken


@functools.lru_cache(maxsize=32)
def _variants(data):
    """Return (width, height, JPEG) of each size in which a photo is stored."""
    picture = _opened(data).convert("RGB")
    longest = max(picture.size)
    sides = [side for side in SIDES if side < longest] + [min(longest, SIDES[-1])]
    made = []
    for side in dict.fromkeys(sides):
        small = picture.copy()
        small.thumbnail((side, side))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=QUALITY)
        made.append((*small.size, out.getvalue()))
    return tuple(made)


def given(call, value, kind, **more):
    """Return the media of an argument: an upload of this request, or a file that Telegram has."""
    if upload := _uploaded(call, value):
        if kind is Photo:
            check_photo(upload.data)
        if not upload.data:
            raise Refusal("file must be non-empty")
        return kind(call.telegram, upload, **more)
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        raise Refusal("failed to get HTTP URL content")  # there is no network here
    found = call.telegram.stored.get(value)
    if found is None:
        raise Refusal(WRONG_FILE)
    if type(found.media) is not kind:
        raise Refusal(f"can't use file of type {type(found.media).__name__} as {kind.__name__}")
    return found.media


def _uploaded(call, value):
    if isinstance(value, str) and value.startswith("attach://"):
        if (found := call.files.get(value.removeprefix("attach://"))) is None:
            raise Refusal(WRONG_FILE)
        return found
    return None
