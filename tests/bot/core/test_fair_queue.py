"""Fair queueing: the two invariants of the rule on random histories, and their purpose."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.scheduling import HEADS, REACH, WINDOW, Choice, Head, Waiting, choose, corrected, entered, served
from tests.lines import MODELS, Gaps, Lines, Trace, Walk
from tests.stores import tries

#: The rounding error that binary fractions may add up to over a trace.
HAIR = 1e-6

weights = st.lists(st.sampled_from((0.5, 1.0, 1.0, 2.0, 4.0)), min_size=2, max_size=6).map(tuple)


def traces(**fixed):
    """Return random histories; fixed parameters are not random."""
    drawn = {
        "seed": st.integers(0, 2**32),
        "weights": weights,
        "devices": st.integers(1, 4),
        "models": st.integers(1, len(MODELS)),
        "window": st.sampled_from((0.0, 3.0, WINDOW, 30.0)),
        "reach": st.sampled_from((1, 3, REACH)),
        "off": st.sampled_from((0.0, 0.5)),
        "wrong": st.sampled_from((1.0, 1.0, 10.0)),
        "cancels": st.sampled_from((0.0, 0.2)),
    }
    return st.builds(Trace, **drawn | {name: st.just(value) for name, value in fixed.items()})


def head(user, tag, *models, passed=0):
    """Return a user with jobs for these models that cost a second each."""
    return Head(user, tag, tuple(Waiting(f"{user}{place}", model, 1.0, passed) for place, model in enumerate(models)))


@pytest.mark.parametrize(
    ("heads", "loaded", "chosen"),
    [
        ([head("ann", 0, "red"), head("ben", 1, "blue")], (), "ann0"),
        ([head("ann", 0, "red"), head("ben", 1, "blue")], ("blue",), "ben0"),
        ([head("ann", 0, "red"), head("ben", 12, "blue")], ("blue",), "ben0"),
        ([head("ann", 0, "red"), head("ben", 12.01, "blue")], ("blue",), "ann0"),
        ([head("ann", 0, "red", "blue"), head("ben", 1, "blue")], ("blue",), "ann1"),
        ([head("ann", 0, *["red"] * 7, "blue")], ("blue",), "ann7"),
        ([head("ann", 0, *["red"] * 8, "blue")], ("blue",), "ann0"),
        ([head("ann", 0), head("ben", 1, "red"), head("cat", 13, "blue")], ("blue",), "cat0"),
        ([head("ann", 0, "red", "blue", passed=REACH), head("ben", 1, "blue")], ("blue",), "ann0"),
        ([head("ann", 0, "red"), head("ben", 1, "red", "blue", passed=REACH)], ("blue",), "ann0"),
        ([head("ann", 0, "red"), head("ben", 1, "red", "blue", passed=REACH - 1)], ("blue",), "ben1"),
    ],
)
def test_who_is_next(heads, loaded, chosen):
    """The smallest virtual finish goes first, except within the window, the reach and the patience of overtaken jobs."""
    assert choose(heads, loaded, 0.0).job.id == chosen


@pytest.mark.parametrize("heads", [[], [head("ann", 0), head("ben", 1)]])
def test_nobody_is_next_where_nobody_waits(heads):
    """Without waiting jobs there is no next job."""
    assert choose(heads, ("red",), 5.0) is None


def test_a_choice_tells_whom_it_overtook():
    """The job that was first of all counts as overtaken, and earlier jobs in the same queue."""
    ann, ben = head("ann", 3.0, "red", "red"), head("ben", 4.0, "red", "grey", "blue")
    assert choose([ann, ben], ("blue",), 0.0) == Choice("ben", ben.line[2], 3.0, ("ann0", "ben0", "ben1"))

    assert choose([ann, ben], ("grey",), 9.0) == Choice("ben", ben.line[1], 9.0, ("ann0", "ben0"))

    assert choose([ann, ben], ("red",), 0.0).overtaken == ()


def test_tags():
    """Idle time is not saved up, a higher weight makes device time cheaper, and wrong estimates are corrected."""
    assert entered(3.0, 10.0) == 10.0
    assert entered(10.0, 3.0) == 10.0
    assert entered(3.0, 10.0, 5.0) == 5.0
    assert entered(3.0, 10.0, 20.0) == 10.0
    assert entered(7.0, 10.0, 5.0) == 7.0

    assert served(10.0, 6.0, 2.0) == 13.0
    assert corrected(13.0, 6.0, 4.0, 2.0) == served(10.0, 4.0, 2.0)


@settings(max_examples=tries(1000))
@given(trace=traces())
def test_nobody_goes_before_their_turn_by_more_than_the_window(trace):
    """Local invariant: a served user is at most the window above the smallest virtual finish, and a device idles only without work."""

    def watch(walk, choice):
        waiting = walk.lines.backlogged
        assert (choice is None) == (not waiting)
        if choice is not None:
            assert walk.lines.people[choice.user].tag <= waiting[0].tag + trace.window
            assert choice.clock >= walk.lines.clock

    assert Walk(trace, watch).go().begun


@settings(max_examples=tries(1000))
@given(trace=traces())
def test_two_who_both_wait_are_served_alike(trace):
    """Global invariant: the charges of two users who both wait differ by no more than the bound, whatever goes wrong."""
    gaps = Gaps()
    walk = Walk(trace, lambda walk, _: gaps.look(walk.lines)).go()
    assert all(gap <= walk.slack(one) + walk.slack(other) + 2 * trace.window + HAIR for (one, other), gap in gaps.widest.items())


@settings(max_examples=tries(200))
@given(trace=traces(devices=1, models=1, window=0.0, cancels=0.0, off=0.0, wrong=1.0))
def test_the_bound_is_that_of_start_time_fair_queueing(trace):
    """Without a window and with exact costs, the gap is at most the most expensive job of each user divided by their weight."""
    gaps = Gaps()
    walk = Walk(trace, lambda walk, _: gaps.look(walk.lines)).go()
    dearest = {name: walk.dearest[name] / one.weight for name, one in walk.lines.people.items()}
    assert all(gap <= dearest[one] + dearest[other] + HAIR for (one, other), gap in gaps.widest.items())


@settings(max_examples=tries(200))
@given(trace=traces(weights=(1.0,) * (2 * HEADS), length=120))
def test_more_people_than_are_looked_at(trace):
    """If more users wait than the rule looks at, the smallest virtual finishes are among those, so every gap keeps its bound."""
    gaps = Gaps()
    walk = Walk(trace, lambda walk, _: gaps.look(walk.lines)).go()
    assert all(gap <= walk.slack(one) + walk.slack(other) + 2 * trace.window + HAIR for (one, other), gap in gaps.widest.items())


@settings(max_examples=tries(300))
@given(trace=traces(length=200))
def test_no_job_is_overtaken_for_ever(trace):
    """Within a user's queue, at most as many later jobs as the reach go before an earlier job."""
    walk = Walk(trace).go()
    while any(one.line for one in walk.lines.people.values()):
        walk.turn(walk.devices[0])
    order = {}
    for job_id in walk.begun:
        name, _, number = job_id.partition("-")
        order.setdefault(name, []).append(int(number))
    for numbers in order.values():
        assert all(sum(later > one for later in numbers[:place]) <= trace.reach for place, one in enumerate(numbers))


@given(newcomers=st.integers(50, 500), window=st.sampled_from((1.0, WINDOW)))
def test_a_rare_model_is_painted_however_many_newcomers_want_another(newcomers, window):
    """The first user is overtaken a limited number of times, even if newcomers keep arriving at the virtual time."""
    lines = Lines({"ann": 1.0, **{f"new{number}": 1.0 for number in range(newcomers)}}, window)
    rare = lines.ask("ann", "grey", 1.0)
    for number in range(newcomers):
        lines.ask(f"new{number}", "red", 1.0)
        if lines.take({"red"}).job.id == rare:
            break
    assert number == REACH


def wait_of_newcomer(flood, seed):
    """Return the cost of the jobs before that of a newcomer, who arrives while four others have `flood` jobs each."""
    chance = random.Random(seed)
    others = [f"p{number}" for number in range(4)]
    lines = Lines(dict.fromkeys([*others, "new"], 1.0))
    for _ in range(flood):
        for name in others:
            lines.ask(name, chance.choice(MODELS), chance.uniform(1, 12))
    loaded, before = "red", []
    for turn in range(200):
        if turn == 20:
            lines.ask("new", "blue", 2.0)
        choice = lines.take({loaded})
        if choice.user == "new":
            return sum(before)
        loaded = choice.job.model
        if turn >= 20:
            before.append(choice.job.cost)
    raise AssertionError("the newcomer was never served")


@settings(max_examples=tries(300))
@given(devices=st.integers(1, 8), wrong=st.sampled_from((0.1, 10.0)), learned=st.integers(0, 30), seed=st.integers(0, 2**32))
def test_a_newcomer_waits_within_the_bound_if_estimates_were_wrong(devices, wrong, learned, seed):
    """However wrong estimates were, a newcomer waits for a job per device and for what the running jobs are still charged too much."""
    chance = random.Random(seed)
    lines = Lines({"flood": 1.0, "new": 1.0})
    real = {}
    for number in range(200):
        cost = chance.uniform(1, 4)
        real[lines.ask("flood", "red", cost * wrong if number < learned else cost)] = cost
    running = [lines.take({"red"}) for _ in range(devices)]
    for _ in range(learned + chance.randrange(10)):
        done = running.pop(chance.randrange(devices))
        lines.correct(done, real[done.job.id])
        running.append(lines.take({"red"}))
    overcharged = sum(max(0.0, one.job.cost - real[one.job.id]) for one in running)
    lines.ask("new", "red", 2.0)
    waited = 0.0
    while (begun := lines.take({"red"})).user != "new":
        waited += real[begun.job.id]
        done = running.pop(0)
        running.append(begun)
        lines.correct(done, real[done.job.id])
    assert waited <= overcharged + (devices + 1) * 4 + HAIR


@given(seed=st.integers(0, 2**32))
@settings(max_examples=tries(60))
def test_a_newcomer_waits_no_longer_for_a_longer_flood(seed):
    """An idle user who arrives waits for a limited share of each other user, however many jobs those have queued."""
    waited = wait_of_newcomer(30, seed)
    assert waited == wait_of_newcomer(300, seed)
    assert waited <= 4 * (12 + WINDOW)


def test_somebody_who_was_away_has_saved_nothing_up():
    """A returning user shares from then on, and does not hold up users who have waited in the meantime."""
    lines = Lines({"ann": 1.0, "ben": 1.0})
    for _ in range(100):
        lines.ask("ann", "red", 1.0)
    for _ in range(50):
        lines.take({"red"})
    for _ in range(100):
        lines.ask("ben", "red", 1.0)
    served_now = [lines.take({"red"}).user for _ in range(20)]
    assert served_now.count("ben") == 10


@settings(max_examples=tries(200))
@given(trace=traces())
def test_a_restart_keeps_the_order(trace):
    """Queues and virtual finishes that were stored and loaded give the same order, even if the virtual time was lost."""
    walk = Walk(trace).go()
    kept = {name: (one.tag, msgspec.json.encode(one.line)) for name, one in walk.lines.people.items()}
    again = Lines({name: one.weight for name, one in walk.lines.people.items()}, trace.window, trace.reach)
    for name, (tag, line) in kept.items():
        again.people[name].tag, again.people[name].line = tag, msgspec.json.decode(line, type=list[Waiting])
    loaded = set(MODELS[:1])
    while (choice := walk.lines.take(loaded)) is not None:
        same = again.take(loaded)
        assert (same.user, same.job, same.overtaken) == (choice.user, choice.job, choice.overtaken)
        loaded = {choice.job.model}
    assert again.take(loaded) is None
