"""DATASET.TEMPLATE and DATASET.DESCRIPTIONS in runs of train.py."""

import json

WORDS = ("DATASET.TEMPLATE", "a {} in a garden.|a {} on a sofa.")


def test_zero_shot_clip_takes_the_templates(train_py):
    plain = train_py("ZeroshotCLIP", "plain")
    own = train_py("ZeroshotCLIP", "own", *WORDS)
    assert "Prompts: ['a {} in a garden.', 'a {} on a sofa.']" in own.stdout
    assert own.results["config_hash"] != plain.results["config_hash"]


def test_sentences_are_known_by_their_content(train_py, tmp_path):
    file, moved = tmp_path / "one.json", tmp_path / "moved.json"
    for path in (file, moved):
        path.write_text(json.dumps({"beagle": ["A beagle has long ears."], "no such class": ["Never read."]}))
    first = train_py("ZeroshotCLIP", "run", "DATASET.DESCRIPTIONS", file, classes="all")
    assert "Sentences describe 1 of 6 classes" in first.stdout
    assert "complete" in train_py("ZeroshotCLIP", "run", "DATASET.DESCRIPTIONS", moved, classes="all").stdout
    moved.write_text(json.dumps({"beagle": ["A beagle barks."]}))
    again = train_py("ZeroshotCLIP", "run", "DATASET.DESCRIPTIONS", moved, classes="all")
    assert again.status == 2
    assert "DATASET.DESCRIPTIONS.sha256" in again.stderr


def test_bad_words_are_refused_before_anything_is_written(train_py):
    for pairs, said in (
        (("DATASET.TEMPLATE", "a photo."), "text with one {} for the class name"),
        (("DATASET.DESCRIPTIONS", "nowhere.json"), "nowhere.json cannot be read (No such file"),
    ):
        ended = train_py("ZeroshotCLIP", "bad", *pairs)
        assert (ended.status, said in ended.stderr, ended.folder.exists()) == (2, True, False)


def test_stage_two_of_ship_knows_the_words_of_its_text_control(train_py):
    ended = train_py("SHIP", "ship", *WORDS, "TRAINER.SHIP.SYNTHESIS", "text", "OPTIM.MAX_EPOCH", 1)
    assert ended.status == 0, ended.stderr
