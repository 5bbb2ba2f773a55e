"""docs/add-a-method.md, performed word for word in a copy of the checkout."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

PAGE = (CHECKOUT / "docs/add-a-method.md").read_text(encoding="utf-8")
COPIED = ("trainers", "configs", "scripts", "compat", "train.py", "configuration.py", "docs/configuration.md")
FILES = dict(re.findall(r"`((?:trainers|configs)/[\w/.]+)`\n\n```\w+\n(.*?)```", PAGE, flags=re.DOTALL))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        source, target = CHECKOUT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, target)
    (folder / "datasets").symlink_to(CHECKOUT / "datasets")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def run(checkout: Path, *command: object) -> str:
    done = subprocess.run([str(word) for word in command], cwd=checkout, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_has_one_python_file_of_at_most_60_lines_and_one_recipe():
    (code, recipe) = FILES
    assert (code, recipe) == ("trainers/blocks/methods/heldcoop.py", "configs/trainers/HeldCoOp/shapes.yaml")
    assert len(FILES[code].splitlines()) <= 60


def test_its_commands_are_planned_with_these_files(checkout):
    commands = re.findall(r"^bash (scripts/run\.sh [\w ]+)", PAGE, flags=re.MULTILINE)
    assert len(commands) == 2
    alone, under_ship = (run(checkout, "bash", *words.split(), "1", "--dry-run") for words in commands)
    assert "HeldCoOp: recipe configs/trainers/HeldCoOp/shapes.yaml" in alone
    assert "SHIP: recipe configs/trainers/SHIP/shapes.yaml" in under_ship
    assert "configs/trainers/HeldCoOp/shapes.yaml" in under_ship


def test_it_trains_and_ship_trains_its_loss(checkout, pets, tiny_clip, tmp_path):
    arguments = (
        *("--root", pets, "--seed", 1, "--output-dir", tmp_path / "run", "--backbone", tiny_clip),
        *("--dataset-config-file", "configs/datasets/oxford_pets.yaml"),
    )
    recipe = ("--config-file", "configs/trainers/HeldCoOp/shapes.yaml")
    pairs = (
        *("DATASET.NUM_SHOTS", 4, "DATASET.SUBSAMPLE_CLASSES", "base", "INPUT.SIZE", "(224, 224)"),
        *("TRAINER.FEATURES.VIEWS", 1, "OPTIM.MAX_EPOCH", 1, "DATALOADER.TRAIN_X.BATCH_SIZE", 4),
        *("TRAIN.PRINT_FREQ", 1),
    )
    log = run(checkout, sys.executable, "train.py", "--trainer", "HeldCoOp", *arguments, *recipe, *pairs)
    assert re.search(r"epoch \[1/1\] batch \[3/3\] .* loss .* acc .* pull ", log)
    assert (tmp_path / "run/prompt_learner/model.pth.tar-1").is_file()

    script = CHECKOUT / "tests/docs/heldcoop_under_ship.py"
    ship = ("--config-file", "configs/trainers/SHIP/shapes.yaml")
    on_it = ("TRAINER.SHIP.CLASSIFIER", "HeldCoOp", "TRAINER.HELDCOOP.CTX_INIT", "")
    code = f"import compat, runpy; compat.ensure(); runpy.run_path({str(script)!r})"
    said = run(checkout, sys.executable, "-c", code, "--trainer", "SHIP", *arguments, *ship, *recipe, *pairs, *on_it)
    assert "stage 2: SHIP on HeldCoOp ['acc', 'pull']" in said


def test_its_keys_are_checked_and_documented(checkout, tmp_path):
    command = (sys.executable, "train.py", "--trainer", "HeldCoOp", "--output-dir", tmp_path / "bad", "DATASET.NAME")
    words = [str(word) for word in (*command, "OxfordPets", "TRAINER.HELDCOOP.WEIGHT", -1.0)]
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert "TRAINER.HELDCOOP.WEIGHT is -1.0; it should be a finite number of at least 0" in done.stderr
    run(checkout, sys.executable, "scripts/document_keys.py")
    page = (checkout / "docs/configuration.md").read_text(encoding="utf-8")
    assert "pull towards the template's text features" in page
