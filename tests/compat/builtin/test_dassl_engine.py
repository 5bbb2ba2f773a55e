"""A tiny trainer: what it prints, writes, resumes and refuses."""

import re

import pytest
import torch
from dassl.engine import SimpleTrainer, TrainerX, build_trainer
from dassl.missing import MissingPartError
from dassl.utils import UnavailableError, load_checkpoint, set_random_seed


def trained(cfg, **options):
    """Train TinyTrainer with seed 1."""
    for name, value in options.items():
        section, key = name.split("__")
        cfg[section][key] = value
    set_random_seed(1)
    trainer = build_trainer(cfg)
    trainer.train()
    return trainer


def same_weights(one, other):
    pairs = zip(one.model.parameters(), other.model.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def numbers_out(text):
    return re.sub(r"\d+(\.\d+)?(e-\d+)?", "N", text)


def test_printed_lines_have_dassls_form(cfg, golden_dir, capsys):
    trained(cfg, TRAIN__PRINT_FREQ=1)
    printed = capsys.readouterr().out.replace(cfg.OUTPUT_DIR, "OUT").splitlines()
    log = (golden_dir / "logs" / "coop_ctx_init_1" / "log.txt").read_text()
    log = log.replace("OUTPUT/coop_ctx_init_1/prompt_learner", "OUT/linear").replace("OUTPUT/coop_ctx_init_1", "OUT")
    log = log[log.index("Loading evaluator") :].splitlines()
    assert printed[0] == "Loading trainer: TinyTrainer"
    printed = printed[printed.index("Loading evaluator: Classification") :]
    # The golden run has one epoch, of 3 lines, more.
    assert [numbers_out(line) for line in printed] == [numbers_out(line) for line in log[:9] + log[12:]]


def test_lines_come_every_print_freq_batches_or_always_if_there_are_fewer(cfg, capsys):
    trained(cfg, TRAIN__PRINT_FREQ=2)
    assert re.findall(r"^epoch.*batch \[(\d)/3\]", capsys.readouterr().out, re.M) == ["2", "2"]
    cfg.OUTPUT_DIR += "2"
    trained(cfg, TRAIN__PRINT_FREQ=10)
    assert len(re.findall(r"^epoch", capsys.readouterr().out, re.M)) == 6


def test_it_learns_and_writes_curves(cfg, tmp_path):
    trainer = trained(cfg, OPTIM__MAX_EPOCH=8)
    assert trainer.test() > 60
    assert list((tmp_path / "output" / "tensorboard").iterdir())


def test_checkpoint_holds_plain_values(cfg, tmp_path):
    trainer = trained(cfg)
    path = tmp_path / "output" / "linear" / "model.pth.tar-2"
    checkpoint = torch.load(path, weights_only=True)
    assert set(checkpoint) == {"state_dict", "epoch", "optimizer", "scheduler", "val_result"}
    assert checkpoint["epoch"] == 2
    assert torch.equal(checkpoint["state_dict"]["1.weight"], trainer.model[1].weight)


@pytest.mark.parametrize("schedule", ["cosine", "single_step"])
def test_resumed_run_ends_like_an_unbroken_one(cfg, schedule):
    cfg.OPTIM.LR_SCHEDULER = schedule
    cfg.INPUT.TRANSFORMS = ("normalize",)
    cfg.DATALOADER.TRAIN_X.BATCH_SIZE = 12  # the whole set, so that its order makes no difference
    cfg.OPTIM.MAX_EPOCH = 5
    whole = trained(cfg, TRAIN__CHECKPOINT_FREQ=2)

    folder = f"{cfg.OUTPUT_DIR}/linear"
    with open(f"{folder}/checkpoint", "w") as file:
        file.write("model.pth.tar-2\n")
    set_random_seed(7)
    resumed = build_trainer(cfg)
    resumed.train()
    assert resumed.start_epoch == 2
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-7)
    assert resumed.get_current_lr() == whole.get_current_lr()


def test_run_resumes_from_another_folder(cfg, tmp_path, capsys):
    trained(cfg)
    cfg.RESUME, cfg.OUTPUT_DIR = cfg.OUTPUT_DIR, str(tmp_path / "other")
    trained(cfg, OPTIM__MAX_EPOCH=3)
    assert f"Found checkpoint at {cfg.RESUME} (will resume training)" in capsys.readouterr().out
    assert (tmp_path / "other" / "linear" / "model.pth.tar-3").exists()


def test_checkpoints_come_every_checkpoint_freq_epochs_and_last(cfg, tmp_path):
    trained(cfg, OPTIM__MAX_EPOCH=5, TRAIN__CHECKPOINT_FREQ=2)
    names = sorted(path.name for path in (tmp_path / "output" / "linear").glob("model*"))
    assert names == ["model.pth.tar-2", "model.pth.tar-4", "model.pth.tar-5"]


def test_best_model_on_validation_is_kept_and_tested(cfg, tmp_path, capsys):
    trainer = trained(cfg, TEST__FINAL_MODEL="best_val", OPTIM__MAX_EPOCH=3)
    path = tmp_path / "output" / "linear" / "model-best.pth.tar"
    best = load_checkpoint(path)
    assert best["val_result"] == trainer.best_result
    out = capsys.readouterr().out
    assert out.count("Evaluate on the *val* set") == 3
    assert "Deploy the model with the best val performance" in out

    torch.save(best | {"val_result": 200.0}, path)
    assert trained(cfg, OPTIM__MAX_EPOCH=4).best_result == 200.0  # a resumed run keeps what was better


def test_best_model_on_validation_needs_a_validation_set(cfg):
    cfg.TEST.FINAL_MODEL = "best_val"
    trainer = build_trainer(cfg)
    trainer.val_loader = None
    with pytest.raises(ValueError, match="validation set"):
        trainer.train()


def test_no_test_means_none(cfg, capsys):
    trained(cfg, TEST__NO_TEST=True)
    assert "Evaluate" not in capsys.readouterr().out


def test_model_is_loaded_by_epoch(cfg, capsys):
    first = trained(cfg)
    other = build_trainer(cfg)
    assert not same_weights(first, other)
    capsys.readouterr()
    other.load_model(cfg.OUTPUT_DIR, epoch=2)
    path = f"{cfg.OUTPUT_DIR}/linear/model.pth.tar-2"
    assert capsys.readouterr().out == f'Loading weights to linear from "{path}" (epoch = 2)\n'
    assert same_weights(first, other)
    with pytest.raises(FileNotFoundError, match="model-best"):
        other.load_model(cfg.OUTPUT_DIR)
    other.load_model("")
    assert "No model is loaded" in capsys.readouterr().out


def test_same_seed_gives_the_same_model(cfg, tmp_path):
    first = trained(cfg)
    cfg.OUTPUT_DIR = str(tmp_path / "again")
    assert same_weights(first, trained(cfg))


def test_run_goes_on_without_tensorboard(cfg, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    trained(cfg)
    assert capsys.readouterr().out.count("tensorboard is not installed") == 1


def test_validation_split_is_tested_on_request(cfg, capsys):
    trainer = build_trainer(cfg)
    trainer.test(split="val")
    assert "Evaluate on the *val* set\n=> result\n* total: 3\n" in capsys.readouterr().out


def test_loss_that_is_not_finite_is_an_error(cfg):
    trainer = build_trainer(cfg)
    before = trainer.model[1].weight.clone()
    with pytest.raises(FloatingPointError):
        trainer.model_backward_and_update(trainer.model[1].weight.sum() * float("nan"))
    assert torch.equal(trainer.model[1].weight, before)


def test_models_are_registered_once_and_known_by_name(cfg):
    trainer = build_trainer(cfg)
    with pytest.raises(ValueError, match="'linear'"):
        trainer.register_model("linear", trainer.model)
    with pytest.raises(UnavailableError, match="no_such"):
        trainer.set_model_mode("train", "no_such")
    with pytest.raises(ValueError, match="mode"):
        trainer.set_model_mode("training")


def test_model_without_optimizer_is_saved_but_does_not_learn(cfg, tmp_path):
    trainer = build_trainer(cfg)
    trainer.register_model("fixed", torch.nn.Linear(1, 1))
    trainer.set_model_mode("eval", ["fixed"])
    trainer.train()
    assert load_checkpoint(tmp_path / "output" / "fixed" / "model.pth.tar-2")["optimizer"] is None


def test_model_is_registered_after_construction_began():
    class Early(TrainerX):
        def __init__(self):
            self.register_model("model", torch.nn.Linear(1, 1))

    with pytest.raises(AttributeError, match="super"):
        Early()


def test_default_model_is_left_to_dassl(cfg):
    with pytest.raises(MissingPartError, match="SimpleTrainer"):
        SimpleTrainer(cfg)


def test_unknown_trainer_is_an_error(cfg):
    cfg.TRAINER.NAME = "TinyTrainr"
    with pytest.raises(UnavailableError, match="Did you mean 'TinyTrainer'"):
        build_trainer(cfg)
