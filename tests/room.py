"""A batch engine in this process, for tests that look inside: the real model and the real pipelines, without a worker process."""

import io
import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from inference.contract.request import Done, Event, Failed, Note, Picture, PictureRequest, Prompt, Step
from inference.contract.settings import EngineSettings
from inference.demo import WEIGHTS
from inference.models.registry import read_catalogue
from inference.worker.batch_engine import BatchEngine
from inference.worker.model_cache import ModelCache
from inference.worker.model_loader import load

DEMO_INFO = read_catalogue([], None, WEIGHTS)["demo"]

WORDS = "a large red circle on a blue background"


def asked(words=WORDS, **changes):
    """Return a small request to the demo model."""
    usual = {"model": "demo", "width": 128, "height": 128, "steps": 4, "guidance": 4.0, "scheduler": "euler", "seed": 7}
    return PictureRequest(prompt=Prompt.plain(words), **usual | changes)


def pixels(image):
    """Return an encoded picture as an array."""
    return np.asarray(Image.open(io.BytesIO(image)))


@dataclass
class Outcome:
    """All events of one request."""

    events: list[Event] = field(default_factory=list)

    @property
    def pictures(self):
        found = [event for event in self.events if isinstance(event, Picture)]
        return [pixels(one.image) for one in sorted(found, key=lambda one: one.index)]

    @property
    def steps(self):
        return [(event.n, event.of) for event in self.events if isinstance(event, Step)]

    @property
    def notes(self):
        return [event.problem.key for event in self.events if isinstance(event, Note)]

    @property
    def end(self):
        return self.events[-1]


class Room:
    """A batch engine and its events."""

    def __init__(self, model_infos, model_cache, settings):
        self.heard = queue.Queue()
        self.batch_engine = BatchEngine(model_cache, model_infos, settings, lambda number, event: self.heard.put((number, event)))
        self._number = 0

    @property
    def easel(self):
        """The pipeline runner of the demo model in the model cache, loaded on first use."""
        return self.batch_engine.model_cache.want(DEMO_INFO)

    def begin(self, *requests):
        """Submit requests and return their numbers."""
        numbers = range(self._number + 1, self._number + 1 + len(requests))
        self._number += len(requests)
        for number, request in zip(numbers, requests, strict=True):
            self.batch_engine.submit(number, request)
        return list(numbers)

    def follow(self, *numbers):
        """Wait until these requests have ended and return their outcomes."""
        outcomes, open_ones = {number: Outcome() for number in numbers}, set(numbers)
        while open_ones:
            number, event = self.heard.get(timeout=120)
            if number not in outcomes:
                continue
            outcomes[number].events.append(event)
            if isinstance(event, Done | Failed):
                open_ones.discard(number)
        return [outcomes[number] for number in numbers]

    def paint(self, *requests):
        """Submit requests together and return their outcomes."""
        return self.follow(*self.begin(*requests))


@contextmanager
def room(model_infos=None, *, load=load, device_budget=2**33, host_budget=0, **settings):
    """Open a batch engine on the CPU; `load` and the budgets configure its model cache."""
    model_cache = ModelCache(torch.device("cpu"), torch.float32, load, device_budget, host_budget)
    opened = Room(model_infos or {"demo": DEMO_INFO}, model_cache, EngineSettings(devices=("cpu",), **settings))
    thread = threading.Thread(target=opened.batch_engine.work)
    thread.start()
    try:
        yield opened
    finally:
        opened.batch_engine.stop()
        thread.join()
