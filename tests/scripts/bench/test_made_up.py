"""Made-up class names."""

import pytest
from bench.made_up import WORDS, class_names

from trainers.blocks.clip.tokenizer import clip_tokenizer


@pytest.mark.parametrize("words", [None, 3])
def test_class_names_have_a_token_for_each_word(words):
    names = class_names(300, words)
    lengths = [len(clip_tokenizer().encode(name)) for name in names]
    assert lengths == [len(name.split()) for name in names]
    assert len(names) == 300
    assert set(lengths) == {words} if words else (min(lengths) == 1 and max(lengths) <= len(WORDS))
    assert class_names(300, words) == names
