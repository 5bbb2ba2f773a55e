"""Templates and sentences of a run's own: what is averaged for a class, and what is refused."""

import json

import pytest
import torch
from torch.nn.functional import normalize
from yacs.config import CfgNode

from trainers.blocks.clip.prompts import template_of
from trainers.blocks.clip.wording import KEYS, Wording, is_template, read_descriptions, templates_in
from trainers.blocks.errors import InputError
from trainers.blocks.methods import METHODS

NAMES = ["blue jay", "Crow", "owl"]
SENTENCES = {"blue_jay": ["A jay is a small blue bird.", "Jays have a crest."], "crow": "A crow is black."}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cupl.json"
    path.write_text(json.dumps(SENTENCES))
    return path


def configured(**keys: str) -> Wording:
    return Wording.configured(CfgNode({"NAME": "OxfordPets", **keys}))


def mean_of(backbone, *texts: str) -> torch.Tensor:
    """The normalized mean of the texts' normalized features, each encoded by itself."""
    each = [backbone.text_features([text], ["{}"])[0] for text in texts]
    return normalize(torch.stack(each).mean(dim=0), dim=-1)


def test_without_keys_the_datasets_template_stands(backbone):
    expected = backbone.text_features(NAMES, [template_of("OxfordPets")])
    assert torch.equal(Wording.of("OxfordPets").features(backbone, NAMES), expected)
    assert torch.equal(configured().features(backbone, NAMES), expected)


def test_several_templates_are_averaged(backbone):
    made = configured(TEMPLATE="a photo of a {}, a type of bird.|a drawing of a {}.")
    expected = [mean_of(backbone, f"a photo of a {n}, a type of bird.", f"a drawing of a {n}.") for n in NAMES]
    torch.testing.assert_close(made.features(backbone, NAMES), torch.stack(expected))


def test_sentences_stand_for_the_template_of_the_classes_that_have_some(backbone, file):
    features = configured(DESCRIPTIONS=str(file)).features(backbone, NAMES)
    jay, crow, owl = mean_of(backbone, *SENTENCES["blue_jay"]), "A crow is black.", "a photo of a owl, a type of pet."
    torch.testing.assert_close(features, torch.stack([jay, mean_of(backbone, crow), mean_of(backbone, owl)]))


def test_sentences_and_templates_that_are_both_named_are_averaged_together(backbone, file):
    features = configured(TEMPLATE="a {}.", DESCRIPTIONS=str(file)).features(backbone, NAMES)
    torch.testing.assert_close(features[1], mean_of(backbone, "a Crow.", "A crow is black."))


@pytest.mark.parametrize("name", ["ZeroshotCLIP", "CLIPAdapter", "TipAdapter"])
def test_methods_take_them(name, backbone, file):
    wording = configured(DESCRIPTIONS=str(file))
    method = METHODS[name].of(backbone, NAMES, wording)
    torch.testing.assert_close(method.text_features, wording.features(backbone, NAMES))
    assert method.dataset == "OxfordPets"


def test_the_ensemble_has_the_runs_templates_in_the_place_of_the_datasets():
    wording = configured(TEMPLATE="a {} of mine.")
    assert (len(wording.ensemble), wording.ensemble[-1]) == (8, "a {} of mine.")
    assert wording.own == ["a {} of mine."]


@pytest.mark.parametrize("text", ["a photo.", "a {} and a {}", "a {name}", "a {0}", "a {", "a {!r}", "a {}.||{}"])
def test_what_is_no_template_breaks_the_rule(text):
    assert not all(map(is_template, templates_in(text)))
    assert not KEYS["TEMPLATE"].rule.holds(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "cannot be read"),
        ("[]", "holds no classes"),
        ('{"jay": []}', "'jay' is no list of sentences"),
        ('{"jay": [""]}', "'jay' is no list of sentences"),
        ('{"jay": ["<|endoftext|>"]}', "'jay' is no list of sentences"),
        ('{"jay": [3]}', "'jay' is no list of sentences"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(content, said, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(InputError, match=f"bad.json.*{said}"):
        read_descriptions(path)


def test_sentences_of_other_classes_alone_are_refused(file, capsys):
    wording = configured(DESCRIPTIONS=str(file))
    with pytest.raises(InputError, match="none of the classes, which are cat; it has them of blue jay, crow"):
        wording.tell(["cat"])
    wording.tell(NAMES)
    assert (
        "Sentences describe 2 of 3 classes\nNote: the template stands for the others: owl" in capsys.readouterr().out
    )


def test_a_sentence_beyond_the_window_is_named(backbone):
    wording = Wording(sentences={"owl": ("very " * 80,)})
    with pytest.raises(InputError, match="longer than CLIP's window"):
        wording.features(backbone, ["owl"])
