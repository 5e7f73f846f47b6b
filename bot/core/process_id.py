"""Runners: who paints jobs. Their names tell whether they still live."""

import os
import socket
from functools import cache
from pathlib import Path

import psutil

from bot.core.values import new_id


def runner_name() -> str:
    """Return a name for this process that no other process has had: computer, process id, when that process began, chance."""
    return f"{_computer()}/{os.getpid()}/{_began(os.getpid())}/{new_id()}"


def is_gone(runner: str) -> bool:
    """Return whether a runner was a process of this computer that no longer lives; of other computers nobody knows."""
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
    """Return a name for this computer since it was started, and for the container: names of hosts are not unique, and process ids
    mean something only within one container.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:13]
        return f"{socket.gethostname()}~{boot}~{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()


def _began(pid: int) -> str:
    """Return when a process began; raises `psutil.NoSuchProcess`. In ticks since the start of the computer where those are told:
    a wall clock may be set while the process lives.
    """
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return f"{psutil.Process(pid).create_time():.2f}"
    try:
        # The name of the program stands in brackets and may hold anything; the beginning is the twentieth field after it.
        return stat.read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        raise psutil.NoSuchProcess(pid) from None
