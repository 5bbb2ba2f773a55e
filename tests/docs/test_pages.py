"""README and docs/: links lead somewhere, pages begin with what they are for, and every command of theirs works."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image
from protocols.layout import test_folder as evaluation_folder
from protocols.layout import train_folder

from tests.conftest import CHECKOUT

from .pages import PAGES, anchors, blocks, commands, links, read

WITHOUT_PURPOSE = ("README.md", "CHANGELOG.md")  # the others begin with what the reader can do after them
WIDTH = 100  # of a terminal
TESTED = ("shapes_dark", "shapes_other")  # targets of dg and xd

# Commands that a test here cannot run as they stand, by their beginning: why, and what tests them instead.
ELSEWHERE = {
    "bash scripts/quickstart.sh": "installs packages; CI runs it",
    "bash scripts/test.sh": "runs the tests; CI runs it",
    "SHIP_TEST_DASSL=": "needs clones of Dassl and CoOp",
    "bash scripts/install_dassl.sh": "needs a clone of Dassl",
    "pip install": "installs packages; tests/test_plugin.py builds the wheel and installs it",
    "mkdir": "nothing of this project",
    "python scripts/download.py": "needs the network; tests/scripts/test_download.py has a server of its own",
    "python scripts/doctor.py": "depends on what is installed; tests/scripts/test_doctor.py",
    "python train.py --root DATA": "a CoOp checkout's; tests/test_plugin.py and tests/on_dassl",
    "bash scripts/run.sh heldcoop": "tests/docs/test_add_a_method.py performs that page",
    "bash scripts/run.sh ship_heldcoop": "tests/docs/test_add_a_method.py performs that page",
    "bash scripts/ship/base2new.sh birds": "the page's dataset, which is loaded below",
    "bash scripts/fit.sh": "trains; tests/scripts/test_fit.py",
    "python scripts/predict.py": "needs a run; tests/scripts/test_predict.py",
    "python scripts/inspect_run.py": "needs a run; tests/scripts/test_inspect_run.py",
    "python scripts/document_keys.py": "writes a page; tests/scripts/test_document_keys.py",
    "python scripts/pretrain_shapes_clip.py": "takes half an hour; tests/scripts/test_pretrain_shapes_clip.py",
    "python scripts/probe_shapes.py": "takes minutes; tests/scripts/test_probe_shapes.py",
    "python scripts/benchmark.py": "takes minutes; tests/scripts/test_benchmark.py and tests/scripts/bench",
    'python -c "import runpy': "needs a tracker; tests/docs/test_trackers.py has stand-ins for them",
    "bash scripts/gpu_check.sh": "needs a GPU; tests/scripts/test_gpu_check.py",
    "SHIP_TEST_DEVICE=": "needs a GPU; tests/scripts/test_gpu_check.py",
    "python tests/": "takes minutes; tests/test_fault_injection.py, tests/test_runs_at_once.py",
    "python -m tests.golden": "writes golden figures; tests/trainers/test_ship_methods.py compares with them",
    "bash tests/slurm/run.sh": "installs SLURM as root; CI runs it",
    "bash tests/mutation.sh": "takes minutes; tests/test_mutation.py",
}
PLANNED = re.compile(
    r"(?:\w+=\S+ )*(?:bash scripts/(?:run|compare|ship/\w+|ablations/\w+)\.sh|python scripts/(?:ablate|sweep)\.py)"
)
MADE_OF_RUNS = re.compile(r"python scripts/(?:tables|plots)\.py")
PLACES = {"DATASET": "oxford_pets", "METHOD": "ship", "PROTOCOL": "base2new", "ship_X": "ship_coop", "NAME": "short"}
FIRST = {command: page.name for page in reversed(PAGES) for command in commands(page)}
ALL = [pytest.param(command, id=f"{page}: {command}") for command, page in FIRST.items()]
NAMES = [page.name for page in PAGES]


def filled_in(command: str) -> list[str]:
    """The words of a command, with something in the place of each name that stands for others."""
    words = shlex.split(re.sub(r"\[[^\]]*\]|…", "", command))
    return [PLACES.get(word, word) for word in words]


def run(words: list[str], folder: Path) -> str:
    """What the command prints, in the checkout; DATA and OUTPUT are below the folder, unless the command says so."""
    environment = {**os.environ, "DATA": str(folder / "data")}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    words = [sys.executable if word == "python" else word for word in words]
    done = subprocess.run(words, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """DATA, where `shapes` is rendered once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def runs(tmp_path) -> Path:
    """OUTPUT with a run of each protocol that the pages make tables of."""
    classes = {
        "classnames": ["owl", "jay"],
        "class_ids": ["0", "1"],
        "per_class_accuracy": {"owl": 40.0, "jay": 60.0},
    }
    for trainer in ("CoOp", "SHIP"):
        source = train_folder(tmp_path, "dg", "shapes", 16, trainer, "shapes", 1)
        targets = [evaluation_folder(tmp_path, "target", name, 16, trainer, "shapes", 1) for name in TESTED]
        for folder in (source, *targets):
            folder.mkdir(parents=True)
            (folder / "results.json").write_text(json.dumps({"metrics": {"accuracy": 50.0}}))
    for dataset in ("shapes", "mypics"):
        for protocol in ("base2new", "gzsl", "longtail"):
            for trainer in ("CoOp", "SHIP"):
                folder = train_folder(tmp_path, protocol, dataset, 16, trainer, "shapes", 1)
                if protocol == "gzsl":
                    folder = Path(str(folder).replace("train_base", "test_all"))
                folder.mkdir(parents=True)
                metrics = {"accuracy": 50.0, "seen": 40.0, "unseen": 60.0, "many": 60.0, "few": 50.0, "none": 40.0}
                (folder / "results.json").write_text(json.dumps({"metrics": metrics, **classes}))
    return tmp_path


def test_the_readme_is_short():
    assert len(read(CHECKOUT / "README.md").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_page_begins_with_what_the_reader_can_do_after_it(page):
    title, _, rest = read(page).partition("\n")
    assert title.startswith("# ")
    if page.name not in WITHOUT_PURPOSE:
        assert re.match(r"\n(After|With) (reading )?this page,? you ", rest)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_to_files_and_headings(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


def test_every_page_is_reached_from_the_readme():
    reached, left = set(), [CHECKOUT / "README.md"]
    while left:
        page = left.pop()
        reached.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link}
        left += [target for target in targets if target in PAGES and target not in reached]
    assert set(PAGES) == reached


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_tables_of_runs_fit_a_terminal(page):
    for section in re.findall(r"<!-- begin \w+ -->\n(.*?)<!-- end", read(page), flags=re.DOTALL):
        assert section.strip(), f"{page.name} has an empty table"
        assert max(map(len, section.splitlines())) <= WIDTH


@pytest.mark.parametrize("command", ALL)
def test_commands_name_files_that_are_there(command):
    for word in command.split():
        if re.match(r"(?:scripts|tests|configs|docs|trainers|datasets)/", word):
            assert (CHECKOUT / word).exists(), f"there is no {word}"


@pytest.mark.parametrize("command", ALL)
def test_a_command_works_or_is_tested_elsewhere(command, runs):
    if any(command.startswith(start) for start in ELSEWHERE):
        return
    words = filled_in(command)
    if PLANNED.match(command):
        place = next(index for index, word in enumerate(words) if word.startswith("scripts/")) + 1
        told = run([*words[:place], *([] if "--dry-run" in words else ["--dry-run"]), *words[place:]], runs)
        assert "train.py" in told or " to run" in told
    elif MADE_OF_RUNS.match(command):
        if "--into" in words:
            page = words.index("--into") + 1
            words[page] = shutil.copy(CHECKOUT / words[page], runs)
        words = [str(runs / "plots") if word == "plots" else word for word in words]
        run([*words, "--output", str(runs)], runs)
    else:
        assert command.startswith("python train.py --root data"), "no test runs it: run it here, or list it above"


def test_the_runs_by_hand_train_and_evaluate(tmp_path, data):
    """In one epoch of each stage."""
    page = CHECKOUT / "docs/protocols.md"
    training, evaluation = (command for command in commands(page) if command.startswith("python train.py"))
    short = ("OPTIM.MAX_EPOCH", "1", "TRAINER.SHIP.OPTIM.MAX_EPOCH", "1", "TRAINER.FEATURES.VIEWS", "1")
    for command in (training, evaluation):
        words = shlex.split(command.replace("output/", f"{tmp_path}/").replace("--root data", f"--root {data}"))
        run([*words, *short], tmp_path)
    for name, classes in (("try", "base"), ("try_new", "new")):
        assert json.loads((tmp_path / name / "results.json").read_text())["classes"] == classes


def python_of(page: str) -> list:
    return [pytest.param(code, id=f"{page} {at}") for at, code in enumerate(blocks(CHECKOUT / page, "python"))]


@pytest.mark.parametrize("code", [*python_of("README.md"), *python_of("docs/python.md")])
def test_the_python_of_a_page_runs(code, tmp_path, data, request):
    """In the checkout's folder: on what the wheel installs, unless it is the checkout's own."""
    script = tmp_path / "page.py"
    script.write_text(code.replace("output/", f"{tmp_path}/").replace("--root data", f"--root {data}"))
    path = request.getfixturevalue("site") if "ship_dassl" in code else CHECKOUT
    environment = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.search(r"tensor\(\[\d, \d, \d, \d\]\)|\[('\w+' ?){4}\]|'vase': \d", done.stdout)


def test_the_dataset_of_its_page_loads(tmp_path):
    page = CHECKOUT / "docs/add-a-dataset.md"
    (loader,), (config,) = blocks(page, "python"), blocks(page, "yaml")
    package = shutil.copytree(CHECKOUT / "datasets", tmp_path / "checkout/datasets")
    (package / "birds.py").write_text(loader)
    registry = package / "__init__.py"
    registry.write_text(registry.read_text().replace("import (\n", "import (\n    birds,\n", 1))
    folder = tmp_path / "data/birds"
    for label in range(4):
        (folder / f"images/class{label}").mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (8, 8)).save(folder / f"images/class{label}/{number}.png")
    for name, numbers in (("train", (0, 1)), ("test", (2,))):
        lines = [f"class{label}/{number}.png {label} blue jay {label}" for label in range(4) for number in numbers]
        (folder / f"{name}.txt").write_text("\n".join(lines))
    code = f"""
import compat; compat.ensure()
from configuration import default_cfg
import datasets
from dassl.data.datasets import build_dataset
assert datasets.__file__.startswith({str(tmp_path)!r})
cfg = default_cfg()
cfg.merge_from_list(["DATASET.NAME", {yaml.safe_load(config)["DATASET"]["NAME"]!r}])
cfg.merge_from_list(["DATASET.ROOT", {str(folder.parent)!r}])
cfg.merge_from_list(["DATASET.NUM_SHOTS", 1, "DATASET.SUBSAMPLE_CLASSES", "base"])
birds = build_dataset(cfg)
print(birds.classnames, len(birds.train_x), len(birds.test))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path / "checkout"), str(CHECKOUT)))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['blue jay 0', 'blue jay 1'] 2 2"
