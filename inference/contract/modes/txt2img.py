"""Text to image: a picture from noise and words alone."""

from inference.contract.modes.base import Mode

TXT2IMG = Mode(name="txt2img")
