"""What train.py finds in its output folder: a complete run, another one, one that is going on; starting over."""

import json
import multiprocessing
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml
from report import results

import compat
import train
from tests.conftest import CHECKOUT
from trainers.blocks.errors import InputError
from trainers.blocks.run import folder as run_folder
from trainers.blocks.run.files import sha256_of
from trainers.blocks.run.identity import Difference, config_hash, differences, to_plain

CONFIG = {
    "OUTPUT_DIR": "a",
    "SEED": 1,
    "OPTIM": {"LR": 0.1},
    "DATALOADER": {"NUM_WORKERS": 2},
    "TRAINER": {"FEATURES": {"VIEWS": 0}},
}


@pytest.fixture(scope="module")
def base(tiny_clip, tmp_path_factory) -> list[object]:
    """Arguments of a run that takes a second."""
    from tests.golden import make_inputs

    root = tmp_path_factory.mktemp("data")
    make_inputs.make_pets(root)
    return [
        *("--root", root, "--seed", 1, "--backbone", tiny_clip),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml"),
    ]


PAIRS = ("DATASET.NUM_SHOTS", 1, "DATALOADER.NUM_WORKERS", 0, "OPTIM.MAX_EPOCH", 1, "TRAINER.FEATURES.VIEWS", 1)


@pytest.fixture
def start(base, capsys, monkeypatch):
    """Runs train.py in this process; exit status, standard output, standard error."""

    def run(*flags: object, trainer: str = "CoOp", pairs: tuple = ()) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdout", sys.stdout)  # the logger replaces it
        recipe = CHECKOUT / f"configs/trainers/{trainer}/vit_b16.yaml"
        words = [*base, "--trainer", trainer, "--config-file", recipe, *flags, *PAIRS, *pairs]
        capsys.readouterr()
        try:
            train.main([str(word) for word in words])
            status = 0
        except SystemExit as ended:
            status = ended.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def finished(base, tmp_path_factory) -> Path:
    """The folder of a complete run of CoOp."""
    folder, stdout = tmp_path_factory.mktemp("finished"), sys.stdout
    recipe = CHECKOUT / "configs/trainers/CoOp/vit_b16.yaml"
    words = [*base, "--trainer", "CoOp", "--config-file", recipe, "--output-dir", folder, *PAIRS]
    train.main([str(word) for word in words])
    sys.stdout = stdout
    return folder


@pytest.fixture
def complete(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "a/b/c/run"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_record_says_what_made_it(complete):
    record = json.loads((complete / "results.json").read_text())
    engine = {"builtin": "built-in", "dassl": "Dassl"}[compat.ensure().name]
    assert record["config_hash"] == config_hash(record["config"], record["sources"])
    assert (record["engine"], record["mode"], record["seed"]) == (engine, "training", 1)
    assert {"commit", "dirty"} == record["code"].keys() or "version" in record["code"]
    assert {"torch", "dassl"} <= record["versions"].keys()


def test_complete_run_prints_its_result_and_is_not_run_again(complete, start, monkeypatch):
    before = files(complete)
    monkeypatch.setattr(train, "build_trainer", lambda cfg: pytest.fail("was built"))
    status, out, error = start("--output-dir", complete, pairs=("TRAIN.PRINT_FREQ", 3))
    correct = json.loads((complete / "results.json").read_text())["correct"]
    assert (status, error) == (0, "")
    assert f"=> result\n* total: 24\n* correct: {correct}\n* accuracy: " in out
    assert files(complete) == before


@pytest.mark.parametrize(
    ("flags", "pairs", "said"),
    [
        ((), ("OPTIM.LR", 0.5, "TRAINER.COOP.N_CTX", 4), ("OPTIM.LR: 0.002 there, 0.5 here", "N_CTX: 16 there, 4")),
        (("--seed", 2), (), ("SEED: 1 there, 2 here",)),
        (
            ("--eval-only", "--model-dir", "elsewhere"),
            (),
            ("mode: 'training' there, 'evaluation' here", "--model-dir"),
        ),
    ],
)
def test_folder_of_another_run_is_an_error_with_all_that_differs(flags, pairs, said, complete, start):
    before = files(complete)
    status, _, error = start("--output-dir", complete, *flags, pairs=pairs)
    assert status == 2
    for part in (*said, "--force", "--output-dir"):
        assert part in error
    assert files(complete) == before


def test_force_starts_over(complete, start):
    status, out, _ = start("--output-dir", complete, "--force", pairs=("OPTIM.LR", 0.5))
    assert status == 0
    assert "epoch [1/1]" in out
    assert json.loads((complete / "results.json").read_text())["config"]["OPTIM"]["LR"] == 0.5
    assert len(list(complete.glob("log.txt*"))) == 2


def test_whole_configuration_is_in_the_folder_as_a_file_that_makes_the_same_run(complete, start):
    record = json.loads((complete / "results.json").read_text())
    cfg = train.setup_cfg(train.parse_args(["--config-file", str(complete / "config.yaml")]))
    assert to_plain(cfg) == record["config"]


def test_log_opens_with_what_the_run_is_and_not_with_keys_of_other_methods(complete):
    log = (complete / "log.txt").read_text()
    assert log.startswith(f"Engine: {compat.ensure()}\n")
    assert "Method: CoOp, training, seed 1\n" in log
    assert "  DATASET.NUM_SHOTS: 1\n" in log
    assert "FIXMATCH" not in log and "N_STEP_F" not in log


def test_log_is_read_by_upstreams_parser_and_ours(complete):
    record = json.loads((complete / "results.json").read_text())
    lines = (complete / "log.txt").read_text().splitlines()
    assert results.read_log(complete / "log.txt").metrics["accuracy"] == pytest.approx(record["metrics"]["accuracy"])
    after = lines[lines.index("Finish training") :]  # where CoOp's parse_test_res.py begins to read
    found = [re.fullmatch(r"\* accuracy: ([\.\deE+-]+)%", line) for line in after]
    assert [float(match[1]) for match in found if match] == [round(record["metrics"]["accuracy"], 1)]
    assert "=> result" in after  # where it begins with --test-log


def test_force_deletes_the_configuration_too(complete):
    run_folder.start_over(complete)
    assert not (complete / "config.yaml").exists()
    assert (complete / "log.txt").exists()


def test_force_does_not_delete_the_model_that_is_to_be_evaluated(complete, start):
    before = files(complete)
    status, _, error = start("--output-dir", complete, "--eval-only", "--model-dir", complete, "--force")
    assert (status, files(complete)) == (2, before)
    assert "--force would delete" in error


def test_evaluation_is_repeated_when_its_model_has_changed(complete, start, tmp_path):
    flags = ("--output-dir", tmp_path / "new", "--eval-only", "--model-dir", complete)
    assert "Evaluate on" in start(*flags)[1]
    assert "Evaluate on" not in start(*flags)[1]
    assert "--load-epoch: None there, 1 here" in start(*flags, "--load-epoch", 1)[2]
    model = complete / "prompt_learner/model.pth.tar-1"
    shutil.copy(model, model.with_name("model-best.pth.tar"))
    assert "Evaluate on" not in start(*flags)[1]  # what it would load now is the same
    assert start("--output-dir", complete, "--force", pairs=("OPTIM.LR", 0.5))[0] == 0
    status, out, error = start(*flags)
    assert (status, error) == (0, "")
    assert "Evaluate on" in out


def test_zero_shot_run_is_complete_with_and_without_eval_only(base, start, tmp_path):
    flags = ("--output-dir", tmp_path / "zs")
    assert "Evaluate on" in start(*flags, trainer="ZeroshotCLIP")[1]
    assert "complete" in start(*flags, "--eval-only", trainer="ZeroshotCLIP")[1]


def hold(folder: Path, held, release) -> None:
    with run_folder.locked(folder):
        held.set()
        release.wait(60)


def test_second_process_on_a_folder_says_who_is_there(complete, start):
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(complete, held, release))
    other.start()
    assert held.wait(60)
    before = files(complete)
    status, _, error = start("--output-dir", complete, "--force")
    assert status == 2
    assert f"{complete} is in use by process {other.pid} on " in error
    assert files(complete) == before
    other.kill()
    other.join()
    assert start("--output-dir", complete)[0] == 0  # what the process held fell with it


def test_folder_whose_files_cannot_be_locked_is_used_with_a_notice(complete, start, monkeypatch):
    def refuse(*args: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(run_folder.fcntl, "lockf", refuse)
    status, out, _ = start("--output-dir", complete)
    assert status == 0
    assert "cannot be locked (No locks available)" in out


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"OUTPUT_DIR": "b", "VERBOSE": False}, []),
        ({"DATALOADER": {"NUM_WORKERS": 8}}, []),
        ({"DATALOADER": {"NUM_WORKERS": 0}}, [Difference("DATALOADER.NUM_WORKERS", 1, 0)]),
        (
            {"TRAINER": {"FEATURES": {"VIEWS": 2}}},  # by which workers do not matter any more
            [Difference("DATALOADER.NUM_WORKERS", 1, None), Difference("TRAINER.FEATURES.VIEWS", 0, 2)],
        ),
        ({"OPTIM": {"LR": 0.2}}, [Difference("OPTIM.LR", 0.1, 0.2)]),
        ({"TRAINER": {"FEATURES": {"VIEWS": 0, "DEVICES": 4}}}, []),
        ({"NEW": {"KEY": 1}}, []),
        ({"NEW": {"KEY": 2}}, [Difference("NEW.KEY", 1, 2)]),
    ],
)
def test_runs_are_compared_by_what_decides_their_figures(change, expected):
    assert differences(CONFIG, CONFIG | change, CONFIG | {"NEW": {"KEY": 1}}) == expected


def test_hash_is_that_of_the_stored_configuration(base):
    cfg = train.default_cfg()
    assert config_hash(cfg) == config_hash(yaml.unsafe_load(cfg.dump()))
    cfg.SEED = 5
    assert config_hash(cfg) != config_hash(train.default_cfg())


def test_folder_is_named_where_it_holds_another_unfinished_run(tmp_path):
    with pytest.raises(InputError, match="SEED: 1 there, 3 here"):
        run_folder.check_same_run(tmp_path, CONFIG, CONFIG | {"SEED": 3})


@pytest.mark.parametrize(
    ("trainer", "pairs", "said"),
    [
        ("SHIP", ("TRAINER.SHIP.SOURCE", "nowhere"), "there is no checkpoint in nowhere"),
        ("CoOp", ("MODEL.INIT_WEIGHTS", "nowhere"), "nowhere cannot be read as a checkpoint"),
    ],
)
def test_source_that_is_not_there_is_an_error_before_anything_is_written(trainer, pairs, said, start, tmp_path):
    status, _, error = start("--output-dir", tmp_path / "new", trainer=trainer, pairs=pairs)
    assert status == 2
    assert said in error
    assert not (tmp_path / "new").exists()


def test_weights_to_start_from_may_be_moved_but_not_changed(complete, start, tmp_path):
    weights = complete / "prompt_learner/model.pth.tar-1"
    moved = Path(shutil.copy(weights, tmp_path))
    flags, first = ("--output-dir", tmp_path / "new"), tmp_path / "first.pth"
    shutil.copy(moved, first)
    assert start(*flags, pairs=("MODEL.INIT_WEIGHTS", first))[0] == 0
    status, out, _ = start(*flags, pairs=("MODEL.INIT_WEIGHTS", moved))
    assert (status, "complete" in out) == (0, True)
    first.write_bytes((tmp_path / "new/prompt_learner/model.pth.tar-1").read_bytes())
    status, _, error = start(*flags, pairs=("MODEL.INIT_WEIGHTS", first))
    assert status == 2
    assert "MODEL.INIT_WEIGHTS.sha256: " in error


def test_training_states_the_checkpoint_that_it_leaves(complete):
    checkpoint = json.loads((complete / "results.json").read_text())["checkpoint"]
    assert checkpoint == {
        "file": "prompt_learner/model.pth.tar-1",
        "sha256": sha256_of(complete / "prompt_learner/model.pth.tar-1"),
    }


def test_deterministic_run_says_so(start, tmp_path, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    try:
        status, _, error = start("--output-dir", tmp_path / "run", "--deterministic")
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(False)
    assert (status, error) == (0, "")
    assert json.loads((tmp_path / "run/results.json").read_text())["deterministic_algorithms"] is True
