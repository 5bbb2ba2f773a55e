"""Made-up class names."""

import pytest
from bench.made_up import MOST_THINGS, WORDS, class_names, noise, things, write_pictures

from trainers.blocks.clip.tokenizer import clip_tokenizer


@pytest.mark.parametrize("words", [None, 3])
def test_class_names_have_a_token_for_each_word(words):
    names = class_names(300, words)
    lengths = [len(clip_tokenizer().encode(name)) for name in names]
    assert lengths == [len(name.split()) for name in names]
    assert len(names) == 300
    assert set(lengths) == {words} if words else (min(lengths) == 1 and max(lengths) <= len(WORDS))
    assert class_names(300, words) == names


def test_things_are_an_adjective_and_a_noun_and_all_differ():
    names = things(10_000)
    assert len(set(names)) == 10_000 <= MOST_THINGS
    assert {len(name.split()) for name in names} == {2}
    assert names[0] == "ancient anchor" and things(3) == names[:3]


def test_pictures_are_written_class_by_class(tmp_path):
    write_pictures(tmp_path, things(2), train=2, test=1, size=(8, 8))
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.jpg"))
    assert files[:2] == ["test/ancient anchor/0.jpg", "test/ancient apple/0.jpg"]
    assert len(files) == 2 * (2 + 1 + 1)
    assert noise(3, 8, 8).shape == (3, 3, 8, 8)
