"""Numeric precision of a run.

fp32, fp16, bf16: CLIP's weights in these. amp: PyTorch's autocast with loss scaling, for images and synthesis too;
CLIP's weights are cast to fp16 once and what is learned is fp32. mixed: CLIP in fp16, but for the text tower's
blocks, which are fp32, as SHIP's reference code has it on ImageNet. Of models by other libraries mixed has all of the
text tower in fp32, and amp has all weights in fp32, which autocast casts in every call.
"""

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from ..errors import InputError

HALVES = {"fp16": torch.float16, "mixed": torch.float16, "bf16": torch.bfloat16}  # what weights are then
PRECISIONS = ("fp32", "fp16", "amp", "bf16", "mixed")
BF16_KEYS = {"TRAINER.FEATURES.IMAGE_PREC": "images", "TRAINER.TEXT_PREC": "prompts"}  # and what they are of
MULTIPLYING = (nn.Linear, nn.Conv2d, nn.MultiheadAttention)  # modules whose weights autocast casts in every call


def encodes_in_bf16(key: str, value: str, device: torch.device) -> bool:
    """Whether products are in bf16, by one of BF16_KEYS and its value: where the device has them in hardware."""
    if value not in ("", "bf16"):
        raise InputError(f'{key} is {value!r}; it can be "" (the precision of the run) or bf16.')
    if not value:
        return False
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = any(getattr(torch.cpu, f"_is_{part}_supported", bool)() for part in ("avx512_bf16", "amx_tile"))
    if not able:
        print(f"This {device.type} does not compute in bf16: {BF16_KEYS[key]} are encoded in the run's precision")
    return able


def cast_weights(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Casts the weights of products and convolutions in a frozen module, so that autocast need not in every call."""
    for part in module.modules():
        if isinstance(part, MULTIPLYING):
            for weights in part.parameters(recurse=False):
                weights.data = weights.data.to(dtype)
        if isinstance(projection := getattr(part, "proj", None), nn.Parameter):  # a vision transformer's last product
            projection.data = projection.data.to(dtype)
    return module


class Precision:
    """How a run computes, by CoOp's names; where the device cannot, fp32, and a line that says so.

    `tf32`: whether a GPU's products and convolutions in fp32 may round their inputs to TF32, 10 bits of mantissa
    instead of 23. PyTorch's own default has convolutions do so.
    """

    def __init__(self, name: str, device: torch.device, tf32: bool = False) -> None:
        if name not in PRECISIONS:
            raise InputError(f"PREC is {name!r}; it can be {', '.join(PRECISIONS)}.")
        if name in ("fp16", "amp", "mixed") and device.type != "cuda":
            print(f"Precision {name} needs a GPU: running in fp32 on {device.type}")
            name = "fp32"
        self.name = name
        self.scaler = torch.amp.GradScaler(device.type, enabled=name == "amp")
        self._device_type = device.type
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for each length of prompts, a second each time
        about = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        self.of_images = {"device": about, "precision": self.name, "tf32": tf32 and device.type == "cuda"}
        self.text = ""  # the text tower's, where that has one of its own

    @property
    def in_effect(self) -> dict[str, str | bool]:
        """Device and precision as they are, whatever was asked for."""
        return {**self.of_images, "text": self.text} if self.text else self.of_images

    def autocast(self) -> AbstractContextManager:
        return torch.autocast(self._device_type, enabled=self.name == "amp")

    def step(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Gradients of the loss, and one step of the optimizer."""
        self.backward(loss, optimizer)
        self.update(optimizer)

    def backward(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Gradients of the loss, in place of those that were there."""
        optimizer.zero_grad()
        self.scaler.scale(loss).backward()

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """One step of the optimizer."""
        self.scaler.step(optimizer)
        self.scaler.update()
