"""Values that every room uses: who sends a command and where, its inputs, ids, log context, and provenance of jobs.

Platforms fill these values in; nothing below the platforms needs to know how.
"""

import re
import secrets
from contextvars import ContextVar

import msgspec

from inference.contract.inputs import Role
from inference.contract.provenance import Provenance


class UserRef(msgspec.Struct, frozen=True):
    """Somebody as a platform knows them. `id` means something only together with `platform`.

    `moderates`: the platform says that they look after the place that they speak in. `language` is the locale that it says they
    speak, such as `de-AT`, or nothing. `carries`: the bot itself is not where they ask, but only its commands, which they brought along;
    nothing can be said there that nobody asked for.
    """

    platform: str
    id: str
    name: str = ""
    moderates: bool = False
    language: str = ""
    carries: bool = False


class MessageRef(msgspec.Struct, frozen=True):
    """Where answers go: a place (a conversation, channel or folder of the platform) and, where there is one, a message in it."""

    platform: str
    channel: str
    message: str = ""

    def of(self, number: int) -> "MessageRef":
        """Return where the n-th of several results of one message goes: the first is shown in it, each other in one of its own."""
        return msgspec.structs.replace(self, message=f"{self.message}#{number}") if number and self.message else self


#: What a person gave, as it arrived: words from a text, typed values from a form, the bytes of a picture.
Given = str | int | float | bool | bytes


class InputFile(msgspec.Struct, frozen=True):
    """A picture that a job is given: what it is for, and its key in the file store. Several may share a role; their order counts.

    `bytes` is its size if it was brought with the request, and 0 if it was stored before.
    """

    role: Role
    file: str
    bytes: int = 0


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """A command as it arrived: its name, what was given, by whom, where.

    `given` are values as they are; `words` is what follows the command in a typed line, its flags among it. `line` is what the
    person would see as their own words. `pictures` are what the message carries, in order: each fills the first picture parameter
    that is still free. `answered` are those of the message that it answers: they come first, as far as there is room for them.
    `key` makes a repeat harmless: one key of one person is one request.
    """

    command: str
    given: dict[str, Given]
    caller: UserRef
    address: MessageRef
    words: str = ""
    line: str = ""
    pictures: tuple[bytes, ...] = ()
    answered: tuple[bytes, ...] = ()
    key: str = ""


#: Halves of characters and NUL: no database takes them, and no person typed them.
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


def writable(text: str) -> str:
    """Return a text without what cannot be stored."""
    return _UNWRITABLE.sub("", text)


#: Bytes of chance in an id: 96 bits cannot be guessed, and 16 characters fit into every platform's buttons.
_ID_BYTES = 12


def new_id() -> str:
    """Return a random id of 16 letters, digits, `-` and `_`; it begins with neither sign, lest it be read as a flag."""
    while not (made := secrets.token_urlsafe(_ID_BYTES))[0].isalnum():
        pass
    return made


#: The fields of what is written from here on; none where it is about nothing in particular.
LOG_CONTEXT: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("about", default=())


def log_context(job: str, user: str = "") -> None:
    """Say that the rest of this task is about a job, and whose it is where that is known yet."""
    LOG_CONTEXT.set((("job", job), ("person", user)) if user else (("job", job),))


class First(msgspec.Struct, frozen=True):
    """What is repeated: its proof, where one was kept, and the names of what is asked for in another way."""

    proof: Provenance | None = None
    changed: tuple[str, ...] = ()


class JobProvenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `painted` a job, once it is done, and the `first` where it repeats one."""

    painted: Provenance | None = None
    first: First | None = None


def stored_provenance(evidence: JobProvenance) -> str:
    """Return evidence as it is kept; nothing is kept of none."""
    return "" if evidence == JobProvenance() else msgspec.json.encode(evidence).decode()


def read_provenance(said: str) -> JobProvenance:
    """Return what was kept; what another version of Easel kept in another form is no evidence."""
    try:
        return msgspec.json.decode(said, type=JobProvenance) if said else JobProvenance()
    except msgspec.MsgspecError:
        return JobProvenance()
