"""The vocabulary that commands share."""

from pathlib import Path

import pytest
from common.arguments import Several, add_backbones, add_data, command_parser, split_words


@pytest.fixture
def parse():
    def parse(*words: str):
        parser = command_parser("some.py", "Does something.")
        parser.add_argument("words", nargs="*")
        parser.add_argument("--datasets", action=Several)
        parser.add_argument("--seeds", action=Several, numbers=True)
        add_backbones(parser, "to run under")
        add_data(parser, "--root")
        return parser.parse_intermixed_args(words)

    return parse


def test_names_seeds_and_pairs_are_told_apart():
    words = ["dtd", "eurosat", "1", "2", "OPTIM.LR", "0.1", "SEED", "3"]
    assert split_words(words) == (["dtd", "eurosat"], [1, 2], ["OPTIM.LR", "0.1", "SEED", "3"])


@pytest.mark.parametrize(
    "words", [["--seeds", "1", "2", "3"], ["--seeds", "1,2,3"], ["--seeds", "1", "--seeds", "2,3"]]
)
def test_numbers_may_be_given_with_spaces_and_commas(parse, words):
    assert parse(*words).seeds == [1, 2, 3]


def test_what_is_no_name_or_number_goes_to_the_rest(parse):
    args = parse("dtd", "--seeds", "1", "2", "OPTIM.LR", "0.1")
    assert (args.words, args.seeds, args.rest) == (["dtd"], [1, 2], ["OPTIM.LR", "0.1"])
    args = parse("--datasets", "dtd", "eurosat", "1", "2")
    assert (args.datasets, args.rest) == (["dtd", "eurosat"], ["1", "2"])


@pytest.mark.parametrize("option", ["--backbone", "--backbones"])
def test_backbones_may_look_like_keys_and_end_where_seeds_or_keys_begin(parse, option):
    named = ["RN50", "ViT-L/14@336px", "models/clip.v2.pt", "CLIP.pt", "hf:openai/clip-vit-base-patch16", "vit_b16"]
    for rest in (["1", "2"], ["OPTIM.LR", "0.1"], ["USE_CUDA", "False"], ["TRAINER.COOP.N_CTX", "4"]):
        args = parse("dtd", option, *named, *rest)
        assert (args.words, args.backbones, args.rest) == (["dtd"], named, rest)


def test_an_option_without_a_fitting_word_is_refused(parse, capsys):
    with pytest.raises(SystemExit):
        parse("--seeds", "one")
    assert "argument --seeds: invalid int value: 'one'" in capsys.readouterr().err


def test_data_come_from_the_option_its_alias_or_the_environment(parse, monkeypatch):
    monkeypatch.setenv("DATA", "/elsewhere")
    assert parse().data == Path("/elsewhere")
    assert parse("--root", "here").data == parse("--data", "here").data == Path("here")
