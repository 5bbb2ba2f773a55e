"""What makes Dassl, and the engine that stands in for it, behave alike."""

try:
    from dassl.engine import TRAINER_REGISTRY
except ModuleNotFoundError as error:
    if error.name not in ("dassl", "dassl.engine"):  # the second: a mere folder of that name
        raise
    raise ImportError(
        "SHIP is a plugin for Dassl, which is not installed: pip install setuptools wheel wilds && "
        "pip install --no-deps --no-build-isolation git+https://github.com/KaiyangZhou/Dassl.pytorch"
    ) from None

__all__ = ["TRAINER_REGISTRY"]
