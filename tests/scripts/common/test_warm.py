"""A run that is a fork of the warm process is as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from common import warm
from common.warm import Forked, WarmProcess, start

pytestmark = pytest.mark.usefixtures("foreground_signals")

FAR_OFF = 60  # seconds, after which a test gives up
ABOUT_ITSELF = """
import json, os, random, signal, sys, __main__
mask = sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
handlers = {number: str(signal.getsignal(number)).partition(" at 0x")[0] for number in (1, 2, 10, 12, 15, 17)}
print(json.dumps([sys.argv, sys.path, os.getcwd(), dict(os.environ), mask, handlers, sys.stdin.read()]))
print(__name__, __file__, __main__.__dict__ is globals(), sys.stdout.isatty(), sys.flags, sys.stdout.encoding)
print(os.getpgid(0), os.getsid(0), sorted(set(os.listdir("/proc/self/fd")) & {"0", "1", "2"}))
print("and errors", file=sys.stderr)
"""


def never() -> bool:
    return False


def environment() -> dict[str, str]:
    """Without what pytest changes while a test runs."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.fixture
def script(tmp_path):
    """Writes a Python script; its command."""

    def write(text: str, *words: str) -> list[str]:
        path = tmp_path / "script.py"
        path.write_text(text)
        return [sys.executable, str(path), *words]

    return write


@pytest.fixture
def warm_process(monkeypatch):
    """One without modules, unless told otherwise; its environment is the tests'."""
    started = []

    def of(*modules: str) -> WarmProcess:
        monkeypatch.setenv("SHIP_START", "fork")
        started.append(WarmProcess(environment(), modules))
        return started[-1]

    yield of
    for process in started:
        process.close()


@pytest.fixture
def forked(warm_process):
    """Runs a command as a fork, without modules unless told otherwise; its exit status."""
    shared = warm_process()

    def run(command: list[str], process: WarmProcess = shared) -> int:
        run = start(command, process.address, environment(), never)
        assert isinstance(run, Forked)
        return run.wait()

    return run


def as_process(command: list[str]) -> int:
    return subprocess.Popen(command, env=environment()).wait()


@pytest.fixture
def with_input(monkeypatch, tmp_path):
    """A file as standard input, from its beginning each time."""
    path = tmp_path / "input.txt"
    path.write_text("a line\n")
    before = os.dup(0)

    def again() -> None:
        descriptor = os.open(path, os.O_RDONLY)
        os.dup2(descriptor, 0)
        os.close(descriptor)

    yield again
    os.dup2(before, 0)
    os.close(before)


@pytest.mark.parametrize("blocked", [[], [signal.SIGINT, signal.SIGHUP, signal.SIGUSR2]])
def test_a_fork_finds_what_a_process_would(blocked, script, forked, with_input, capfd):
    command, printed = script(ABOUT_ITSELF, "--word", "two words"), []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        for run in (as_process, forked):
            with_input()
            assert run(command) == 0
            printed.append(capfd.readouterr())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert '["' in printed[0].out and '"a line\\n"' in printed[0].out and printed[0].err == "and errors\n"
    assert printed[1] == printed[0]


def test_ignored_signals_stay_ignored(script, warm_process, forked, capfd):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in what a shell starts in the background
    assert forked(script("import signal; print(signal.getsignal(2) is signal.SIG_IGN)"), warm_process()) == 0
    assert capfd.readouterr().out == "True\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import sys; sys.exit(3)",
        "import sys; sys.exit(259)",
        "import sys; sys.exit('a message')",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os; os._exit(7)",
        "raise KeyboardInterrupt",
        "raise ValueError('odd')",
        "import atexit; atexit.register(print, 'at the end'); print('no line end', end='')",
        "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('later'))).start()",
        "this is no Python",
    ],
)
def test_the_end_is_that_of_a_process(text, script, forked, capfd):
    command = script(text)
    statuses = [as_process(command)]
    process = capfd.readouterr()
    statuses.append(forked(command))
    fork = capfd.readouterr()
    assert statuses[1] == statuses[0]
    assert fork.out == process.out
    assert fork.err.splitlines()[-1:] == process.err.splitlines()[-1:]  # a traceback has more lines above


def test_quiet_fork_prints_errors_alone(script, warm_process, capfd):
    command = script("import sys; print('out'); print('err', file=sys.stderr)")
    run = start(command, warm_process().address, environment(), never, subprocess.DEVNULL)
    assert isinstance(run, Forked) and run.wait() == 0
    assert capfd.readouterr() == ("", "err\n")


def test_forks_share_no_random_numbers(script, warm_process, forked, capfd):
    command = script("import random, numpy; print(random.random(), numpy.random.rand())")
    for process in [warm_process("numpy")] * 2:
        forked(command, process)
    one, other = capfd.readouterr().out.splitlines()
    assert not set(one.split()) & set(other.split())


def test_nothing_of_one_run_is_there_in_the_next(script, warm_process, forked, capfd):
    process = warm_process("decimal")
    forked(script("import decimal, os; decimal.mark = 1; os.environ['MARK'] = '1'; os.chdir('/')"), process)
    forked(script("import decimal, os; print(hasattr(decimal, 'mark'), 'MARK' in os.environ, os.getcwd())"), process)
    assert capfd.readouterr().out == f"False False {os.getcwd()}\n"


def test_what_imports_print_comes_with_every_run(script, warm_process, forked, capfd):
    forked(script("print('one')"), process := warm_process("this"))
    forked(script("print('other')"), process)
    printed = capfd.readouterr()
    assert printed.out == "one\nother\n"
    assert printed.err.count("The Zen of Python") == 2


@pytest.mark.parametrize(("name", "is_free"), [("CUDA_VISIBLE_DEVICES", True), ("OMP_NUM_THREADS", False)])
def test_what_is_read_while_importing_makes_a_process_and_gpus_do_not(name, is_free, script, warm_process, capfd):
    command = script(f"import os; print(os.environ.get({name!r}))")
    address = warm_process().address
    without = {key: value for key, value in environment().items() if key != name}
    for changed in ({**without, name: "7"}, without):
        run = start(command, address, changed, never)
        run.wait()
        assert isinstance(run, Forked) == (is_free or changed.get(name) == os.environ.get(name))
    assert capfd.readouterr().out == "7\nNone\n"


def test_code_that_has_changed_is_imported_by_a_process(script, warm_process, monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(warm, "CHECKOUT", tmp_path)
    module = tmp_path / "changing.py"
    module.write_text("value = 1")
    command, process = script("import changing; print(changing.value)"), warm_process("changing")
    for value, is_fork in ((1, True), (2, False)):
        if not is_fork:
            module.write_text(f"value = {value}")
            os.utime(module, (0, 0))  # any other time
        run = start(command, process.address, environment(), never)
        assert run.wait() == 0 and isinstance(run, Forked) == is_fork
    assert capfd.readouterr().out == "1\n2\n"


def test_module_that_cannot_be_imported_is_left_to_the_run(script, warm_process, forked, capfd):
    assert forked(script("import no_such_module"), warm_process("no_such_module")) == 1
    assert "No module named 'no_such_module'" in capfd.readouterr().err


@pytest.mark.parametrize("ending", ["import sys; sys.exit('no')", "import os; os.abort()"])
def test_warm_process_that_ends_while_importing_makes_processes(ending, script, warm_process, monkeypatch, tmp_path):
    (tmp_path / "ending.py").write_text(ending)
    monkeypatch.setattr(warm, "CHECKOUT", tmp_path)
    run = start(script("raise SystemExit(5)"), warm_process("ending").address, environment(), never)
    assert isinstance(run, subprocess.Popen) and run.wait() == 5


def test_who_has_been_stopped_does_not_wait_for_imports(script, warm_process, monkeypatch, tmp_path):
    (tmp_path / "slow.py").write_text(f"import time; time.sleep({FAR_OFF})")
    monkeypatch.setattr(warm, "CHECKOUT", tmp_path)
    process = warm_process("slow")
    began = time.monotonic()
    run = start(script(""), process.address, environment(), lambda: True)
    run.wait()
    server = process.process
    process.close()
    assert time.monotonic() - began < FAR_OFF / 2
    assert isinstance(run, subprocess.Popen) and server.returncode == -signal.SIGTERM


def test_run_outlives_a_killed_warm_process_and_the_next_has_another(script, warm_process, tmp_path):
    process = warm_process()
    wait = "import time, pathlib\nwhile not pathlib.Path('go on').exists(): time.sleep(0.02)\n"
    command = script(f"import os\nos.chdir({str(tmp_path)!r})\n{wait}pathlib.Path('done').touch()")
    run = start(command, process.address, environment(), never)
    process.process.kill()
    process.process.wait()
    assert run.poll() is None
    (tmp_path / "go on").touch()
    assert run.wait() == warm.LOST
    assert (tmp_path / "done").exists()
    again = start(command, process.address, environment(), never)
    assert isinstance(again, Forked) and again.wait() == 0


def test_warm_process_ends_with_who_started_it_and_the_run_does_not(script, tmp_path):
    command = script(f"import time; time.sleep(0.5); open({str(tmp_path / 'done')!r}, 'w').close()")
    owner = (
        "import os, sys; sys.path.insert(0, 'scripts'); from common.warm import WarmProcess, start;"
        f"process = WarmProcess(dict(os.environ), ()); run = start({command!r}, process.address, os.environ, bool);"
        "print(process.process.pid, process.folder, flush=True); os.kill(os.getpid(), 9)"
    )
    started = [sys.executable, "-c", owner]
    forks = {**os.environ, "SHIP_START": "fork"}
    killed = subprocess.run(started, cwd=warm.CHECKOUT, env=forks, capture_output=True)
    pid, folder = killed.stdout.decode().split()
    deadline = time.monotonic() + FAR_OFF
    while is_alive(int(pid)) or Path(folder).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (tmp_path / "done").exists()


def is_alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_environment_can_ask_for_processes(script, monkeypatch, warm_process):
    process = warm_process()
    monkeypatch.setenv("SHIP_START", "process")
    process = WarmProcess(dict(os.environ), ())
    assert process.address == ""
    run = start(script(""), process.address, environment(), never)
    assert isinstance(run, subprocess.Popen) and run.wait() == 0


def test_way_that_does_not_exist_is_named(monkeypatch, capsys):
    monkeypatch.setenv("SHIP_START", "spawn")
    with pytest.raises(SystemExit) as ended:
        WarmProcess(dict(os.environ), ())
    assert ended.value.code == 2
    assert "SHIP_START is 'spawn'; it can be fork or process" in capsys.readouterr().err


def test_importing_asks_for_no_gpu_and_starts_no_thread_pool():
    """A fork of a process that has opened CUDA, or whose OpenMP has threads, could use neither."""
    check = (
        "import os, sys, torch\n"
        "def asked(*given): os.write(1, b'asked for GPUs '); return 0\n"
        "torch._C._cuda_getDeviceCount = torch._C._cuda_init = asked\n"
        f"import importlib; [importlib.import_module(name) for name in {warm.MODULES!r}]\n"
        "print(torch.cuda.is_initialized(), open('/proc/self/status').read().split('Threads:')[1].split()[0])"
    )
    threads = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    settings = {"cwd": warm.CHECKOUT, "env": {**environment(), **threads}, "capture_output": True}
    done = subprocess.run([sys.executable, "-c", check], **settings)
    assert done.stdout.decode() == "False 1\n", done.stderr.decode()
