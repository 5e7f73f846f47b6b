"""Pictures are read and written on threads of their own: nothing that a thread waits for holds up the others for ever."""

from concurrent.futures import Future

import pytest

from inference.contract.inputs import Input, Role
from inference.contract.request import Done, Failed
from inference.worker import image_io
from tests.room import asked, room


@pytest.fixture
def opened():
    """Return a batch engine whose demo model is loaded."""
    with room() as one:
        one.paint(asked(steps=1))
        yield one


def test_a_hash_that_never_ends_holds_up_a_picture_for_a_limited_time(opened, monkeypatch):
    """A picture whose model is hashed for too long is delivered without the hash."""
    monkeypatch.setattr(image_io, "IDENTITY_SECONDS", 0.1)
    object.__setattr__(opened.easel.loaded, "identity", Future())
    outcome = opened.paint(asked(steps=1))[0]
    assert isinstance(outcome.end, Done)
    assert len(outcome.pictures) == 1


def test_a_picture_that_is_not_delivered_counts_as_busy(opened):
    """While a finished picture waits to be written, the engine reports since when, so that a hang is noticed; afterwards it is idle."""
    fingerprint = Future()
    object.__setattr__(opened.easel.loaded, "identity", fingerprint)
    (number,) = opened.begin(asked(steps=1))
    while opened.batch_engine._files.pending_since is None or opened.batch_engine._pass_since is not None:
        pass
    since = opened.batch_engine.busy_since
    assert since == opened.batch_engine._files.pending_since
    fingerprint.set_result(image_io.Fingerprint())
    opened.follow(number)
    while opened.batch_engine.busy_since is not None:
        pass


def test_an_input_that_breaks_its_reader_fails_its_request_alone(opened, monkeypatch):
    """An input picture that breaks its decoder ends its own request, and the next one is painted."""
    monkeypatch.setattr(image_io.decode, "read_input", lambda *_: 1 / 0)
    broken = opened.paint(asked(steps=1, inputs=(Input(Role.INIT, b"any"),)))[0]
    assert isinstance(broken.end, Failed)
    assert isinstance(opened.paint(asked(steps=1))[0].end, Done)
