"""The cost of jobs: credits by their formula, device seconds by learned times."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.scheduling import BATCHES, MOST_OFF, NEWEST, Costs, Timing, credits, picture_steps
from inference.contract.inputs import Input, Role
from inference.contract.request import PictureRequest, Prompt

sides = st.integers(8, 256).map(lambda eighths: eighths * 8)
steps = st.integers(1, 60)
factors = st.integers(1, 10_000).map(lambda thousandths: thousandths / 1000)
seconds = st.floats(1e-4, 10)

#: A source image.
SOURCE = (Input(Role.INIT, b"a picture"),)


def asked(**changes):
    """Return a request of 30 steps at 512 × 512."""
    usual = {"model": "demo", "width": 512, "height": 512, "steps": 30, "guidance": 4.0, "scheduler": "euler", "seed": 7}
    return PictureRequest(prompt=Prompt.plain("a cat"), **usual | changes)


def learned(*measurements, model="sd", width=512, height=512, batch=1):
    """Return a cost model that has learned from jobs of 30 steps with these seconds."""
    costs = Costs()
    for one in measurements:
        costs.measured(model, width, height, batch, 30, one)
    return costs


@pytest.mark.parametrize(
    ("asked_for", "thousandths"),
    [
        ((1, 30, 512, 512, 1.0), 1000),
        ((4, 30, 512, 512, 1.0), 4000),
        ((1, 15, 512, 512, 1.0), 500),
        ((1, 30, 1024, 1024, 1.0), 4000),
        ((1, 30, 1024, 1024, 2.5), 10_000),
        ((1, 30, 512, 512, 1.1), 1100),
        ((1, 28, 512, 768, 1.0), 1400),
        ((1, 1, 512, 512, 1.0), 34),
        ((1, 1, 64, 64, 0.001), 1),
        ((0, 30, 512, 512, 1.0), 0),
    ],
)
def test_credits(asked_for, thousandths):
    """A credit is 30 steps of one picture of 512 × 512, and a partial thousandth counts as a whole one."""
    assert credits(*asked_for) == thousandths


@given(st.integers(1, 16), steps, sides, sides, factors)
def test_credits_are_exact(images, number, width, height, factor):
    """The price is that of the formula, rounded up by at most a thousandth, although factors are binary fractions."""
    thousandths = round(factor * 1000)
    assert credits(images, number, width, height, factor) == -(-images * number * width * height * thousandths // (30 * 512 * 512))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asked(), 30),
        (asked(count=4), 120),
        (asked(strength=0.5), 30),
        (asked(strength=0.5, inputs=SOURCE), 15),
        (asked(strength=0.55, steps=7, count=3, inputs=SOURCE), 9),
        (asked(strength=1.0, inputs=SOURCE), 30),
    ],
)
def test_picture_steps(request_, expected):
    """Steps count for each picture, and image to image counts only the steps that it runs."""
    assert picture_steps(request_) == expected


def test_a_source_that_is_kept_elsewhere_counts():
    """A stored request, which lacks its source, is costed correctly if the caller tells that it has one."""
    assert picture_steps(asked(strength=0.5), [Role.INIT]) == 15
    assert picture_steps(asked(strength=0.5, inputs=SOURCE), []) == 30


def test_with_nothing_known_a_credit_takes_a_second():
    """The prior is a second for 30 steps of 512 × 512, and more for more pixels."""
    assert Costs().estimate("sd", 512, 512, 30) == pytest.approx(1.0)
    assert Costs().estimate("sd", 1024, 1024, 30) == pytest.approx(4**1.15)


def test_the_first_measurement_is_believed():
    """The first measurement replaces the prior, because a device may be a hundred times slower."""
    assert learned(100.0).estimate("sd", 512, 512, 15) == pytest.approx(50.0)


@given(seconds, seconds)
def test_it_converges(before, now):
    """Whatever was learned before, thirty equal jobs per power of four bring the estimate within a hundredth."""
    costs = learned(*[before] * 20)
    for _ in range(30 * (1 + math.ceil(abs(math.log(now / before, MOST_OFF))))):
        costs.measured("sd", 512, 512, 1, 30, now)
    assert costs.estimate("sd", 512, 512, 30) == pytest.approx(now, rel=0.01)


def test_noise_averages_out():
    """For times that scatter by half either way, the estimate comes within a third of their mean."""
    chance = random.Random(5)
    costs = learned(*[chance.uniform(0.5, 1.5) for _ in range(200)])
    assert costs.estimate("sd", 512, 512, 30) == pytest.approx(0.95, rel=0.33)


@given(st.floats(10, 1e9), st.booleans())
def test_one_outlier_moves_little(off, longer):
    """One outlier, such as after a sleep or a clock jump, changes the estimate by less than a third."""
    costs = learned(*[1.0] * 10)
    costs.measured("sd", 512, 512, 1, 30, off if longer else 1 / off)
    believed = costs.estimate("sd", 512, 512, 30)
    assert max(believed, 1 / believed) == pytest.approx(MOST_OFF**NEWEST)
    assert MOST_OFF**NEWEST < 4 / 3


def test_a_bad_start_is_soon_outvoted():
    """A first job that took ten times as long is outweighed after ten normal jobs."""
    assert learned(10.0, *[1.0] * 10).estimate("sd", 512, 512, 30) < 1.25


@pytest.mark.parametrize(("number", "device_seconds"), [(0, 3.0), (30, 0.0), (30, -1.0), (30, math.nan), (30, math.inf)])
def test_nothing_is_learned_from_nothing(number, device_seconds):
    """A job stopped before its first step, or with an invalid time, changes nothing."""
    costs = learned(1.0)
    assert costs.measured("sd", 512, 512, 1, number, device_seconds).count == 1
    assert costs.estimate("sd", 512, 512, 30) == pytest.approx(1.0)

    assert costs.measured("other", 512, 512, 1, number, device_seconds).count == 0
    assert Costs().measured("sd", 512, 512, 1, number, device_seconds).seconds == pytest.approx(1 / 30)


def test_a_key_that_was_measured_is_itself():
    """Each combination of size, batch and model has its own time."""
    costs = learned(1.0)
    costs.measured("sd", 512, 512, 8, 30, 0.4)
    costs.measured("sd", 768, 768, 1, 30, 3.0)
    costs.measured("xl", 512, 512, 1, 30, 7.0)
    assert [costs.estimate("sd", 512, 512, 30, batch) for batch in (1, 8)] == pytest.approx([1.0, 0.4])
    assert costs.estimate("sd", 768, 768, 30) == pytest.approx(3.0)
    assert costs.estimate("xl", 512, 512, 30) == pytest.approx(7.0)


def test_what_was_not_measured_is_like_what_is_nearest():
    """An unmeasured key uses another batch first, then another size scaled by pixels, then another model; swapped sides count as equal."""
    costs = learned(1.0, batch=2)
    costs.measured("sd", 512, 512, 16, 30, 0.2)
    costs.measured("xl", 1024, 1024, 1, 30, 9.0)
    assert costs.estimate("sd", 512, 512, 30, 1) == pytest.approx(1.0)
    assert costs.estimate("sd", 512, 512, 30, 8) == pytest.approx(0.2)
    assert costs.estimate("sd", 1024, 1024, 30, 2) == pytest.approx(4**1.15)
    assert costs.estimate("sd", 1024, 256, 30, 2) == pytest.approx(1.0)
    assert costs.estimate("new", 1024, 1024, 30) == pytest.approx(9.0)


@pytest.mark.parametrize(("batch", "kept"), [(0, 1), (1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (40, 16)])
def test_batches_are_kept_by_powers_of_two(batch, kept):
    """A batch is stored as the next larger power of two, up to the largest."""
    assert Costs().measured("sd", 512, 512, batch, 30, 1.0).batch == kept


@given(sides, sides, steps, st.integers(1, 16), st.none() | seconds)
def test_more_costs_more(width, height, number, batch, known):
    """More steps and more pixels never have a lower estimate, and no estimate is zero."""
    costs = Costs() if known is None else learned(known)
    here = costs.estimate("sd", width, height, number, batch)
    assert here > 0
    assert costs.estimate("sd", width, height, number + 1, batch) > here
    assert costs.estimate("sd", width + 8, height, number, batch) >= here


def test_no_steps_cost_something():
    """A request of no steps still costs something, because a free job would never let others go first."""
    assert Costs().estimate("sd", 512, 512, 0) > 0


@given(st.lists(st.tuples(st.sampled_from(("sd", "xl")), st.sampled_from((512, 768)), st.sampled_from(BATCHES), seconds), max_size=20))
def test_what_was_kept_is_known_again(jobs):
    """After a restart with the stored rows the estimates are the same."""
    costs, rows = Costs(), {}
    for model, side, batch, one in jobs:
        timing = costs.measured(model, side, side, batch, 30, one)
        rows[timing.key] = timing
    again = Costs()
    again.known(rows.values())
    for model in ("sd", "xl", "other"):
        for side in (512, 640, 768):
            assert again.estimate(model, side, side, 20, 4) == costs.estimate(model, side, side, 20, 4)


def test_rows_that_say_nothing_are_not_believed():
    """A row without a measurement, or without a time, is ignored."""
    costs = Costs()
    costs.known([Timing("sd", 512, 512, 1, 5.0, 0), Timing("sd", 512, 512, 2, 0.0, 3), Timing("sd", 512, 512, 4, math.nan, 3)])
    assert costs.estimate("sd", 512, 512, 30) == pytest.approx(1.0)
