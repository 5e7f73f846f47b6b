"""The cache folder: everything in it can be made again at any time."""

import os
from pathlib import Path


def folder() -> Path:
    """Return the folder; it need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "easel"


def own(name: str) -> Path | None:
    """Return a subfolder that no other user can write to, or `None` if there is none: for files that are executed, not only read."""
    path = folder() / name
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder()) or not _is_ours(path) or (os.name == "posix" and path.lstat().st_mode & 0o077):
            return None
        # Anyone with write access here could replace our folder by another.
        folder().chmod(0o700)
    except OSError:
        return None
    return path


def _is_ours(path: Path) -> bool:
    """Return whether the current user owns a folder. Windows has no such marks, but keeps the folders of its users apart."""
    return path.is_dir() and not path.is_symlink() and (os.name != "posix" or path.lstat().st_uid == os.getuid())
