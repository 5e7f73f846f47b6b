"""The model that ships with Easel: how it is drawn, trained, evaluated, and its weights."""

from pathlib import Path

#: The folder of the trained model.
WEIGHTS = Path(__file__).parent / "weights"
