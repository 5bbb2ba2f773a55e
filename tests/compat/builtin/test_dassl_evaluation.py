"""Accuracy, macro F1, per-class results and confusion matrix."""

import pytest
import torch
from dassl.evaluation import Classification, build_evaluator
from dassl.metrics import compute_accuracy
from dassl.utils import UnavailableError

NAMES = {0: "red", 1: "green", 2: "blue"}


def logits(predictions):
    return torch.nn.functional.one_hot(torch.tensor(predictions), 3).float()


def evaluated(cfg, predictions, labels):
    evaluator = build_evaluator(cfg, lab2cname=NAMES)
    evaluator.process(logits(predictions), torch.tensor(labels))
    return evaluator.evaluate()


def test_figures_are_dassls(cfg, facts):
    torch.manual_seed(0)
    output, labels = torch.randn(50, 3), torch.randint(0, 3, (50,))
    evaluator = build_evaluator(cfg, lab2cname=NAMES)
    for part in (slice(0, 20), slice(20, 50)):
        evaluator.process(output[part], labels[part])
    assert evaluator.evaluate() == pytest.approx(facts["evaluator/manual_seed0_randn50x3"])


def test_printed_block_is_what_scripts_parse(cfg, capsys):
    evaluated(cfg, [0] * 1500 + [1] * 500, [0] * 2000)
    assert capsys.readouterr().out == (
        "Loading evaluator: Classification\n"
        "=> result\n* total: 2,000\n* correct: 1,500\n* accuracy: 75.0%\n* error: 25.0%\n* macro_f1: 85.7%\n"
    )


def test_macro_f1_is_over_the_labels_present(cfg):
    assert evaluated(cfg, [0, 1], [0, 0])["macro_f1"] == pytest.approx(100 * 2 / 3)


def test_per_class_results_are_printed_and_averaged(cfg, capsys):
    cfg.TEST.PER_CLASS_RESULT = True
    results = evaluated(cfg, [0, 2, 2], [0, 0, 2])
    assert results["perclass_accuracy"] == 75.0
    lines = capsys.readouterr().out.splitlines()
    assert "* class: 0 (red)\ttotal: 2\tcorrect: 1\tacc: 50.0%" in lines
    assert lines[-1] == "* average: 75.0%"


def test_confusion_matrix_is_saved(cfg):
    cfg.TEST.COMPUTE_CMAT = True
    evaluated(cfg, [0, 1, 1], [0, 0, 1])
    matrix = torch.load(cfg.OUTPUT_DIR + "/cmat.pt", weights_only=True)
    assert matrix.tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_reset_forgets(cfg):
    evaluator = Classification(cfg)
    evaluator.process(logits([0]), torch.tensor([0]))
    evaluator.reset()
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluator.evaluate()


def test_per_class_results_need_names(cfg):
    cfg.TEST.PER_CLASS_RESULT = True
    with pytest.raises(ValueError, match="lab2cname"):
        Classification(cfg)


def test_unknown_evaluator_is_an_error(cfg):
    cfg.TEST.EVALUATOR = "Clasification"
    with pytest.raises(UnavailableError, match="'Classification'"):
        build_evaluator(cfg)


def test_accuracy_is_in_percent_for_each_k():
    output = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    top1, top2 = compute_accuracy(output, torch.tensor([0, 1]), topk=(1, 2))
    assert top1.shape == (1,)
    assert (top1.item(), top2.item()) == (50.0, 100.0)
    assert compute_accuracy((output, None), torch.tensor([1, 1]))[0].item() == 0.0
