"""Prompts: templates, tokens, what class names decide."""

import pytest

from trainers.blocks.clip.prompts import ClassSuffixes, ensemble_of, template_of, tokenize
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.errors import InputError


def test_too_long_class_names_are_named_with_their_token_counts():
    with pytest.raises(InputError, match=r"1 prompts .*\n.*'x x.*\(86 tokens\)"):
        tokenize("a photo of {}.", ["cat", " ".join("x" * 80)], clip_tokenizer())


def test_braces_in_a_context_or_name_are_taken_as_they_are(backbone):
    suffixes = ClassSuffixes.of(backbone.text, ["{cat}", "{}"], "a {photo}", 1)
    assert len(suffixes.embeddings) == 2


def test_templates_are_the_datasets_own_and_default_to_clips():
    assert template_of("OxfordPets") == "a photo of a {}, a type of pet."
    assert template_of("SomethingElse") == "a photo of a {}."
    assert (len(ensemble_of("ImageNet")), len(ensemble_of("OxfordPets"))) == (7, 8)
