"""Starting Python scripts without the seconds that their imports take: as forks of a process that has them.

Where there is no such process (no Linux, SHIP_START=process, it ended or declined) scripts are started as processes.
"""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from common.errors import fail
from common.stopping import blocked

SERVER = Path(__file__).with_name("fork_server.py")
CHECKOUT = SERVER.parents[2]
MODULES = ("scripts.protocols.imports",)
WAYS = ("fork", "process")
NUMBER, NO_FORK, LOST = 4, 0, 1  # bytes of a number; what stands for no process; status where nothing is known
POLL = 0.1  # seconds


def way() -> str:
    """How scripts are to be started. Ends the program where SHIP_START is neither."""
    chosen = os.environ.get("SHIP_START") or WAYS[sys.platform != "linux"]
    if chosen not in WAYS:
        fail(f"SHIP_START is {chosen!r}; it can be {' or '.join(WAYS)}, or unset")
    return chosen


class WarmProcess:
    """The process whose forks are runs. It starts with the first run, and ends with this one, or when closed."""

    def __init__(self, environment: Mapping[str, str], modules: Sequence[str] = MODULES) -> None:
        self.environment, self.modules, self.wanted = environment, modules, way() == "fork"
        self.process: subprocess.Popen | None = None
        self.folder = ""

    @property
    def address(self) -> str:
        """Of its socket; without one the empty text."""
        if not self.wanted:
            return ""
        if self.process is None or self.process.poll() is not None:
            self.close()
            try:
                self.start()
            except OSError:  # such as a TMPDIR too long for a socket's address
                self.wanted = False
                return ""
        return str(Path(self.folder, "socket"))

    def start(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="ship-")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(Path(self.folder, "socket")))
            listener.listen()
            command = [sys.executable, str(SERVER), str(listener.fileno()), str(CHECKOUT), *self.modules]
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with blocked(signal.SIGINT):  # which a terminal sends to all
                self.process = subprocess.Popen(
                    command, env=self.environment, pass_fds=[listener.fileno()], **streams
                )

    def close(self) -> None:
        """Runs that have not ended go on."""
        if self.process is not None:
            self.process.stdin.close()
            self.process.terminate()  # heeded while it imports; later it ends with its input
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)


class Forked:
    """A run in a fork of the warm process, with what subprocess.Popen has for a process of its own."""

    def __init__(self, connection: socket.socket, process: int) -> None:
        self.connection, self.pid = connection, process
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self.connection], [], [], 0)[0]:
            status = received(self.connection)
            self.returncode = LOST if status is None else status  # lost with the warm process, if that was killed
        return self.returncode

    def wait(self) -> int:
        while self.poll() is None:
            select.select([self.connection], [], [], 1)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def start(
    command: Sequence[str],
    address: str,
    env: Mapping[str, str],
    stopped: Callable[[], object],
    stdout: int | None = None,
) -> "Forked | subprocess.Popen":
    """Starts a command, `[Python, script, …]`, by the warm process that has this address, else as a process.

    `stdout` is None or subprocess.DEVNULL. Once `stopped` is true, it does not wait for what is still importing.
    """
    forked = fork(command, address, env, stopped, stdout) if address and command[0] == sys.executable else None
    return forked or subprocess.Popen(command, env=env, stdout=stdout)


def fork(
    command: Sequence[str], address: str, env: Mapping[str, str], stopped: Callable[[], object], stdout: int | None
) -> Forked | None:
    """None where there is no fork."""
    mask = [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())]
    request = {"words": list(command[1:]), "folder": os.getcwd(), "environment": dict(env), "blocked": mask}
    with ExitStack() as opened:
        connection = opened.enter_context(socket.socket(socket.AF_UNIX))
        try:
            connection.connect(address)
            while not select.select([connection], [], [], POLL)[0]:
                if stopped():
                    return None
            if received(connection) is None:
                return None
            nowhere = opened.enter_context(open(os.devnull, "wb")) if stdout == subprocess.DEVNULL else None
            streams = (0, nowhere.fileno() if nowhere else 1, 2)
            socket.send_fds(connection, [b"\0"], streams)
            connection.sendall(json.dumps(request).encode())
            connection.shutdown(socket.SHUT_WR)
            process = received(connection)
        except OSError:
            return None
        if not process:
            return None
        opened.pop_all()
        return Forked(connection, process)


def received(connection: socket.socket) -> int | None:
    """The number that the warm process sends; None where that has ended."""
    try:
        data = connection.recv(NUMBER, socket.MSG_WAITALL)
    except OSError:
        return None
    return int.from_bytes(data, "little", signed=True) if len(data) == NUMBER else None
