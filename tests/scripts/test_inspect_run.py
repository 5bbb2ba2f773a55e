"""The page about a run: its numbers, what it escapes, what it leaves out, several runs, bad input."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import inspect_run
import inspecting.page
import pytest
import torch

from tests.conftest import CHECKOUT, in_this_process
from tests.golden import make_inputs
from trainers.blocks.clip.backbone import load_backbone

SHORT = ("OPTIM.MAX_EPOCH", 1, "TRAINER.FEATURES.VIEWS", 1, "DATALOADER.TRAIN_X.BATCH_SIZE", 4)
SMALL = ("TRAINER.SHIP.ENCODER_DIM", 8, "TRAINER.SHIP.GENERATOR_DIM", 8, "TRAINER.SHIP.OPTIM.MAX_EPOCH", 1)
SCRIPT = "<script>alert(1)</script>"  # a class of its own, in the base half
AND = 'dogs & "cats" $x$'  # another, in the new half


class Made(NamedTuple):
    """Runs by name, below one folder."""

    output: Path
    data: Path
    ship: Path
    coop: Path
    zero_shot: Path
    new: Path  # what SHIP has learned, tested on new classes


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_clip):
    """One short run of each, on six classes two of which have markup in their names."""
    folder = tmp_path_factory.mktemp("a <script>place")
    make_inputs.make_pets(folder / "data")
    split = folder / "data/oxford_pets/split_zhou_OxfordPets.json"
    renamed = {"bengal": SCRIPT, "boxer": AND}
    parts = json.loads(split.read_text())
    named = {part: [(*item[:2], renamed.get(item[2], item[2])) for item in items] for part, items in parts.items()}
    split.write_text(json.dumps(named))
    runs = Made(folder / "output", folder / "data", *(folder / "output" / name for name in Made._fields[2:]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHIP_CACHE", str(folder / "cache"))
        train(runs, tiny_clip, "SHIP", runs.ship, *SHORT, *SMALL)
        train(runs, tiny_clip, "CoOp", runs.coop, *SHORT)
        train(runs, tiny_clip, "ZeroshotCLIP", runs.zero_shot)
        train(runs, tiny_clip, "SHIP", runs.new, *SHORT, *SMALL, flags=("--eval-only", "--model-dir", runs.ship))
        yield runs


def train(runs: Made, clip: Path, trainer: str, folder: Path, *pairs: object, flags: tuple = ()) -> None:
    arguments = [
        *("--root", runs.data, "--seed", 1, "--trainer", trainer, "--output-dir", folder, "--backbone", clip, *flags),
        *("--dataset-config-file", CHECKOUT / "configs/datasets/oxford_pets.yaml"),
        *("--config-file", CHECKOUT / f"configs/trainers/{trainer}/vit_b16.yaml", "DATASET.NUM_SHOTS", 4),
        *("DATASET.SUBSAMPLE_CLASSES", "new" if flags else "base", "DATALOADER.NUM_WORKERS", 0, *pairs),
    ]
    status, _, errors = in_this_process(arguments)
    assert status == 0, errors


@pytest.fixture
def call(capsys, monkeypatch):
    """Calls inspect_run.py; gives exit status, output and errors. Figures are in the page alone, to save time."""
    monkeypatch.setattr(inspecting.page, "ENDINGS", ())

    def called(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            inspect_run.main([str(word) for word in words])
        return ended.value.code, *capsys.readouterr()

    return called


@pytest.fixture(scope="module")
def ship_page(made, tmp_path_factory) -> Path:
    """The page of the SHIP run."""
    page = tmp_path_factory.mktemp("page") / "report.html"
    with pytest.raises(SystemExit) as ended:
        inspect_run.main([str(made.ship), "--to", str(page), "--map", "pca"])
    assert ended.value.code == 0
    return page


class Tables(HTMLParser):
    """The cells of each table with an id, row by row, and the names of all elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables, self.elements, self.table, self.cell = {}, [], None, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "table":
            self.table = self.tables.setdefault(dict(attributes).get("id"), [])
        elif tag == "tr":
            self.table.append([])
        elif tag in ("td", "th"):
            self.table[-1].append("")
            self.cell = tag

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, text):
        if self.cell:
            self.table[-1][-1] += text


def numbers_beside(page: Path) -> dict:
    return json.loads(page.with_suffix(".json").read_text())


def test_accuracies_on_the_page_are_those_of_the_run_and_of_the_json(made, ship_page):
    record, found = json.loads((made.ship / "results.json").read_text()), numbers_beside(ship_page)["predictions"]
    assert {row["class"]: round(row["accuracy"], 4) for row in found["by_class"]} == record["per_class_accuracy"]
    assert found["accuracy"] == pytest.approx(record["metrics"]["accuracy"])
    assert found["mean_f1"] == pytest.approx(record["metrics"]["macro_f1"])
    columns = ("accuracy", "precision", "f1")
    shown = [
        [row["class"], str(row["pictures"]), *(f"{row[name]:.2f}" for name in columns)] for row in found["by_class"]
    ]
    assert Tables(ship_page.read_text()).tables["by-class"][1:] == shown


def test_names_and_paths_with_markup_are_text(made, ship_page):
    page = Tables(ship_page.read_text())
    assert SCRIPT in [row[0] for row in page.tables["by-class"]]
    assert "script" not in {tag for tag, _ in page.elements}
    drawing = ship_page.read_text().partition('id="accuracy_by_class"')[2].partition("</figure>")[0]
    assert "&lt;script&gt;" in drawing
    assert "a &lt;script&gt;place" in ship_page.read_text()


def test_the_page_needs_nothing_but_itself(ship_page):
    links = [
        value
        for _, attributes in Tables(ship_page.read_text()).elements
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "data", "srcset")
    ]
    assert links
    assert all(link.startswith(("#", "data:image/")) for link in links)
    assert not re.search(r"url\((?!#)|@import", ship_page.read_text())


def test_figures_are_files_too(ship_page):
    drawn = {"accuracy_by_class", "calibration", "text_features", "reconstruction", "latent", "map", "means"}
    files = {path.stem: path.read_bytes()[:4] for path in ship_page.with_suffix("").glob("*.png")}
    assert drawn <= files.keys()
    assert set(files.values()) == {b"\x89PNG"}
    assert {path.stem for path in ship_page.with_suffix("").glob("*.pdf")} == files.keys()
    assert ship_page.read_text().count("<figure") == len(files)


def test_the_latents_numbers_are_those_by_hand(made, ship_page, tiny_clip):
    """From the checkpoint and the pictures alone: KL, active units, and the cosines of reconstructions."""
    state = torch.load(made.ship / "ship/model.pth.tar-1", weights_only=False)["state_dict"]
    vae = {name.removeprefix("prompt_vae."): value for name, value in state.items() if "prompt_vae" in name}
    features = features_of(made, tiny_clip, ["abyssinian", "bengal", "birman"])
    hidden = torch.relu(features @ vae["trunk.0.weight"].t() + vae["trunk.0.bias"])
    mean = hidden @ vae["mean.weight"].t() + vae["mean.bias"]
    log_var = hidden @ vae["log_var.weight"].t() + vae["log_var.bias"]
    kl = (0.5 * (mean**2 + log_var.exp() - 1 - log_var)).mean(dim=0)
    found = numbers_beside(ship_page)["ship"]
    assert found["latent"]["pictures"] == len(features) == 12
    torch.testing.assert_close(torch.tensor(found["latent"]["kl"]), kl, atol=1e-6, rtol=1e-3)
    assert found["latent"]["kl_sum"] == pytest.approx(kl.sum().item(), rel=1e-3, abs=1e-5)
    variance = mean.var(dim=0, unbiased=False)
    torch.testing.assert_close(torch.tensor(found["latent"]["variance"]), variance, atol=1e-12, rtol=1e-2)
    assert found["latent"]["active"] == int((variance > 0.01).sum())
    text = load_backbone(str(tiny_clip), "fp32", "cpu").text_features(["birman"], ["a photo of a {}, a type of pet."])
    template = next(row for row in found["reconstruction"]["by_class"] if row["class"] == "birman")
    assert template["template"] == pytest.approx((features[8:] @ text[0]).mean().item(), abs=1e-5)


def features_of(made: Made, clip: Path, classes: list[str]) -> torch.Tensor:
    """Features (N, D) of the classes' test pictures, encoded anew."""
    from dassl.data.transforms import build_transform
    from own.saved_run import SavedRun

    from trainers.blocks.engine.images import read_image

    cfg = SavedRun(made.ship).config(inspect_run.parse_args([str(made.ship)]))
    transform, backbone = build_transform(cfg, is_train=False), load_backbone(str(clip), "fp32", "cpu")
    files = [made.data / f"oxford_pets/images/{name}_{number}.jpg" for name in classes for number in range(8, 12)]
    with torch.no_grad():
        return backbone.encode_image(torch.stack([transform(read_image(path)) for path in files]))


def test_ship_is_looked_at_with_pictures_of_both_halves_after_training(ship_page):
    found, text = numbers_beside(ship_page)["ship"], ship_page.read_text()
    assert [row["part"] for row in found["spread"]["by_class"]] == ["base"] * 3 + ["new"] * 3
    assert {point["kind"] for point in found["map"]["points"]} == {"real, base", "real, new", "synthesized"}
    assert (found["nearest_mean"]["new"]["pictures"], len(found["walk"]["rows"])) == (12, 3)
    assert len(found["words"]["with_bias"]) == 4
    assert "Real features of new classes are used here after training only" in text
    assert len(re.findall(r'<img src="data:image/jpeg;base64,', text)) > 40
    assert "picture not readable" not in text


def test_a_synthesis_without_a_vae_is_judged_by_what_it_makes(made, call, tiny_clip, tmp_path):
    train(made, tiny_clip, "SHIP", tmp_path / "text", *SHORT, "TRAINER.SHIP.SYNTHESIS", "text")
    assert call(tmp_path / "text", "--map", "pca")[0] == 0
    found = numbers_beside(tmp_path / "text/report.html")["ship"]
    assert (found["words"], found["latent"], found["walk"]) == (None, None, None)
    for row in found["spread"]["by_class"]:  # what it makes is the template's text feature
        assert row["mean"] == pytest.approx(row["template"], abs=1e-5)
        assert row["variance"] == pytest.approx(0, abs=1e-6)
    assert "no PromptVAE is trained" in (tmp_path / "text/report.html").read_text()


def test_curves_are_those_that_training_left(made, ship_page):
    numbers, record = numbers_beside(ship_page), json.loads((made.ship / "results.json").read_text())
    stages = {
        stage["stage"]: {curve["name"]: curve["values"] for curve in stage["curves"]} for stage in numbers["curves"]
    }
    assert stages.keys() == {"PromptVAE", "SHIP"}
    for stage, values in record["training"].items():
        assert stages[stage]["loss"][-1] == pytest.approx(values["loss"])


def test_methods_without_a_checkpoint_or_prompts_have_a_page(made, call, tmp_path):
    status, *_ = call(made.zero_shot, "--to", tmp_path / "page.html")
    numbers = numbers_beside(tmp_path / "page.html")
    assert (status, numbers["predictions"]["pictures"], numbers["ship"], numbers["contexts"]) == (0, 12, None, None)


def test_a_prompts_page_has_words_and_text_features(made, call, tmp_path):
    status, *_ = call(made.coop, "--to", tmp_path / "page.html")
    numbers = numbers_beside(tmp_path / "page.html")
    assert (status, len(numbers["contexts"]["contexts"][0]["vectors"])) == (0, 16)
    assert [row["part"] for row in numbers["text_features"]["by_class"]] == ["base"] * 3 + ["new"] * 3
    assert "Text features before and after training" in (tmp_path / "page.html").read_text()


def test_a_test_on_new_classes_has_a_page(made, call, tmp_path):
    assert call(made.new, "--to", tmp_path / "page.html")[0] == 0
    numbers = numbers_beside(tmp_path / "page.html")
    assert AND in {row["class"] for row in numbers["predictions"]["by_class"]}
    assert numbers["ship"] is None  # which is on the page of the run that trained it


@pytest.fixture
def moved(made, tmp_path):
    """Puts something aside for a test."""
    aside = []

    def move(path: Path) -> None:
        aside.append((path, shutil.move(path, tmp_path / f"aside{len(aside)}")))

    yield move
    for path, place in aside:
        shutil.move(place, path)


def test_without_pictures_the_rest_is_shown_and_that_is_said(made, call, moved, tmp_path):
    moved(made.data)
    status, *_ = call(made.ship, "--to", tmp_path / "page.html")
    numbers, text = numbers_beside(tmp_path / "page.html"), (tmp_path / "page.html").read_text()
    assert (status, numbers["predictions"], numbers["ship"]["latent"], numbers["ship"]["map"]) == (
        0,
        None,
        None,
        None,
    )
    assert numbers["ship"]["words"]
    assert numbers["recorded"][SCRIPT] == float(dict(Tables(text).tables["recorded"])[SCRIPT])
    assert "All numbers that need pictures" in text
    assert "<script" not in text


def test_without_pictures_of_new_classes_those_of_base_classes_are_shown(made, call, moved, tmp_path):
    moved(made.data / "oxford_pets/images/boxer_11.jpg")
    status, *_ = call(made.ship, "--to", tmp_path / "page.html")
    numbers = numbers_beside(tmp_path / "page.html")
    assert (status, numbers["predictions"]["pictures"], numbers["ship"]["latent"]["pictures"]) == (0, 12, 12)
    assert "new" not in numbers["ship"]["nearest_mean"]
    assert "need pictures of new classes" in numbers["left_out"][0]


def test_runs_are_compared_class_by_class(made, call, tmp_path):
    page = tmp_path / "page.html"
    assert call(made.coop, "--compare", made.ship, made.zero_shot, "--to", page)[0] == 0
    records = [json.loads((run / "results.json").read_text()) for run in (made.coop, made.ship, made.zero_shot)]
    first, *others = (record["per_class_accuracy"] for record in records)
    for found, other in zip(numbers_beside(page)["differences"], others, strict=True):
        assert {row["class"]: row["difference"] for row in found["by_class"]} == pytest.approx(
            {name: other[name] - first[name] for name in first}
        )
    shown = Tables(page.read_text()).tables["side-by-side"]
    assert shown[1] == ["accuracy (%)", *(f"{record['metrics']['accuracy']:.2f}" for record in records)]


def test_an_output_has_a_page_for_each_run_and_an_index_with_the_protocols_table(made, call, tmp_path):
    output = tmp_path / "output"
    folder = output / "base2new/train_base/oxford_pets/shots_4/ZeroshotCLIP/vit_b16/seed1"
    shutil.copytree(made.zero_shot, folder)
    shutil.copytree(made.zero_shot, output / "of my own")
    shutil.copytree(made.coop, output / "broken", ignore=shutil.ignore_patterns("prompt_learner"))
    status, _, errors = call("--output", output)
    index, text = numbers_beside(output / "index.html"), (output / "index.html").read_text()
    assert (status, errors.count("left out:"), len(index["runs"])) == (1, 1, 2)
    assert "there is no checkpoint" in text
    links = [unquote(attributes["href"]) for tag, attributes in Tables(text).elements if tag == "a"]
    assert len(links) == 2
    assert all((output / link).is_file() for link in links)
    (table,) = index["tables"]
    accuracy = json.loads((folder / "results.json").read_text())["metrics"]["accuracy"]
    assert (table["protocol"], f"{accuracy:.2f}" in table["table"]) == ("base-to-new", True)
    assert table["table"] in text


BAD = [  # what is asked for, what is said; {} are the runs' folders
    (("{0.output}",), "holds no run"),
    (("{0.output}/nowhere",), "There is no folder"),
    (("{0.ship}", "--to", "{1}"), "should end in .html"),
    (("{0.ship}", "--to", "{1}/file/page.html"), "is no folder that can be written to"),
    (("{0.ship}", "--compare", "{0.new}", "--to", "{1}/page.html"), "no class in common"),
    (("{0.ship}", "--compare", "{0.ship}", "--to", "{1}/page.html"), "named twice"),
    (("--output", "{0.data}", "--to", "{1}/page.html"), "holds no complete run"),
    (("{0.ship}", "--output", "{0.output}"), "it takes a RUN, or --output"),
    ((), "it takes a RUN, or --output"),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_bad_input_ends_in_a_line_and_writes_nothing(words, said, made, call, tmp_path):
    (tmp_path / "file").touch()
    status, _, errors = call(*(word.format(made, tmp_path) for word in words))
    assert (status, said in errors, "Traceback" in errors) == (2, True, False), errors
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_without_its_checkpoint_is_refused(made, call, moved, tmp_path):
    moved(made.coop / "prompt_learner")
    status, _, errors = call(made.coop, "--to", tmp_path / "page.html")
    assert (status, "there is no checkpoint in" in errors, (tmp_path / "page.html").exists()) == (2, True, False)


def test_a_run_of_another_kind_is_refused(made, call, tmp_path):
    record = json.loads((made.coop / "results.json").read_text())
    record["config"]["TRAINER"]["NAME"] = "MaPLe"
    (tmp_path / "results.json").write_text(json.dumps(record))
    status, _, errors = call(tmp_path)
    assert (status, "a run of MaPLe, which is not known here" in errors) == (2, True)


def test_a_disk_that_takes_no_file_leaves_the_old_page(made, call, monkeypatch, tmp_path):
    from trainers.blocks.run import files

    page = tmp_path / "page.html"
    page.write_text("the old page")

    def full(path, *parts):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_whole", full)
    status, _, errors = call(made.zero_shot, "--to", page)
    assert (status, "No space left on device" in errors, page.read_text()) == (2, True, "the old page")


def test_without_jinja_it_says_what_to_install(made, call, monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.startswith("inspecting")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    status, _, errors = call(made.ship, "--to", tmp_path / "page.html")
    assert (status, "pip install jinja2 matplotlib" in errors) == (2, True)
