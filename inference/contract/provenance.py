"""What painted a picture, kept so that painting it again can be checked: the same to the last bit, or what has changed since."""

import msgspec

#: Of a request what says nothing about its pictures: who asked, and what they wanted to watch.
_BESIDE = frozenset({"inputs", "share", "weight", "previews", "bucket", "seats"})


class ImageProvenance(msgspec.Struct, frozen=True):
    """What tells one picture from all others: the SHA-256 of its pixels; and where it sat in the passes (`seats`)."""

    digest: str
    seats: str = ""


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What painted the pictures of a request, and their prints in order.

    `model` is the SHA-256 of all that was loaded of it, `files` that of each of its files, cut to 16 digits. `scheduler` is a class
    and `schedule` the digest of its settings; `dtype` is what the denoiser reckons in. `eased` names what was done in another way
    because memory ran short.
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
    """Return the proofs of the single pictures of a request as one."""
    in_order = [proofs[index] for index in sorted(proofs)]
    eased = sorted({rung for one in in_order for rung in one.eased})
    return msgspec.structs.replace(
        in_order[-1], eased=tuple(eased), pictures=tuple(picture for one in in_order for picture in one.pictures)
    )


def differences(one: msgspec.Struct, other: msgspec.Struct) -> tuple[str, ...]:
    """Return the names of the fields in which two requests ask for other pictures."""
    names = (name for name in one.__struct_fields__ if name not in _BESIDE)
    return tuple(name for name in names if getattr(one, name) != getattr(other, name))
