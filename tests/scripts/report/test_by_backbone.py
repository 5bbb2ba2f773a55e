"""Tables of runs under several backbones."""

import json

import pytest
import tables
from protocols.backbones import backbone_of
from protocols.layout import test_folder as evaluation_folder
from protocols.layout import train_folder
from report.blocks import Block, NoRuns
from report.by_backbone import build_under
from report.published import PUBLISHED
from report.results import load


@pytest.fixture
def write(tmp_path):
    """Writes results.json files of CoOp or another trainer, of one seed."""

    def write(part: str, recipe: str, accuracy: float, trainer="CoOp", dataset="dtd", protocol="base2new", shots=16):
        args = (dataset, shots, trainer, recipe, 1)
        folder = (
            train_folder(tmp_path, protocol, *args) if part == "train" else evaluation_folder(tmp_path, part, *args)
        )
        folder.mkdir(parents=True)
        metrics = {"accuracy": accuracy, "seen": accuracy, "unseen": accuracy}
        (folder / "results.json").write_text(json.dumps({"metrics": metrics}))

    return write


@pytest.fixture
def base_to_new(write):
    """CoOp and SHIP on CLIP-Adapter under three backbones; SHIP has no run under the last one."""
    for recipe, base, new in (("vit_b16", 60, 40), ("datacomp_b16", 80, 20), ("my_clip_vit_b16", 50, 50)):
        write("train", f"{recipe}_ctxv1", base)
        write("new", f"{recipe}_ctxv1", new)
        if recipe != "my_clip_vit_b16":
            write("train", f"{recipe}_clip_adapter", base, "SHIP")
            write("new", f"{recipe}_clip_adapter", base, "SHIP")


def blocks(folder, protocol: str, *words: str, papers=()) -> list[Block]:
    return build_under(list(map(backbone_of, words)), load([folder], protocol), protocol, published=papers)


def shown(block: Block) -> dict[tuple[str, str], list[float | None]]:
    return {
        (row.method, row.recipe): [cell.mean if cell.mean is None else round(cell.mean, 1) for cell in row.cells]
        for row in block.rows
    }


def test_each_backbone_has_its_own_block_with_differences_to_coop_under_it(base_to_new, tmp_path):
    first, second, _ = blocks(tmp_path, "base2new", "vit_b16", "datacomp_b16")
    assert (first.what, second.what) == ("OpenAI B/16", "DataComp B/16")
    assert shown(second) == {
        ("CoOp", "datacomp_b16_ctxv1"): [80, 20, 32],
        ("SHIP", "datacomp_b16_clip_adapter"): [80, 80, 80],
    }
    assert second.difference(second.rows[1], 2) == pytest.approx(48)
    assert first.difference(first.rows[1], 2) == pytest.approx(12)


def test_the_last_block_has_methods_against_backbones(base_to_new, tmp_path):
    block = blocks(tmp_path, "base2new", "datacomp_b16", "my_clip", "vit_b16")[-1]
    assert block.columns == ["DataComp B/16", "my_clip", "OpenAI B/16"]
    assert shown(block) == {("CoOp", "ctxv1"): [32, 50, 48], ("SHIP", "clip_adapter"): [80, None, 60]}
    assert block.difference(block.rows[1], 2) == pytest.approx(12)


def test_one_backbone_is_compared_with_none(base_to_new, tmp_path):
    (block,) = blocks(tmp_path, "base2new", "my_clip")
    assert shown(block) == {("CoOp", "my_clip_vit_b16_ctxv1"): [50, 50, 50]}


def test_without_backbones_the_table_has_all_runs(base_to_new, tmp_path):
    (block,) = blocks(tmp_path, "base2new")
    assert len(block.rows) == 5


def test_published_figures_stand_beside_runs_under_the_papers_backbone_alone(base_to_new, tmp_path):
    first, second, across = blocks(tmp_path, "base2new", "vit_b16", "datacomp_b16", papers=[PUBLISHED])
    assert any(row.source for row in first.rows)
    assert not any(row.source for block in (second, across) for row in block.rows)


def test_few_shot_has_a_table_for_each_number_of_shots(write, tmp_path):
    for shots in (1, 16):
        for label in ("rn50", "vit_l14"):
            write("train", label, 50 + shots, protocol="fewshot", shots=shots)
    _, _, one, sixteen = blocks(tmp_path, "fewshot", "RN50", "ViT-L/14")
    assert (one.shots, sixteen.shots) == (1, 16)
    assert shown(sixteen) == {("CoOp", ""): [66, 66]}


def test_transfer_is_compared_by_its_mean_over_targets(write, tmp_path):
    for label, accuracy in (("rn50", 40), ("vit_l14", 60)):
        write("train", label, 70, dataset="imagenet", protocol="xd")
        write("target", label, accuracy)
        write("target", label, accuracy + 10, dataset="eurosat")
    assert shown(blocks(tmp_path, "xd", "RN50", "vit_l14")[-1]) == {("CoOp", ""): [45, 65]}


def test_gzsl_is_compared_by_h(write, tmp_path):
    for label, accuracy in (("rn50", 40), ("vit_l14", 60)):
        write("all", label, accuracy)
    assert shown(blocks(tmp_path, "gzsl", "RN50", "vit_l14")[-1]) == {("CoOp", ""): [40, 60]}


def test_a_backbone_without_runs_is_told_with_the_nearest_that_has_some(base_to_new, tmp_path, capsys):
    with pytest.raises(NoRuns):
        blocks(tmp_path, "base2new", "vit_b16", "RN50")
    with pytest.raises(SystemExit) as ended:
        tables.main([str(tmp_path), "--backbones", "datacomp_b61"])
    assert ended.value.code == 2
    assert "no base2new runs with the backbone datacomp_b61" in (error := capsys.readouterr().err)
    assert "Did you mean datacomp_b16?" in error


@pytest.fixture
def printed(base_to_new, tmp_path, capsys):
    def print_table(*options: str) -> str:
        with pytest.raises(SystemExit) as ended:
            tables.main([str(tmp_path), "--backbones", "vit_b16", "datacomp_b16", *options])
        assert ended.value.code == 0
        return capsys.readouterr().out

    return print_table


def test_a_terminal_names_the_backbones(printed):
    text = printed()
    assert "dtd, 16 shots, base-to-new, DataComp B/16, seeds 1\n" in text
    assert "dtd, 16 shots, base-to-new, H under each backbone, seeds 1\nmethod    recipe " in text
    assert "difference to CoOp (datacomp_b16_ctxv1, vit_b16_ctxv1), in points" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100


def test_csv_has_each_figure_once(printed):
    assert len(printed("--format", "csv").splitlines()) == 1 + 4
