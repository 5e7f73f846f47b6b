"""What is kept of how a job was painted, and of a repeat how the first was, so that the two can be compared at any time."""

import msgspec

from inference.contract.provenance import Provenance


class First(msgspec.Struct, frozen=True):
    """What is repeated: its proof, where one was kept, and the names of what is asked for in another way."""

    proof: Provenance | None = None
    changed: tuple[str, ...] = ()


class JobProvenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `painted` a job, once it is done, and the `first` where it repeats one."""

    painted: Provenance | None = None
    first: First | None = None


def kept(evidence: JobProvenance) -> str:
    """Return evidence as it is kept; nothing is kept of none."""
    return "" if evidence == JobProvenance() else msgspec.json.encode(evidence).decode()


def read(said: str) -> JobProvenance:
    """Return what was kept; what another version of Easel kept in another form is no evidence."""
    try:
        return msgspec.json.decode(said, type=JobProvenance) if said else JobProvenance()
    except msgspec.MsgspecError:
        return JobProvenance()
