"""Learned contexts: positions of the class name, what belongs to which class."""

import clip
import pytest
import torch

from trainers.blocks.clip.prompts import tokenize
from trainers.blocks.clip.tokenizer import clip_tokenizer
from trainers.blocks.errors import InputError
from trainers.blocks.methods.coop import CoOp
from trainers.blocks.methods.prompt_learner import PromptLearner

NAMES = ["cat", "yorkshire_terrier", "boeing 747"]


def features(backbone, learner: PromptLearner) -> torch.Tensor:
    return backbone.text(*learner())[0]


def set_words(backbone, learner: PromptLearner, words: str) -> None:
    """Makes the context the embedding of real words, one token each."""
    tokens = clip.tokenize(words)[:, 1 : 1 + learner.ctx.shape[-2]]
    learner.ctx.data = backbone.text.embed(tokens)[0].expand_as(learner.ctx).clone()


@pytest.mark.parametrize("class_specific", [False, True])
@pytest.mark.parametrize(
    ("position", "template"),
    [("end", "this is the big {}."), ("middle", "this is {} the big."), ("front", "{} this is the big.")],
)
def test_context_of_real_words_equals_a_plain_prompt(backbone, class_specific, position, template):
    learner = PromptLearner(backbone.text, NAMES, 4, class_specific=class_specific, position=position)
    set_words(backbone, learner, "this is the big")
    expected = backbone.model.encode_text(tokenize(template, NAMES, clip_tokenizer()))
    torch.testing.assert_close(features(backbone, learner), expected, atol=1e-5, rtol=1e-5)


def test_odd_context_puts_the_smaller_half_before_a_name_in_the_middle(backbone):
    learner = PromptLearner(backbone.text, NAMES, 3, position="middle")
    set_words(backbone, learner, "this is big")
    expected = backbone.model.encode_text(tokenize("this {} is big.", NAMES, clip_tokenizer()))
    torch.testing.assert_close(features(backbone, learner), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("words", ["a photo of a", "a_photo_of_a", "itap of a", "a photo of a floofy"])
def test_initial_words_start_as_that_prompt(backbone, words):
    """Words of several tokens too: CoOp learns as many tokens as there are words, and the rest stays as it is."""
    learner = PromptLearner(backbone.text, NAMES, ctx_init=words)
    assert learner.ctx.shape == (len(words.replace("_", " ").split()), backbone.text.width)
    expected = backbone.model.encode_text(tokenize(words.replace("_", " ") + " {}.", NAMES, clip_tokenizer()))
    torch.testing.assert_close(features(backbone, learner), expected, atol=1e-5, rtol=1e-5)


def test_generic_context_takes_any_classes_in_any_order(backbone):
    learner = PromptLearner(backbone.text, NAMES, 4)
    before = features(backbone, learner)
    learner.select(["dog", *reversed(NAMES)])
    torch.testing.assert_close(features(backbone, learner)[1:], before.flip(0), atol=1e-5, rtol=1e-5)


def test_class_specific_context_follows_its_class_names(backbone):
    torch.manual_seed(1)
    learner = PromptLearner(backbone.text, NAMES, 4, class_specific=True)
    before = features(backbone, learner)
    other = PromptLearner(backbone.text, [NAMES[2], NAMES[0]], 4, class_specific=True)
    other.load_state_dict(learner.state_dict())
    torch.testing.assert_close(features(backbone, other), before[[2, 0]], atol=1e-5, rtol=1e-5)


def test_class_specific_context_refuses_classes_it_does_not_know(backbone):
    learner = PromptLearner(backbone.text, NAMES, 4, class_specific=True)
    with pytest.raises(InputError, match="1 classes: dog"):
        learner.select(["cat", "dog"])


def test_context_of_another_length_is_refused(backbone):
    state = PromptLearner(backbone.text, NAMES, 4).state_dict()
    with pytest.raises(InputError, match=r"\(4, \d+\), this run's is \(5"):
        PromptLearner(backbone.text, NAMES, 5).load_state_dict(state)


def test_classes_of_one_name_have_contexts_of_their_own(backbone):
    learner = PromptLearner(backbone.text, ["cat", "cat"], 4, class_specific=True)
    first, second = features(backbone, learner)
    assert not torch.allclose(first, second)


def test_the_context_that_training_starts_from_is_said_as_coop_says_it(backbone, capsys):
    CoOp.of(backbone, NAMES, CTX_INIT="a photo of a", N_CTX=4)
    said = capsys.readouterr().out
    assert 'Initial context: "a photo of a"\n' in said
    assert "Number of context words (tokens): 4\n" in said
