"""What the doctor finds, and what it sends the user to do."""

import hashlib
import runpy
import subprocess
import sys
from collections import namedtuple

import clip.clip
import doctor
import numpy as np
import pytest
from health import environment
from PIL import Image
from protocols import catalogue
from protocols.catalogue import known_names

from tests.conftest import CHECKOUT


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A folder of CLIP's weights in place of the user's."""
    monkeypatch.setattr(environment, "CLIP_CACHE", tmp_path / "clip")
    (tmp_path / "clip").mkdir()
    return tmp_path / "clip"


@pytest.fixture
def ask(pets, capsys):
    """Runs the doctor on the tiny OxfordPets' DATA; gives exit status, output, and its lines by their first word."""
    Answer = namedtuple("Answer", "status out rows")

    def ask(*args: str) -> Answer:
        with pytest.raises(SystemExit) as caught:
            doctor.main(["--root", str(pets), *args])
        out = capsys.readouterr().out
        return Answer(
            caught.value.code, out, {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
        )

    return ask


@pytest.fixture
def images(pets):
    return pets / "oxford_pets/images"


def contents(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def next_commands(out):
    return out.partition("\nNext:\n")[2].strip().splitlines()


# --- datasets


def test_a_whole_dataset_is_ready(ask):
    answer = ask("oxford_pets", "--deep")
    assert answer.status == 0
    assert answer.rows["oxford_pets"] == ["there", "published", "72", "of", "72", "–", "ready"]
    assert "Missing:" not in answer.out and "Next:" not in answer.out


def test_nothing_is_written(ask, pets):
    before = contents(pets)
    ask("--deep")
    ask("--deep", "oxford_pets", "shapes", "dtd", "imagefolder")
    assert contents(pets) == before


def test_kept_few_shot_samples_are_shown(ask, pets):
    folder = pets / "oxford_pets/split_fewshot"
    folder.mkdir()
    for name in ("shot_4-seed_2.json", "shot_16-seed_1.pkl", "shot_4-seed_1.json", "notes.txt"):
        (folder / name).touch()
    assert ask("oxford_pets").rows["oxford_pets"][5:] == ["4", "(1", "2),", "16", "(1)", "ready"]


def test_missing_images_are_counted_and_named_with_the_command(ask, images, pets):
    (images / "beagle_0.jpg").unlink()
    (images / "boxer_1.jpg").unlink()
    answer = ask("oxford_pets")
    assert answer.status == 1
    assert answer.rows["oxford_pets"] == ["there", "published", "70", "of", "72", "–", "NOT", "READY"]
    assert "oxford_pets: 2 of 72 images missing" in answer.out
    assert str(images / "beagle_0.jpg") in answer.out
    assert next_commands(answer.out) == [f"python scripts/download.py oxford_pets --data {pets}"]


def test_damaged_images_are_found_when_asked(ask, images):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(images / "beagle_0.jpg", format="JPEG")
    whole = (images / "beagle_0.jpg").read_bytes()
    (images / "beagle_1.jpg").write_bytes(whole[: len(whole) // 2])
    (images / "boxer_0.jpg").write_text("<html>")
    assert ask("oxford_pets").status == 0
    answer = ask("oxford_pets", "--deep")
    assert answer.status == 1
    assert "2 images cannot be read" in answer.out
    assert "beagle_1.jpg" in answer.out and "boxer_0.jpg" in answer.out and "beagle_0.jpg" not in answer.out
    assert next_commands(answer.out)[0].startswith("python scripts/download.py oxford_pets")


def test_a_dataset_without_its_published_split_is_ready_with_a_remark(ask, pets):
    (pets / "oxford_pets/split_zhou_OxfordPets.json").unlink()
    answer = ask("oxford_pets")
    assert answer.status == 0
    assert "missing  72 of 72  –                     ready, without the published split" in answer.out
    assert next_commands(answer.out) == [f"python scripts/download.py oxford_pets --data {pets}"]
    (pets / "oxford_pets/split_drawn.json").write_text(
        '{"train": [["beagle_0.jpg", 0, "beagle"]], "val": [], "test": [["gone.jpg", 0, "beagle"]]}'
    )
    assert ask("oxford_pets").rows["oxford_pets"][:5] == ["there", "drawn", "1", "of", "2"]


def test_a_dataset_that_is_not_there_counts_only_if_asked_for(ask):
    assert ask().status == 0
    answer = ask("oxford_pets", "dtd")
    assert answer.status == 1
    assert answer.rows["dtd"][-2:] == ["not", "there"]
    assert next_commands(answer.out)[0].startswith("python scripts/download.py dtd --data")


def test_all_datasets_are_shown_by_default(ask):
    answer = ask()
    assert set(known_names()) <= set(answer.rows)
    assert answer.rows["imagefolder"][-2:] == ["set", "up"]


def test_class_folders_are_counted(ask, pets):
    for part in ("train", "val"):
        folder = pets / "imagenet/images" / part / "n01440764"
        folder.mkdir(parents=True)
        (folder / "a.jpg").touch()
    (pets / "imagenet/classnames.txt").write_text("n01440764 tench\n")
    answer = ask("imagenet")
    assert answer.status == 1
    assert answer.rows["imagenet"][:5] == ["there", "–", "2", "of", "2"]
    assert "images/val holds 1 class folders of 1,000" in answer.out
    command, by_hand = next_commands(answer.out)
    assert command == f"python scripts/download.py imagenet --data {pets}"
    assert "by hand" in by_hand and "imagenet: https://image-net.org" in by_hand


def test_rendered_datasets_are_ready_and_the_command_is_told(ask, pets):
    answer = ask("shapes")
    assert answer.status == 0
    assert "ready: rendered on first use" in answer.out
    assert next_commands(answer.out) == [f"DATA={pets} bash scripts/ship/base2new.sh shapes"]


def test_ones_own_folder_of_pictures_is_looked_at(ask, pets, tmp_path, monkeypatch):
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "mypics.yaml").write_text('DATASET:\n  NAME: "ImageFolder"\n  FOLDER: "mine"\n')
    for name in ("cat", "dog"):
        (pets / "mine" / name).mkdir(parents=True)
        for index in range(10):
            (pets / "mine" / name / f"{index}.jpg").touch()
    monkeypatch.setattr(catalogue, "CONFIGS", configs)
    answer = ask("mypics")
    assert (answer.status, answer.rows["mypics"][:5]) == (0, ["there", "–", "20", "of", "20"])


def test_an_unknown_name_is_an_error(capsys):
    with pytest.raises(SystemExit) as caught:
        doctor.main(["oxford_pet"])
    assert caught.value.code == 2
    assert "Did you mean oxford_pets?" in capsys.readouterr().err


# --- the environment


def test_python_torch_and_engine_are_named(ask):
    rows = ask("oxford_pets").rows
    assert rows["Python"][0].startswith("3.")
    assert {"PyTorch", "engine"} < set(rows)


def test_an_old_python_is_at_fault(ask, monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 9, 2))
    answer = ask()
    assert answer.status == 1
    assert "3.9.2" in answer.out and "install Python 3.10 or newer" in next_commands(answer.out)[0]
    assert "PyTorch" not in answer.rows and "Datasets" not in answer.out


def test_missing_torch_is_at_fault(ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    answer = ask("oxford_pets")
    assert answer.status == 1
    assert next_commands(answer.out)[0].startswith("pip install .")


def test_an_engine_that_cannot_be_had_is_at_fault(ask, monkeypatch):
    def refuse():
        raise catalogue.CatalogueError("SHIP_ENGINE is dassl, but Dassl is not installed")

    monkeypatch.setattr(environment, "prepare_imports", refuse)
    answer = ask("oxford_pets")
    assert answer.status == 1
    assert "Dassl is not installed" in answer.out
    assert "unset SHIP_ENGINE" in next_commands(answer.out)[0]


def test_missing_dependencies_are_an_error_without_a_traceback(monkeypatch):
    monkeypatch.setitem(sys.modules, "tabulate", None)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(CHECKOUT / "scripts/doctor.py"), run_name="__main__")
    assert "tabulate" in caught.value.code and "install the dependencies" in caught.value.code


def test_weights_that_are_not_there_come_on_first_use(ask, cache):
    answer = ask("oxford_pets")
    assert answer.status == 0
    assert f"none in {cache}" in answer.out


def test_weights_are_listed_and_their_checksums_compared_when_asked(ask, cache, monkeypatch):
    right = hashlib.sha256(b"weights").hexdigest()
    urls = {"ViT-B/16": f"https://example.org/{right}/ViT-B-16.pt", "RN50": f"https://example.org/{right}/RN50.pt"}
    monkeypatch.setattr(clip.clip, "_MODELS", urls)
    (cache / "ViT-B-16.pt").write_bytes(b"weights")
    (cache / "RN50.pt").write_bytes(b"weig")
    assert "damaged" not in ask("oxford_pets").out
    answer = ask("oxford_pets", "--deep")
    assert answer.status == 0  # what was asked for does not need that file
    assert f"{cache / 'ViT-B-16.pt'}, checksum right" in answer.out
    assert f"{cache / 'RN50.pt'} is damaged" in answer.out
    assert next_commands(answer.out)[0].startswith(f"rm {cache / 'RN50.pt'}")


def test_it_runs_as_a_command_from_any_directory(pets, tmp_path):
    command = [sys.executable, CHECKOUT / "scripts/doctor.py", "oxford_pets"]
    done = subprocess.run(command, cwd=tmp_path, env={"DATA": str(pets)}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"Datasets in {pets}" in done.stdout
