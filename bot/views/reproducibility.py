"""Whether a repeat came out the same as the first, and if not what has changed since; and what painted a picture, in words."""

from collections.abc import Iterator, Mapping

from bot.core.provenance import JobProvenance
from bot.i18n.translate import text
from inference.contract.provenance import Provenance

#: Changed files that are named; of more it is said how many.
_MOST_NAMED = 3

#: Digits of a model's hash that are shown: as many as other programs show.
HASH_DIGITS = 10


def verdict(evidence: JobProvenance) -> str:
    """Return the sentence that compares a repeat with the first; nothing for what repeats none, or is not painted yet."""
    painted, first = evidence.painted, evidence.first
    if painted is None or first is None:
        return ""
    if first.proof is None:
        return text("compared-unknown")
    changes = ", ".join(dict.fromkeys((*(text("compared-asked", name=name) for name in first.changed), *_changes(first.proof, painted))))
    if _digests(painted) == _digests(first.proof):
        return text("compared-same", changes=changes)
    return text("compared-other", changes=changes)


def facts(proof: Provenance) -> Mapping[str, str]:
    """Return what painted a picture by the names of the facts."""
    return {
        "hash": proof.model[:HASH_DIGITS],
        "versions": ", ".join(f"{name} {version}" for name, version in proof.versions.items()),
        "device": text("device", device=proof.device, dtype=proof.dtype) if proof.device else "",
    }


def _digests(proof: Provenance) -> list[str]:
    return [picture.digest for picture in proof.pictures]


def _changes(one: Provenance, other: Provenance) -> Iterator[str]:
    """Yield what another proof says otherwise, in words, what explains the most first."""
    yield from _changed_model(one, other)
    if one.scheduler != other.scheduler:
        yield text("compared-is-now", before=one.scheduler, now=other.scheduler)
    elif one.schedule != other.schedule:
        yield text("compared-schedule")
    for name in {**one.versions, **other.versions}:
        if (before := one.versions.get(name, "")) != (now := other.versions.get(name, "")):
            yield text("compared-version", name=name, before=before, now=now)
    for before, now in ((one.device, other.device), (one.dtype, other.dtype)):
        if before != now:
            yield text("compared-is-now", before=before, now=now)
    if one.compiled != other.compiled:
        yield text("compared-compiled", now=int(other.compiled))
    if one.eased != other.eased:
        yield text("compared-memory")
    elif _seats(one) != _seats(other):
        yield text("compared-batch")


def _seats(proof: Provenance) -> list[str]:
    return [picture.seats for picture in proof.pictures]


def _changed_model(one: Provenance, other: Provenance) -> Iterator[str]:
    """Yield which of a model's files changed, came or went."""
    names = [name for name in sorted({**one.files, **other.files}) if one.files.get(name) != other.files.get(name)]
    if not names and one.model != other.model:
        yield text("compared-model")
    # Weights say more than a setting beside them.
    names.sort(key=lambda name: not name.endswith(".safetensors"))
    for name in names[:_MOST_NAMED]:
        yield text("compared-file", name=name)
    if more := len(names[_MOST_NAMED:]):
        yield text("compared-files", count=more)
