"""The protocol scripts, called as a user calls them, from another directory."""

import json
import os
import shutil
import subprocess

import pytest
from protocols.methods import METHODS, NAMES
from protocols.planner import plan
from protocols.runs import Run, differing
from run import parse_args

from tests.conftest import CHECKOUT

SHORT = ["DATALOADER.NUM_WORKERS", "0", "OPTIM.MAX_EPOCH", "1", "TRAINER.SHIP.OPTIM.MAX_EPOCH", "1"]


@pytest.fixture
def script(pets, tmp_path):
    def run(name: str, *args: str, dataset: str = "oxford_pets") -> subprocess.CompletedProcess:
        command = ["bash", str(CHECKOUT / f"scripts/{name}.sh"), *[dataset] * bool(dataset), *args]
        environment = {**os.environ, "DATA": str(pets)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)

    return run


@pytest.fixture
def options(tiny_clip, tmp_path):
    return ["--shots", "4", "--output", str(tmp_path / "out"), "MODEL.BACKBONE.NAME", str(tiny_clip), *SHORT]


def test_runs_what_is_missing_and_prints_the_table(script, options, tmp_path):
    done = script("ship/base2new", "1", "--with-baselines", *options)
    assert done.returncode == 0, done.stderr
    assert "epoch [1/1] batch" in done.stdout
    table = done.stdout.split("base-to-new, seed")[1]
    rows = [line.split()[:2] for line in table.splitlines() if line.startswith(("Zero", "CoOp", "SHIP"))]
    assert [method for method, _ in rows] == ["ZeroshotCLIP", "CoOp", "SHIP"]
    assert all("tiny_clip_vit_b16".startswith(recipe) for _, recipe in rows)  # long names go on in the next line
    folder = tmp_path / "out/base2new/test_new/oxford_pets/shots_4/SHIP/tiny_clip_vit_b16/seed1"
    assert (folder / "results.json").is_file()
    assert (folder / "log.txt").is_file()

    again = script("ship/base2new", "1", "--with-baselines", *options)
    assert again.stdout.count(": complete") == 6
    assert "epoch [" not in again.stdout

    train = tmp_path / "out/base2new/train_base/oxford_pets/shots_4/CoOp/tiny_clip_vit_b16_ctxv1/seed1"
    (train / "results.json").unlink()  # as after a crash
    (train / "prompt_learner/checkpoint").unlink()
    repeated = script("coop/base2new", "1", *options)
    assert "epoch [1/1] batch" in repeated.stdout
    assert ": complete" not in repeated.stdout  # the test on new classes was of the run that is gone

    changed = script("coop/base2new", "1", *options, "OPTIM.LR", "0.5")
    assert changed.returncode == 2
    assert "OPTIM.LR 0.5 (there: 0.002)" in changed.stderr


@pytest.mark.parametrize(
    ("pairs", "count"),
    [
        (["INPUT.SIZE", "(64, 64)", "OPTIM.LR", "2e-3", "INPUT.NO_TRANSFORM", "False", "MODEL.HEAD.NAME", "mlp"], 0),
        (["INPUT.SIZE", "(32, 32)", "OPTIM.LR", "0.002"], 1),
        (["NO.SUCH", "1", "INPUT.NO_TRANSFORM", "True"], 2),
    ],
)
def test_values_are_compared_as_the_configuration_reads_them(pairs, count):
    inputs = {"SIZE": [64, 64], "NO_TRANSFORM": False}
    record = {"config": {"INPUT": inputs, "OPTIM": {"LR": 0.002}, "MODEL": {"HEAD": {"NAME": "mlp"}}}}
    assert len(differing(record, pairs)) == count


def test_quiet_run_prints_a_line_a_run(script, options):
    done = script("zsclip/base2new", "2", "--quiet", *options)
    assert done.returncode == 0, done.stderr
    assert "Config" not in done.stdout
    assert done.stdout.count("accuracy") == 2


def test_failing_run_ends_the_script_with_its_status_and_message(script, options, tmp_path):
    done = script("coop/base2new", "1", *options, "DATASET.ROOT", str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "nowhere/oxford_pets not found" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("args", "dataset", "message"),
    [
        (["1"], "oxford_pet", "Did you mean oxford_pets?"),
        (["1", "OPTIM.LR"], "oxford_pets", "do not pair up"),
        (["--sots", "4"], "oxford_pets", "--sots"),
        (["1", "--shots", "4,8"], "oxford_pets", "with fewshot only"),
        (["1", "--shots", "few"], "oxford_pets", "--shots"),
        (["1", "--recipe", "vit_b61"], "oxford_pets", "vit_b61.yaml"),
        (["1"], "imagefolder", "takes --name"),
    ],
)
def test_bad_arguments_are_named(args, dataset, message, script):
    done = script("ship/base2new", *args, dataset=dataset)
    assert done.returncode == 2
    assert message in done.stderr


def runs_of(protocol: str, method: str, dataset: str, *words: str) -> list[Run]:
    """With one seed."""
    return plan(parse_args([method, protocol, dataset, "1", "--output", "OUT", "--data", "DATA", *words])[1])


def planned(protocol: str, method: str, dataset: str, *words: str) -> list[tuple[str, str, int, str, bool]]:
    """Recipe, dataset, shots, classes and whether it trains, of each run."""
    runs = runs_of(protocol, method, dataset, *words)
    return [
        (run.recipe.name, run.dataset, run.shots, run.classes, "--eval-only" not in run.command()) for run in runs
    ]


def test_recipes_are_those_of_the_published_figures():
    assert planned("base2new", "coop", "imagenet")[0][0] == "vit_b16_ep50_ctxv1"
    assert planned("base2new", "coop", "dtd")[0][0] == "vit_b16_ctxv1"
    few = {shots: recipe for recipe, _, shots, _, _ in planned("fewshot", "coop", "dtd")}
    assert few == {1: "vit_b16_ep50", 2: "vit_b16_ep100", 4: "vit_b16_ep100", 8: "vit_b16", 16: "vit_b16"}
    assert {row[0] for row in planned("fewshot", "coop", "imagenet")} == {"vit_b16_ep50"}
    assert planned("xd", "cocoop", "imagenet")[0][0] == "vit_b16_c4_ep10_batch1_ctxv1"
    assert planned("base2new", "coop", "dtd", "--recipe", "vit_b16")[0][0] == "vit_b16"


def test_each_protocol_trains_and_tests_on_what_it_should():
    recipe = "vit_b16_ctxv1"
    trained = (recipe, "dtd", 16, "base", True)
    assert planned("base2new", "coop", "dtd") == [trained, (recipe, "dtd", 16, "new", False)]
    assert planned("gzsl", "coop", "dtd") == [trained, (recipe, "dtd", 16, "all", False)]
    assert planned("gzsl", "coop", "cub", "--shots", "-1")[0] == (recipe, "cub", -1, "base", True)
    recipe = "vit_b16_ep50_ctxv1"
    assert planned("dg", "coop", "imagenet") == [
        (recipe, "imagenet", 16, "all", True),
        *[(recipe, name, 16, "all", False) for name in ("imagenetv2", "imagenet_sketch", "imagenet_a", "imagenet_r")],
    ]
    targets = ("--targets", "dtd,cub")
    for method, recipe, trains in (("coop", recipe, False), ("ship", "vit_b16_imagenet", True)):
        assert planned("xd", method, "imagenet", *targets)[1:] == [
            (recipe, "dtd", 16, "all", trains),
            (recipe, "cub", 16, "all", trains),
        ]
    assert [row[2:] for row in planned("fewshot", "zsclip", "dtd")] == [(0, "all", False)]


def test_longtail_takes_methods_that_can_say_something_of_classes_without_images():
    (run,) = runs_of("longtail", "coop", "dtd")
    assert (run.shots, run.classes, run.pairs) == (16, "all", ("DATASET.LONGTAIL", "0.3"))
    (run,) = runs_of("longtail", "coop", "dtd", "DATASET.LONGTAIL", "0.5")
    assert run.pairs == ("DATASET.LONGTAIL", "0.5")
    assert [row[2:] for row in planned("longtail", "zsclip", "dtd")] == [(16, "all", False)]
    assert not planned("longtail", "tip_adapter", "dtd")
    assert len(planned("longtail", "ship_tip_adapter_f", "dtd")) == 1


def test_prompt_vae_of_the_source_is_what_a_target_takes():
    source, target = runs_of("xd", "ship", "imagenet", "--targets", "dtd")
    assert list(target.pairs[:2]) == ["TRAINER.SHIP.SOURCE", str(source.folder)]


def test_cross_dataset_run_trains_on_the_target_with_the_sources_prompt_vae(script, options, tmp_path):
    """From end to end; the source is its own target here."""
    done = script("ship/xd", "1", "--targets", "oxford_pets", *options)
    assert done.returncode == 0, done.stderr
    target = tmp_path / "out/evaluation/SHIP/tiny_clip_vit_b16_4shots/oxford_pets/seed1"
    record = json.loads((target / "results.json").read_text(encoding="utf-8"))
    assert record["config"]["TRAINER"]["SHIP"]["SOURCE"] == str(
        tmp_path / "out/oxford_pets/SHIP/tiny_clip_vit_b16_4shots/seed1"
    )
    assert "PromptVAE" not in record["seconds"]


def test_newcomers_are_told_at_the_end_what_to_do_next(script, options):
    done = script("zsclip/fewshot", "1", "--next-steps", *options)
    assert done.returncode == 0, done.stderr
    title, *steps = done.stdout.splitlines()[-5:]
    assert title == "What to do next:"
    commands = ("scripts/inspect_run.py --output", "scripts/fit.sh", "scripts/download.py", "docs/")
    for step, words in zip(steps, commands, strict=True):
        assert words in step
    assert "--next-steps" in (CHECKOUT / "scripts/quickstart.sh").read_text(encoding="utf-8")


def test_folder_of_images_runs_by_its_name(script, options, pets, tmp_path):
    for image in (pets / "oxford_pets/images").iterdir():
        folder = pets / "mypics" / image.name.rsplit("_", 1)[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, folder)
    done = script("coop/base2new", "1", "--name", "mypics", *options, dataset="imagefolder")
    assert done.returncode == 0, done.stderr
    assert "mypics, 4 shots, base-to-new" in done.stdout
    assert (
        tmp_path / "out/base2new/test_new/mypics/shots_4/CoOp/tiny_clip_vit_b16_ctxv1/seed1/results.json"
    ).is_file()


def test_gzsl_shares_the_training_of_base2new_and_reports_seen_and_unseen(script, options, tmp_path):
    assert script("coop/base2new", "1", *options).returncode == 0
    done = script("coop/gzsl", "1", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": complete") == 1
    folder = tmp_path / "out/base2new/test_all/oxford_pets/shots_4/CoOp/tiny_clip_vit_b16_ctxv1/seed1"
    assert {"seen", "unseen", "harmonic"} <= set(json.loads((folder / "results.json").read_text())["metrics"])


def test_comparison_goes_on_after_a_failure_and_says_so(script, options, tmp_path):
    """CoCoOp cannot use fewer than one context token; the others can do with what is set."""
    words = [word for word in options if word not in ("--shots", "4")]
    output, pairs = words[:2], words[2:]
    methods = ("--methods", "zsclip", "coop", "cocoop", "--seeds", "1", "--shots", "4")
    set_pairs = ("--set", *pairs, "TRAINER.COCOOP.CTX_INIT", "word " * 80)
    done = script("compare", *methods, *output, *set_pairs)
    assert done.returncode == 1
    assert done.stderr.count("failed: CoCoOp") == 2
    assert "failed" in next(line for line in done.stdout.splitlines() if line.startswith("CoCoOp "))
    assert (
        tmp_path / "out/base2new/test_new/oxford_pets/shots_4/CoOp/tiny_clip_vit_b16_ctxv1/seed1/results.json"
    ).is_file()
    again = script("compare", "--methods", "zsclip", "coop", "--seeds", "1", "--shots", "4", *output, *set_pairs)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count(": complete") == 4


def test_a_comparison_of_backbones_ends_with_methods_against_backbones(script, tiny_clip, tmp_path):
    other = tmp_path / "other_clip.pt"
    shutil.copy(tiny_clip, other)
    words = ("1", "--protocol", "fewshot", "--methods", "zsclip", "coop", "--shots", "4")
    words += ("--output", str(tmp_path / "out"))
    done = script("compare", *words, "--backbones", str(tiny_clip), str(other), *SHORT)
    assert done.returncode == 0, done.stderr
    title, header, _, *rows = done.stdout.split("few-shot, ")[-1].splitlines()
    assert title == "accuracy under each backbone, seeds 1"
    assert header.split() == ["method", "recipe", "tiny_clip", "other_clip"]
    figures = {row.split()[0]: row.split()[-2:] for row in rows if row.startswith(("ZeroshotCLIP", "CoOp"))}
    assert all(one == another for one, another in figures.values())  # of the same weights
    assert len(figures) == 2
    found = sorted(path.name for path in tmp_path.glob("out/oxford_pets/CoOp/*"))
    assert found == ["other_clip_vit_b16_ep100_4shots", "tiny_clip_vit_b16_ep100_4shots"]


SCRIPTS = sorted(path.relative_to(CHECKOUT / "scripts") for path in (CHECKOUT / "scripts").glob("*/*.sh"))


def test_the_scripts_of_single_methods_are_of_methods_that_exist():
    assert {str(path.parent) for path in SCRIPTS if path.name == "base2new.sh"} < set(METHODS)


@pytest.mark.parametrize("method", NAMES)
def test_every_method_is_run_by_one_script(method, script):
    done = script("run", method, "base2new", "dtd", "1", "--dry-run", "--recipe", "", dataset="")
    assert done.returncode == 0, done.stderr
    assert "1 to run" in done.stdout or "2 to run" in done.stdout


@pytest.mark.parametrize(
    "name", [*map(str, SCRIPTS), "run.sh", "compare.sh", "quickstart.sh", "test.sh", "install_dassl.sh"]
)
def test_scripts_explain_themselves(name, tmp_path):
    command = ["bash", str(CHECKOUT / "scripts" / name), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "usage:" in done.stdout
