"""The demo model that ships with Easel: its weights and its vocabulary."""

from pathlib import Path

#: The folder of the trained model.
WEIGHTS = Path(__file__).parent / "weights"
