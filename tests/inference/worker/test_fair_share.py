"""The order of steps: the two sides of start-time fair queueing, as properties."""

from hypothesis import given
from hypothesis import strategies as st

from inference.worker.fair_share import FairShare

COSTS = st.lists(st.floats(0.01, 5), min_size=1, max_size=30)


@given(COSTS, COSTS, st.floats(0.25, 4), st.floats(0.25, 4))
def test_two_busy_shares_never_drift_apart(first, second, weight_f, weight_g):
    """While both shares have work, the difference of their weighted service stays within one largest charge of each."""
    shares, costs, weights = FairShare(), {"f": first, "g": second}, {"f": weight_f, "g": weight_g}
    for name in costs:
        shares.join(name)
    bound = max(first) / weight_f + max(second) / weight_g
    served, made = {"f": 0.0, "g": 0.0}, {"f": 0, "g": 0}
    while all(made[name] < len(costs[name]) for name in costs):
        name = min(costs, key=shares.tag)
        cost = costs[name][made[name]]
        shares.charge(name, cost, weights[name])
        served[name] += cost / weights[name]
        made[name] += 1

        assert abs(served["f"] - served["g"]) <= bound + 1e-9


@given(COSTS)
def test_an_idle_share_saves_up_nothing(costs):
    """A share that arrives late starts level with the others: waiting gives it no advantage and no disadvantage."""
    shares = FairShare()
    shares.join("early")
    for cost in costs:
        shares.charge("early", cost, 1.0)
    shares.join("late")

    assert shares.tag("late") <= shares.tag("early")
    assert shares.tag("early") - shares.tag("late") <= max(costs) + 1e-9


def test_leaving_and_coming_back_is_no_way_to_the_front():
    """A share that leaves ahead of the others gets its tag back when it returns."""
    shares = FairShare()
    shares.join("greedy")
    shares.join("patient")
    shares.charge("greedy", 5.0, 1.0)
    shares.leave("greedy")
    shares.join("greedy")

    assert shares.tag("greedy") == 5.0
    assert shares.tag("patient") == 0.0


def test_a_share_with_several_requests_is_one_share():
    """Ending one of two requests keeps the share active."""
    shares = FairShare()
    shares.join("a")
    shares.join("a")
    shares.leave("a")

    assert shares.tag("a") == 0.0
