"""Seeds small faults, one at a time, into a copy of the code, and counts those that the tests notice.

`bash tests/mutation.sh --help` says how to use it. Faults are cosmic-ray's, and two kinds more in its form: an
argument of a call left out, a statement left out. Tests run in a process that forks from one that has the libraries
loaded.
"""

import argparse
import ast
import difflib
import importlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

CHECKOUT = Path(__file__).resolve().parents[1]
PATHS = ("trainers", "datasets", "compat/dassl", "scripts/report")
COPIED = (*("trainers", "datasets", "compat", "scripts", "configs", "tests"), "train.py", "configuration.py")
COPIED += ("examples",)
COPIED += ("setup.py", "README.md", "LICENSE")  # which a wheel is built from, with pyproject.toml
ROOTS = ("", "scripts", "compat")  # folders that modules are imported from
LIBRARIES = ("torch", "torchvision.transforms", "numpy", "PIL.Image", "yacs.config", "tensorboard", "scipy.io")
LIBRARIES += ("torch.utils.tensorboard", "sklearn.metrics", "hypothesis", "pytest", "requests", "regex", "ftfy")
NOTICED, SURVIVED = "noticed", "survived"


# --- faults


class LeaveOutArgument(Operator):
    """A keyword argument of a call that has others too, or the last of four and more: often one with a default."""

    def arguments_of(self, node) -> list:
        if node.type != "arglist" or node.parent.type != "trailer":
            return []
        given = [child for child in node.children if child.type != "operator"]
        named = [child for child in given if child.type == "argument" and child.children[1] == "="]
        return named + (given[-1:] if len(given) > 3 and given[-1].type != "argument" else [])

    def mutation_positions(self, node) -> Iterator[tuple]:
        return ((argument.start_pos, argument.end_pos) for argument in self.arguments_of(node))

    def mutate(self, node, index: int):
        place = node.children.index(self.arguments_of(node)[index])
        del node.children[max(0, place - 1) : place + 1]  # with the comma before it
        return node

    @classmethod
    def examples(cls) -> tuple:
        return ()


class LeaveOutStatement(Operator):
    """A call whose value is not used, or an assignment that changes a value; not what only prints."""

    def mutation_positions(self, node) -> Iterator[tuple]:
        if node.type == "simple_stmt":
            statement = node.children[0]
            called = statement.type == "atom_expr" and not statement.get_code().strip().startswith("print(")
            changed = statement.type == "expr_stmt" and statement.children[1].type == "augassign"
            changed = (
                changed or statement.type == "expr_stmt" and statement.children[1].get_code().strip()[-2:] == "+="
            )
            if called or changed:
                yield statement.start_pos, statement.end_pos

    def mutate(self, node, index: int):
        prefix, nothing = node.get_first_leaf().prefix, parso.parse("pass").children[0]
        nothing.prefix = prefix
        node.children[0] = nothing
        return node

    @classmethod
    def examples(cls) -> tuple:
        return ()


OWN = {"LeaveOutArgument": LeaveOutArgument, "LeaveOutStatement": LeaveOutStatement}


@dataclass(frozen=True)
class Fault:
    """One of the places that an operator would change, by its number in the file."""

    path: Path  # in the checkout
    operator: str
    occurrence: int
    line: int

    def applied(self, source: str) -> str:
        return mutate_code(source, operator_named(self.operator), self.occurrence)

    def diff(self) -> str:
        source = (CHECKOUT / self.path).read_text(encoding="utf-8")
        lines = difflib.unified_diff(
            *(text.splitlines() for text in (source, self.applied(source))), n=1, lineterm=""
        )
        return "\n".join(["", *list(lines)[2:]]).replace("\n", "\n    ")


def operator_named(name: str) -> Operator:
    return OWN[name]() if name in OWN else get_operator(name)()


@cache
def kinds() -> list[list[str]]:
    """Operators that change the same places in several ways, together: `a + b` to `a - b`, `a * b` …"""
    found = defaultdict(list)
    for name in operator_names():
        if not get_operator(name).arguments() and "NoOp" not in name:
            found[name.rsplit("_", 1)[0] if name.count("_") > 1 and "_Delete_" not in name else name].append(name)
    return [*found.values(), *([name] for name in OWN)]


@cache
def nodes_of(path: Path) -> list:
    return list(ast_nodes(get_ast((CHECKOUT / path).read_text(encoding="utf-8"))))


def spans(path: Path, name: str) -> list[tuple]:
    """Where an operator can change a file, (line, column) to (line, column)."""
    operator = operator_named(name)
    return [span for node in nodes_of(path) for span in operator.mutation_positions(node)]


def in_annotations(source: str) -> list[tuple]:
    """Where types are: what is changed there changes nothing, or fails at once."""
    nodes = []
    for node in ast.walk(ast.parse(source)):
        nodes += [getattr(node, name, None) for name in ("annotation", "returns")]
    return [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in nodes if n is not None]


def places(path: Path) -> list[tuple[Path, list[str], tuple]]:
    """All places in a file where something can be changed: file, operators, span."""
    types, found = in_annotations((CHECKOUT / path).read_text(encoding="utf-8")), []
    for names in kinds():
        for span in spans(path, names[0]):
            if not any(first <= span[0] and span[1] <= last for first, last in types):
                found.append((path, names, span))
    return found


def draw(paths: Sequence[str], count: int, seed: int) -> list[Fault]:
    """Faults at places drawn at random, each place once."""
    files = set()
    for path in paths:
        files |= {CHECKOUT / path} if path.endswith(".py") else set((CHECKOUT / path).rglob("*.py"))
    there = [place for file in sorted(files) for place in places(file.resolve().relative_to(CHECKOUT))]
    chance = random.Random(seed)
    faults = []
    for path, names, span in chance.sample(there, min(count, len(there))):
        able = [name for name in names if span in spans(path, name)]  # `is` to `==`, say, not everywhere
        name = chance.choice(able)
        faults.append(Fault(path, name, spans(path, name).index(span), span[0][0]))
    return faults


# --- which tests import a file


def module_file(name: str) -> Path | None:
    """The project's file that `import name` reads."""
    for root in ROOTS:
        base = Path(root, *name.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if (CHECKOUT / path).is_file():
                return path
    return None


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse((CHECKOUT / path).read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> set[Path]:
    """The project's files that a file imports itself."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = [".".join(path.parts[: -node.level])] if node.level else []
            base = ".".join(above + ([node.module] if node.module else []))
            names |= {f"{base}.{alias.name}" if module_file(f"{base}.{alias.name}") else base for alias in node.names}
    found = {module_file(name) for name in names} - {None}
    if "iter_modules" in ast.dump(parsed(path)):  # a package that imports all that is in its folder
        found |= {file.relative_to(CHECKOUT) for file in (CHECKOUT / path).parent.glob("*.py")} - {path}
    return found


def asked_for(path: Path) -> set[str]:
    """The names of the fixtures that a test file's functions take."""
    functions = (node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef))
    return {argument.arg for function in functions for argument in function.args.args}


def fixtures(path: Path) -> set[str]:
    return {
        node.name
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(mark) for mark in node.decorator_list)
    }


def reached(test: Path) -> dict[Path, int]:
    """The files that a test file imports, or a conftest.py whose fixtures it takes, each with the number of steps."""
    found, waiting = {test: 0}, [test]
    for conftest in (
        folder / "conftest.py" for folder in test.parents if (CHECKOUT / folder / "conftest.py").is_file()
    ):
        if asked_for(test) & fixtures(conftest):
            found[conftest] = 1
            waiting.append(conftest)
    for path in waiting:
        for other in sorted(imports(path) - found.keys()):
            found[other] = found[path] + 1
            waiting.append(other)
    return found


def nearest_tests(path: Path) -> list[Path]:
    """The test files that import a file: its own, those that import it themselves, those of the same part, others."""
    tests = [file.relative_to(CHECKOUT) for file in (CHECKOUT / "tests").rglob("test_*.py")]
    steps = {test: reached(test)[path] for test in tests if path in reached(test)}

    def rank(test: Path) -> tuple:
        own = test.stem.startswith(f"test_{path.stem}")
        return not own, steps[test] > 1, test.parts[1] != path.parts[0], steps[test], test

    return sorted(steps, key=rank)


# --- running them


def run_tests(tree: Path, tests: Sequence[Path], limit: float) -> tuple[str, float]:
    """Runs test files in a process of their own, which may compute for so many seconds.

    What went wrong, "" where they pass, and the seconds that it computed, which other programs do not add to.
    """
    child = os.fork()
    if not child:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 1))
        os._exit(pass_tests(tree, tests))
    end = time.monotonic() + 60 + 10 * limit  # it may also wait for ever
    while time.monotonic() < end:
        done, status, used = os.wait4(child, os.WNOHANG)
        if done:
            fault = f"status {os.waitstatus_to_exitcode(status)}" if status else ""
            return fault, used.ru_utime + used.ru_stime
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "took too long", limit


def pass_tests(tree: Path, tests: Sequence[Path]) -> int:
    import pytest

    os.chdir(tree)
    sys.path[0] = str(tree)  # instead of this file's folder
    output = os.open(os.environ.get("MUTATION_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    options = ("-q", "-x", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib")
    return int(pytest.main([*options, *map(str, tests)]))


@dataclass
class Trials:
    """A copy of the code, the time that each test file takes there, and what became of the faults."""

    tree: Path
    seconds: float  # of tests for each fault
    times: dict[Path, float] = field(default_factory=dict)
    outcomes: dict[Fault, str] = field(default_factory=dict)

    def copy(self) -> None:
        for name in COPIED:
            copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
            copy(CHECKOUT / name, self.tree / name)
        shutil.copy(CHECKOUT / "pyproject.toml", self.tree)

    def time_of(self, test: Path) -> float:
        """Seconds that a test file computes without a fault; infinite where that is too long, or it fails."""
        if test not in self.times:
            fault, used = run_tests(self.tree, [test], 3 * self.seconds)
            self.times[test] = float("inf") if fault else used
            if fault:
                print(f"left out: {test} ({fault} without any fault)", flush=True)
        return self.times[test]

    def tests_of(self, path: Path) -> list[Path]:
        """The nearest tests, until they take as long as they may together; the last one may take longer."""
        chosen, left = [], self.seconds
        for test in nearest_tests(path):
            if left > 0 and self.time_of(test) <= 3 * self.seconds:
                chosen.append(test)
                left -= self.time_of(test)
        return chosen

    def seed(self, fault: Fault) -> str:
        """Whether the tests notice a fault."""
        tests, path = self.tests_of(fault.path), self.tree / fault.path
        source = path.read_text(encoding="utf-8")
        path.write_text(fault.applied(source), encoding="utf-8")
        try:
            limit = 20 + 4 * sum(self.times[test] for test in tests)
            found = NOTICED if tests and run_tests(self.tree, tests, limit)[0] else SURVIVED
        finally:
            path.write_text(source, encoding="utf-8")
        self.outcomes[fault] = found
        return found


def report(outcomes: dict[Fault, str]) -> None:
    """The score by folder."""
    total, noticed = Counter(), Counter()
    for fault, outcome in outcomes.items():
        for place in (str(fault.path.parent), "all"):
            total[place] += 1
            noticed[place] += outcome == NOTICED
    for place in sorted(total, key=lambda place: (place == "all", place)):
        share = 100 * noticed[place] / total[place]
        print(f"{place:32} {noticed[place]:4} of {total[place]:4} noticed  {share:5.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bash tests/mutation.sh")
    parser.add_argument("count", nargs="?", default="100")
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--list", action="store_true")
    args = parser.parse_intermixed_args()
    paths = args.paths if args.count.isdigit() else [args.count, *args.paths]
    faults = draw(paths or PATHS, int(args.count) if args.count.isdigit() else 100, args.seed)
    if args.list:
        print("\n".join(f"{fault.path}:{fault.line} {fault.operator}{fault.diff()}" for fault in faults))
        return
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder), args.seconds)
        trials.copy()
        try:
            for number, fault in enumerate(faults, start=1):
                start = time.monotonic()
                outcome = trials.seed(fault)
                about = f"{fault.path}:{fault.line} {fault.operator}"
                print(f"{number}/{len(faults)} {outcome} {about} {time.monotonic() - start:.0f} s", flush=True)
                if outcome == SURVIVED:
                    print(
                        f"  {', '.join(map(str, trials.tests_of(fault.path))) or 'no test imports it'}{fault.diff()}"
                    )
        except KeyboardInterrupt:
            print("stopped")
        report(trials.outcomes)


if __name__ == "__main__":
    main()
