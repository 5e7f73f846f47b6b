"""Provenance: the model, software and device that made a picture, kept so that a repeat can be checked bit for bit."""

import msgspec

#: Request fields that are not compared, such as the account that pays and whether previews are sent.
_BESIDE = frozenset({"inputs", "share", "weight", "previews", "bucket", "seats"})


class ImageProvenance(msgspec.Struct, frozen=True):
    """Provenance of a single picture: the SHA-256 of its pixels, and its batch slots in the forward passes (`seats`)."""

    digest: str
    seats: str = ""


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What made the pictures of a request, and the provenance of each picture in order.

    `model` is the SHA-256 of all its loaded files together, `files` that of each file, cut to 16 digits. `scheduler` is a class
    and `schedule` the digest of its settings; `dtype` is the number type of the denoiser. `eased` names the fallbacks that were
    used because memory was short.
    """

    model: str = ""
    files: dict[str, str] = {}
    scheduler: str = ""
    schedule: str = ""
    versions: dict[str, str] = {}
    device: str = ""
    dtype: str = ""
    compiled: bool = False
    eased: tuple[str, ...] = ()
    pictures: tuple[ImageProvenance, ...] = ()


def joined(proofs: dict[int, Provenance]) -> Provenance:
    """Return a single provenance for a request from those of its pictures, by index."""
    in_order = [proofs[index] for index in sorted(proofs)]
    eased = sorted({fallback for one in in_order for fallback in one.eased})
    return msgspec.structs.replace(
        in_order[-1], eased=tuple(eased), pictures=tuple(picture for one in in_order for picture in one.pictures)
    )


def differences(one: msgspec.Struct, other: msgspec.Struct) -> tuple[str, ...]:
    """Return the names of the compared fields in which two requests differ."""
    names = (name for name in one.__struct_fields__ if name not in _BESIDE)
    return tuple(name for name in names if getattr(one, name) != getattr(other, name))
