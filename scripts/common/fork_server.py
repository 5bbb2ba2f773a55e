"""The warm process: it imports once what Python scripts need, and runs each script in a fork of itself.

    python fork_server.py DESCRIPTOR FOLDER MODULE…

DESCRIPTOR is that of a listening socket; FOLDER is where the modules are found. Started and asked by common/warm.py.
It ends with its standard input, when the runs that it has begun have ended.

A fork is as a process that starts: signals, standard streams, folder, environment, arguments, `__main__` and random
numbers are its own. What is read while importing (OMP_NUM_THREADS, SHIP_ENGINE, …) cannot be changed afterwards, so a
request with another environment is declined, and so are all once a file that was imported has changed.
"""

import atexit
import builtins
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
import types
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

NUMBER = 4  # bytes of every number that is sent
READY = DECLINED = 0
FREE = ("CUDA_VISIBLE_DEVICES", "SUBMITIT_")  # beginnings of variables that are read later


@dataclass(frozen=True)
class Request:
    """A script to be run: words of its command line, its folder, environment, blocked signals, standard streams."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    blocked: list[int]
    streams: list[int]
    asked_by: socket.socket  # kept open, so that whoever asked sees this run's end if the warm process is killed


def as_bytes(number: int) -> bytes:
    return number.to_bytes(NUMBER, "little", signed=True)


def fixed(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that have to be those of the warm process."""
    return {name: value for name, value in environment.items() if not name.startswith(FREE)}


def received(connection: socket.socket) -> Request:
    """What a client asks for. Raises ValueError, OSError where it has gone."""
    connection.sendall(as_bytes(READY))
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as file:
        return Request(**json.loads(file.read()), streams=streams, asked_by=connection)


class Server:
    """Forks on request, and tells who asked how the fork ended."""

    def __init__(self, listener: socket.socket, environment: Mapping[str, str], files: Iterable[str]) -> None:
        self.listener, self.environment = listener, fixed(environment)
        self.files = {path: changed_at(path) for path in files}
        self.runs: dict[int, socket.socket] = {}  # who asked, by process
        self.woken, self.wakes = socket.socketpair()
        self.wakes.setblocking(False)
        signal.set_wakeup_fd(self.wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # the byte that it leaves is what counts
        self.selector = selectors.DefaultSelector()
        for source in (self.listener, sys.stdin, self.woken):
            self.selector.register(source, selectors.EVENT_READ)

    def serve(self) -> Request | None:
        """Until standard input ends, and with it the last run; in a fork at once, with what it is to run."""
        owned = True
        while owned or self.runs:
            for key, _ in self.selector.select():
                if key.fileobj is sys.stdin:
                    self.selector.unregister(sys.stdin)
                    self.selector.unregister(self.listener)
                    self.listener.close()
                    owned = False
                elif key.fileobj is self.woken:
                    self.reap()
                elif owned and (request := self.answer()):
                    return request
        return None

    def answer(self) -> Request | None:
        """Forks for a client; gives the request in the fork."""
        connection, _ = self.listener.accept()
        try:
            request = received(connection)
            if fixed(request.environment) != self.environment or self.is_outdated():
                connection.sendall(as_bytes(DECLINED))
                return None
        except (OSError, ValueError):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads that libraries have started do nothing now
            process = os.fork()
        if not process:
            self.forget()
            return request
        for stream in request.streams:
            os.close(stream)
        self.runs[process] = connection
        with suppress(OSError):
            connection.sendall(as_bytes(process))
        return None

    def is_outdated(self) -> bool:
        return any(changed_at(path) != before for path, before in self.files.items())

    def reap(self) -> None:
        """Sends the exit statuses of the runs that have ended."""
        self.woken.recv(1 << 12)
        for process in list(self.runs):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                with self.runs.pop(process) as connection, suppress(OSError):
                    connection.sendall(as_bytes(os.waitstatus_to_exitcode(status)))

    def forget(self) -> None:
        """Leaves nothing of the server in a fork."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.selector.close()
        for source in (self.listener, self.woken, self.wakes, *self.runs.values()):
            source.close()


def changed_at(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def files_in(folder: str) -> list[str]:
    """Those below the folder that have been imported, but for installed packages."""
    paths = [Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
    return [str(path) for path in paths if path.is_relative_to(folder) and "site-packages" not in path.parts]


def warm(folder: str, modules: Iterable[str], said: BinaryIO) -> None:
    """Imports the modules; what they print goes to the file."""
    for stream in (1, 2):
        os.dup2(said.fileno(), stream)
    sys.path[0] = folder
    for name in modules:
        with suppress(ImportError):  # those that need what is missing say so themselves
            importlib.import_module(name)
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    gc.freeze()  # the collector would write to pages that forks share


def become(request: Request, said: BinaryIO) -> types.ModuleType:
    """Makes this fork what a process of the script's own would be; gives its `__main__`."""
    for stream, given in enumerate(request.streams):
        os.dup2(given, stream)
        os.close(given)
    said.seek(0)
    with open(2, "wb", buffering=0, closefd=False) as errors:
        shutil.copyfileobj(said, errors)  # what importing has printed, warnings say
    said.close()
    os.chdir(request.folder)
    os.environ.update({name: value for name, value in request.environment.items() if name.startswith(FREE)})
    for name in [name for name in os.environ if name.startswith(FREE) and name not in request.environment]:
        del os.environ[name]
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # forks would share it; Python's own random numbers see to it themselves
    sys.argv, sys.path[0] = request.words, os.path.dirname(request.words[0])
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=request.words[0], __builtins__=builtins)
    sys.modules["__main__"] = main
    signal.pthread_sigmask(signal.SIG_SETMASK, request.blocked)
    return main


def run(script: types.ModuleType) -> None:
    """Runs the script and ends this fork, at once where there is no error: freeing its memory takes half a second."""
    status = 0
    try:
        exec(compile(Path(script.__file__).read_bytes(), script.__file__, "exec"), script.__dict__)
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            raise
        status = ended.code or 0
    threading._shutdown()  # what the interpreter does at its end, as multiprocessing's forks have it too
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    descriptor, home, *names = sys.argv[1:]
    variables = dict(os.environ)  # libraries set some when they are imported
    output = tempfile.TemporaryFile()  # noqa: SIM115 - forks close it
    warm(home, names, output)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))  # they are for the runs
    listening = socket.socket(fileno=int(descriptor))
    place = Path(listening.getsockname()).parent
    requested = Server(listening, variables, files_in(home)).serve()
    if requested is not None:
        run(become(requested, output))
    shutil.rmtree(place, ignore_errors=True)  # for whoever was killed
