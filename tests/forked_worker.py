"""Start worker processes for tests by forking a process that has already imported torch, diffusers and transformers.

A worker imports 3,500 modules, which takes about ten seconds of a core. Each test that starts an engine gets a process of its own all the
same: this script takes the place of `inference.supervisor.COMMAND`, hands its pipes to a server that is started once per test run, and
the server forks. The script lives as long as the forked worker: if either ends, so does the other. Tests that stop a worker with a signal
other than a kill, or that test how workers are started, use the true command.

    python -S -E tests/forked_worker.py SOCKET     be a worker
    python tests/forked_worker.py --serve SOCKET   be the server; started by the first worker, ends with the test run
"""

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time

#: Seconds that the server may take to import its libraries.
START_SECONDS = 240

#: Environment variables: the socket of the server, and the process whose end is the end of the server.
SOCKET, OWNER = "EASEL_TEST_WORKERS", "EASEL_TEST_OWNER"

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def choose(folder):
    """Name a socket in a folder for this test run and the processes that it starts; called once, by the process that owns the run."""
    os.environ[SOCKET], os.environ[OWNER] = f"{folder}/workers", str(os.getpid())


def install():
    """Have every engine of this process start forked workers, where the system can do that and a test run has chosen a socket."""
    from inference import supervisor

    if hasattr(os, "pidfd_open") and SOCKET in os.environ:
        supervisor.COMMAND = (sys.executable, "-S", "-E", os.path.abspath(__file__), os.environ[SOCKET])


def connected(path):
    """Return a connection to the server; start it if it does not run."""
    try:
        return _connect(path)
    except OSError:
        pass
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        until = time.monotonic() + START_SECONDS
        server = None
        while True:
            try:
                return _connect(path)
            except OSError:
                if server is None:
                    server = _start(path)
                if server.poll() is not None or time.monotonic() > until:
                    sys.exit(f"the server of forked workers did not start: {path}")
                time.sleep(0.05)


def _connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    return connection


def _start(path):
    environment = {**os.environ, "PYTHONPATH": ROOT}
    log = os.open(f"{path}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    command = [sys.executable, os.path.abspath(__file__), "--serve", path]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def work(path):
    """Be a worker: hand the standard streams to the server, and end as the forked process ends."""
    connection = connected(path)
    # libgomp and others read the cores and the environment of the process that they run in.
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    told = json.dumps({"environment": dict(os.environ), "folder": os.getcwd(), "cores": cores}).encode()
    socket.send_fds(connection, [len(told).to_bytes(4, "big")], [0, 1, 2])
    connection.sendall(told)
    os.close(0)
    os.close(1)
    ended = connection.recv(4)
    code = int.from_bytes(ended, "big", signed=True) if ended else 1
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code)


def serve(path):
    """Be the server: import everything that a worker needs, then fork a worker for each connection."""
    from inference.worker import main as worker
    from inference.worker.environment import prepare

    prepare()
    import psutil  # noqa: F401

    import inference.worker.factory  # noqa: F401

    owner = int(os.environ[OWNER])
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    waiting = selectors.DefaultSelector()
    waiting.register(listening, selectors.EVENT_READ)
    forked = {}  # The process and its connection, by the descriptor of either.
    while _lives(owner):
        for key, _ in waiting.select(timeout=1):
            if key.fileobj is listening:
                connection, _ = listening.accept()
                process = _fork(connection, listening, worker.main)
                descriptor = os.pidfd_open(process)
                for one in (connection.fileno(), descriptor):
                    waiting.register(one, selectors.EVENT_READ)
                    forked[one] = (process, connection, descriptor)
            elif key.fd in forked:
                process, connection, descriptor = forked[key.fd]
                if key.fd == connection.fileno():  # The script was killed, and with it the worker.
                    os.kill(process, signal.SIGKILL)
                _, status = os.waitpid(process, 0)
                with contextlib.suppress(OSError):
                    connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
                for one in (connection.fileno(), descriptor):
                    waiting.unregister(one)
                    del forked[one]
                connection.close()
                os.close(descriptor)


def _lives(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _fork(connection, listening, main):
    """Fork a worker with the streams, the environment and the folder that a connection brings; return its process id."""
    head, streams, _, _ = socket.recv_fds(connection, 4, 3)
    told = b""
    while len(told) < int.from_bytes(head, "big"):
        told += connection.recv(2**20)
    process = os.fork()
    if process:
        for one in streams:
            os.close(one)
        return process
    try:
        os.setsid()
        listening.close()
        connection.close()
        for target, one in enumerate(streams):
            os.dup2(one, target)
            os.close(one)
        brought = json.loads(told)
        os.environ.clear()
        os.environ.update(brought["environment"])
        os.chdir(brought["folder"])
        if brought["cores"]:
            os.sched_setaffinity(0, brought["cores"])
        main()
    finally:
        os._exit(1)


if __name__ == "__main__":
    serve(sys.argv[2]) if sys.argv[1] == "--serve" else work(sys.argv[1])
