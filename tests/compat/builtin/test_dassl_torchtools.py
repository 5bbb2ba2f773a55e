"""Checkpoints, Dassl's among them, and operations on modules."""

import pickle

import pytest
import torch
from dassl.optim import build_lr_scheduler, build_optimizer
from dassl.utils import (
    count_num_param,
    init_network_weights,
    load_checkpoint,
    load_pretrained_weights,
    open_all_layers,
    open_specified_layers,
    resume_from_checkpoint,
    save_checkpoint,
)
from torch import nn

# Folder, epoch, OPTIM.LR and the learning rate that the run had reached.
GOLDEN = [("cocoop_seed1", 2, 0.02, 0.01), ("coop_random_ctx_seed2", 3, 0.2, 0.05)]


def module_with(weights):
    """Return a module with parameters (and buffers: token_…) of these names and shapes, all zero."""
    model = nn.Module()
    for name, value in weights.items():
        *owners, leaf = name.split(".")
        module = model
        for owner in owners:
            if not hasattr(module, owner):
                module.add_module(owner, nn.Module())
            module = getattr(module, owner)
        if leaf.startswith("token_"):
            module.register_buffer(leaf, torch.zeros_like(value))
        else:
            module.register_parameter(leaf, nn.Parameter(torch.zeros_like(value)))
    return model


def network():
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 1))


def state(epoch=1):
    return {"state_dict": {"module.a": torch.ones(1)}, "epoch": epoch, "optimizer": None, "scheduler": None}


def test_checkpoint_round_trip(tmp_path, capsys):
    save_checkpoint(state(4), tmp_path)
    path = tmp_path / "model.pth.tar-4"
    assert capsys.readouterr().out == f"Checkpoint saved to {path}\n"
    assert (tmp_path / "checkpoint").read_text() == "model.pth.tar-4\n"
    assert load_checkpoint(path)["state_dict"] == {"a": torch.ones(1)}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint", "model.pth.tar-4"]


def test_best_and_named_checkpoints(tmp_path):
    save_checkpoint(state(), tmp_path, is_best=True, remove_module_from_keys=False, model_name="mine")
    for name in ("mine", "model-best.pth.tar"):
        assert set(load_checkpoint(tmp_path / name)["state_dict"]) == {"module.a"}


@pytest.mark.parametrize(("folder", "epoch", "full_lr", "lr"), GOLDEN)
def test_run_resumes_from_dassls_checkpoint(cfg, golden_dir, folder, epoch, full_lr, lr):
    directory = golden_dir / "checkpoints" / folder / "prompt_learner"
    stored = load_checkpoint(directory / f"model.pth.tar-{epoch}")
    model = module_with(stored["state_dict"])
    cfg.OPTIM.LR, cfg.OPTIM.MAX_EPOCH = full_lr, epoch
    optimizer = build_optimizer(model, cfg.OPTIM)
    scheduler = build_lr_scheduler(optimizer, cfg.OPTIM)
    assert resume_from_checkpoint(directory, model, optimizer, scheduler) == epoch
    assert all(torch.equal(value, stored["state_dict"][name]) for name, value in model.state_dict().items())
    assert torch.equal(
        optimizer.state_dict()["state"][0]["momentum_buffer"], stored["optimizer"]["state"][0]["momentum_buffer"]
    )
    assert optimizer.param_groups[0]["lr"] == pytest.approx(lr)
    assert scheduler.get_last_lr() == scheduler.successor.get_last_lr() == pytest.approx([lr])
    assert scheduler.successor.last_epoch == epoch - 1
    assert scheduler.successor.optimizer is optimizer


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
@pytest.mark.parametrize("schedule", ["cosine", "single_step", "multi_step"])
def test_scheduler_objects_that_dassl_stores_are_read(cfg, tmp_path, name, schedule):
    model = nn.Linear(2, 1)
    cfg.OPTIM.NAME, cfg.OPTIM.LR_SCHEDULER = name, schedule
    optimizer = build_optimizer(model, cfg.OPTIM)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    scheduler = build_lr_scheduler(optimizer, cfg.OPTIM)
    torch.save({"scheduler": {"successor": scheduler.successor}}, tmp_path / "file")
    assert load_checkpoint(tmp_path / "file")["scheduler"]["successor"].base_lrs == [0.01]


def test_other_objects_are_not_unpickled(tmp_path):
    torch.save({"state_dict": nn.Linear(1, 1)}, tmp_path / "file")
    with pytest.raises(pickle.UnpicklingError):
        load_checkpoint(tmp_path / "file")


def test_missing_checkpoint_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        load_checkpoint(tmp_path / "none")


def test_weights_that_fit_are_loaded(tmp_path, capsys):
    source = {"module.0.weight": torch.ones(2, 3, 1, 1), "0.bias": torch.ones(5), "other": torch.ones(1)}
    torch.save({"state_dict": source}, tmp_path / "weights")
    model = network()
    bias = model[0].bias.clone()
    load_pretrained_weights(model, tmp_path / "weights")
    assert torch.equal(model[0].weight, torch.ones(2, 3, 1, 1))
    assert torch.equal(model[0].bias, bias)
    assert "0.bias, other" in capsys.readouterr().out
    with pytest.raises(ValueError, match="No weight"):
        load_pretrained_weights(nn.Linear(7, 7), tmp_path / "weights")


def test_parameters_are_counted():
    model = nn.Linear(3, 2)
    assert count_num_param(model) == 8
    assert count_num_param(params=[{"params": [model.weight]}, model.bias]) == 8
    with pytest.raises(ValueError, match="model or parameters"):
        count_num_param()


def test_layers_are_opened_by_name():
    model = nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    open_specified_layers(model, "head")
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]
    assert (model["body"].training, model["head"].training) == (False, True)
    open_all_layers(model)
    assert all(p.requires_grad for p in model.parameters())
    with pytest.raises(ValueError, match="no layer neck"):
        open_specified_layers(model, ["neck"])


@pytest.mark.parametrize("init_type", ["normal", "xavier", "kaiming", "orthogonal"])
def test_weights_are_initialized_and_biases_zero(init_type):
    model = network()
    before = model[3].weight.clone()
    init_network_weights(model, init_type)
    assert not torch.equal(model[3].weight, before)
    assert not model[3].bias.any()
    with pytest.raises(ValueError, match="init_type"):
        init_network_weights(model, "zeros")
