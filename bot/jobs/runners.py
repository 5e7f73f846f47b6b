"""Runners: who paints jobs. Their names tell whether they still live."""

import socket

import psutil

from bot.values import new_id


def runner_name() -> str:
    """Return a name for this process that no other process has had: computer, process id, when that process began, chance."""
    own = psutil.Process()
    return f"{socket.gethostname()}/{own.pid}/{own.create_time():.2f}/{new_id()}"


def is_gone(runner: str) -> bool:
    """Return whether a runner was a process of this computer that no longer lives; of other computers nobody knows."""
    host, pid, began, _ = (runner.split("/", 3) + [""] * 4)[:4]
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != began
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, OverflowError):
        return False
