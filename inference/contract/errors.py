"""The errors of inference, and the values in which they cross the process boundary.

InferenceError
├── OutOfRange         a number is outside what the model or the operator allows
├── NotOffered         a scheduler, model or mode that this model or machine does not have
├── BadPicture         a source picture that cannot or must not be read
├── BadModel           a model that is missing, broken or refused
├── OutOfMemory        memory ran out and every fallback of `worker.out_of_memory` failed
├── WorkerLost         the worker process died or hung during a request
└── EngineFault        a bug: an unexpected exception

Each carries a `Problem`: a key of the text catalogue, and the facts that its sentence names. The code that talks to users turns
it into the sentence.
"""

import msgspec

Fact = str | int | float


class Problem(msgspec.Struct, frozen=True):
    """A key of the text catalogue and the facts of its sentence."""

    key: str
    facts: dict[str, Fact] = {}

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.key} ({told})" if told else self.key


class InferenceError(Exception):
    """Any failure of inference; `problem` identifies it."""

    def __init__(self, key: str, /, **facts: Fact) -> None:
        self.problem = Problem(key, facts)
        super().__init__(str(self.problem))

    @classmethod
    def of(cls, problem: Problem) -> "InferenceError":
        """Return the error of the class that raised this problem on the other side of the process boundary."""
        error = KINDS.get(problem.key.split("-")[0], EngineFault)(problem.key)
        error.problem, error.args = problem, (str(problem),)
        return error


class OutOfRange(InferenceError):
    """A number is outside what the model or the operator allows: keys `range-…`."""


class NotOffered(InferenceError):
    """A scheduler, model or mode that does not exist here: keys `unknown-…`."""


class BadPicture(InferenceError):
    """A source picture that cannot or must not be read: keys `picture-…`."""


class BadModel(InferenceError):
    """A model that is missing, broken or refused: keys `model-…`."""


class OutOfMemory(InferenceError):
    """The request does not fit into memory, and every fallback failed: keys `memory-…`."""


class WorkerLost(InferenceError):
    """The worker process died or hung: keys `worker-…`."""


class EngineFault(InferenceError):
    """A bug in Easel or in a library: keys `fault-…`."""


#: The first word of a key names its class.
KINDS: dict[str, type[InferenceError]] = {
    "range": OutOfRange,
    "unknown": NotOffered,
    "picture": BadPicture,
    "model": BadModel,
    "memory": OutOfMemory,
    "worker": WorkerLost,
    "fault": EngineFault,
}
