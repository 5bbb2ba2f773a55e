"""Folders of runs: written as CoOp does, and found again."""

from pathlib import Path

import pytest
from protocols import layout
from protocols.layout import (
    BENCHMARK,
    PROTOCOLS,
    RunId,
    ablation_output,
    find_runs,
    source_named_in,
    source_of,
    train_folder,
)

ARGS = ("oxford_pets", 16, "CoOp", "vit_b16_ctxv1", 2)


@pytest.mark.parametrize(
    ("protocol", "folder"),
    [
        ("base2new", "base2new/train_base/oxford_pets/shots_16/CoOp/vit_b16_ctxv1/seed2"),
        ("gzsl", "base2new/train_base/oxford_pets/shots_16/CoOp/vit_b16_ctxv1/seed2"),
        ("fewshot", "oxford_pets/CoOp/vit_b16_ctxv1_16shots/seed2"),
        ("xd", "oxford_pets/CoOp/vit_b16_ctxv1_16shots/seed2"),
        ("longtail", "longtail/oxford_pets/shots_16/CoOp/vit_b16_ctxv1/seed2"),
    ],
)
def test_training_goes_where_coops_scripts_put_it(protocol, folder):
    assert train_folder(Path("out"), protocol, *ARGS) == Path("out", folder)


@pytest.mark.parametrize(
    ("part", "folder"),
    [
        ("new", "base2new/test_new/oxford_pets/shots_16/CoOp/vit_b16_ctxv1/seed2"),
        ("all", "base2new/test_all/oxford_pets/shots_16/CoOp/vit_b16_ctxv1/seed2"),
        ("target", "evaluation/CoOp/vit_b16_ctxv1_16shots/oxford_pets/seed2"),
    ],
)
def test_tests_go_where_coops_scripts_put_them(part, folder):
    assert layout.test_folder(Path("out"), part, *ARGS) == Path("out", folder)


@pytest.mark.parametrize(
    ("protocol", "part", "name", "dataset"),
    [
        ("base2new", "base", "train", "oxford_pets"),
        ("base2new", "new", "new", "oxford_pets"),
        ("gzsl", "all", "all", "oxford_pets"),
        ("fewshot", "all", "train", "oxford_pets"),
        ("longtail", "all", "train", "oxford_pets"),
        ("xd", "source", "train", "imagenet"),
        ("xd", "target", "target", "oxford_pets"),
        ("dg", "source", "train", "imagenet"),
        ("dg", "target", "target", "imagenet_a"),
    ],
)
@pytest.mark.parametrize("shots", [16, -1])
def test_what_is_written_is_found(protocol, part, name, dataset, shots, tmp_path):
    args = (dataset, shots, "SHIP", "vit_b16", 3)
    folder = train_folder(tmp_path, protocol, *args) if name == "train" else layout.test_folder(tmp_path, name, *args)
    (folder / "ship").mkdir(parents=True)
    assert list(find_runs(tmp_path, protocol)) == [RunId(dataset, part, shots, *args[2:], folder)]


UPSTREAM = [
    ("fewshot", "food101/CoOp/rn50_16shots/nctx16_cscFalse_ctpend/seed1", "rn50/nctx16_cscFalse_ctpend", 1),
    ("xd", "evaluation/CoOp/rn50_16shots/nctx16_cscFalse_ctpend/food101/seed1", "rn50/nctx16_cscFalse_ctpend", 1),
    ("xd", "evaluation/MaPLe/vit_b16_c2_ep5_batch4_2ctx_16shots/food101/seed1", "vit_b16_c2_ep5_batch4_2ctx", 1),
    ("xd", "ZeroshotCLIP2/vit_b16/food101", "vit_b16", None),
    ("fewshot", "ZeroshotCLIP2/vit_b16/food101", "vit_b16", None),
]


@pytest.mark.parametrize(("protocol", "folder", "recipe", "seed"), UPSTREAM)
def test_upstreams_folders_are_found(protocol, folder, recipe, seed, tmp_path):
    (tmp_path / folder).mkdir(parents=True)
    (run,) = find_runs(tmp_path, protocol)
    assert (run.dataset, run.recipe, run.seed) == ("food101", recipe, seed)
    assert run.shots == (0 if seed is None else 16)


@pytest.mark.parametrize("depth", [1, 3, 6, 7])
def test_output_may_lie_deeper_in_the_tree(depth, tmp_path):
    folder = layout.test_folder(tmp_path, "new", *ARGS)
    folder.mkdir(parents=True)
    output = tmp_path.joinpath(*folder.relative_to(tmp_path).parts[:depth])
    assert [run.folder for run in find_runs(output, "base2new")] == [folder]


def test_protocols_do_not_take_each_others_runs(tmp_path):
    for part in ("new", "all", "target"):
        layout.test_folder(tmp_path, part, "food101", 16, "ZeroshotCLIP", "vit_b16", 1).mkdir(parents=True)
    train_folder(tmp_path, "base2new", "food101", 16, "ZeroshotCLIP", "vit_b16", 1).mkdir(parents=True)
    train_folder(tmp_path, "fewshot", "food101", 16, "ZeroshotCLIP", "vit_b16", 1).mkdir(parents=True)
    train_folder(tmp_path, "longtail", "food101", 16, "ZeroshotCLIP", "vit_b16", 2).mkdir(parents=True)
    parts = {name: {run.part for run in find_runs(tmp_path, name)} for name in PROTOCOLS}
    assert parts == {
        "base2new": {"base", "new"},
        "gzsl": {"all"},
        "xd": {"target", "source"},
        "dg": {"source"},
        "fewshot": {"all"},
        "longtail": {"all"},
    }
    assert [run.seed for run in find_runs(tmp_path, "fewshot")] == [1]


def test_a_folder_called_longtail_may_hold_runs_of_other_protocols(tmp_path):
    folder = train_folder(tmp_path / "longtail", "fewshot", *ARGS)
    folder.mkdir(parents=True)
    assert [run.folder for run in find_runs(tmp_path, "fewshot")] == [folder]
    assert not list(find_runs(tmp_path, "longtail"))


def test_ablations_are_not_mixed_with_the_benchmarks_runs(tmp_path):
    output = ablation_output(tmp_path, "KL_WEIGHT 0.1", 2)
    folder = train_folder(output, "base2new", "shapes", 16, "SHIP", "shapes", 1)
    folder.mkdir(parents=True)
    assert output == tmp_path / "ablations/KL_WEIGHT_0_1/draw2"
    assert not [run for protocol in PROTOCOLS for run in find_runs(tmp_path, protocol)]
    assert [run.folder for run in find_runs(output, "base2new")] == [folder]


def test_a_models_folder_names_the_dataset_it_was_trained_on(tmp_path):
    assert source_named_in(str(train_folder(tmp_path, "xd", "food101", 16, "CoOp", "vit_b16", 1))) == "food101"
    assert source_named_in(str(train_folder(tmp_path, "gzsl", "food101", 16, "CoOp", "vit_b16", 1))) == ""
    assert source_named_in("") == ""


def test_each_target_knows_its_source():
    assert {source_of(name) for name in (*BENCHMARK, "imagenet_r", "a_users_own")} == {"imagenet"}
    assert source_of("shapes_style") == source_of("shapes") == "shapes"
