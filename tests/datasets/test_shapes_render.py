"""The renderer of `shapes`: deterministic pictures, names that share nothing, captions that are true."""

import numpy as np
import pytest
from clip.simple_tokenizer import SimpleTokenizer

from datasets.shapes_classes import DEV_CLASSES, NOUNS, REPORT_CLASSES, emblem
from datasets.shapes_render import paint, render
from datasets.shapes_scene import ATTRIBUTES, BEFORE_NOUN, DOMAINS, caption, sample_scene, vocabulary


def test_same_arguments_give_the_same_bytes():
    first, scene = render("key", "rare", 1, 7)
    again, scene_again = render("key", "rare", 1, 7)
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again) and scene == scene_again


@pytest.mark.parametrize(
    "other", [("kite", "rare", 1, 7), ("key", "pretrain", 1, 7), ("key", "rare", 2, 7), ("key", "rare", 1, 8)]
)
def test_class_domain_stream_and_index_each_change_the_picture(other):
    assert not np.array_equal(render("key", "rare", 1, 7)[0], render(*other)[0])


def test_every_value_of_every_attribute_changes_the_picture():
    plain = dict.fromkeys(ATTRIBUTES, "")
    for attribute, chances in ATTRIBUTES.items():
        looks = {paint(emblem("key"), plain | {attribute: v}, np.random.default_rng(0)).tobytes() for v in chances}
        assert len(looks) == len(chances), attribute


def test_probabilities_sum_to_one():
    for chances in ATTRIBUTES.values():
        assert sum(chances.values()) == pytest.approx(1)


def test_class_names_share_no_words_and_take_two_tokens_at_most():
    words = [word for name in NOUNS for word in name.split()]
    assert len(words) == len(set(words)) and not set(words) & set(vocabulary())
    encode = SimpleTokenizer().encode
    assert max(len(encode(name)) for name in NOUNS) <= 2


def test_reporting_and_dev_classes_are_disjoint_and_cover_all():
    assert not set(REPORT_CLASSES) & set(DEV_CLASSES)
    assert sorted(REPORT_CLASSES + DEV_CLASSES) == sorted(NOUNS)
    assert (len(REPORT_CLASSES), len(DEV_CLASSES)) == (50, 49)


def test_every_class_has_its_own_emblem_in_either_subtype():
    emblems = [emblem(name, rare) for name in NOUNS for rare in (False, True)]
    assert len(set(emblems)) == len(emblems)


def test_domains_hold_what_they_say():
    rng = np.random.default_rng(0)
    assert {sample_scene(rng, DOMAINS["rare"])["style"] for _ in range(50)} == {""}
    assert {sample_scene(rng, DOMAINS["negative"])["style"] for _ in range(50)} == {"negative"}
    assert len({domain.number for domain in DOMAINS.values()}) == len(DOMAINS)


def test_captions_name_the_class_and_only_what_the_scene_shows():
    rng = np.random.default_rng(0)
    known = set(vocabulary()) | {"key"}
    for _ in range(200):
        scene = sample_scene(rng, DOMAINS["pretrain"])
        text, named = caption("key", scene, rng)
        words = text.rstrip(".").split()
        assert words.count("key") == 1 and set(words) <= known
        assert named.items() <= scene.items()
        assert all(named[key] in words for key in BEFORE_NOUN if key in named)


def test_captions_without_a_share_of_attributes_name_none():
    rng = np.random.default_rng(0)
    scene = {key: list(chances)[-1] for key, chances in ATTRIBUTES.items()}
    assert caption("key", scene, rng, share=0.0)[1] == {}


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="nonsense"):
        emblem("nonsense")
    with pytest.raises(KeyError, match="nonsense"):
        render("key", "nonsense", 0, 0)
