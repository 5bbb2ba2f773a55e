"""CLIP by name or by file, frozen."""

import pickle
import urllib.error
import warnings
from pathlib import Path

import clip
import torch
from clip.model import CLIP, build_model, convert_weights
from torch import Tensor, nn
from torch.nn.functional import normalize

from .errors import InputError, did_you_mean
from .text_encoder import TextEncoder

HALVES = {"fp16": torch.float16, "bf16": torch.bfloat16}
CHECKOUT = Path(__file__).resolve().parents[2]
NEEDED = ("visual.conv1.weight", "text_projection", "positional_embedding", "token_embedding.weight", "logit_scale")


class Backbone(nn.Module):
    """A frozen CLIP as this project uses it: images (B, 3, R, R) to features (B, D), prompts by `text`.

    Features are L2-normalized and fp32, whatever precision the towers run in.
    """

    def __init__(self, model: CLIP) -> None:
        super().__init__()
        self.model, self.text = model, TextEncoder(model)
        self.images_in_bf16 = False
        self.eval().requires_grad_(False)

    @property
    def feature_dim(self) -> int:
        return self.model.text_projection.shape[1]

    @property
    def device(self) -> torch.device:
        return self.model.logit_scale.device

    @property
    def resolution(self) -> int:
        return self.model.visual.input_resolution

    @property
    def logit_scale(self) -> Tensor:
        return self.model.logit_scale.exp().float()

    @torch.no_grad()
    def encode_image(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.images_in_bf16):
            features = self.model.encode_image(images)
        return normalize(features.float(), dim=-1)

    def encode_prompts(self, prefix: Tensor, suffix: Tensor, eot: Tensor) -> Tensor:
        """L2-normalized text features (G, N, D); see TextEncoder.forward."""
        return normalize(self.text(prefix, suffix, eot).float(), dim=-1)


def load_backbone(name: str, precision: str, device: torch.device | str) -> Backbone:
    """CLIP by one of its names (downloaded by the clip package) or by the path of a checkpoint.

    The file is in OpenAI's layout: a TorchScript archive or a state dict. A relative path is looked up in the
    working directory, then in this checkout. With fp32 and amp the weights are kept in fp32, with fp16 and bf16 in
    these; in all cases they have been rounded to fp16 once, as CLIP's own loader does.

    Raises InputError if the name is unknown, or the file is missing, truncated or not a CLIP.
    """
    model = _download(name) if name in clip.available_models() else _read(_find(name))
    model.float()
    if precision in HALVES:
        convert_weights(model)  # to fp16, but for the parts that CLIP keeps in fp32
        for parameter in model.parameters():
            if parameter.dtype == torch.float16:
                parameter.data = parameter.data.to(HALVES[precision])
    return Backbone(model.to(device))


def _download(name: str) -> CLIP:
    try:
        return clip.load(name, device="cpu", jit=False)[0]
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"CLIP's weights {name} could not be downloaded ({error}).\n"
            "With a network connection they come by themselves and are kept in ~/.cache/clip; without one, put the "
            "file there, or name a checkpoint file with MODEL.BACKBONE.NAME /path/to/file.pt."
        ) from error


def _find(name: str) -> Path:
    for path in (Path(name).expanduser(), CHECKOUT / name):
        if name and path.is_file():
            return path
    raise InputError(
        f"MODEL.BACKBONE.NAME is {name!r}: neither an existing file nor one of CLIP's models "
        f"({', '.join(clip.available_models())}).{did_you_mean(name, clip.available_models())}"
    )


def _read(path: Path) -> CLIP:
    state = _read_state(path)
    missing = [key for key in NEEDED if key not in state]
    if missing:
        raise InputError(f"{path} is not a CLIP checkpoint in OpenAI's layout: it has no {', '.join(missing)}.")
    try:
        return build_model(state)
    except (RuntimeError, KeyError, IndexError, AssertionError, ZeroDivisionError) as error:
        raise InputError(f"{path} is not a whole CLIP checkpoint in OpenAI's layout: {error}") from error


def _read_state(path: Path) -> dict[str, Tensor]:
    """The state dict of a TorchScript archive or of a file that torch.save wrote."""
    try:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated; CLIP's archives stay
                return torch.jit.load(path, map_location="cpu").state_dict()
        except RuntimeError:  # not a TorchScript archive
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{path} cannot be read as a checkpoint: it is truncated, or not a PyTorch file ({reason})."
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} is not a CLIP checkpoint: it holds {type(state).__name__}, not named tensors.")
    return dict(state)
