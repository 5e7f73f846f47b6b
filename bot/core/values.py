"""Values that all packages use: who sends a command and where, its inputs, ids, log context, and provenance of jobs.

The platforms create these values; nothing below them needs to know how.
"""

import re
import secrets
from contextvars import ContextVar

import msgspec

from inference.contract.inputs import Role
from inference.contract.provenance import Provenance


class UserRef(msgspec.Struct, frozen=True):
    """A user as a platform knows them. `id` is unique only together with `platform`.

    `moderates`: according to the platform they moderate the channel they write in. `language` is their locale according to the platform,
    such as `de-AT`, or empty. `carries`: they use the bot's commands in a channel where the bot is not installed, so it cannot post
    there by itself.
    """

    platform: str
    id: str
    name: str = ""
    moderates: bool = False
    language: str = ""
    carries: bool = False


class MessageRef(msgspec.Struct, frozen=True):
    """Where answers go: a channel (a conversation, channel or folder of the platform) and, if there is one, a message in it."""

    platform: str
    channel: str
    message: str = ""

    def of(self, number: int) -> "MessageRef":
        """Return the address of the n-th of several results of one message: the first edits it, each other gets a message of its own."""
        return msgspec.structs.replace(self, message=f"{self.message}#{number}") if number and self.message else self


#: A value as it arrived: text from a line, typed values from a form, the bytes of a picture.
Given = str | int | float | bool | bytes


class InputFile(msgspec.Struct, frozen=True):
    """An input picture of a job: its role, and its key in the file store. Several pictures can share a role; their order counts.

    `bytes` is its size if it was brought with the request, and 0 if it was stored before.
    """

    role: Role
    file: str
    bytes: int = 0


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """A command as it arrived: its name, its values, its user and its channel.

    `given` are values by parameter name; `words` is the text after the command in a typed line, including flags. `line` is the text
    that is shown as the user's own words. `pictures` are the attachments of the message, in order: each fills the first picture
    parameter that is still free. `answered` are those of the message that it replies to: they come first, if there are enough
    parameters. `key` makes repetition harmless: a key of a user stands for one request.
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


#: Unpaired surrogates and NUL: no database accepts them, and no user types them.
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


def writable(text: str) -> str:
    """Return a text without characters that cannot be stored."""
    return _UNWRITABLE.sub("", text)


#: Random bytes in an id: 96 bits cannot be guessed, and 16 characters fit into every platform's buttons.
_ID_BYTES = 12


def new_id() -> str:
    """Return a random id of 16 letters, digits, `-` and `_`; it begins with a letter or digit, so that it is not read as a flag."""
    while not (made := secrets.token_urlsafe(_ID_BYTES))[0].isalnum():
        pass
    return made


#: The fields that are added to log lines of this task.
LOG_CONTEXT: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("about", default=())


def log_context(job: str, user: str = "") -> None:
    """Add a job, and its user if known, to the log lines of the rest of this task."""
    LOG_CONTEXT.set((("job", job), ("person", user)) if user else (("job", job),))


class First(msgspec.Struct, frozen=True):
    """The job that is repeated: its provenance, if stored, and the names of the options that were changed."""

    proof: Provenance | None = None
    changed: tuple[str, ...] = ()


class JobProvenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """The provenance of a job: what `painted` it, once it is done, and the `first` job if it repeats one."""

    painted: Provenance | None = None
    first: First | None = None


def stored_provenance(evidence: JobProvenance) -> str:
    """Return the stored form of a provenance; an empty text if there is none."""
    return "" if evidence == JobProvenance() else msgspec.json.encode(evidence).decode()


def read_provenance(said: str) -> JobProvenance:
    """Return a stored provenance; one in a format of another version counts as none."""
    try:
        return msgspec.json.decode(said, type=JobProvenance) if said else JobProvenance()
    except msgspec.MsgspecError:
        return JobProvenance()
