"""How the folder of a run is read."""

import json

import pytest
from report.results import EXACT_LOG, ROUNDED_LOG, VALIDATION, read

TEST = "Evaluate on the *test* set\n=> result\n* total: {}\n* correct: {}\n* accuracy: {}%\n* error: 1%\n"


@pytest.fixture
def folder(tmp_path):
    """A run's folder with files of these contents."""

    def folder(**files: str):
        for name, content in files.items():
            (tmp_path / name.replace("__", "-").replace("_", ".")).write_text(content)
        return tmp_path

    return folder


def test_record_is_taken_before_a_log(folder):
    outcome = read(folder(results_json='{"metrics": {"accuracy": 12.5}}', log_txt=TEST.format(4, 1, "25.0")))
    assert (outcome.status, outcome.metrics, outcome.marks) == ("complete", {"accuracy": 12.5}, "")


def test_counts_of_a_log_give_the_exact_accuracy(folder):
    outcome = read(folder(log_txt=TEST.format("2,500", "1,449", "58.0")))
    assert outcome.metrics == {"accuracy": pytest.approx(57.96)}
    assert outcome.marks == EXACT_LOG


def test_a_log_without_counts_gives_one_decimal(folder):
    outcome = read(folder(log_txt="Evaluate on the *test* set\n=> result\n* accuracy: 58.0%\n"))
    assert (outcome.metrics, outcome.marks) == ({"accuracy": 58.0}, ROUNDED_LOG)


@pytest.mark.parametrize(
    "log",
    [
        "",
        "epoch [1/2] batch [1/3]\n",
        TEST.format(4, 1, "25.0").replace("test", "val"),
        TEST.format(4, 1, "25.0") + "epoch [2/2] batch [1/3]\n",  # tested on the way
    ],
)
def test_a_log_without_a_final_test_is_an_incomplete_run(folder, log):
    assert read(folder(log_txt=log)).status == "incomplete"


def test_the_last_test_of_a_log_counts(folder):
    log = TEST.format(4, 1, "25.0").replace("test", "val") + "epoch [2/2]\n" + TEST.format(4, 3, "75.0")
    assert read(folder(log_txt=log)).metrics == {"accuracy": 75.0}


def test_the_newest_log_that_has_a_result_counts(folder):
    first, second, killed = TEST.format(4, 1, "25.0"), TEST.format(4, 2, "50.0"), "epoch [1/2]\n"
    logs = {"log_txt": first, "log_txt__2026__02__01": second, "log_txt__2026__03__01": killed}
    assert read(folder(**logs)).metrics == {"accuracy": 50.0}


def test_a_failure_tells_its_reason_unless_the_run_was_made_good(folder):
    outcome = read(folder(failed_txt="out of memory\n", log_txt=TEST.format(4, 1, "25.0")))
    assert (outcome.status, outcome.reason) == ("failed", "out of memory")
    assert read(folder(results_json='{"metrics": {"accuracy": 1}}')).status == "complete"


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"metrics": {"accuracy": "high"}}', '{"metrics": {"accuracy": NaN}}']
)
def test_an_unreadable_record_is_named_and_no_log_stands_in(folder, text):
    outcome = read(folder(results_json=text, log_txt=TEST.format(4, 1, "25.0")))
    assert (outcome.status, outcome.metrics) == ("unreadable", {})
    assert "results.json" in outcome.reason


def test_a_record_of_the_validation_split_is_marked(folder):
    assert read(folder(results_json='{"split": "val", "metrics": {"accuracy": 1}}')).marks == VALIDATION


@pytest.mark.parametrize("key", ["model", "config"])
def test_a_record_says_on_what_its_model_was_trained(folder, key):
    path = "out/food101/SHIP/vit_b16_16shots/seed1"
    value = path if key == "model" else {"TRAINER": {"SHIP": {"SOURCE": path}}}
    assert read(folder(results_json=json.dumps({"metrics": {"accuracy": 1}, key: value}))).source == "food101"
