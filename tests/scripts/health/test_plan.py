"""What a plan's runs lack is listed before the first of them starts, and nothing is started then."""

import pytest
import run
from health import plan
from protocols.planner import plan as planned


@pytest.fixture
def start(pets, tmp_path, monkeypatch, capsys):
    """Calls run.py, which must end for bad input with nothing written; gives what it says."""

    def fail_if_started(*args):
        pytest.fail("a run was started")

    def start(*words: str) -> str:
        monkeypatch.setattr(run, "run_all", fail_if_started)
        with pytest.raises(SystemExit) as ended:
            run.main([*words, "--seeds", "1", "--shots", "4", "--data", str(pets), "--output", str(tmp_path / "out")])
        assert ended.value.code == 2
        assert not (tmp_path / "out").exists()
        return capsys.readouterr().err

    return start


def test_everything_that_is_missing_is_listed_at_once_with_its_remedy(start, pets, tmp_path):
    absent = ("MODEL.INIT_WEIGHTS", str(tmp_path / "init.pt"), "MODEL.BACKBONE.NAME", str(tmp_path / "clip.pt"))
    lines = start("coop", "xd", "imagenet", "--targets", "dtd,oxford_pets", *absent).splitlines()
    assert lines[1] == f"- imagenet: folder {pets}/imagenet not found"
    assert lines[2].startswith(f"  python scripts/download.py imagenet --data {pets} (which says what must be")
    assert lines[3:5] == [
        f"- dtd: folder {pets}/dtd not found",
        f"  python scripts/download.py dtd --data {pets}",
    ]
    assert lines[5] == f"- MODEL.INIT_WEIGHTS: there is no file {tmp_path}/init.pt"
    assert lines[6].startswith(f"- MODEL.BACKBONE.NAME is '{tmp_path}/clip.pt'")
    assert "--data" in lines[7] and "DATA" in lines[7]
    assert "--root" not in "".join(lines)


def test_missing_test_images_are_listed_and_training_images_that_need_not_be_sampled_are_not(start, pets, tiny_clip):
    folder = pets / "oxford_pets"
    (folder / "split_zhou_OxfordPets.json").unlink()
    (folder / "split_drawn.json").write_text(
        '{"train": [["gone.jpg", 0, "beagle"]], "val": [], "test": [["beagle_0.jpg", 0, "beagle"]]}'
    )
    found = plan.examine("oxford_pets", pets, {})
    assert found.problems and not found.obstacles
    (folder / "images/beagle_0.jpg").unlink()
    assert "oxford_pets: 2 of 2 images missing" in start(
        "coop", "base2new", "oxford_pets", "MODEL.BACKBONE.NAME", str(tiny_clip)
    )


def test_a_dataset_of_many_runs_is_looked_at_once(start, monkeypatch):
    looked, examine = [], plan.examine
    monkeypatch.setattr(
        plan, "examine", lambda name, *args, **more: looked.append(name) or examine(name, *args, **more)
    )
    start("coop", "base2new", "dtd", "--with-baselines")
    assert looked == ["dtd"]


def test_checkpoints_that_the_plan_itself_makes_are_not_missed(pets, tiny_clip, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(run, "run_all", lambda runs, runner: started.extend(runs) or [])
    words = ["ship", "xd", "oxford_pets", "1", "--targets", "oxford_pets", "MODEL.BACKBONE.NAME", str(tiny_clip)]
    with pytest.raises(SystemExit) as ended:
        run.main([*words, "--data", str(pets), "--output", str(tmp_path)])
    assert ended.value.code == 0
    assert len(started) == 2


@pytest.mark.parametrize("word", ["datacomp_b16", "hf:openai/clip-vit-base-patch16"])
def test_names_of_libraries_are_not_looked_for_as_files(word):
    runs = planned(run.parse_args(["ship", "base2new", "dtd", "1", "--backbone", word])[1])
    settings = [(one, plan.settings_of(one)) for one in runs]
    assert {values["MODEL.BACKBONE.NAME"].partition(":")[0] for _, values in settings} <= {"open_clip", "hf"}
    assert list(plan.checkpoints_lacking(settings)) == []


def test_a_file_for_a_library_that_is_not_there_is_missed():
    runs = planned(
        run.parse_args(["ship", "base2new", "dtd", "1", "--backbone", "open_clip:ViT-B-16//weights.pt"])[1]
    )
    (lacking,) = plan.checkpoints_lacking([(one, plan.settings_of(one)) for one in runs])
    assert "there is no file 'weights.pt'" in lacking


def test_weights_that_cannot_be_downloaded_are_said_before_the_first_run(start, monkeypatch):
    from trainers.blocks.clip import files
    from trainers.blocks.errors import InputError

    def offline(name):
        raise InputError(f"CLIP's weights {name} could not be downloaded")

    monkeypatch.setattr(files, "fetched", offline)
    assert "- CLIP's weights ViT-B/16 could not be downloaded" in start("coop", "base2new", "oxford_pets")


def test_a_dry_run_needs_no_data(pets, tmp_path, capsys):
    run.main(["coop", "base2new", "dtd", "--data", str(pets), "--output", str(tmp_path / "out"), "--dry-run"])
    assert capsys.readouterr().out.endswith("6 runs: 0 complete, 6 to run\n")
