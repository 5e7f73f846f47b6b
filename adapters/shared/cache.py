"""The folder for what can be made again at any time."""

import os
from pathlib import Path


def folder() -> Path:
    """Return the folder; it need not be there."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "easel"


def own(name: str) -> Path | None:
    """Return a folder in it that nobody else can write to, or nothing where that cannot be had: for what is run, not only read."""
    path = folder() / name
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder()) or not _is_ours(path) or (os.name == "posix" and path.lstat().st_mode & 0o077):
            return None
        # Whoever could write here could put another folder in the place of ours.
        folder().chmod(0o700)
    except OSError:
        return None
    return path


def _is_ours(path: Path) -> bool:
    """Return whether a folder is this person's. Windows has no such marks, but keeps the folders of its people apart."""
    return path.is_dir() and not path.is_symlink() and (os.name != "posix" or path.lstat().st_uid == os.getuid())
