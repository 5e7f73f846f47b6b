"""The contract is asked of every platform."""

from adapters.registry import REGISTRY
from tests.adapters.contract.drivers import DRIVERS


def test_every_platform_has_a_driver():
    """A platform in the registry is tested by the contract."""
    assert REGISTRY.keys() == DRIVERS.keys()
