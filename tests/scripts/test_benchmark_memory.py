"""The memory benchmark's made-up class names and its table."""

from benchmark_memory import WORDS, class_names, table

from trainers.blocks.prompts import tokenizer


def test_class_names_have_a_token_for_each_word():
    names = class_names(300)
    lengths = [len(tokenizer().encode(name)) for name in names]
    assert lengths == [len(name.split()) for name in names]
    assert (len(names), min(lengths)) == (300, 1)
    assert max(lengths) <= len(WORDS)
    assert class_names(300) == names


def test_table_has_a_line_for_each_measurement():
    lines = table([{"classes": 100, "GB": 0.5}, {"classes": 1000, "GB": 1.5}]).splitlines()
    assert [line.split() for line in lines] == [["classes", "GB"], ["100", "0.5"], ["1000", "1.5"]]
