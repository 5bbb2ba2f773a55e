"""Configuration files: name, content, words of the message."""

import pytest

CASES = [
    ("unknown key", "OPTIM: {LRR: 1}", "Did you mean OPTIM.LR?"),
    ("unknown section", "OPTM: {LR: 1.0}", "Did you mean OPTIM?"),
    ("key in another section", "DATASET: {LR: 1.0}", "Non-existent config key: DATASET.LR"),
    ("lower case", "optim: {lr: 1.0}", "Did you mean OPTIM?"),
    ("wrong type", "OPTIM: {LR: fast}", "Type mismatch"),
    ("whole number for a number", "OPTIM: {LR: 1}", "Type mismatch"),
    ("truth for a number", "OPTIM: {LR: true}", "Type mismatch"),
    ("number for a truth", "TRAINER: {COOP: {CSC: 1}}", "Type mismatch"),
    ("no value", "OPTIM: {LR: }", "OPTIM.LR has no value"),
    ("no section", "OPTIM: 3", "Type mismatch"),
    ("empty section", "OPTIM:", "Type mismatch"),
    ("section for a value", "OPTIM: {LR: {A: 1}}", "Type mismatch"),
    ("NaN", "OPTIM: {LR: .nan}", "OPTIM.LR is nan"),
    ("infinity", "OPTIM: {LR: .inf}", "OPTIM.LR is inf"),
    ("negative", "OPTIM: {LR: -0.1}", "OPTIM.LR is -0.1"),
    ("list", "[1, 2, 3]", "it should hold sections"),
    ("text", "just text", "it should hold sections"),
    ("number", "5", "it should hold sections"),
    ("number as a key", "1: {LR: 1}", "file.yaml"),
    ("date", "SEED: 2020-01-01", "file.yaml"),
    ("set", "INPUT: {TRANSFORMS: !!set {a, b}}", "file.yaml"),
    ("not closed", "TRAINER: [unclosed", "file.yaml"),
    ("tab", "OPTIM:\n\tLR: 1.0", "file.yaml"),
    ("two documents", "SEED: 1\n---\nSEED: 2", "file.yaml"),
    ("unknown alias", "SEED: *one", "file.yaml"),
    ("alias of itself", "INPUT: &a {TRANSFORMS: [*a]}", "a list of these"),
    ("Python object", "SEED: !!python/object/apply:os.getpid []", "file.yaml"),
    ("deep nesting", "[" * 5000, "file.yaml"),
    ("not UTF-8", b"\xff\xfe\x00S", "file.yaml"),
    ("NUL", b"SEED: 1\x00", "file.yaml"),
    ("binary", bytes(range(256)), "file.yaml"),
    ("half a character", 'DATASET: {ROOT: "\\ud800"}', "file.yaml"),
    ("NUL in a path", 'DATASET: {ROOT: "a\\0b"}', "which is no text"),
]


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_bad_file_is_refused(content, words, world):
    path = world.folder / "file.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    world.arguments["--config-file"] = path
    world.refused(words)


def test_python_file_is_not_run(world):
    path, mark = world.folder / "file.py", world.folder / "ran"
    path.write_text(f"cfg = dict(SEED=open({str(mark)!r}, 'w').write('x'))")
    world.arguments["--config-file"] = path
    world.refused("file.py")
    assert not mark.exists()


@pytest.mark.parametrize("path", [".", "nowhere.yaml", "data/oxford_pets/nothing"])
def test_missing_file_is_named(path, world):
    world.arguments["--config-file"] = world.folder / path
    world.refused("not found")
