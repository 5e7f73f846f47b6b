"""The contract is asked of every platform."""

from adapters.registry import REGISTRY
from tests.adapters.contract.drivers import WORLDS


def test_every_platform_has_a_world():
    """A platform in the registry is tested by the contract."""
    assert REGISTRY.keys() == WORLDS.keys()
