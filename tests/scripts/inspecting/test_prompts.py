"""Words near learned vectors, and text features before and after, against the same by hand."""

import pytest
import torch
from inspecting.prompts import Words, between_classes, even_rows, principal_plane, word_of
from torch.nn.functional import normalize

from trainers.blocks.clip.tokenizer import byte_pairs

TOKENS = [byte_pairs().encode(word)[0] for word in ("cat", "dog", "photo")]


@pytest.fixture
def embeddings() -> torch.Tensor:
    """Of all tokens: three have one of their own, the others share one."""
    found = torch.zeros(49406, 2)
    found[TOKENS] = torch.tensor([[1.0, 0.0], [0.0, 2.0], [4.0, 3.0]])
    return found


def test_nearest_words_have_euclidean_distances_and_shared_embeddings_have_no_word(embeddings):
    words = Words.of(embeddings)
    assert (sorted(words.tokens), words.shared) == (sorted(TOKENS), 49403)
    (near,) = words.nearest(torch.tensor([[1.0, 1.0]]), count=3)
    assert [one["word"] for one in near] == ["cat", "dog", "photo"]
    assert [one["distance"] for one in near] == pytest.approx([1, 2**0.5, 13**0.5])


def test_neighbours_are_as_far_apart_as_the_median_says(embeddings):
    near = [5**0.5, 5**0.5, 17**0.5]  # cat and dog, dog and cat, photo and dog
    assert Words.of(embeddings).about() == {"words": 3, "shared": 49403, "neighbours": pytest.approx(sorted(near)[1])}


def test_parts_of_words_end_in_a_hyphen():
    first, last = byte_pairs().encode("hoopoe")[0], byte_pairs().encode("hoopoe")[-1]
    assert word_of(first).endswith("-")
    assert not word_of(last).endswith("-")
    assert word_of(TOKENS[0]) == "cat"


def test_the_cosine_between_classes_is_the_mean_over_pairs():
    features = normalize(torch.randn(5, 8, generator=torch.manual_seed(0)), dim=-1)
    pairs = [(features[i] @ features[j]).item() for i in range(5) for j in range(5) if i != j]
    assert between_classes(features) == pytest.approx(sum(pairs) / len(pairs), abs=1e-6)


def test_the_plane_keeps_distances_of_what_lies_in_it():
    features = torch.tensor([[0.0, 0, 1], [3, 0, 1], [0, 4, 1]])
    a, b, c = torch.tensor(principal_plane(features))
    assert [(one - other).norm().item() for one, other in ((a, b), (a, c), (b, c))] == pytest.approx([3, 4, 5])


@pytest.mark.parametrize(("count", "rows"), [(3, [0, 1, 2]), (10, [0, 2, 5, 7])])
def test_a_sample_is_evenly_spaced(count, rows):
    assert list(even_rows(count, 4)) == rows
