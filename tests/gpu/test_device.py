"""The device that was asked for; the other tests here are collected where it is there."""

import torch


def test_the_device_computes(device):
    assert torch.ones(2, 2, device=device).sum().item() == 4
