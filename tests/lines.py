"""In-memory job queues of several users, scheduled by the pure rule, and random traces that keep account of the charges."""

import math
import random
from dataclasses import dataclass, field

import msgspec

from bot.core.scheduling import HEADS, REACH, WINDOW, Choice, Head, Waiting, choose, corrected, entered, served

MODELS = ("red", "green", "blue", "grey")


@dataclass
class Person:
    """A user's account; `charged` is in device seconds divided by the weight."""

    name: str
    weight: float = 1.0
    tag: float = 0.0
    line: list[Waiting] = field(default_factory=list)
    charged: float = 0.0
    running: int = 0


class Lines:
    """The queues of all users, as the store keeps them."""

    def __init__(self, weights, window=WINDOW, reach=REACH):
        self.people = {name: Person(name, weight) for name, weight in weights.items()}
        self.clock, self.window, self.reach = 0.0, window, reach
        self.asked = 0

    def ask(self, name, model, cost):
        """Append a job to a user's queue and return its id."""
        user = self.people[name]
        if not user.line:
            user.tag = entered(user.tag, self.clock, min((one.tag for one in self.backlogged if one.running), default=math.inf))
        self.asked += 1
        user.line.append(Waiting(f"{name}-{self.asked}", model, cost))
        return user.line[-1].id

    def cancel(self, job_id):
        """Remove a job from its queue; an id that is not queued changes nothing."""
        for user in self.people.values():
            user.line = [job for job in user.line if job.id != job_id]

    @property
    def backlogged(self):
        """The users with queued jobs, smallest tag first."""
        return sorted((one for one in self.people.values() if one.line), key=lambda one: (one.tag, one.name))

    def choose(self, loaded):
        """Return the next choice."""
        heads = [Head(one.name, one.tag, tuple(one.line[: self.reach])) for one in self.backlogged[:HEADS]]
        return choose(heads, loaded, self.clock, self.window, self.reach)

    def take(self, loaded):
        """Start the next job and charge its user."""
        choice = self.choose(loaded)
        if choice is not None:
            user = self.people[choice.user]
            user.line.remove(choice.job)
            for one in self.people.values():
                one.line = [msgspec.structs.replace(job, passed=job.passed + (job.id in choice.overtaken)) for job in one.line]
            self.clock = choice.clock
            user.running += 1
            self._charge(user, served(user.tag, choice.job.cost, user.weight))
        return choice

    def correct(self, choice, measured):
        """Correct the charge of a job to its measured cost."""
        user = self.people[choice.user]
        user.running -= 1
        self._charge(user, corrected(user.tag, choice.job.cost, measured, user.weight))

    def _charge(self, user, tag):
        user.charged += tag - user.tag
        user.tag = tag


@dataclass(frozen=True)
class Trace:
    """The parameters of a random history: users, devices, models, and the deviations from the plan."""

    seed: int
    weights: tuple[float, ...]
    devices: int = 1
    models: int = 3
    window: float = WINDOW
    reach: int = REACH
    off: float = 0.0
    wrong: float = 1.0
    cancels: float = 0.0
    length: int = 60


@dataclass
class Device:
    """A device: its loaded model, and the job that it runs."""

    loaded: str = ""
    work: Choice | None = None


class Walk:
    """A history as it runs. `watch(walk, choice)` sees each choice, or None if there is none, before the device gets it."""

    def __init__(self, trace, watch=None):
        self.trace, self.watch = trace, watch
        self.chance = random.Random(trace.seed)
        self.lines = Lines({f"p{number:02}": weight for number, weight in enumerate(trace.weights)}, trace.window, trace.reach)
        self.devices = [Device() for _ in range(trace.devices)]
        #: The dearest job of each user, as estimated or measured, and the largest correction up and down.
        self.dearest = dict.fromkeys(self.lines.people, 0.0)
        self.up, self.down = dict(self.dearest), dict(self.dearest)
        self.begun = []

    def go(self):
        """Run the whole history."""
        for name in self.lines.people:
            self.ask(name, self.chance.choice((0, 1, 5, 20)))
        for _ in range(self.trace.length):
            if self.chance.random() < 0.3:
                self.ask(self.chance.choice(list(self.lines.people)), self.chance.choice((1, 1, 3)))
            if self.chance.random() < self.trace.cancels:
                self.cancel_one()
            self.turn(self.chance.choice(self.devices))
        return self

    def ask(self, name, count):
        """Queue some jobs of a user."""
        for _ in range(count):
            cost = self.chance.choice((0.5, 2.0, self.chance.uniform(1, 12)))
            self.lines.ask(name, self.chance.choice(MODELS[: self.trace.models]), cost)
            self.dearest[name] = max(self.dearest[name], cost)

    def cancel_one(self):
        """Cancel a random queued job."""
        waiting = [job.id for one in self.lines.people.values() for job in one.line]
        if waiting:
            self.lines.cancel(self.chance.choice(waiting))

    def turn(self, device):
        """End the running job of a device and give it the next job."""
        if device.work is not None:
            self.end(device)
        choice = self.lines.choose({device.loaded})
        if self.watch is not None:
            self.watch(self, choice)
        device.work = self.lines.take({device.loaded})
        if device.work is not None:
            device.loaded = device.work.job.model
            self.begun.append(device.work.job.id)

    def end(self, device):
        """End a job, at a cost that deviates from the estimate as the trace says; a cancelled job has used only a part of it."""
        choice, device.work = device.work, None
        measured = choice.job.cost * self.chance.uniform(1 - self.trace.off, 1 + self.trace.off)
        measured *= self.trace.wrong ** self.chance.uniform(-1, 1)
        if self.chance.random() < self.trace.cancels:
            measured *= self.chance.random()
        more, name = measured - choice.job.cost, choice.user
        self.up[name], self.down[name] = max(self.up[name], more), max(self.down[name], -more)
        self.dearest[name] = max(self.dearest[name], measured)
        self.lines.correct(choice, measured)

    def slack(self, name):
        """Return a user's part in the bound of the gap, in device seconds divided by the weight."""
        late = (self.trace.devices - 1) * (self.up[name] + self.down[name])
        return (self.dearest[name] + late) / self.lines.people[name].weight


@dataclass
class Gaps:
    """Track the largest gap between any two users who stay backlogged: the range of the difference between their charges."""

    spans: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    widest: dict[tuple[str, str], float] = field(default_factory=dict)

    def look(self, lines):
        """Take in the current charges."""
        waiting = sorted(one.name for one in lines.backlogged)
        pairs = [(one, other) for one in waiting for other in waiting if one < other]
        spans = {}
        for pair in pairs:
            apart = lines.people[pair[0]].charged - lines.people[pair[1]].charged
            low, high = self.spans.get(pair, (apart, apart))
            spans[pair] = min(low, apart), max(high, apart)
            self.widest[pair] = max(self.widest.get(pair, 0.0), spans[pair][1] - spans[pair][0])
        self.spans = spans
