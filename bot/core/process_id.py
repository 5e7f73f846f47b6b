"""Names of runners, the processes that execute jobs. A name tells whether its process still exists."""

import os
import socket
from functools import cache
from pathlib import Path

import psutil

from bot.core.values import new_id


def runner_name() -> str:
    """Return a unique name for this process: computer, process id, start time of the process, and a random part."""
    return f"{_computer()}/{os.getpid()}/{_began(os.getpid())}/{new_id()}"


def is_gone(runner: str) -> bool:
    """Return whether a runner was a process of this computer that has ended; False for processes of other computers."""
    computer, pid, began, _ = (runner.split("/", 3) + [""] * 4)[:4]
    if computer != _computer() or not (pid.isascii() and pid.isdecimal()):
        return False
    try:
        return _began(int(pid)) != began
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, OverflowError):
        return False


@cache
def _computer() -> str:
    """Return a name for this computer since its last boot, and for the container.

    Host names are not unique, and process ids are only valid within one container.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:13]
        return f"{socket.gethostname()}~{boot}~{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()


def _began(pid: int) -> str:
    """Return when a process was started; raises `psutil.NoSuchProcess`.

    In ticks since boot where the system reports them: a wall clock can be changed while the process runs.
    """
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return f"{psutil.Process(pid).create_time():.2f}"
    try:
        # The program's name is in brackets and can contain any character; the start time is the twentieth field after it.
        return stat.read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        raise psutil.NoSuchProcess(pid) from None
