"""The contract tests cover every platform."""

from adapters.registry import REGISTRY
from tests.adapters.contract.drivers import WORLDS


def test_every_platform_has_a_world():
    """Each platform in the registry is covered by the contract tests."""
    assert REGISTRY.keys() == WORLDS.keys()
