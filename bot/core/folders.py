"""Folders for users' data."""

from pathlib import Path


def make_private(folder: Path) -> None:
    """Create a folder, and those above it that are missing, for this account alone; a folder that exists stays as it is.

    An operator who wants to share the data with another account creates the folder first. Raises `OSError`.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
